"""A model's scored transfers in order of their margin: what every figure is counted from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fanzha.domain.model import Head
from fanzha_training.calibrate import Calibration
from fanzha_training.dataset import DAY_MS, Dataset
from fanzha_training.evaluation.cases import Cases, Ints, cases_of
from fanzha_training.metrics import Scored, tie_ends
from fanzha_training.points import points_of

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Labelled transfers, highest margin first; one entry each where nothing else is said."""

    margin: Floats
    probability: Floats
    """Stated for `base_rate`, or for the data's own rate."""
    points: npt.NDArray[np.int64]
    """What the service would show, 0 to 1000."""
    fraud: npt.NDArray[np.bool_]
    fraud_rows: Ints
    """Positions of the frauds, rising."""
    amount: Floats
    """Minor units."""
    account: Ints
    """Number, from 0, of the account that is drawn as a whole and that cases belong to."""
    accounts: int
    channel: npt.NDArray[np.int8]
    segment: npt.NDArray[np.int8]
    fraud_type: npt.NDArray[np.int8]
    decision: npt.NDArray[np.int8]
    """As served; 0 where none was."""
    tie_ends: Ints
    """Lengths of all prefixes that a threshold can choose, rising."""
    cases: Cases
    base_rate: float | None
    """True share of fraud that all figures are stated for; None: the data's own."""

    def __len__(self) -> int:
        """Return the number of transfers."""
        return len(self.margin)


def sample_of(
    scored: Scored,
    data: Dataset,
    calibration: Calibration,
    *,
    head: Head,
    gap_days: float,
    base_rate: float | None,
) -> Sample:
    """Return the sample.

    Args:
        scored: the transfers with the model's margins, and probabilities at `base_rate`.
        data: the same transfers.
        calibration: the model's, as it serves.
        head: the question that labels and margins are about. Cases of VICTIM belong to the payer
            and end with a pause of `gap_days`; each account of a mule is one case.
        gap_days: see `head`.
        base_rate: true share of fraud; None: the data's own.

    """
    order = np.argsort(-scored.margin, kind="stable")
    names = _accounts(data, head)
    known, account = np.unique(names, return_inverse=True)
    account, fraud = account[order], (scored.label == 1)[order]
    margin = scored.margin[order]
    gap_ms = gap_days * DAY_MS if head is Head.VICTIM else None
    return Sample(
        margin=margin,
        probability=scored.probability[order],
        points=points_of(calibration.log_odds(margin)),
        fraud=fraud,
        fraud_rows=np.flatnonzero(fraud),
        amount=scored.amount_minor[order].astype(np.float64),
        account=account,
        accounts=len(known),
        channel=data.channel[order],
        segment=data.segment[order],
        fraud_type=scored.fraud_type[order],
        decision=data.decision[order],
        tie_ends=tie_ends(margin),
        cases=cases_of(account, data.time_ms[order], fraud, gap_ms),
        base_rate=base_rate,
    )


def _accounts(data: Dataset, head: Head) -> Ints:
    if head is not Head.PAYEE_MULE:
        return data.payer
    # Withdrawals and the like have no payee: each is on its own.
    return np.where(data.payee == 0, -1 - np.arange(len(data)), data.payee)
