"""Checks the files of an archive against its log, down to the columns of each row."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fanzha.archive.chain import digest_of
from fanzha.archive.check_log import LogCheck, Stated
from fanzha.archive.entries import GoneSegment
from fanzha.archive.found_faults import Findings
from fanzha.archive.log import ArchiveLog, day_of_path
from fanzha.archive.part import NEEDED, Description
from fanzha.archive.rows import day_of, whole_row
from fanzha.archive.schema import SCHEMA
from fanzha.archive.unique import Repetitions, hash_of_id

_OWN: Final = (
    "kind", "bucket", "stream_id", "account", "seq", "previous_seq", "change", "change_columns",
    "learned_links", "body",
)  # fmt: skip
_EXAMPLES: Final = 3


class FilesCheck:
    """Looks at each file that counts, a group of rows at a time."""

    def __init__(self, archive: ArchiveLog, log: LogCheck, findings: Findings) -> None:
        self._archive = archive
        self._log = log
        self._findings = findings
        self._ids = Repetitions()
        self._by_hash: dict[str, list[str]] = defaultdict(list)
        """SHA-256 to the files that have it by the log."""
        for path, stated in log.files.items():
            self._by_hash[stated.entry.sha256].append(path)

    def run(self, chosen: Iterable[str], progress: Callable[[int], None]) -> None:
        """Check files.

        Args:
            chosen: their paths.
            progress: told of the bytes of each.
        """
        paths = list(chosen)
        try:
            for path in paths:
                stated = self._log.files[path]
                self._check(path, stated)
                progress(stated.entry.bytes)
            self._check_repetitions(paths)
        finally:
            self._ids.close()

    def _check(self, path: str, stated: Stated) -> None:
        size = self._archive.storage.size(path)
        if size is None:
            self._findings.fault(
                path,
                "this file is missing",
                f"{stated.entry.rows} record(s) are gone; put it back from a copy of the archive",
            )
            return
        self._findings.files += 1
        self._findings.bytes += size
        sha = hashlib.sha256()
        for block in self._archive.storage.read_blocks(path):
            sha.update(block)
        is_whole = sha.hexdigest() == stated.entry.sha256
        if not is_whole:
            others = [x for x in self._by_hash.get(sha.hexdigest(), []) if x != path]
            what = (
                f"its content is that of {others[0]}"
                if others
                else f"its bytes are not those that commit {stated.commit} names "
                + (
                    f"({size} bytes rather than {stated.entry.bytes})"
                    if size != stated.entry.bytes
                    else "(as many, and others)"
                )
            )
            means = (
                "files were exchanged"
                if others
                else "it was changed after it was archived; put it back from a copy"
            )
            self._findings.fault(path, what, means)
        try:
            self._check_rows(path, stated, is_whole=is_whole)
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
            self._findings.fault(
                path,
                f"it cannot be read as Parquet: {error}",
                f"{stated.entry.rows} record(s) cannot be read; put it back from a copy",
            )

    def _check_rows(self, path: str, stated: Stated, *, is_whole: bool) -> None:
        part = self._archive.parquet(path)
        there = [name for name in SCHEMA.names if name in part.schema_arrow.names]
        description = Description()
        wrong: list[str] = []
        for batch in part.iter_batches(columns=there, batch_size=2_000):
            table = pa.Table.from_batches([batch])
            description.add_table(table.select([x for x in NEEDED if x in there]))
            for row in table.to_pylist():
                self._ids.add(row["record_id"])
                fault = _fault_of_row(row, there, path, is_adopted=stated.is_adopted)
                if fault is not None:
                    wrong.append(fault)
        self._findings.rows += description.rows
        faults = [*wrong[:_EXAMPLES]]
        if len(wrong) > _EXAMPLES:
            faults.append(f"{len(wrong) - _EXAMPLES} more rows with columns that do not fit")
        if description.rows != stated.entry.rows:
            faults.append(f"it has {description.rows} row(s) rather than {stated.entry.rows}")
        elif description.kinds != stated.entry.kinds:
            faults.append("its rows are of other kinds than the log says")
        if description.disorder and not stated.is_adopted:
            faults.append(f"journal entry {description.disorder[0]} is not in its order")
        faults += _digest_faults(description.buckets, stated)
        means = (
            "the archiver or a signer was at fault: the bytes are those that were signed"
            if is_whole
            else "these records are not those that were archived"
        )
        for fault in faults:
            self._findings.fault(path, fault, means)

    def _check_repetitions(self, paths: list[str]) -> None:
        twice = self._ids.found()
        if not twice:
            return
        places: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            try:
                column = self._archive.parquet(path).read(columns=["record_id"]).column(0)
            except (pa.ArrowException, OSError):
                continue
            for name in column.to_pylist():
                if hash_of_id(name) in twice:
                    places[name].append(path)
        doubled = {name: found for name, found in places.items() if len(found) > 1}
        for name, found in list(doubled.items())[:_EXAMPLES]:
            self._findings.fault(
                found[1],
                f"record {name} is in {' and in '.join(sorted(set(found)))}",
                f"a record was archived twice ({len(doubled)} such record(s) in all)",
            )


def _digest_faults(there: Mapping[int, Mapping[str, tuple[int, str]]], stated: Stated) -> list[str]:
    """Compare the digests of rows with those of the chains' links."""
    wrong = []
    before = {bucket: x for (bucket, _), x in stated.before.items()}
    for bucket, link in stated.links.items():
        kinds = dict(there.get(bucket, {}))
        if bucket in before:
            kinds = _with_gone(kinds, before[bucket], stated)
        if digest_of(kinds) != link.digest:
            wrong.append(bucket)
    wrong += [bucket for bucket in there if bucket not in stated.links]
    if not wrong:
        return []
    names = ", ".join(map(str, sorted(wrong)[:5])) + (" and more" if len(wrong) > 5 else "")
    return [f"its rows of bucket {names} are not those that the chain was made of"]


def _with_gone(
    kinds: dict[str, tuple[int, str]], before: GoneSegment, stated: Stated
) -> dict[str, tuple[int, str]]:
    """Return digests of all kinds: by the rows of those that stay, as told of those that went."""
    gone = {x: y for x, y in before.kinds.items() if x not in stated.entry.kinds}
    return {**gone, **kinds}


def _fault_of_row(
    row: dict[str, Any], there: list[str], path: str, *, is_adopted: bool
) -> str | None:
    """Return what is wrong with a row: its columns have to follow from what was journaled."""
    own = {name: row.get(name) for name in _OWN}
    stream_id = own["stream_id"] or "0-0"
    own["record_time_ms"] = int(stream_id.partition("-")[0])
    wanted, _ = whole_row(own)
    if is_adopted:
        # Named by their places then, and by fewer columns.
        wanted["record_id"] = row["record_id"]
    for name in there:
        if not _is_same(row[name], wanted.get(name)):
            return f"{name} of record {row['record_id']} does not follow from what was journaled"
    if day_of(row).isoformat() != day_of_path(path):
        return f"record {row['record_id']} is of another day"
    return None


def _is_same(there: object, wanted: object) -> bool:
    if isinstance(wanted, np.ndarray):
        if not isinstance(there, list) or len(there) != len(wanted):
            return False
        is_float = wanted.dtype.kind == "f"
        return np.array_equal(np.array(there, wanted.dtype), wanted, equal_nan=is_float)
    if isinstance(wanted, tuple) and isinstance(there, list):
        return list(wanted) == there
    if isinstance(wanted, float) and isinstance(there, float):
        return wanted == there or (wanted != wanted and there != there)  # noqa: PLR0124 - NaN
    return there == wanted
