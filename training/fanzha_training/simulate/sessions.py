"""Fills in what a plan leaves open: device and session signals, name check, speed, branch.

Fraud scripts set only the signals that their story changes; everything else is drawn here, for
victims as for anybody, so that nothing but the story sets a fraud apart.
"""

from typing import Final

import numpy as np

from fanzha.domain.vocabulary import Channel, NameMatch, PartyType, TransferKind, TransferSpeed
from fanzha_training.simulate.accounts import AccountBook
from fanzha_training.simulate.chance import happens
from fanzha_training.simulate.period import DAY_MS
from fanzha_training.simulate.plan import NOBODY, UNKNOWN, UNSET, Bools, Floats, Ints, Plan

_NEW_FOR_MS: Final = 3 * DAY_MS
# Calls in progress are seen in under 1 % of honest sessions (domain notes, section 2).
_CALL: Final = 0.006
_SCREEN: Final = 0.0012
_REMOTE: Final = 0.0005
_UNSEEN: Final = 0.06
"""Share of mobile and online sessions of which the channel reports nothing."""
_SEEN_AT_BRANCH: Final = 0.07
"""Share of visits to a branch or a machine at which somebody notes a call."""


def fill(plan: Plan, book: AccountBook, branches: int, rng: np.random.Generator) -> None:
    """Replace every UNSET of the plan, in place."""
    payer = plan.ints("payer")
    ours = book["ours"][payer] == 1
    channel = plan.ints("channel")
    electronic = ours & np.isin(channel, [Channel.MOBILE, Channel.ONLINE])
    _fill_flags(plan, book, rng, electronic, ours)
    _fill_devices(plan, book, electronic)
    _fill_speed(plan, rng, ours)
    _fill_name_match(plan, book, rng, ours)
    _fill_branches(plan, book, branches, rng, ours & ~electronic)


def _set(plan: Plan, name: str, values: Ints) -> None:
    column = plan.ints(name)
    unset = column == UNSET
    column[unset] = values[unset]


def _fill_flags(
    plan: Plan, book: AccountBook, rng: np.random.Generator, electronic: Bools, ours: Bools
) -> None:
    count = len(plan)
    payer = plan.ints("payer")
    time_ms = plan.ints("time_ms")
    seen = electronic & ~happens(rng, _UNSEEN, count)

    def since(column: str) -> Bools:
        age = time_ms - book[column][payer]
        return (age >= 0) & (age < _NEW_FOR_MS)

    signals = {
        "call_in_progress": (_CALL, None),
        "screen_shared": (_SCREEN, None),
        "remote_control": (_REMOTE, None),
        "new_device": (0.0, since("next_device_ms")),
        "new_e_channel": (0.0, since("e_channel_ms")),
        "limit_just_raised": (0.002, since("limit_ms")),
    }
    for name, (rate, fact) in signals.items():
        true = happens(rng, rate, count)
        if fact is not None:
            true |= fact
        _set(plan, name, np.where(seen, true, UNKNOWN))
    noted = ours & ~electronic & happens(rng, _SEEN_AT_BRANCH, count)
    call = plan.ints("call_in_progress")
    here = noted & (call == UNKNOWN)
    call[here] = happens(rng, 2 * _CALL, int(here.sum()))


def _fill_devices(plan: Plan, book: AccountBook, electronic: Bools) -> None:
    payer = plan.ints("payer")
    changed = plan.ints("time_ms") >= book["next_device_ms"][payer]
    device = np.where(changed, book["next_device"][payer], book["device"][payer])
    _set(plan, "device", np.where(electronic, device, NOBODY))


def _choose(rng: np.random.Generator, options: list[int], weights: list[float], n: int) -> Ints:
    shares: Floats = np.array(weights)
    return rng.choice(options, size=n, p=shares / shares.sum()).astype(np.int64)


def _fill_speed(plan: Plan, rng: np.random.Generator, ours: Bools) -> None:
    """Choose how fast: transfers at machines arrive on the next day (银发〔2016〕261号)."""
    count = len(plan)
    usual = _choose(
        rng,
        [TransferSpeed.REAL_TIME, TransferSpeed.NORMAL, TransferSpeed.NEXT_DAY, 0],
        [86, 9, 2, 3],
        count,
    )
    machine = np.isin(plan.ints("channel"), [Channel.ATM, Channel.SMART_TELLER])
    speed = np.where(machine, TransferSpeed.NEXT_DAY, usual)
    transfer = plan.ints("kind") == TransferKind.TRANSFER
    _set(plan, "speed", np.where(transfer & ours, speed, TransferSpeed.UNSPECIFIED))


def _fill_name_match(plan: Plan, book: AccountBook, rng: np.random.Generator, ours: Bools) -> None:
    """Compare names; payments to shops by QR code and to institutions mostly go unchecked."""
    count = len(plan)
    checked = _choose(
        rng,
        [NameMatch.MATCH, NameMatch.CLOSE, NameMatch.NO_MATCH, NameMatch.UNAVAILABLE],
        [95.5, 2.0, 0.5, 2.0],
        count,
    )
    payee = plan.ints("payee")
    person = (payee != NOBODY) & (book["type"][payee] == PartyType.PERSON)
    checks = happens(rng, np.where(person, 0.9, 0.35), count)
    transfer = plan.ints("kind") == TransferKind.TRANSFER
    _set(plan, "name_match", np.where(checks & transfer & ours, checked, NameMatch.UNSPECIFIED))


def _fill_branches(
    plan: Plan, book: AccountBook, branches: int, rng: np.random.Generator, visit: Bools
) -> None:
    """Choose the branch of a visit: one's own in three of four cases."""
    count = len(plan)
    anywhere = rng.integers(0, branches, size=count)
    home = book["branch"][plan.ints("payer")]
    away = happens(rng, 0.25, count) | (home == NOBODY)
    _set(plan, "branch", np.where(visit, np.where(away, anywhere, home), NOBODY))
