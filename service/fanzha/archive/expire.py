"""Removes what need not be kept any longer, and leaves a tombstone in the log.

Whole files go; where some kinds stay, a smaller file takes the place of the old one. The commit
names what went, by which rule, and who approved it, and keeps the digests of the chains' links, so
that the chains can be checked across the gap. Old files are removed after the commit.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from fanzha.archive.chain import digest_of
from fanzha.archive.close import Closing, close_due
from fanzha.archive.entries import (
    EXPIRE,
    Approval,
    Commit,
    Expiry,
    FileEntry,
    Gone,
    GoneSegment,
    Segment,
    decode_commit,
)
from fanzha.archive.expiry_rules import (
    DEFAULT_RULES,
    Removal,
    approval_faults,
    kept_until,
    signed_bytes,
    utc_day,
)
from fanzha.archive.log import commit_path, day_of_path
from fanzha.archive.part import NEEDED, Description, parquet_bytes
from fanzha.archive.writer import LogWriter
from fanzha.domain.errors import SetupError
from fanzha.signing.keys import Signer, TrustedKeys


@dataclass(frozen=True, slots=True)
class Proposal:
    """A removal, and the first person's signature under it."""

    removal: Removal
    approval: Approval


def plan_removal(log: LogWriter, rules: dict[str, str], as_of: date) -> Removal:
    """Return what the rules let go on a day; the log is to be fresh."""
    files = []
    for path, entry in sorted(log.entries.items()):
        day = day_of_path(path)
        gone = {
            kind: rows
            for kind, rows in entry.kinds.items()
            if kind in rules and kept_until(day, rules[kind]) <= as_of
        }
        if gone:
            files.append((path, entry.sha256, gone))
    return Removal(as_of.isoformat(), rules, files)


def approve(removal: Removal, signer: Signer) -> Approval:
    """Return a person's approval."""
    return Approval(signer.name, signer.key, signer.sign(signed_bytes(removal)))


def write_proposal(file: Path, proposal: Proposal) -> None:
    """Write a proposal for the second person. Raises SetupError."""
    try:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(proposal)) + b"\n")
    except OSError as error:
        raise SetupError(f"cannot write {file}: {error.strerror}") from error


