"""What became of an archive's decisions: outcomes, withdrawals, and money that did not leave."""

import numpy as np
import numpy.typing as npt
import polars as pl

from fanzha.archive.schema import KIND_OUTCOME, KIND_WITHDRAWAL
from fanzha.domain.vocabulary import DecisionKind, ExecutionStatus
from fanzha_training.outcomes import OUTCOME_COLUMNS


def outcomes_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return all outcomes among an archive's rows, and when each was taken back.

    Columns decision_id, outcome_id, outcome_type, outcome_source, fraud_type, report_time_ms and
    withdrawn_time_ms; the last is null for those that were not taken back.
    """
    names = ("decision_id", "outcome_id")
    withdrawn = (
        rows.filter(pl.col("kind") == KIND_WITHDRAWAL)
        .group_by(names)
        .agg(withdrawn_time_ms=pl.col("report_time_ms").min())
    )
    return (
        rows.filter(
            (pl.col("kind") == KIND_OUTCOME)
            & pl.col("outcome_id").is_not_null()
            & pl.col("outcome_type").is_not_null()
            & pl.col("outcome_source").is_not_null()
            & pl.col("report_time_ms").is_not_null()
        )
        .select(
            *names,
            "outcome_type",
            "outcome_source",
            pl.col("fraud_type").fill_null(0),
            "report_time_ms",
        )
        .join(withdrawn, on=names, how="left", maintain_order="left")
    )


def by_row(outcomes: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Return the outcomes of decisions with `OUTCOME_COLUMNS`; `row` is the decision's place.

    Args:
        outcomes: from `outcomes_of`; those of other decisions are left out.
        decisions: with columns decision_id and create_time_ms.

    """
    rows = decisions.select("decision_id", "create_time_ms").with_row_index("row")
    matched = outcomes.join(rows, on="decision_id", maintain_order="left")
    return matched.select(
        pl.col("row").cast(pl.Int64),
        "outcome_id",
        pl.col("outcome_type").alias("outcome"),
        pl.col("outcome_source").alias("source"),
        "fraud_type",
        # A clock that runs behind must not make a label known before its transfer.
        pl.max_horizontal("report_time_ms", "create_time_ms").alias("report_time_ms"),
        "withdrawn_time_ms",
    ).cast(OUTCOME_COLUMNS)


def held_back(decisions: pl.DataFrame, executions: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Say of which decisions silence proves nothing, because the money did not leave.

    They were prompted, paused or blocked and are not known to be posted: after a CONFIRM whoever
    gives up may be the victim that the prompt saved.

    Args:
        decisions: with columns decision_id and decision.
        executions: with columns decision_id and execution_status.

    """
    by_status = {
        status: executions.filter(pl.col("execution_status") == status)["decision_id"]
        for status in (ExecutionStatus.POSTED, ExecutionStatus.FAILED)
    }
    posted = pl.col("decision_id").is_in(by_status[ExecutionStatus.POSTED].implode())
    failed = pl.col("decision_id").is_in(by_status[ExecutionStatus.FAILED].implode())
    decision = pl.col("decision").fill_null(0)
    held: npt.NDArray[np.bool_] = decisions.select(
        ~posted
        & ((decision >= DecisionKind.PAUSE) | ((decision == DecisionKind.CONFIRM) & failed))
    ).to_series().to_numpy()  # fmt: skip
    return held
