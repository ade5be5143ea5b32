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

from fanzha.archive.schema import KIND_EXECUTION, KIND_OUTCOME
from fanzha.domain.vocabulary import DecisionKind, ExecutionStatus
from fanzha_training.drift.archive_days import decisions_between, files_between, rows_of
from fanzha_training.labels import Outcomes, label_transfers

_COLUMNS: Final = (
    "decision_id", "create_time_ms", "decision", "probability", "model_version",
)  # fmt: skip
_OUTCOME_COLUMNS: Final = ("decision_id", "outcome_type", "fraud_type", "report_time_ms")


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
    rows = rows.with_row_index("row")
    time_ms = rows["create_time_ms"].to_numpy()
    labels = label_transfers(
        time_ms,
        _outcomes(archive, rows, window),
        unresolved=_held_back(archive, rows, window),
        as_of_ms=window.as_of_ms - 1,
        delay_ms=window.delay_ms,
    )
    return Matured(
        rows["model_version"].fill_null("").to_numpy().astype(np.str_),
        rows["probability"].to_numpy(),
        labels.label,
    )


def _outcomes(archive: Path, rows: pl.DataFrame, window: Window) -> Outcomes:
    told = (pc.field("kind") == KIND_OUTCOME) & pc.field("report_time_ms").is_valid()
    found = _later_rows(
        archive, window, _OUTCOME_COLUMNS, told & pc.field("outcome_type").is_valid()
    )
    known = rows.select("decision_id", "row", "create_time_ms")
    matched = found.join(known, on="decision_id", maintain_order="left")
    return Outcomes(
        row=matched["row"].cast(pl.Int64).to_numpy(),
        type=matched["outcome_type"].to_numpy(),
        fraud_type=matched["fraud_type"].fill_null(0).to_numpy(),
        # A clock that runs behind must not make a label known before its transfer.
        report_ms=np.maximum(
            matched["report_time_ms"].to_numpy(), matched["create_time_ms"].to_numpy()
        ),
    )


def _held_back(archive: Path, rows: pl.DataFrame, window: Window) -> npt.NDArray[np.bool_]:
    """Say of which decisions silence proves nothing, because the money did not leave."""
    asked = rows.filter(pl.col("decision").fill_null(0) >= DecisionKind.CONFIRM)["decision_id"]
    done = _later_rows(
        archive,
        window,
        ("decision_id", "execution_status"),
        pc.field("kind") == KIND_EXECUTION,
        of=asked,
    )
    posted, failed = (
        pl.col("decision_id").is_in(
            done.filter(pl.col("execution_status") == status)["decision_id"].implode()
        )
        for status in (ExecutionStatus.POSTED, ExecutionStatus.FAILED)
    )
    decision = pl.col("decision").fill_null(0)
    held: npt.NDArray[np.bool_] = rows.select(
        ~posted
        & ((decision >= DecisionKind.PAUSE) | ((decision == DecisionKind.CONFIRM) & failed))
    ).to_series().to_numpy()  # fmt: skip
    return held


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
        part = rows_of(file, columns, chosen & (pc.field("record_time_ms") < window.as_of_ms))
        parts.append(part if of is None else part.filter(pl.col("decision_id").is_in(of.implode())))
    return pl.concat(parts)
