"""What all commands share: progress for people on stderr, results on stdout, times and commands."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed

from fanzha.domain.errors import SetupError

AsJson = Annotated[
    bool, typer.Option("--json", help="Print the summary as one line of JSON, last on stdout.")
]


@contextmanager
def stages() -> Iterator[Callable[[str], None]]:
    """Show what is being done; the yielded function names the next stage."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        Elapsed(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task("starting", total=None)

        def say(stage: str) -> None:
            progress.update(task, description=stage)

        yield say


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar; the yielded function sets how many are done, of how many."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Elapsed(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(what, total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield tell


def show(summary: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a summary: one line of JSON, or one line for each value."""
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False, allow_nan=False))
        return
    for name, value in _flat(summary):
        typer.echo(f"{name:<44} {value}")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, float):
            yield f"{prefix}{name}", f"{value:.6g}"
        else:
            yield f"{prefix}{name}", str(value)


def command_text(name: str, options: Mapping[str, object]) -> str:
    """Return a command line to be kept with its results.

    Options that are None are left out. Of absolute paths only the last part is kept: where a file
    lies on one machine helps nobody on another.
    """
    words = ["fanzha-training", name]
    for option, value in options.items():
        if value is None or value is False:
            continue
        words.append(option)
        if isinstance(value, Path):
            words.append(value.name if value.is_absolute() else str(value))
        elif value is not True:
            words.append(f"{value:g}" if isinstance(value, float) else str(value))
    return " ".join(words)


def time_ms_of(text: str | None, option: str) -> int | None:
    """Return a time in ISO 8601 as milliseconds since 1970 UTC; without an offset it is in UTC.

    Raises:
        SetupError: the text is no time.

    """
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise SetupError(
            f"{option} is {text!r}; write a time such as 2026-06-30 or 2026-06-30T12:00:00+08:00"
        ) from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return int(time.timestamp() * 1000)
