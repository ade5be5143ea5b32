"""What becomes known: late, by report, not always, and not always right."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from fanzha.domain.vocabulary import (
    Channel,
    ExecutionStatus,
    FraudType,
    OutcomeSource,
    OutcomeType,
)
from fanzha_training.simulate.chance import happens
from fanzha_training.simulate.ledger import Played
from fanzha_training.simulate.period import DAY_MS, HOUR_MS, MINUTE_MS
from fanzha_training.simulate.plan import NOBODY, UNKNOWN, Bools, Ints
from fanzha_training.simulate.reporting import DELAY_SIGMA, LONGEST_DELAY_MS, REPORTING, mistaken

_DENIED: Final = 0.01
"""Share of reported episodes that an officer closes as legitimate by mistake."""
_WRONG_TYPE: Final = 0.08
"""Share of reported episodes filed under another type."""
_STOPPED_TOLD: Final = 0.6
"""Share of episodes without a loss that are reported nevertheless."""
_MULE_NAMED: Final = 0.7
"""Share of reported payments after which the police confirm the payee as a mule."""
_FLOW_NAMED: Final = 0.3
"""Share of what moves on between mules of a reported episode that is traced and confirmed."""
_FALSE_ALARMS: Final = 8e-6
"""Share of honest transfers that are reported as fraud: a quarrel over goods, mostly."""
_CORRECTED: Final = 0.5
"""Share of false alarms that are later found to have been honest."""
_CHECKED: Final = 0.3
"""Share of warned, honest payments that the bank looks into, and finds honest within a day."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Outcomes as columns, one entry for each; sorted by time of report."""

    movement: Ints
    """Position among the played movements."""
    outcome: Ints
    fraud_type: Ints
    source: Ints
    report_time_ms: Ints
    loss_minor: Ints
    """UNKNOWN where nobody says."""
    withdrawn_time_ms: Ints
    """UNKNOWN where it was not taken back."""


_Columns = tuple[Ints, Ints, Ints, Ints, Ints, Ints]


