"""`fanzha lists import`: brings a CSV of watchlist entries into effect as one change."""

import csv
import json
import os
import queue
import re
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import grpc
import typer
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fanzha.commands.watchlist_csv import COLUMNS, REJECT_COLUMNS, CsvRow, read_rows
from fanzha.domain.errors import SetupError
from fanzha.v1 import watchlists_pb2 as wire
from fanzha.v1 import watchlists_pb2_grpc

if TYPE_CHECKING:
    from _csv import Writer

_ENTRIES_MAX: Final = 1_000
"""Entries of one message, as proto/fanzha/v1/watchlists.proto states."""
_SHOWN: Final = 20
_CONNECT_S: Final = 10.0
_STEP: Final = 1_000
_ENTRY: Final = re.compile(r"entries\[(\d+)\]\.?")

lists = typer.Typer(help="Watchlists and the registry of verified billers.", no_args_is_help=True)


@lists.callback()
def _group() -> None:
    """Keep `import` a command of its own, also while it is the only one."""


@dataclass(slots=True)
class _Checked:
    """What the first reading of the file found."""

    good: int = 0
    bad: int = 0
    first: list[str] = field(default_factory=list)


@lists.command("import")
def import_lists(
    file: Annotated[Path, typer.Argument(help=f"CSV in UTF-8 with {','.join(COLUMNS)}.")],
    address: Annotated[str, typer.Option(help="host:port of the service.")],
    proposed_by: Annotated[str, typer.Option(help="Who proposes the change.")],
    approved_by: Annotated[str, typer.Option(help="Another person, who approves it.")],
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    rejects: Annotated[
        Path | None, typer.Option(help="CSV file to write bad rows to, with reasons.")
    ] = None,
    skip_bad_rows: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--skip-bad-rows", help="Import the other rows all the same.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Add or replace entries: all of them take effect together, or none does."""
    if proposed_by.strip().casefold() == approved_by.strip().casefold():
        raise SetupError(
            "a change of lists needs two people: --approved-by must name another than --proposed-by"
        )
    now = datetime.now(UTC)
    header = wire.ImportHeader(proposed_by=proposed_by, approved_by=approved_by, comment=comment)
    with _progress() as progress:
        checked = _check(file, now, rejects, progress)
        _refuse_bad_rows(file, checked, rejects, skip_bad_rows=skip_bad_rows)
        entries = (row for row in read_rows(file, now) if not row.faults)
        answer = _send(address, header, entries, checked.good, progress)
    if as_json:
        done = {
            "imported": answer.imported_count,
            "rejected": checked.bad,
            "lists_version": answer.lists_version,
        }
        typer.echo(json.dumps(done))
    else:
        typer.echo(
            f"imported {answer.imported_count:,} entries, rejected {checked.bad:,} rows; "
            f"the lists are now {answer.lists_version}"
        )


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _check(file: Path, now: datetime, rejects: Path | None, progress: Progress) -> _Checked:
    """Read all rows, and write the bad ones out, before anything is sent."""
    task = progress.add_task("checking", total=None)
    checked = _Checked()
    with _rejects_file(file, rejects) as writer:
        for row in read_rows(file, now):
            if not row.faults:
                checked.good += 1
            else:
                checked.bad += 1
                reasons = "; ".join(row.faults)
                if len(checked.first) < _SHOWN:
                    checked.first.append(f"  row {row.number}: {reasons}")
                if writer is not None:
                    writer.writerow((row.number, reasons, *row.cells))
            if row.number % _STEP == 0:
                progress.update(task, completed=row.number)
    progress.remove_task(task)
    return checked


def _refuse_bad_rows(
    file: Path, checked: _Checked, rejects: Path | None, *, skip_bad_rows: bool
) -> None:
    if checked.good and (skip_bad_rows or not checked.bad):
        return
    if not checked.bad:
        raise SetupError(f"{file} has a header and no rows; there is nothing to import")
    more = checked.bad - len(checked.first)
    shown = "\n".join([*checked.first, *([f"  and {more:,} more"] if more else [])])
    place = f"they are in {rejects}" if rejects else "write them to a file with --rejects"
    remedy = ", or import the other rows with --skip-bad-rows" if checked.good else ": none is good"
    raise SetupError(
        f"{file}: {checked.bad:,} bad row(s), nothing was imported (row 1 is the first after the "
        f"header):\n{shown}\n{place}; mend them{remedy}"
    )


@contextmanager
def _rejects_file(source: Path, place: Path | None) -> "Iterator[Writer | None]":
    """Yield a writer of bad rows; the file, for its owner's eyes only, appears when all is read."""
    if place is None:
        yield None
        return
    try:
        if place.exists() and place.samefile(source):
            raise SetupError(f"{place} is the file to import; name another with --rejects")
        handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        draft = Path(name)
        try:
            # mkstemp makes files of mode 0600.
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow((*REJECT_COLUMNS, *COLUMNS))
                yield writer
            draft.replace(place)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise SetupError(
            f"cannot write {place}: {error.strerror}; choose another file with --rejects"
        ) from error


def _send(
    address: str,
    header: wire.ImportHeader,
    rows: Iterator[CsvRow],
    total: int,
    progress: Progress,
) -> wire.ImportEntriesResponse:
    """Stream all entries in one call.

    Raises:
        SetupError: the service cannot be reached or refuses the import.
    """
    numbers: array[int] = array("q")
    task = progress.add_task("sending", total=total)

    def messages() -> Iterator[wire.ImportEntriesRequest]:
        yield wire.ImportEntriesRequest(header=header)
        group = wire.WatchlistEntries()
        for row in rows:
            group.entries.append(row.entry)
            numbers.append(row.number)
            if len(group.entries) == _ENTRIES_MAX:
                yield wire.ImportEntriesRequest(entries=group)
                progress.update(task, completed=len(numbers))
                group = wire.WatchlistEntries()
        if group.entries:
            yield wire.ImportEntriesRequest(entries=group)
        progress.update(task, completed=len(numbers), description="taking effect")

    with grpc.insecure_channel(address) as channel:
        if not _connects(channel):
            raise SetupError(
                f"no service answers at {address}: start one with fanzha serve, or give its "
                "host:port with --address"
            )
        try:
            return watchlists_pb2_grpc.WatchlistServiceStub(channel).ImportEntries(messages())
        except grpc.RpcError as error:
            raise _refusal(error, numbers) from error


def _connects(channel: grpc.Channel) -> bool:
    """Say whether a channel connects; a refused connection is known at once."""
    states: queue.SimpleQueue[grpc.ChannelConnectivity] = queue.SimpleQueue()
    channel.subscribe(states.put, try_to_connect=True)
    deadline = time.monotonic() + _CONNECT_S
    try:
        while True:
            state = states.get(timeout=max(0.0, deadline - time.monotonic()))
            if state is grpc.ChannelConnectivity.READY:
                return True
            if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                return False
    except queue.Empty:
        return False
    finally:
        channel.unsubscribe(states.put)


def _refusal(error: Any, numbers: "array[int]") -> SetupError:  # noqa: ANN401 - also a grpc.Call
    """Return a failed call as one clear error."""
    code = error.code()
    if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED):
        lines = [f"  {_place(v.field, numbers)} {v.description}" for v in _violations(error)]
        text = "\n".join(lines) or f"  {error.details()}"
        return SetupError(
            f"the service refused the import ({code.name}), nothing took effect:\n{text}"
        )
    return SetupError(
        f"the import failed ({code.name}: {error.details()}); it took effect as a whole or not at "
        "all, and importing the same file again is safe"
    )


def _violations(error: Any) -> "list[Any]":  # noqa: ANN401 - also a grpc.Call
    status = rpc_status.from_call(error)
    found: list[Any] = []
    for detail in status.details if status is not None else ():
        bad = error_details_pb2.BadRequest()
        if detail.Is(bad.DESCRIPTOR):
            detail.Unpack(bad)
            found += bad.field_violations
    return found


def _place(name: str, numbers: "array[int]") -> str:
    """Say which row of the file a field of the call stands for."""
    match = _ENTRY.match(name)
    if match is None or int(match[1]) >= len(numbers):
        return name
    return f"row {numbers[int(match[1])]}: {name[match.end() :]}"
