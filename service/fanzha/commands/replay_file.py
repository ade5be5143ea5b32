"""`fanzha replay-file`: scores a bank's own table of transfers through an isolated instance."""

import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, NoReturn

import grpc
import pyarrow as pa
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table as Grid

from fanzha.commands.row_progress import row_progress
from fanzha.domain.errors import SetupError
from fanzha.mapping.mapped import MappedTable, open_mapped, refuse_without_rows, shown
from fanzha.mapping.mapping import Mapping
from fanzha.mapping.rows import Rows
from fanzha.replay.decisions import DecisionsFile, draft_of
from fanzha.replay.instance import Instance, isolated_instance
from fanzha.replay.player import Player

_WORDS: Final = ("allow", "confirm", "pause", "block", "error")
_SIGNALLED: Final = 128
_CONNECT_S: Final = 10.0
_ARCHIVE_ROWS: Final = 50_000


@dataclass(slots=True)
class _Summary:
    """What a replay did."""

    rows: int = 0
    rows_skipped: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    degraded: Counter[str] = field(default_factory=Counter)
    repaired: dict[str, int] = field(default_factory=dict)
    score_s: float = 0.0

    def as_json(self, out: Path) -> str:
        """Return the summary as one line of JSON."""
        return json.dumps(
            {
                "rows": self.rows,
                "decisions": {word: self.decisions[word] for word in _WORDS},
                "degraded": dict(self.degraded),
                "repaired": self.repaired,
                "rows_skipped": self.rows_skipped,
                "rows_per_s": round(self.rows / self.score_s, 1) if self.score_s else 0.0,
                "out": str(out),
            }
        )

    def print(self, out: Path) -> None:
        """Print the summary for people."""
        grid = Grid(show_header=False, box=None)
        grid.add_row("transfers scored", f"{self.rows:,}")
        for word in _WORDS:
            if self.decisions[word]:
                grid.add_row(f"  {word}", f"{self.decisions[word]:,}")
        for name, count in [*self.repaired.items(), ("rows skipped", self.rows_skipped)]:
            if count:
                grid.add_row(name.replace("_", " "), f"{count:,}")
        for part, count in self.degraded.items():
            grid.add_row(f"decided without {part.replace('_', ' ')}", f"{count:,}")
        if self.score_s:
            grid.add_row("transfers per second", f"{self.rows / self.score_s:,.0f}")
        grid.add_row("decisions", str(out))
        Console().print(grid)


def replay_file(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file of transfers.")],
    mapping: Annotated[str, typer.Option(help="Mapping file, or the name of a shipped one.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write the decisions to.")],
    models: Annotated[Path | None, typer.Option(help="Folder of the models.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N transfers.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Only the first N times 24 h.")] = None,
    skip_bad_rows: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--skip-bad-rows", help="Leave out rows that are no transfers.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Score a table of transfers with any column names, in order of time, as it happened.

    Starts an isolated instance whose clock is the file's event time, sends every row through the
    gRPC API, and writes the decisions to Parquet. Nothing else on this machine is touched.
    """
    _check_paths(file, out, models, policy)
    table, shape = open_mapped(file, mapping, needs_labels=False)
    summary = _Summary()
    with _ended_by_signals(), draft_of(out) as draft, row_progress() as progress:
        rows = _read(table, days, limit, progress)
        _check(rows, file, skip_bad_rows=skip_bad_rows)
        summary.rows_skipped = rows.faults.count
        summary.repaired = rows.repaired
        _play(rows, shape, draft, summary, progress, models, policy)
    if summary.degraded["model"]:
        typer.echo(
            f"fanzha: {summary.degraded['model']:,} transfer(s) were decided without a model, by "
            "rules and lists alone; name the folder of the models with --models",
            err=True,
        )
    if as_json:
        typer.echo(summary.as_json(out))
    else:
        summary.print(out)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let signals end the command by an exception: the instance is stopped, the draft removed."""

    def end(number: int, _: object) -> NoReturn:
        sys.exit(_SIGNALLED + number)

    before = [(number, signal.signal(number, end)) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _check_paths(file: Path, out: Path, models: Path | None, policy: Path | None) -> None:
    if out.is_dir():
        raise SetupError(f"{out} is a folder; name a file with --out")
    if out.exists() and file.exists() and out.samefile(file):
        raise SetupError(f"{out} is the file to read; name another with --out")
    if models is not None and not models.is_dir():
        raise SetupError(f"{models} is no folder; name the folder of the models with --models")
    if policy is not None and not policy.is_file():
        raise SetupError(f"there is no policy file {policy}; name one with --policy")


def _read(table: MappedTable, days: int | None, limit: int | None, progress: Progress) -> Rows:
    task = progress.add_task("reading", total=table.file.row_count(), rate="")
    rows = Rows(table, lambda done: progress.update(task, completed=done), days=days, limit=limit)
    progress.remove_task(task)
    return rows


def _check(rows: Rows, file: Path, *, skip_bad_rows: bool) -> None:
    """Look at the faults before any row is scored.

    Raises:
        SetupError: rows are no transfers and are not to be skipped, or none is a transfer.
    """
    faults = rows.faults
    if faults.count and not skip_bad_rows:
        raise SetupError(
            f"{faults.count:,} row(s) cannot be read as transfers (row 1 is the first after the "
            f"header):\n{shown(faults)}\nmend the file or its mapping, or leave such rows out with "
            "--skip-bad-rows; fanzha mapping check shows how the others are understood"
        )
    refuse_without_rows(len(rows), file, faults)


def _play(
    rows: Rows,
    mapping: Mapping,
    draft: Path,
    summary: _Summary,
    progress: Progress,
    models: Path | None,
    policy: Path | None,
) -> None:
    waiting = progress.add_task("starting an isolated instance", total=None, rate="")
    with isolated_instance(models, policy) as instance, _channel(instance) as channel:
        progress.remove_task(waiting)
        task = progress.add_task("scoring", total=len(rows), rate="")
        player = Player(channel, posted=mapping.execution == "posted")
        start = time.monotonic()
        try:
            file = DecisionsFile(draft, rows.label)
            for answers in player.play(rows.read()):
                file.add(answers)
                summary.rows += len(answers)
                summary.score_s = time.monotonic() - start
                rate = f"{summary.rows / summary.score_s:,.0f}/s"
                progress.update(task, completed=answers[-1].row.line + 1, rate=rate)
                if summary.rows // _ARCHIVE_ROWS > (summary.rows - len(answers)) // _ARCHIVE_ROWS:
                    instance.archive_journal()
            file.close()
        except (pa.ArrowException, OSError) as error:
            raise SetupError(
                f"cannot write the decisions: {error}; make room, or choose another place with "
                "--out"
            ) from error
    summary.decisions, summary.degraded = file.decisions, file.degraded


@contextmanager
def _channel(instance: Instance) -> Iterator[grpc.Channel]:
    """Yield a channel to an instance; a call that fails as a whole ends the replay."""
    with grpc.insecure_channel(instance.address) as channel:
        try:
            grpc.channel_ready_future(channel).result(_CONNECT_S)
            yield channel
        except (grpc.RpcError, grpc.FutureTimeoutError) as error:
            cause = error.details() if isinstance(error, grpc.Call) else "it cannot be reached"
            raise SetupError(
                f"the isolated instance stopped answering: {cause}; nothing was written. "
                f"Its last words:\n{instance.last_words()}"
            ) from error
