"""`fanzha lists import`: brings a CSV of watchlist entries into effect as one change."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import grpc
import typer

from fanzha.commands.client_options import Address, ClientTls, connected
from fanzha.commands.list_file import Sending, check, progress_bar, refuse_bad_rows
from fanzha.commands.list_refusal import refusal
from fanzha.commands.watchlist_csv import COLUMNS, read_rows
from fanzha.domain.errors import SetupError
from fanzha.v1 import watchlists_pb2 as wire
from fanzha.v1 import watchlists_pb2_grpc


def import_lists(
    file: Annotated[Path, typer.Argument(help=f"CSV in UTF-8 with {','.join(COLUMNS)}.")],
    address: Address,
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
    """Add or replace entries at once, on the word of two names; on loopback without TLS only.

    All of them take effect together, or none does. Where certificates are asked for, one person
    proposes and another approves.
    """
    if proposed_by.strip().casefold() == approved_by.strip().casefold():
        raise SetupError(
            "a change of lists needs two people: --approved-by must name another than --proposed-by"
        )
    now = datetime.now(UTC)
    header = wire.ImportHeader(proposed_by=proposed_by, approved_by=approved_by, comment=comment)
    with progress_bar() as progress:
        checked = check(file, now, rejects, progress)
        refuse_bad_rows(file, checked, rejects, skip_bad_rows=skip_bad_rows)
        entries = (row for row in read_rows(file, now) if not row.faults)
        answer = _send(address, header, Sending(entries, checked.good, progress))
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


def _send(address: str, header: wire.ImportHeader, sending: Sending) -> wire.ImportEntriesResponse:
    """Stream all entries in one call.

    Raises:
        SetupError: the service cannot be reached or refuses the import.
    """

    def messages() -> Iterator[wire.ImportEntriesRequest]:
        yield wire.ImportEntriesRequest(header=header)
        for group in sending.groups(then="taking effect"):
            yield wire.ImportEntriesRequest(entries=group)

    with connected(address, ClientTls()) as channel:
        try:
            return watchlists_pb2_grpc.WatchlistServiceStub(channel).ImportEntries(messages())
        except grpc.RpcError as error:
            raise refusal(error, sending.numbers, "import") from error
