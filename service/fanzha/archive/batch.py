"""Reads the next entries of the journal and makes rows of them, leaving out what is archived."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fanzha.adapters import keys
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.archive.held import HeldRecords, Seqs, place_of
from fanzha.archive.part import made_ms, order_of
from fanzha.archive.rows import to_row, without_content
from fanzha.archive.schema import KIND_DECISION, KIND_EXECUTION, OUTCOME_KINDS
from fanzha.archive.writer import NOTHING, Head, LogWriter
from fanzha.domain.errors import SetupError

_REPORTS: Final = {KIND_EXECUTION, *OUTCOME_KINDS}
"""Spools send these again after Redis forgot them, and their entries do not say so."""
_LATE_MS: Final = 60_000
"""A decision that is journaled so long after it was made was sent again."""


@dataclass(slots=True)
class Batch:
    """What one round moves."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    last: dict[int, str] = field(default_factory=dict)
    """Bucket to the newest entry that was read of it."""
    heads: dict[int, Head] = field(default_factory=dict)
    """Bucket to the end of its chain when it was read."""
    epochs: dict[int, bytes] = field(default_factory=dict)
    """Bucket to its epoch before it was read; empty without one."""
    after: dict[int, str | None] = field(default_factory=dict)
    """Bucket to the entry that was read on from, where its chain ends elsewhere."""
    left_out: int = 0
    """Entries that the archive held already."""

    def passed(self) -> dict[str, str]:
        """Return the newest entry of those buckets where it was left out, and the chain is older.

        The log has to say so, or the cursor would look as if commits were missing.
        """
        ends = {bucket: head.last or "0-0" for bucket, head in self.heads.items()}
        for row in self.rows:
            ends[row["bucket"]] = row["stream_id"]
        return {
            str(bucket): last
            for bucket, last in self.last.items()
            if order_of(last) > order_of(ends[bucket])
        }


def read_batch(
    link: RedisLink,
    log: LogWriter,
    held: HeldRecords,
    newest: dict[int, bytes],
    rows_max: int,
    *,
    may_lack: bool = False,
) -> Batch:
    """Read the next entries of some buckets, about `rows_max` of them, none newer than `newest`.

    The log is to be fresh: what is decided here holds for the chains as it gives them.

    Args:
        link: connection to Redis.
        log: of the archive.
        held: says what it holds already.
        newest: bucket to the newest entry to read.
        rows_max: about how many entries.
        may_lack: go on where Redis was trimmed further than the log reaches.

    Raises:
        SetupError: the newest commits are gone.
        StoreUnavailableError: Redis did not answer.
        OSError: a file of the archive cannot be read.
    """
    # Epochs first: what is read under another one is not trimmed.
    found = link.run([("GET", key(b)) for key in (keys.epoch, keys.archived) for b in newest])
    epochs = dict(zip(newest, found[: len(newest)], strict=True))
    cursors = dict(zip(newest, found[len(newest) :], strict=True))
    behind = [
        bucket
        for bucket, last in newest.items()
        if last and (not cursors[bucket] or order_of(cursors[bucket]) < order_of(last))
    ]
    if not may_lack:
        _check_whole(log, {bucket: cursors[bucket] for bucket in behind})
    share = max(1, rows_max // max(1, len(behind)))
    reads: list[Command] = [
        ("XRANGE", keys.journal(b), b"(" + (cursors[b] or b"0"), newest[b], "COUNT", share)
        for b in behind
    ]
    batch = Batch()
    suspects: list[dict[str, Any]] = []
    for bucket, entries in zip(behind, link.run(reads) if reads else [], strict=True):
        if not entries:
            continue
        head = log.heads.get(bucket, NOTHING)
        cursor = cursors[bucket].decode() if cursors[bucket] else None
        batch.heads[bucket] = head
        batch.epochs[bucket] = epochs[bucket] or b""
        if cursor != head.last:
            batch.after[bucket] = cursor or "0-0"
        # The cursor was lost, or whoever moved what follows was cut off before setting it.
        is_behind = head.last is not None and (
            cursor is None or order_of(cursor) < order_of(head.last)
        )
        for stream_id, flat in entries:
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            row = to_row(bucket, stream_id.decode(), fields)
            batch.rows.append(row)
            if is_behind or b"r" in fields or _may_be_another(row):
                suspects.append(row)
        batch.last[bucket] = entries[-1][0].decode()
    _leave_out(batch, held.of(suspects))
    return batch


def _check_whole(log: LogWriter, cursors: Mapping[int, bytes | None]) -> None:
    """Refuse a log that ends before what Redis was trimmed up to: commits after it are gone.

    To go on would take their numbers, so that they could not be put back.
    """
    if _lacking(log, cursors) is not None:
        # Another archiver may have committed, and moved the cursor, since the log was read.
        log.refresh()
    if (bucket := _lacking(log, cursors)) is not None:
        raise SetupError(
            f"Redis was trimmed up to {(cursors[bucket] or b'').decode()} in bucket {bucket}, and "
            f"the archive {log.storage.name} ends at {log.heads[bucket].last}: its newest commits "
            "are gone, or this is not the archive that Redis was trimmed for; put them back (see "
            "docs/operations/archive.md), or give --accept-loss if they are nowhere any more"
        )


def _lacking(log: LogWriter, cursors: Mapping[int, bytes | None]) -> int | None:
    for bucket, cursor in cursors.items():
        last = log.heads.get(bucket, NOTHING).last
        if cursor is None or last is None or bucket in log.adopted:
            continue
        if order_of(cursor) > order_of(last):
            return bucket
    return None


def _may_be_another(row: dict[str, Any]) -> bool:
    """Say whether the archive may hold a record already that is not marked as sent again."""
    return row.get("seq") is None or row["kind"] in _REPORTS or _is_late(row)


def _is_late(row: dict[str, Any]) -> bool:
    """Say whether a decision reached the journal long after it was made."""
    name = row.get("decision_id")
    if row["kind"] != KIND_DECISION or name is None or (time_ms := made_ms(name)) is None:
        return False
    return order_of(row["stream_id"])[0] - time_ms > _LATE_MS


def _leave_out(batch: Batch, there: Seqs) -> None:
    """Keep of what is archived already, or comes twice, only changes of state that are new.

    A record that is read again has the same sequence. One that was sent again, after Redis had
    forgotten it, changed the state once more, under another.
    """
    rows, batch.rows = batch.rows, []
    for row in rows:
        kept: dict[str, Any] | None = row
        seq, seqs = row.get("seq"), there.get(row["record_id"])
        if place_of(row) in there:
            kept = None
        elif seqs is not None:
            again = without_content(row) if seq is not None and seq not in seqs else None
            kept = again if again is not None and again["record_id"] not in there else None
        if kept is None:
            batch.left_out += 1
        else:
            there.setdefault(kept["record_id"], set()).add(seq)
            batch.rows.append(kept)
