"""Decisions that are old enough to be judged: their probability as served, and their label.

A label is what was known at a time, as training knows it (`fanzha_training.labels`): fraud once it
was reported, legitimate once the label delay has passed in silence, unknown where the money was
held back, so that nobody could report a loss.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.compute as pc

from fanzha.archive.schema import KIND_EXECUTION, KIND_OUTCOME, KIND_WITHDRAWAL
from fanzha.domain.vocabulary import DecisionKind
from fanzha_training.building.archive_outcomes import by_row, held_back, outcomes_of
from fanzha_training.drift.archive_days import decisions_between, files_between, rows_of
from fanzha_training.labels import Labelled, label_transfers

_COLUMNS: Final = (
    "decision_id", "create_time_ms", "decision", "probability", "model_version",
)  # fmt: skip
_OUTCOME_COLUMNS: Final = (
    "kind", "decision_id", "outcome_id", "outcome_type", "outcome_source", "fraud_type",
    "report_time_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """Decisions made from `from_ms` until `until_ms`, with what was known of them at `as_of_ms`.

    Milliseconds since 1970 UTC, ends exclusive.
    """

    from_ms: int
    until_ms: int
    as_of_ms: int
    delay_ms: int


@dataclass(frozen=True, slots=True)
class Matured:
    """Scored decisions of one window, one entry each."""

    model: npt.NDArray[np.str_]
    probability: npt.NDArray[np.float64]
    label: npt.NDArray[np.int8]
    """1, 0 or UNLABELLED."""


def matured(archive: Path, window: Window) -> Matured:
    """Read the scored decisions of a window and label them.

    Raises:
        SetupError: a file is damaged.

    """
    parts = decisions_between(archive, window.from_ms, window.until_ms, _COLUMNS)
    scored = [
        part.filter(pl.col("probability").is_not_null() & pl.col("create_time_ms").is_not_null())
        for part in parts
    ]
    if not any(len(part) for part in scored):
        empty = np.array([])
        return Matured(empty.astype(np.str_), empty, empty.astype(np.int8))
    rows = pl.concat(scored).unique("decision_id", keep="first").sort("decision_id")
    time_ms = rows["create_time_ms"].to_numpy()
    # Whose accounts they are matters for the labels of mules alone, which are not looked at here.
    nobody = np.zeros(len(rows), np.int64)
    labels = label_transfers(
        Labelled(time_ms, nobody, nobody, held_back(rows, _executions(archive, rows, window))),
        by_row(_outcomes(archive, window), rows),
        as_of_ms=window.as_of_ms - 1,
        delay_ms=window.delay_ms,
    )
    return Matured(
        rows["model_version"].fill_null("").to_numpy().astype(np.str_),
        rows["probability"].to_numpy(),
        labels.label,
    )


def _outcomes(archive: Path, window: Window) -> pl.DataFrame:
    told = pc.field("kind").isin([KIND_OUTCOME, KIND_WITHDRAWAL])
    return outcomes_of(_later_rows(archive, window, _OUTCOME_COLUMNS, told))


def _executions(archive: Path, rows: pl.DataFrame, window: Window) -> pl.DataFrame:
    """Return what was done with the money of those who were asked, paused or blocked."""
    asked = rows.filter(pl.col("decision").fill_null(0) >= DecisionKind.CONFIRM)["decision_id"]
    columns = ("decision_id", "execution_status")
    executed = pc.field("kind") == KIND_EXECUTION
    return _later_rows(archive, window, columns, executed, of=asked)


def _later_rows(
    archive: Path,
    window: Window,
    columns: tuple[str, ...],
    chosen: pc.Expression,
    of: pl.Series | None = None,
) -> pl.DataFrame:
    """Return records from the window's start to what is known; `of` keeps some decisions' alone."""
    parts = []
    for file in files_between(archive, window.from_ms, window.as_of_ms):
        part = rows_of(
            archive, file, columns, chosen & (pc.field("record_time_ms") < window.as_of_ms)
        )
        parts.append(part if of is None else part.filter(pl.col("decision_id").is_in(of.implode())))
    return pl.concat(parts)
