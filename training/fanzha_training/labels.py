"""What each transfer turned out to be, as far as it was known at a time.

A label is a matter of time: fraud is reported days later, outcomes are contradicted and taken back,
and a transfer about which nothing was heard counts as legitimate only once the delay has passed in
which reports usually come. Where the money did not leave, silence proves nothing.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from fanzha.domain.outcomes import WEIGHTS, Question
from fanzha.domain.vocabulary import Answer, Strength
from fanzha_training.dataset import DAY_MS, UNLABELLED
from fanzha_training.outcomes import Stands, stands_of, tally

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.int8]

MULE_BEFORE_MS: Final = 30 * DAY_MS
"""A mule's account counts as one from so long before the first payment by which it was named."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of transfers, one entry a row: 1, 0 or UNLABELLED, and since when that is known."""

    label: Bytes
    known_ms: Ints
    fraud_type: Bytes
    weight: npt.NDArray[np.float32]
    """How much `label` counts, above 0 to 1."""
    payee_mule: Bytes
    payee_mule_known_ms: Ints
    payer_mule: Bytes
    payer_mule_known_ms: Ints
    counts: dict[str, int] = field(default_factory=dict)
    """Outcomes by what was the matter with them."""

    def some(self, chosen: Bools | slice) -> "Labels":
        """Return the labels of the rows that a mask or slice names; the counts stay."""
        arrays = [one.name for one in fields(self) if one.name != "counts"]
        return replace(self, **{name: getattr(self, name)[chosen] for name in arrays})


@dataclass(frozen=True, slots=True)
class Labelled:
    """What labels of transfers depend on beside their outcomes, one entry a row.

    `payer` and `payee` number the accounts, 0 for none. `unresolved` are transfers that never count
    as legitimate by age alone, because the money did not leave: no loss could be reported.
    """

    time_ms: Ints
    payer: Ints
    payee: Ints
    unresolved: Bools


def label_transfers(
    transfers: Labelled, outcomes: pl.DataFrame, *, as_of_ms: int, delay_ms: int
) -> Labels:
    """Return the labels of transfers as known at a time.

    Args:
        transfers: see there.
        outcomes: everything that was reported, with `fanzha_training.outcomes.OUTCOME_COLUMNS`.
        as_of_ms: what became known later is not looked at.
        delay_ms: age at which a transfer without any report counts as legitimate.

    """
    deceived = stands_of(outcomes, Question.PAYER_DECEIVED, as_of_ms)
    mules = stands_of(outcomes, Question.PAYEE_MULE, as_of_ms)
    silent = transfers.time_ms <= as_of_ms - delay_ms
    silent &= ~transfers.unresolved
    silent[deceived.row[deceived.answer == Answer.UNDECIDED]] = False
    mature_ms = transfers.time_ms + delay_ms

    label, known_ms = _by_age(silent, mature_ms)
    fraud_type = np.zeros(len(label), np.int8)
    weight = np.ones(len(label), np.float32)
    answered = deceived.where(np.isin(deceived.answer, (Answer.YES, Answer.NO)))
    # Silence of full age is more than the customer's yes.
    answered = answered.where((answered.strength > Strength.HINT) | ~silent[answered.row])
    label[answered.row] = answered.answer == Answer.YES
    known_ms[answered.row] = answered.since_ms
    fraud_type[answered.row] = answered.fraud_type
    weight[answered.row] = _WEIGHTS[answered.strength]

    accounts = _Accounts(transfers, mules)
    payee_mule, payee_known_ms = accounts.label(transfers.payee, silent, mature_ms)
    payer_mule, payer_known_ms = accounts.label(transfers.payer, silent, mature_ms)
    # Who was deceived here did not act as a mule here, whatever else the account was used for.
    payer_mule[(label == 1) & (payer_mule == 1)] = UNLABELLED
    return Labels(
        label=label,
        known_ms=known_ms,
        fraud_type=np.where(label == 1, fraud_type, 0).astype(np.int8),
        weight=weight,
        payee_mule=payee_mule,
        payee_mule_known_ms=payee_known_ms,
        payer_mule=payer_mule,
        payer_mule_known_ms=payer_known_ms,
        counts=tally(outcomes, as_of_ms),
    )


_WEIGHTS: Final = np.array([WEIGHTS.get(strength, 0.0) for strength in Strength], np.float32)


def _by_age(silent: Bools, mature_ms: Ints) -> tuple[Bytes, Ints]:
    """Return labels that follow from silence alone, and since when."""
    return np.where(silent, 0, UNLABELLED).astype(np.int8), np.where(silent, mature_ms, 0)


class _Accounts:
    """Accounts that stand as mules' by transfers to them."""

    def __init__(self, transfers: Labelled, mules: Stands) -> None:
        named = mules.where(mules.answer == Answer.YES)
        named = named.where(transfers.payee[named.row] != 0)
        account = transfers.payee[named.row]
        decided = named.strength == Strength.DECISION
        # A claim is no proof, but after it silence is no proof of the opposite either.
        self._doubtful = np.unique(account)
        self._time_ms = transfers.time_ms
        self._named = (
            pl.DataFrame(
                {
                    "account": account[decided],
                    "first_ms": transfers.time_ms[named.row[decided]] - MULE_BEFORE_MS,
                    "known_ms": named.since_ms[decided],
                }
            )
            .sort("account", "first_ms", "known_ms")
            # The earlier a payment was, the further back it reaches; known is what was told first.
            .with_columns(pl.col("known_ms").cum_min().over("account"))
            .sort("first_ms", maintain_order=True)
        )

    def label(self, account: Ints, silent: Bools, mature_ms: Ints) -> tuple[Bytes, Ints]:
        """Return whether accounts are mules' at the time of each transfer, and since when known."""
        doubtful = np.isin(account, self._doubtful)
        label, known_ms = _by_age(silent & (account != 0) & ~doubtful, mature_ms)
        row = np.flatnonzero(doubtful)
        found = (
            pl.DataFrame({"row": row, "account": account[row], "time_ms": self._time_ms[row]})
            .sort("time_ms")
            .join_asof(
                self._named, left_on="time_ms", right_on="first_ms", by="account",
                check_sortedness=False,
            )
            .drop_nulls("known_ms")
        )  # fmt: skip
        row = found["row"].to_numpy()
        label[row] = 1
        known_ms[row] = np.maximum(found["known_ms"].to_numpy(), self._time_ms[row])
        return label, known_ms


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