def report(played: Played, is_mule: Bools, rng: np.random.Generator) -> Labels:
    """Return all outcomes that will ever be reported; many after the period has ended.

    Args:
        played: what happened.
        is_mule: for each account whether it serves a ring; one entry more, False, for NOBODY.
        rng: where chance comes from.
    """
    parts = [
        *_episodes(played, is_mule, rng),
        *_false_alarms(played, rng),
        _warnings(played, rng),
        _checks(played, rng),
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    columns.append(np.full(len(columns[0]), UNKNOWN))
    order = np.argsort(columns[4], kind="stable")
    return Labels(*(column[order] for column in columns))


def _episodes(
    played: Played, is_mule: Bools, rng: np.random.Generator
) -> tuple[_Columns, _Columns]:
    """Report episodes as a whole, after their last payment; then the mules behind them."""
    plan = played.plan
    payments = np.flatnonzero(plan.bools("is_fraud"))
    episodes, position = np.unique(plan.ints("episode")[payments], return_inverse=True)
    count = len(episodes)
    last_ms = np.zeros(count, dtype=np.int64)
    np.maximum.at(last_ms, position, plan.ints("time_ms")[payments])
    fraud_type = np.zeros(count, dtype=np.int64)
    fraud_type[position] = plan.ints("fraud_type")[payments]
    lost = np.zeros(count, dtype=np.int64)
    np.add.at(lost, position, _losses(played, payments))

    told = [REPORTING[FraudType(number)] for number in fraud_type.tolist()]
    never = np.array([way.never for way in told], dtype=np.float64)
    median_ms = np.array([way.median_ms for way in told], dtype=np.float64)
    delay = rng.lognormal(np.log(median_ms), DELAY_SIGMA)
    reported_ms = last_ms + delay.clip(10 * MINUTE_MS, LONGEST_DELAY_MS).astype(np.int64)
    reported = ~happens(rng, never, count) & ((lost > 0) | happens(rng, _STOPPED_TOLD, count))
    denied = happens(rng, _DENIED, count)
    wrong = happens(rng, _WRONG_TYPE, count)
    said_type = np.where(wrong, mistaken(rng, fraud_type), fraud_type)
    source = np.where(happens(rng, 0.7, count), OutcomeSource.POLICE, OutcomeSource.CUSTOMER)
    source = np.where(denied, OutcomeSource.BANK_REVIEW, source)

    said, of = payments[reported[position]], position[reported[position]]
    fraud = (
        said,
        np.where(denied[of], OutcomeType.CONFIRMED_LEGITIMATE, OutcomeType.CONFIRMED_FRAUD),
        np.where(denied[of], FraudType.UNSPECIFIED, said_type[of]),
        source[of],
        reported_ms[of],
        np.where(denied[of], UNKNOWN, _losses(played, said)),
    )
    known = reported & ~denied
    reports = (episodes[known], reported_ms[known], said_type[known])
    return fraud, _mules(played, is_mule, rng, reports)


def _mules(
    played: Played, is_mule: Bools, rng: np.random.Generator, reports: tuple[Ints, Ints, Ints]
) -> _Columns:
    """Let the police trace the money: payees of victims first, then the layers behind them."""
    episodes, reported_ms, said_type = reports
    plan = played.plan
    victims = plan.bools("is_fraud")
    # Cash and gold lead to no mule's account; victims who were paid bait are none.
    money = (victims | plan.bools("is_mule_flow")) & is_mule[plan.ints("payee")]
    traced = np.flatnonzero(money & (played.execution == ExecutionStatus.POSTED))
    traced = traced[np.isin(plan.ints("episode")[traced], episodes)]
    named = happens(rng, np.where(victims[traced], _MULE_NAMED, _FLOW_NAMED), len(traced))
    traced = traced[named]
    at = np.searchsorted(episodes, plan.ints("episode")[traced])
    count = len(traced)
    wait_ms = rng.integers(HOUR_MS, 3 * DAY_MS, size=count)
    wait_ms += np.where(victims[traced], 0, rng.integers(0, 5 * DAY_MS, size=count))
    return (
        traced,
        np.full(count, OutcomeType.MULE_CONFIRMED),
        said_type[at],
        np.full(count, OutcomeSource.POLICE),
        np.maximum(reported_ms[at], plan.ints("time_ms")[traced]) + wait_ms,
        np.full(count, UNKNOWN),
    )


def _losses(played: Played, which: Ints) -> Ints:
    posted = played.execution[which] == ExecutionStatus.POSTED
    return np.where(posted, played.amount_minor[which], 0)


def _ordinary(played: Played) -> Ints:
    plan = played.plan
    truly = ~plan.bools("is_fraud") & ~plan.bools("is_mule_flow")
    return np.flatnonzero(truly & (played.execution == ExecutionStatus.POSTED))


def _false_alarms(played: Played, rng: np.random.Generator) -> tuple[_Columns, _Columns]:
    """Let some customers report an honest payment as fraud; half of it is corrected later."""
    honest = _ordinary(played)
    honest = honest[played.plan.ints("payee")[honest] != NOBODY]
    count = min(len(honest), int(rng.poisson(_FALSE_ALARMS * len(honest))))
    which = rng.choice(honest, size=count, replace=False)
    delay = rng.lognormal(np.log(2 * DAY_MS), DELAY_SIGMA, size=count)
    reported_ms = played.plan.ints("time_ms")[which] + delay.astype(np.int64) + MINUTE_MS
    alarms = (
        which,
        np.full(count, OutcomeType.CONFIRMED_FRAUD),
        np.full(count, FraudType.FAKE_SHOPPING),
        np.full(count, OutcomeSource.CUSTOMER),
        reported_ms,
        played.amount_minor[which],
    )
    found = happens(rng, _CORRECTED, count)
    n = int(found.sum())
    corrections = (
        which[found],
        np.full(n, OutcomeType.CONFIRMED_LEGITIMATE),
        np.full(n, FraudType.UNSPECIFIED),
        np.full(n, OutcomeSource.POLICE),
        reported_ms[found] + rng.integers(DAY_MS, 21 * DAY_MS, size=n),
        np.full(n, UNKNOWN),
    )
    return alarms, corrections


def _warnings(played: Played, rng: np.random.Generator) -> _Columns:
    """Note what came of each warning, minutes later."""
    plan = played.plan
    warned = np.flatnonzero(plan.ints("warning") != OutcomeType.UNSPECIFIED)
    # Who could not pay anyway has not insisted.
    outcome = plan.ints("warning")[warned]
    posted = played.execution[warned] != ExecutionStatus.FAILED
    cancelled = np.isin(outcome, [OutcomeType.CUSTOMER_CANCELLED, OutcomeType.STOPPED_BY_TELLER])
    warned, outcome = warned[posted | cancelled], outcome[posted | cancelled]
    count = len(warned)
    staffed = np.isin(plan.ints("channel")[warned], [Channel.COUNTER, Channel.SMART_TELLER])
    # Who is not at a counter is advised by telephone; whatever else happens the channel notes.
    elsewhere = np.where(
        outcome == OutcomeType.VICTIM_REFUSED_ADVICE,
        OutcomeSource.BANK_REVIEW,
        OutcomeSource.CHANNEL,
    )
    return (
        warned,
        outcome,
        np.full(count, FraudType.UNSPECIFIED),
        np.where(staffed, OutcomeSource.TELLER, elsewhere),
        plan.ints("time_ms")[warned] + rng.integers(MINUTE_MS, 15 * MINUTE_MS, size=count),
        np.full(count, UNKNOWN),
    )


def _checks(played: Played, rng: np.random.Generator) -> _Columns:
    """Let the bank look into some warned, honest payments, and find them honest."""
    honest = _ordinary(played)
    asked = honest[played.plan.ints("warning")[honest] != OutcomeType.UNSPECIFIED]
    asked = asked[happens(rng, _CHECKED, len(asked))]
    count = len(asked)
    return (
        asked,
        np.full(count, OutcomeType.CONFIRMED_LEGITIMATE),
        np.full(count, FraudType.UNSPECIFIED),
        np.where(happens(rng, 0.5, count), OutcomeSource.CUSTOMER, OutcomeSource.BANK_REVIEW),
        played.plan.ints("time_ms")[asked] + rng.integers(20 * MINUTE_MS, DAY_MS, size=count),
        np.full(count, UNKNOWN),
    )
