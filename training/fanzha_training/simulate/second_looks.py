"""What comes after a first report: it is confirmed, contradicted, or taken back.

It has chance of its own, so that what is reported first does not depend on it.
"""

from dataclasses import fields, replace
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import OutcomeSource, OutcomeType
from fanzha_training.simulate.chance import happens
from fanzha_training.simulate.labels import Labels
from fanzha_training.simulate.ledger import Played
from fanzha_training.simulate.period import DAY_MS, HOUR_MS
from fanzha_training.simulate.plan import UNKNOWN

_CONFIRMED: Final = 0.6
"""Share of customers' true reports that the police confirm."""
_REPEATED: Final = 0.1
"""Share of the police's confirmations that the bank's own review repeats."""
_REOPENED: Final = 0.5
"""Share of cases closed by mistake that are opened again: the closing is taken back."""
_CALLED_OFF: Final = 0.02
"""Share of customers' reports that they take back themselves, some of them wrongly."""


def look_again(first: Labels, played: Played, rng: np.random.Generator) -> Labels:
    """Return outcomes with what follows from them; sorted by time of report.

    Args:
        first: what is reported first.
        played: what happened.
        rng: where chance comes from.
    """
    count = len(first.movement)
    fraud = first.outcome == OutcomeType.CONFIRMED_FRAUD
    by_customer = first.source == OutcomeSource.CUSTOMER
    truly = played.plan.bools("is_fraud")[first.movement]
    closed = (first.outcome == OutcomeType.CONFIRMED_LEGITIMATE) & truly

    reopened = closed & happens(rng, _REOPENED, count)
    called_off = fraud & by_customer & happens(rng, _CALLED_OFF, count)
    wait_ms = rng.integers(DAY_MS, 14 * DAY_MS, size=count)
    withdrawn_ms = np.where(reopened | called_off, first.report_time_ms + wait_ms, UNKNOWN)

    confirmed = fraud & truly & by_customer & ~called_off & happens(rng, _CONFIRMED, count)
    repeated = fraud & ~by_customer & happens(rng, _REPEATED, count)
    again = np.flatnonzero(confirmed | repeated | reopened)
    later_ms = first.report_time_ms + rng.integers(HOUR_MS, 10 * DAY_MS, size=count)
    said_type = np.where(
        closed, played.plan.ints("fraud_type")[first.movement], first.fraud_type
    )  # fmt: skip
    later = Labels(
        movement=first.movement[again],
        outcome=np.full(len(again), int(OutcomeType.CONFIRMED_FRAUD)),
        fraud_type=said_type[again],
        source=np.where(repeated, OutcomeSource.BANK_REVIEW, OutcomeSource.POLICE)[again],
        report_time_ms=np.where(reopened, withdrawn_ms, later_ms)[again],
        loss_minor=first.loss_minor[again],
        withdrawn_time_ms=np.full(len(again), UNKNOWN),
    )
    return _together(replace(first, withdrawn_time_ms=withdrawn_ms), later)


def _together(first: Labels, later: Labels) -> Labels:
    names = [one.name for one in fields(Labels)]
    columns = [np.concatenate([getattr(first, name), getattr(later, name)]) for name in names]
    order = np.argsort(columns[names.index("report_time_ms")], kind="stable")
    return Labels(*(column[order] for column in columns))
