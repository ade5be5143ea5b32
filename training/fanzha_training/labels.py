"""What each transfer turned out to be, as far as it was known at a time.

A label is a matter of time: fraud is reported days later, and a transfer about which nothing was
heard counts as legitimate only once the delay has passed in which reports usually come.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.domain.vocabulary import OutcomeType
from fanzha_training.dataset import UNLABELLED

FRAUD_OUTCOMES: Final = (OutcomeType.CONFIRMED_FRAUD, OutcomeType.MULE_CONFIRMED)
"""Outcomes that make a transfer fraud: its money was a victim's, or went to a mule."""

LEGITIMATE_OUTCOMES: Final = (OutcomeType.CONFIRMED_LEGITIMATE,)

UNDECIDED_OUTCOMES: Final = (
    OutcomeType.STOPPED_BY_TELLER,
    OutcomeType.CUSTOMER_CANCELLED,
    OutcomeType.VICTIM_REFUSED_ADVICE,
)
"""Outcomes after which silence proves nothing: the money did not leave, so that nobody reports a
loss, or the customer is thought a victim. Such a transfer never counts as legitimate by age."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Outcomes of transfers, one entry each.

    `row` is the transfer's row; `type` and `fraud_type` are numbers of the vocabularies;
    `report_ms` is when it became known, milliseconds since 1970 UTC.
    """

    row: npt.NDArray[np.int64]
    type: npt.NDArray[np.int8]
    fraud_type: npt.NDArray[np.int8]
    report_ms: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of transfers, one entry a row: 1, 0 or UNLABELLED, and since when that is known."""

    label: npt.NDArray[np.int8]
    known_ms: npt.NDArray[np.int64]
    fraud_type: npt.NDArray[np.int8]
    contradicted: int
    """Transfers with outcomes of both kinds; the one reported last holds."""

    def some(self, chosen: npt.NDArray[np.bool_] | slice) -> "Labels":
        """Return the labels of the rows that a mask or slice names; the contradictions stay."""
        return Labels(
            self.label[chosen], self.known_ms[chosen], self.fraud_type[chosen], self.contradicted
        )


def label_transfers(
    time_ms: npt.NDArray[np.int64],
    outcomes: Outcomes,
    *,
    unresolved: npt.NDArray[np.bool_],
    as_of_ms: int,
    delay_ms: int,
) -> Labels:
    """Return the labels of transfers as known at a time.

    Args:
        time_ms: times of the transfers.
        outcomes: everything that was reported about them.
        unresolved: transfers that never count as legitimate by age alone, for example because
            they were held back, so that no loss could be reported.
        as_of_ms: reports that came later are not looked at.
        delay_ms: age at which a transfer without any report counts as legitimate.

    """
    rows = len(time_ms)
    known = outcomes.report_ms <= as_of_ms
    fraud = known & np.isin(outcomes.type, FRAUD_OUTCOMES)
    verdict = fraud | (known & np.isin(outcomes.type, LEGITIMATE_OUTCOMES))
    undecided = np.zeros(rows, np.bool_)
    undecided[outcomes.row[known & np.isin(outcomes.type, UNDECIDED_OUTCOMES)]] = True

    label = np.full(rows, UNLABELLED, np.int8)
    known_ms = np.zeros(rows, np.int64)
    fraud_type = np.zeros(rows, np.int8)
    mature = (time_ms <= as_of_ms - delay_ms) & ~undecided & ~unresolved
    label[mature] = 0
    known_ms[mature] = time_ms[mature] + delay_ms

    # The later of two reports wins, and fraud where both came at once: numpy keeps the last.
    chosen = np.flatnonzero(verdict)
    chosen = chosen[np.lexsort((fraud[chosen], outcomes.report_ms[chosen]))]
    row, is_fraud = outcomes.row[chosen], fraud[chosen]
    label[row] = is_fraud
    same = is_fraud == (label[row] == 1)
    known_ms[row] = np.iinfo(np.int64).max
    np.minimum.at(known_ms, row[same], outcomes.report_ms[chosen][same])
    typed = same & is_fraud & (outcomes.fraud_type[chosen] > 0)
    fraud_type[row[typed]] = outcomes.fraud_type[chosen][typed]
    contradicted = len(np.unique(row[~same]))
    return Labels(label, known_ms, fraud_type, contradicted)


def labels_known_at(
    label: npt.NDArray[np.int8],
    known_ms: npt.NDArray[np.int64],
    time_ms: npt.NDArray[np.int64],
    *,
    when_ms: int,
    delay_ms: int,
) -> npt.NDArray[np.int8]:
    """Return the labels, int8 (rows,), that somebody had who trained at an earlier time.

    Fraud that was reported later still looked legitimate once the delay had passed.
    """
    mature = time_ms <= when_ms - delay_ms
    seen = np.where(mature, 0, UNLABELLED).astype(np.int8)
    by_then = known_ms <= when_ms
    seen[by_then & (label >= 0)] = label[by_then & (label >= 0)]
    seen[label == UNLABELLED] = UNLABELLED
    return seen