def read_proposal(file: Path) -> Proposal:
    """Read a proposal. Raises SetupError."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Proposal)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise SetupError(
            f"{file} is no proposal: {error}; fanzha audit expire makes one"
        ) from error


def apply_removal(
    log: LogWriter,
    removal: Removal,
    approvals: list[Approval],
    keys: TrustedKeys,
    progress: Callable[[int], None],
) -> Commit:
    """Remove what was approved; readers see it from the commit on.

    Args:
        log: of the archive, fresh.
        removal: what is to go.
        approvals: who stands for it.
        keys: trusted folder.
        progress: told of the files that were looked at, one by one.

    Raises:
        SetupError: it is not approved, a file is not what it was, or nothing of it is there.
        OSError: the archive cannot be written.
    """
    are_default = removal.rules == DEFAULT_RULES
    _check_allowed(log, removal, approvals, keys, are_default=are_default)
    gone: list[Gone] = []

    def said() -> dict[str, Any]:
        _check_there(log, removal)
        return {"expiry": Expiry(removal.as_of, removal.rules, are_default, gone, approvals)}

    try:
        for path, _, kinds in removal.files:
            gone.append(_make_room(log, path, kinds, removal.rules))
            progress(1)
        commit = log.append(EXPIRE, said)
    except (OSError, pa.ArrowException, SetupError):
        _undo(log, gone)
        raise
    for one in gone:
        log.storage.remove(one.path)
    closing = Closing(0.0)
    for day in sorted({day_of_path(one.path) for one in gone} & log.manifests.keys()):
        close_due(log, closing, day)
    return commit


def _check_allowed(
    log: LogWriter,
    removal: Removal,
    approvals: list[Approval],
    keys: TrustedKeys,
    *,
    are_default: bool,
) -> None:
    if date.fromisoformat(removal.as_of) > utc_day(log.now_ms()):
        raise SetupError(f"this removal is judged by {removal.as_of}, which is yet to come")
    faults = approval_faults(removal, approvals, keys, None, are_default=are_default)
    if faults:
        raise SetupError(f"this removal is not approved: {'; '.join(faults)}")
    if not removal.files:
        raise SetupError("nothing is to be removed")
    _check_there(log, removal)


def _undo(log: LogWriter, gone: list[Gone]) -> None:
    """Remove the files that were to stand in place of others, if it is known that they do not."""
    if not log.storage.is_definite:
        return
    with suppress(OSError, SetupError):
        log.refresh()
        for one in gone:
            new = one.replaced_by
            if new is not None and new.path not in log.entries:
                log.storage.remove(new.path)


def _check_there(log: LogWriter, removal: Removal) -> None:
    for path, sha256, _ in removal.files:
        entry = log.entries.get(path)
        if entry is None or entry.sha256 != sha256:
            raise SetupError(
                f"the archive changed meanwhile: {path} is no file of it any more; start again"
            )


def _make_room(log: LogWriter, path: str, kinds: dict[str, int], rules: dict[str, str]) -> Gone:
    """Write the file that takes the place of one, if any rows of it stay; return what goes."""
    entry = log.entries[path]
    content = log.storage.read(path)
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise SetupError(
            f"{log.full_path(path)} is not what was archived, so that nobody can say what would "
            "go; see fanzha audit verify"
        )
    table = pa.table(log.parquet(path).read())
    description = Description()
    description.add_table(table.select([x for x in NEEDED if x in table.column_names]))
    links, before = _links_of(log, path)
    segments = []
    for bucket, link in sorted(links.items()):
        digests = {**before.get(bucket, {}), **description.buckets.get(bucket, {})}
        if digest_of(digests) != link.digest:
            raise SetupError(
                f"{log.full_path(path)} does not fit the chain of bucket {bucket}; see fanzha "
                "audit verify"
            )
        segments.append(GoneSegment(bucket, link.position, digests))
    stay = table.filter(pc.invert(pc.is_in(table.column("kind"), pa.array(list(kinds)))))
    return Gone(
        path=path,
        sha256=entry.sha256,
        rows=kinds,
        rules={kind: rules[kind] for kind in kinds},
        segments=segments,
        replaced_by=_write_rest(log, path, stay, links) if len(stay) else None,
    )


def _write_rest(log: LogWriter, path: str, stay: pa.Table, links: dict[int, Segment]) -> FileEntry:
    new = f"{path.partition('/')[0]}/part-{log.now_ms():013d}-{os.urandom(4).hex()}.parquet"
    content = parquet_bytes(stay)
    log.storage.write(new, content)
    description = Description()
    description.add_table(stay.select([x for x in NEEDED if x in stay.column_names]))
    entry = description.entry(new, len(content), hashlib.sha256(content).hexdigest())
    kept = [links[segment.bucket] for segment in entry.segments]
    return msgspec.structs.replace(entry, segments=kept)


def _links_of(
    log: LogWriter, path: str
) -> tuple[dict[int, Segment], dict[int, dict[str, tuple[int, str]]]]:
    """Return a file's links as they were first written, and what of their rows went before."""
    before: dict[int, dict[str, tuple[int, str]]] = {}
    while True:
        commit = decode_commit(log.storage.read(commit_path(log.numbers[path])))
        for file in commit.files:
            if file.path == path:
                return {segment.bucket: segment for segment in file.segments}, before
        for gone in commit.expiry.gone if commit.expiry is not None else []:
            if gone.replaced_by is not None and gone.replaced_by.path == path:
                for segment in gone.segments:
                    held = before.setdefault(segment.bucket, {})
                    before[segment.bucket] = {**segment.kinds, **held}
                path = gone.path
                break
        else:
            raise SetupError(f"no commit names {path}; see fanzha audit verify")
