"""What becomes known: late, not always, and not always right."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import ExecutionStatus, FraudType, OutcomeType
from fanzha_training.simulate.chance import happens
from fanzha_training.simulate.ledger import Played
from fanzha_training.simulate.period import DAY_MS, HOUR_MS, MINUTE_MS
from fanzha_training.simulate.plan import UNKNOWN, Ints

_NEVER_REPORTED: Final = 0.05
_MEDIAN_DELAY_MS: Final = 2 * DAY_MS
_DELAY_SIGMA: Final = 1.0
_LONGEST_DELAY_MS: Final = 20 * DAY_MS
_WRONG: Final = 0.01
"""Share of reports that say the opposite of the truth, in either direction."""
_MULE_NAMED: Final = 0.8
"""Share of reported payments after which the police confirm the payee as a mule."""
_CONFIRMED_LEGITIMATE: Final = 0.002
"""Share of ordinary transfers, the large ones, that the bank asks about and finds honest."""
POLICE, CUSTOMER = 0, 1
SOURCES: Final = ("police", "customer")


@dataclass(frozen=True, slots=True)
class Labels:
    """Outcomes as columns, one entry for each; sorted by time of report."""

    movement: Ints
    """Position among the played movements."""
    outcome: Ints
    fraud_type: Ints
    source: Ints
    """Position in `SOURCES`."""
    report_time_ms: Ints
    loss_minor: Ints
    """UNKNOWN where nobody says."""


def report(played: Played, rng: np.random.Generator) -> Labels:
    """Return all outcomes that will ever be reported; many after the period has ended."""
    parts = [_victims(played, rng), _false_alarms(played, rng), _honest(played, rng)]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[4], kind="stable")
    return Labels(*(column[order] for column in columns))


_Columns = tuple[Ints, Ints, Ints, Ints, Ints, Ints]


def _delays(rng: np.random.Generator, count: int) -> Ints:
    drawn = rng.lognormal(np.log(_MEDIAN_DELAY_MS), _DELAY_SIGMA, size=count)
    return drawn.clip(10 * MINUTE_MS, _LONGEST_DELAY_MS).astype(np.int64)


def _losses(played: Played, which: Ints) -> Ints:
    posted = played.execution[which] == ExecutionStatus.POSTED
    return np.where(posted, played.amount_minor[which], 0)


def _victims(played: Played, rng: np.random.Generator) -> _Columns:
    """Report episodes as a whole, after their last payment; then the mules that were paid."""
    plan = played.plan
    payments = np.flatnonzero(plan.bools("is_fraud"))
    episodes, position = np.unique(plan.ints("episode")[payments], return_inverse=True)
    last_ms = np.zeros(len(episodes), dtype=np.int64)
    np.maximum.at(last_ms, position, plan.ints("time_ms")[payments])
    reported_ms = last_ms + _delays(rng, len(episodes))
    reported = ~happens(rng, _NEVER_REPORTED, len(episodes))
    wrong = happens(rng, _WRONG, len(episodes))
    payments, position = payments[reported[position]], position[reported[position]]
    count = len(payments)
    denied = wrong[position]
    by_police = happens(rng, 0.7, count)
    fraud = (
        payments,
        np.where(denied, OutcomeType.CONFIRMED_LEGITIMATE, OutcomeType.CONFIRMED_FRAUD),
        np.where(denied, FraudType.UNSPECIFIED, plan.ints("fraud_type")[payments]),
        np.where(by_police & ~denied, POLICE, CUSTOMER),
        reported_ms[position],
        np.where(denied, UNKNOWN, _losses(played, payments)),
    )
    named = happens(rng, _MULE_NAMED, count) & ~denied
    n = int(named.sum())
    mules = (
        payments[named],
        np.full(n, OutcomeType.MULE_CONFIRMED),
        fraud[2][named],
        np.full(n, POLICE),
        fraud[4][named] + rng.integers(HOUR_MS, 2 * DAY_MS, size=n),
        np.full(n, UNKNOWN),
    )
    return _join(fraud, mules)


def _join(*parts: _Columns) -> _Columns:
    first, second, third, fourth, fifth, sixth = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return first, second, third, fourth, fifth, sixth


def _ordinary(played: Played) -> Ints:
    plan = played.plan
    truly = ~plan.bools("is_fraud") & ~plan.bools("is_mule_flow")
    return np.flatnonzero(truly & (played.execution == ExecutionStatus.POSTED))


def _false_alarms(played: Played, rng: np.random.Generator) -> _Columns:
    """Let some customers report an honest payment as fraud: a quarrel over goods, mostly."""
    honest = _ordinary(played)
    count = min(len(honest), rng.poisson(_WRONG * played.plan.bools("is_fraud").sum()))
    which = rng.choice(honest, size=count, replace=False)
    return (
        which,
        np.full(count, OutcomeType.CONFIRMED_FRAUD),
        np.full(count, FraudType.FAKE_SHOPPING),
        np.full(count, CUSTOMER),
        played.plan.ints("time_ms")[which] + _delays(rng, count),
        played.amount_minor[which],
    )


def _honest(played: Played, rng: np.random.Generator) -> _Columns:
    """Let customers confirm large payments that the bank asked about, within hours."""
    honest = _ordinary(played)
    large = played.amount_minor[honest] >= np.quantile(played.amount_minor[honest], 0.95)
    asked = honest[large & happens(rng, 20 * _CONFIRMED_LEGITIMATE, len(honest))]
    count = len(asked)
    return (
        asked,
        np.full(count, OutcomeType.CONFIRMED_LEGITIMATE),
        np.full(count, FraudType.UNSPECIFIED),
        np.full(count, CUSTOMER),
        played.plan.ints("time_ms")[asked] + rng.integers(10 * MINUTE_MS, DAY_MS, size=count),
        np.full(count, UNKNOWN),
    )
