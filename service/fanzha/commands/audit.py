"""`fanzha audit`: whether the archive is what was written, and what of it may go."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from fanzha.adapters import keys as redis_keys
from fanzha.adapters.clock import SystemClock
from fanzha.adapters.redis_link import RedisLink
from fanzha.archive.adopt import adopt
from fanzha.archive.close import Closing, close_due
from fanzha.archive.entries import Approval
from fanzha.archive.expire import (
    Proposal,
    apply_removal,
    approve,
    plan_removal,
    read_proposal,
    write_proposal,
)
from fanzha.archive.expiry_rules import DEFAULT_RULES, Removal, load_rules
from fanzha.archive.found_faults import Findings
from fanzha.archive.log import ArchiveLog
from fanzha.archive.machine_key import signer_for, trusted_folder
from fanzha.archive.orphans import remove_expired, remove_orphans
from fanzha.archive.verify import Outside
from fanzha.archive.verify import verify as verify_archive
from fanzha.archive.writer import LogWriter
from fanzha.commands.given_folders import standing_archive
from fanzha.domain.errors import SetupError
from fanzha.domain.ids import BUCKETS
from fanzha.signing.keys import TrustedKeys, read_trusted

_FAULTS: Final = 3
_HEAD: Final = re.compile(r"(\d+):([0-9a-f]{64})")
_TIMEOUT_MS: Final = 30_000

ArchivePlace = Annotated[
    Path, typer.Option("--archive", help="Folder or s3:// URL of the archive.")
]
Keys = Annotated[
    Path | None,
    typer.Option("--keys", help="Trusted folder; the one beside a local archive if not given."),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", help="Private key; the one beside a local archive if not given."),
]
Name = Annotated[str | None, typer.Option("--as", help="Name of that key in the trusted folder.")]
Day = Annotated[str | None, typer.Option("--day", help="A UTC day, YYYY-MM-DD.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

audit = typer.Typer(
    help="The archive: check it, close days, let go what is out of date.", no_args_is_help=True
)


@contextmanager
def _progress(text: str) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        yield bar, bar.add_task(text, total=None)


def _day_of(text: str | None) -> str | None:
    try:
        return None if text is None else date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise SetupError(f"{text!r} is no day; write it as 2026-11-20") from error


def _writer(archive: Path, key: Path | None, name: str | None) -> LogWriter:
    place = standing_archive(archive)
    log = LogWriter(place, signer_for(place, key, name), SystemClock().now_ms)
    try:
        log.refresh()
    except OSError as error:
        raise SetupError(f"cannot read the archive {place}: {error}") from error
    return log


@audit.command()
def verify(
    archive: ArchivePlace,
    keys: Keys = None,
    day: Day = None,
    head: Annotated[
        str | None,
        typer.Option(help="A commit that was noted, NUMBER:HASH, as fanzha audit head prints it."),
    ] = None,
    redis: Annotated[
        str | None, typer.Option(help="URL of the Redis whose journal goes into this archive.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag
) -> None:
    """Check log, chains, manifests, and every file down to its rows; exit code 3 on any fault."""
    place = standing_archive(archive)
    noted = None
    if head is not None:
        match = _HEAD.fullmatch(head)
        if match is None:
            raise SetupError("--head is not NUMBER:HASH; fanzha audit head prints one to note")
        noted = int(match[1]), match[2]
    outside = Outside(noted, None if redis is None else _cursors(redis))
    with _progress("checking files") as (bar, task):
        found = verify_archive(
            place,
            trusted_folder(place, keys),
            outside,
            _day_of(day),
            begin=lambda total: bar.update(task, total=total),
            progress=lambda size: bar.advance(task, size),
        )
    _tell_findings(found, as_json=as_json)
    if found.faults:
        raise typer.Exit(_FAULTS)


def _cursors(url: str) -> dict[int, str]:
    link = RedisLink(url, _TIMEOUT_MS)
    try:
        found = link.run([("GET", redis_keys.archived(bucket)) for bucket in range(BUCKETS)])
    finally:
        link.close()
    return {bucket: cursor.decode() for bucket, cursor in enumerate(found) if cursor}


def _tell_findings(found: Findings, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False))
        return
    for fault in found.faults:
        typer.echo(f"{fault.place}: {fault.what}\n  {fault.means}")
    for note in found.notes:
        typer.echo(f"note: {note}")
    typer.echo(
        f"{found.commits:,} commit(s), {found.manifests:,} manifest(s), {found.files:,} file(s), "
        f"{found.rows:,} record(s), {found.bytes:,} bytes; newest commit {found.head}"
    )
    typer.echo(f"{len(found.faults)} fault(s)" if found.faults else "no fault")


@audit.command()
def head(archive: ArchivePlace, as_json: AsJson = False) -> None:  # noqa: FBT002 - a flag
    """Print the newest commit as NUMBER:HASH, to be noted where nobody can change it."""
    log = ArchiveLog(standing_archive(archive))
    log.files()
    if not log.head[0]:
        raise SetupError(f"{log.storage.name} has no commit yet; fanzha archive makes the first")
    noted = f"{log.head[0]}:{log.head[1]}"
    typer.echo(json.dumps({"head": noted}) if as_json else noted)


@audit.command()
def close(
    archive: ArchivePlace,
    day: Day = None,
    manifest_after: Annotated[
        float, typer.Option(min=0, help="Hours after its end, and its last record, to close a day.")
    ] = 6.0,
    key: KeyFile = None,
    name: Name = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag
) -> None:
    """Make the signed manifests of days that are over, or of one day now."""
    log = _writer(archive, key, name)
    closing = Closing(manifest_after)
    try:
        close_due(log, closing, _day_of(day))
    except OSError as error:
        raise SetupError(f"cannot write the archive {archive}: {error}") from error
    closed = closing.closed
    typer.echo(json.dumps({"days_closed": closed}) if as_json else f"closed {closed} day(s)")


@audit.command("adopt")
def adopt_command(archive: ArchivePlace, key: KeyFile = None, name: Name = None) -> None:
    """Take an archive from before there was a log into one, as it lies there."""
    try:
        commit = adopt(_writer(archive, key, name))
    except OSError as error:
        raise SetupError(f"cannot write the archive {archive}: {error}") from error
    if commit is None:
        typer.echo("nothing to take in: there is a log, or there are no files")
    else:
        typer.echo(f"took in {len(commit.files)} file(s)")


@audit.command()
def expire(
    archive: ArchivePlace,
    rules: Annotated[
        str, typer.Option(help="A file of rules, or defaults: ten years for everything.")
    ] = "defaults",
    as_of: Annotated[
        str | None, typer.Option(help="The UTC day to judge by, at most today.")
    ] = None,
    propose: Annotated[
        Path | None, typer.Option(help="Sign what is to go, and write it for a second person.")
    ] = None,
    proposal: Annotated[
        Path | None, typer.Option(help="What a first person proposed, to be approved.")
    ] = None,
    really: Annotated[bool, typer.Option("--apply", help="Do it.")] = False,  # noqa: FBT002 - a flag
    keys: Keys = None,
    key: KeyFile = None,
    name: Name = None,
) -> None:
    """Say what may go by the rules; with --apply, remove it and leave a tombstone.

    Rules other than the default ones need two people: one proposes, the other applies.
    """
    place = standing_archive(archive)
    today = datetime.now(UTC).date()
    judged_by = today if as_of is None else date.fromisoformat(_day_of(as_of) or "")
    if judged_by > today:
        raise SetupError(f"--as-of {judged_by} is yet to come")
    log = _writer(archive, key, name)
    trusted = read_trusted(trusted_folder(place, keys))
    approvals = []
    if proposal is not None:
        first = read_proposal(proposal)
        removal, approvals = first.removal, [first.approval]
        if removal != plan_removal(log, removal.rules, date.fromisoformat(removal.as_of)):
            raise SetupError("the archive holds something else than was proposed; propose it anew")
    else:
        chosen = load_rules(None if rules == "defaults" else Path(rules))
        removal = plan_removal(log, chosen, judged_by)
    _tell_removal(removal)
    if propose is not None:
        write_proposal(propose, Proposal(removal, approve(removal, log.signer)))
        typer.echo(f"proposed in {propose}; a second person applies it")
    elif really and removal.files:
        if removal.rules != DEFAULT_RULES and not approvals:
            raise SetupError(
                "these are not the default rules, so that two people have to stand for them: "
                "--propose FILE by one, --proposal FILE --apply by another"
            )
        approvals.append(approve(removal, log.signer))
        _remove(log, removal, approvals, trusted)
    elif removal.files:
        typer.echo("nothing was removed; --apply does it")
    if really:
        _remove_left(log)


def _remove(
    log: LogWriter, removal: Removal, approvals: list[Approval], trusted: TrustedKeys
) -> None:
    try:
        with _progress("removing") as (bar, task):
            bar.update(task, total=len(removal.files))
            commit = apply_removal(
                log, removal, approvals, trusted, lambda count: bar.advance(task, count)
            )
    except OSError as error:
        raise SetupError(
            f"cannot write the archive {log.storage.name}: {error.strerror or error}; make room, "
            "and start again: what went has its tombstone, and nothing else is gone"
        ) from error
    typer.echo(f"removed; the tombstone is commit {commit.number}")


def _remove_left(log: LogWriter) -> None:
    """Remove what removals that were cut off left behind."""
    try:
        log.refresh()
        left = remove_expired(log) + remove_orphans(log, days=None)
    except OSError as error:
        raise SetupError(f"cannot remove what expired: {error}") from error
    if left:
        typer.echo(f"removed {left} file(s) that were left when a removal was cut off")


def _tell_removal(removal: Removal) -> None:
    for path, _, kinds in removal.files:
        typer.echo(f"{path}: {', '.join(f'{rows:,} {kind}' for kind, rows in kinds.items())}")
    total = sum(sum(kinds.values()) for _, _, kinds in removal.files)
    typer.echo(f"{total:,} record(s) in {len(removal.files)} file(s) may go as of {removal.as_of}")
