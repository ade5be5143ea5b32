"""Transfers with margins written by hand, for tests of what is counted of them."""

from typing import Any

import numpy as np

from fanzha.domain.model import Head
from fanzha_training.calibrate import Calibration
from fanzha_training.dataset import DAY_MS, UNLABELLED, Dataset, DatasetMeta
from fanzha_training.evaluate import Later
from fanzha_training.evaluation.assumptions import Assumptions
from fanzha_training.evaluation.head import Answers, HeadResult, evaluate_head
from fanzha_training.evaluation.sample import Sample, sample_of
from fanzha_training.evaluation.thresholds import PolicyLimits
from fanzha_training.metrics import Scored, weight_at

AS_SERVED = Calibration(1.0, 0.0, 0.0, 0.01, 0.01)
"""Log-odds are the margin itself."""
QUIET = Assumptions(resamples=0, cases_min=1)


def judged(
    label: Any,
    margin: Any,
    *,
    amount: Any = 100,
    payer: Any = None,
    day: Any = 0.0,
    base_rate: float | None = None,
    **columns: Any,
) -> tuple[Answers, Dataset]:
    """Return a model's answers and their transfers; every transfer has its own payer by default."""
    rows = len(label)

    def column(values: Any, dtype: Any) -> Any:
        return np.broadcast_to(np.asarray(values, dtype), rows).copy()

    own = np.arange(1, rows + 1)
    labels, margins = column(label, np.int8), column(margin, np.float64)
    data = Dataset(
        time_ms=column(np.asarray(day) * DAY_MS, np.int64),
        amount_minor=column(amount, np.int64),
        payer=column(own if payer is None else payer, np.int64),
        payee=column(columns.get("payee", 0), np.int64),
        decision=column(columns.get("decision", 0), np.int8),
        label=labels,
        label_known_ms=column(0, np.int64),
        fraud_type=column(columns.get("fraud_type", labels), np.int8),
        payee_mule=column(UNLABELLED, np.int8),
        payee_mule_known_ms=column(0, np.int64),
        payer_mule=column(UNLABELLED, np.int8),
        payer_mule_known_ms=column(0, np.int64),
        weight=column(1, np.float32),
        channel=column(columns.get("channel", 4), np.int8),
        segment=column(columns.get("segment", 2), np.int8),
        stored_vectors=np.zeros((rows, 1), np.float32),
        meta=DatasetMeta("table", True, "fanzha-training build", 0, 3.0),
    )
    frauds = int((labels == 1).sum())
    scored = Scored(
        margins,
        AS_SERVED.probability_at(margins, base_rate),
        labels,
        data.amount_minor,
        data.fraud_type,
        weight_at(frauds, rows - frauds, base_rate),
    )
    return Answers("a", AS_SERVED, scored), data


def the_sample(
    answers: Answers, data: Dataset, *, base_rate: float | None = None, head: Head = Head.VICTIM
) -> Sample:
    return sample_of(answers.scored, data, AS_SERVED, head=head, gap_days=14, base_rate=base_rate)


def the_result(
    answers: Answers,
    data: Dataset,
    assumptions: Assumptions = QUIET,
    *,
    base_rate: float | None = None,
    head: Head = Head.VICTIM,
    limits: PolicyLimits | None = None,
    days: float = 1.0,
) -> HeadResult:
    return evaluate_head(
        answers, data, head=head, base_rate=base_rate, limits=limits,
        assumptions=assumptions, days=days, tell=lambda _done, _total: None,
    )  # fmt: skip


def whole(data: Dataset) -> Later:
    return Later(data, int(data.time_ms.min()), int(data.time_ms.max()) + 1)
