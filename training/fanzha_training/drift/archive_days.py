"""Reads an archive day by day: the decisions of one local day, and only the columns needed.

A decision belongs to the day on which it was made, in the bank's time zone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fanzha.archive.log import ArchiveFile, ArchiveLog, files_of, read_error
from fanzha.archive.schema import KIND_DECISION
from fanzha.features.facts import FACTS, PAYER_LIST_GRADE, UNKNOWN
from fanzha.features.manifest import FEATURES

_COLUMNS: Final = (
    "decision_id", "record_time_ms", "create_time_ms", "channel", "payer_segment", "payee",
    "decision", "points", "probability", "model_version", "payer_seq", "payee_seq", "links",
    "link_seqs", "facts", "vector",
)  # fmt: skip
PARTS: Final = ("payer_history", "payee_history", "links", "lists", "score")
"""What a degraded decision can lack."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DayOfDecisions:
    """Decisions of one local day, one entry each."""

    day: date
    frame: pl.DataFrame
    """decision_id, channel, payer_segment, decision, points, probability, model_version."""
    vectors: npt.NDArray[np.float32]
    lacking: dict[str, Mask]
    """For each of PARTS, the decisions that were made without it."""
    unusable: int
    """Decisions of another version's features, which are left out."""

    @property
    def degraded(self) -> Mask:
        """Decisions that lack any part; they are not compared."""
        degraded: Mask = np.logical_or.reduce(list(self.lacking.values()))
        return degraded


def span_ms(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """Return the start and the end of a local day, milliseconds since 1970 UTC."""
    start, end = (
        round(datetime.combine(each, time(), zone).timestamp() * 1000)
        for each in (day, day + timedelta(days=1))
    )
    return start, end


def check_archive(archive: Path) -> None:
    """Raise SetupError unless the folder holds any part of an archive."""
    files_of(archive)


def files_between(archive: Path, from_ms: int, until_ms: int | None) -> list[ArchiveFile]:
    """Return the files that can hold records of a stretch of time; None: without end."""
    last = None if until_ms is None else _utc_day(until_ms - 1)
    return _log_of(archive).files(_utc_day(from_ms), last)


@cache
def _log_of(archive: Path) -> ArchiveLog:
    # Days are read one after the other; the log is read on from where it was.
    return ArchiveLog(archive)


def rows_of(
    archive: Path, file: ArchiveFile, columns: Sequence[str], chosen: pc.Expression
) -> pl.DataFrame:
    """Return some columns of a file's rows that an expression chooses.

    Raises:
        SetupError: the file is damaged, or has no such columns.

    """
    log = _log_of(archive)
    try:
        # Without partitioning: the folder's name must not become a column.
        table = pq.read_table(
            log.storage.open(file.path), columns=list(columns), filters=chosen, partitioning=None
        )
    except (OSError, pa.ArrowException) as error:
        raise read_error(log, file, error) from error
    return pl.DataFrame(pl.from_arrow(table))


def decisions_between(
    archive: Path, from_ms: int, until_ms: int, columns: Sequence[str]
) -> Iterator[pl.DataFrame]:
    """Yield columns of the decisions made in a stretch of time, file by file."""
    when = pc.field("record_time_ms")
    chosen = (pc.field("kind") == KIND_DECISION) & (when >= from_ms) & (when < until_ms)
    for file in files_between(archive, from_ms, until_ms):
        yield rows_of(archive, file, columns, chosen)


def read_day(archive: Path, day: date, zone: ZoneInfo) -> DayOfDecisions | None:
    """Return the decisions of a day, in the order of their ids, each once; None without any.

    Raises:
        SetupError: a file is damaged.

    """
    # Part by part, so that vectors lie in memory twice at most, and as plain arrays.
    rows = decisions_between(archive, *span_ms(day, zone), _COLUMNS)
    parts = [_usable(part) for part in rows if len(part)]
    if not parts:
        return None
    unusable = sum(count for _, _, count in parts)
    frame = pl.concat([light for light, _, _ in parts]).with_row_index("row")
    vectors = np.concatenate([matrix for _, matrix, _ in parts])
    frame = frame.unique("decision_id", keep="first").sort("decision_id")
    return DayOfDecisions(
        day=day,
        frame=frame.drop("row", *PARTS),
        vectors=vectors[frame["row"].to_numpy()],
        lacking={part: frame[part].to_numpy() for part in PARTS},
        unusable=unusable,
    )


def _usable(rows: pl.DataFrame) -> tuple[pl.DataFrame, npt.NDArray[np.float32], int]:
    """Return decisions with what they lack, their vectors, and how many are left out."""
    vector, facts = pl.col("vector").list.len(), pl.col("facts").list.len()
    fits = (vector == len(FEATURES)) & (facts == len(FACTS))
    usable = rows.filter(fits.fill_null(value=False))
    light = usable.select(
        "decision_id",
        "channel",
        "payer_segment",
        "decision",
        "points",
        "probability",
        pl.col("model_version").fill_null(""),
        *_lacking(usable),
    )
    return light, _matrix(usable["vector"]), len(rows) - len(usable)


def _matrix(lists: pl.Series) -> npt.NDArray[np.float32]:
    if lists.is_empty():
        return np.empty((0, len(FEATURES)), np.float32)
    flat = lists.explode(empty_as_null=False).to_numpy()
    return np.ascontiguousarray(flat.reshape(len(lists), len(FEATURES)), np.float32)


def _lacking(rows: pl.DataFrame) -> list[pl.Expr]:
    """Return one column for each of PARTS: whether decisions were made without it."""

    def unread(column: str) -> pl.Expr:
        return pl.col(column).fill_null(-1) < 0

    # A link that was given and has no sequence could not be read.
    links = rows.select("decision_id", "links", "link_seqs").explode(
        "links", "link_seqs", empty_as_null=True
    )
    lost = links.filter(pl.col("links").is_not_null() & unread("link_seqs"))["decision_id"]
    parts: dict[str, pl.Expr] = {
        "payer_history": unread("payer_seq"),
        "payee_history": pl.col("payee").is_not_null() & unread("payee_seq"),
        "links": pl.col("decision_id").is_in(lost.implode()),
        "lists": pl.col("facts").list.get(PAYER_LIST_GRADE) == UNKNOWN,
        "score": pl.col("points").is_null(),
    }
    return [parts[name].alias(name) for name in PARTS]


def _utc_day(time_ms: int) -> date:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date()
