"""Copies an archive into an empty folder, under new tokens.

A row is turned back into the journal entry that it was made of, gets new tokens there, and is made
a row again, by the same code that archives: so its columns and its record agree.
"""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from fanzha.adapters.codec import decode_record
from fanzha.adapters.reads import request_digest
from fanzha.archive import schema
from fanzha.archive.log import ArchiveLog
from fanzha.archive.rows import to_row, to_table
from fanzha.disk import make_folder, sync
from fanzha.domain.errors import SetupError
from fanzha.features.layout import pack_record
from fanzha.rekey.records import Fields, entry
from fanzha.secrets.chain import Successor

NOTE: Final = "rekeyed.json"
"""Says what an archive was copied from, and under which keys."""
_GROUP: Final = 4_096


@dataclass(slots=True)
class Copied:
    """What was copied."""

    rows: int = 0
    files: int = 0
    requests: dict[str, bytes] = field(default_factory=dict)
    """Decision id to the digest that names its request under the new tokens, of late decisions."""


def copy_archive(
    source: Path,
    target: Path,
    new: Successor,
    keys: tuple[str, str],
    requests_since_ms: int,
    progress: Callable[[int], None],
) -> Copied:
    """Copy an archive.

    Args:
        source: is read, and nothing else.
        target: a folder that is empty or not there.
        new: makes the new tokens.
        keys: fingerprints of the chain before and after.
        requests_since_ms: of decisions from then on, milliseconds since 1970 UTC, the requests are
            remembered.
        progress: told of the number of rows.

    Raises:
        SetupError: the target is not empty, a file is not what was archived, a row cannot be taken
            apart, or nothing can be written.
    """
    copied = Copied()
    try:
        if target.exists() and any(target.iterdir()):
            raise SetupError(
                f"{target} is not empty; give another folder (a copy that was cut off: remove it, "
                "and begin again)"
            )
        log = ArchiveLog(source)
        for file in log.files():
            log.check(file)
            part = Path(log.full_path(file))
            _copy_part(part, target / file.path, new, requests_since_ms, copied)
            progress(copied.rows)
        before, after = keys
        note = {"from_token_key": before, "to_token_key": after, "rows": copied.rows}
        make_folder(target)
        (target / NOTE).write_text(json.dumps(note) + "\n")
        sync(target / NOTE)
        sync(target)
    except OSError as error:
        raise SetupError(f"cannot copy the archive to {target}: {error.strerror}") from error
    return copied


def _copy_part(
    source: Path, target: Path, new: Successor, requests_since_ms: int, copied: Copied
) -> None:
    make_folder(target.parent)
    with (
        pq.ParquetFile(source) as file,
        pq.ParquetWriter(target, schema.SCHEMA, compression="zstd") as out,
    ):
        for batch in file.iter_batches(_GROUP):
            rows = batch.to_pylist()
            changed = rekeyed_rows(rows, new)
            out.write_table(to_table(changed))
            copied.rows += len(rows)
            copied.requests |= _requests(changed, requests_since_ms)
    copied.files += 1
    sync(target)
    sync(target.parent)


def rekeyed_rows(rows: list[dict[str, Any]], new: Successor) -> list[dict[str, Any]]:
    """Return rows with new tokens.

    Raises:
        SetupError: one cannot be taken apart without loss.
    """
    entries = [fields_of(row) for row in rows]
    again = [_row(row, fields) for row, fields in zip(rows, entries, strict=True)]
    if _values(again) != _values(rows):
        lost = next(r for r, x in zip(rows, again, strict=True) if _values([r]) != _values([x]))
        raise SetupError(
            f"row {lost['record_id']} of the archive was written by another version, which kept "
            "more than its journal entry tells; re-key with that version"
        )
    return [_row(row, entry(fields, new)) for row, fields in zip(rows, entries, strict=True)]


def _row(row: dict[str, Any], fields: Fields) -> dict[str, Any]:
    return to_row(row["bucket"], row["stream_id"], fields)


def _values(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as bytes: NaN is equal to itself there."""
    table = to_table(rows)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    return sink.getvalue()


def fields_of(row: dict[str, Any]) -> Fields:
    """Return the journal entry that a row was made of."""
    fields: Fields = {b"k": row["kind"].encode()}
    if row["account"] is not None:
        fields[b"a"] = row["account"]
    if row["seq"] is not None:
        fields[b"s"] = b"%d" % row["seq"]
        if row["previous_seq"] is not None:
            fields[b"p"] = b"%d" % row["previous_seq"]
        fields[b"o"] = b"%d" % row["change"]
        fields[b"c"] = pack_record(row["change_columns"])
        if row["learned_links"] is not None:
            fields[b"l"] = row["learned_links"]
    if row["body"] is not None:
        fields[b"b"] = row["body"]
    return fields


def _requests(rows: list[dict[str, Any]], since_ms: int) -> Iterator[tuple[str, bytes]]:
    for row in rows:
        if row["kind"] == schema.KIND_DECISION and row["record_time_ms"] >= since_ms:
            yield row["decision_id"], request_digest(decode_record(row["body"]).transfer)
