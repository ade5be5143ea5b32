"""`python -m fanzha_loadtest.run PROFILE`: plays a load, and says whether it passed.

Exit codes: 0 every pass line was kept; 1 one was not; 2 nothing is known, because the driver fell
behind its own schedule or something broke.
"""

import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from fanzha_loadtest.load.place import Place, PlaceError
from fanzha_loadtest.load.play import play
from fanzha_loadtest.load.report import write_report
from fanzha_loadtest.load.result import Exit, Result, judge_run, result_as_json
from fanzha_loadtest.load.users import UsersError
from fanzha_loadtest.profile.profile import Profile
from fanzha_loadtest.profile.read import ProfileError, find_profile, read_profile
from fanzha_loadtest.service import PATIENT, WAITING, Service, ServiceError

_FAULTS: Final = (OSError, PlaceError, ProfileError, ServiceError, UsersError)
_STOPPED: Final = 130


def main(
    profile: Annotated[
        str, typer.Argument(help="Profile: a file, or a name of loadtest/profiles.")
    ],
    *,
    address: Annotated[
        list[str] | None,
        typer.Option(
            help="host:port of a service that runs; its own one if not given. Repeatable."
        ),
    ] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(help="CA of the service, PEM; turns on TLS.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Your certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Your private key, PEM.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Workers of its own service.")] = 1,
    models: Annotated[Path, typer.Option(help="Models of its own service.")] = Path("models"),
    report: Annotated[Path | None, typer.Option(help="File for the report, HTML.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Play a profile with both engines, and hold it against its pass lines."""
    console = Console(stderr=True)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        file = find_profile(profile)
        read = read_profile(file)
        given = Place(tuple(address or ()), tls_ca, tls_cert, tls_key)
        code = _run(file, read, given, (workers, models), report, console, as_json=as_json)
    except KeyboardInterrupt:
        console.print("load: stopped")
        sys.exit(_STOPPED)
    except _FAULTS as error:
        console.print(f"load: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(Exit.VOID)
    sys.exit(code)


def _run(
    file: Path,
    profile: Profile,
    given: Place,
    own: tuple[int, Path],
    report: Path | None,
    console: Console,
    *,
    as_json: bool,
) -> Exit:
    with (
        tempfile.TemporaryDirectory(prefix="fz-load-") as name,
        _place(given, profile, own, Path(name)) as (
            place,
            where,
        ),
    ):
        console.print(f"load: {file.stem}, {profile.seconds:g} s, against {where}")
        run = play(profile, file, place, Path(name), lambda what: console.print(f"load: {what}"))
    result = judge_run(profile, run)
    if report is not None:
        write_report(report, file, profile, run, result, where)
        console.print(f"load: report in {report}", markup=False, highlight=False, soft_wrap=True)
    _show(result, console)
    if as_json:
        said = {"profile": file.stem, "where": where, **result_as_json(run, result)}
        typer.echo(json.dumps(said))
    return result.exit


@contextmanager
def _place(
    given: Place, profile: Profile, own: tuple[int, Path], folder: Path
) -> Iterator[tuple[Place, str]]:
    """Yield where the service is, and what to call it; one of its own ends with the block."""
    if given.addresses:
        yield given, ", ".join(given.addresses)
        return
    workers, models = own
    if not (models / "registry.json").exists():
        # A service without a model answers faster than any bank's.
        raise PlaceError(f"{models} holds no models; name their folder with --models")
    # As it comes, with its own budgets, unless the profile says that no speed is measured.
    service = Service(
        *(folder / "data", models, folder / "serve.log", "system"),
        workers=workers,
        options=WAITING if profile.patient else {},
        environment=PATIENT if profile.patient else {},
    )
    with service:
        yield Place(service.addresses), f"a service of its own, {workers} worker(s), this machine"


def _show(result: Result, console: Console) -> None:
    table = Table("pass line", "limit", "measured", "kept")
    for one in result.verdicts:
        kept = "yes" if one.passed else "[bold red]NO"
        sign = "≥" if one.at_least else "≤"
        table.add_row(one.line, f"{sign} {one.limit:g}", f"{one.measured:.5g}", kept)
    console.print(table)
    if result.lagged:
        console.print(
            "[bold red]load: VOID. The driver fell behind its own schedule in "
            f"{', '.join(result.lagged)}: what it measured is itself, not the service. Give it a "
            "processor of its own, or a lower rate."
        )
    else:
        console.print(f"load: {result.exit.name.lower()}")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    typer.run(main)
