"""All accounts of the world, here and at other banks, and the facts that this bank has of them."""

from typing import Final

import numpy as np

from fanzha.domain.vocabulary import Channel, CustomerSegment, PartyType
from fanzha_training.simulate.chance import happens
from fanzha_training.simulate.plan import NOBODY, UNKNOWN, Ints

NEVER_MS: Final = 2**62
NO_DAY: Final = -(2**31)
"""Opening day of an account at another bank: unknown here."""

_DEFAULTS: Final[dict[str, int]] = {
    # Holder of the account: persons and companies are numbered together.
    "person": NOBODY,
    "type": PartyType.PERSON,
    "segment": CustomerSegment.UNSPECIFIED,
    # 1: held at this bank, with the facts below and a balance that the ledger keeps.
    "ours": 0,
    "open_day": NO_DAY,
    "open_channel": Channel.UNSPECIFIED,
    "dual_recording_done": UNKNOWN,
    "anti_fraud_app": UNKNOWN,
    "balance_minor": 0,
    "branch": NOBODY,
    # Telephone or computer that the holder uses, and the one that replaces it at a time.
    "device": NOBODY,
    "next_device": NOBODY,
    "next_device_ms": NEVER_MS,
    # Number of the telephone line on file, and the one that replaces it at a time.
    "phone": NOBODY,
    "next_phone": NOBODY,
    "next_phone_ms": NEVER_MS,
    # When the owner sold the account: from then on nothing of their own life happens in it.
    "sold_ms": NEVER_MS,
    # When mobile or online banking was opened, and when a limit was raised, in the last weeks.
    "e_channel_ms": -NEVER_MS,
    "limit_ms": -NEVER_MS,
}


class AccountBook:
    """Columns of facts, one entry for each account; accounts are named by their position."""

    def __init__(self) -> None:
        """Start without accounts."""
        self._columns = {name: np.empty(0, dtype=np.int64) for name in _DEFAULTS}
        self._count = 0
        self._persons = 0
        self._devices = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, name: str) -> Ints:
        """Return a column as it is now; it may be written to until the next account is opened."""
        return self._columns[name][: self._count]

    def open(self, count: int, **facts: Ints | int) -> Ints:
        """Open accounts and return their positions.

        Without `person` each has a new holder; without `phone` the line is the holder's own.

        Raises:
            KeyError: a fact has no such column.
        """
        unknown = [name for name in facts if name not in _DEFAULTS]
        if unknown:
            raise KeyError(*unknown)
        if "person" not in facts:
            facts["person"] = self.new_persons(count)
        facts.setdefault("phone", facts["person"])
        opened = np.arange(self._count, self._count + count)
        self._count += count
        for name, default in _DEFAULTS.items():
            column = self._columns[name]
            if self._count > len(column):
                # Twice the size, so that mules can be opened one by one in a large world.
                grown = np.empty(2 * self._count, dtype=np.int64)
                grown[: len(column)] = column
                self._columns[name] = column = grown
            column[opened] = facts.get(name, default)
        return opened

    def new_persons(self, count: int) -> Ints:
        """Return numbers of holders that nobody has yet."""
        self._persons += count
        return np.arange(self._persons - count, self._persons)

    def new_devices(self, count: int) -> Ints:
        """Return numbers of devices that nobody has yet."""
        self._devices += count
        return np.arange(self._devices - count, self._devices)


def opening_facts(
    rng: np.random.Generator, open_day: Ints, *, careful: float = 0.85
) -> dict[str, Ints]:
    """Return what is on file of accounts opened here on these days.

    Recording of sound and picture (双录) came into use around 2017; `careful` is the share of later
    openings for which it is on file.
    """
    count = len(open_day)
    modern = open_day > 17_167
    recorded = np.where(modern, happens(rng, careful, count), happens(rng, 0.05, count))
    channel = rng.choice(
        [Channel.COUNTER, Channel.SMART_TELLER, Channel.MOBILE], size=count, p=[0.5, 0.35, 0.15]
    )
    channel = np.where(modern, channel, Channel.COUNTER)
    return {
        "open_day": open_day,
        "open_channel": np.where(happens(rng, 0.04, count), Channel.UNSPECIFIED, channel),
        "dual_recording_done": np.where(happens(rng, 0.1, count), UNKNOWN, recorded),
    }


# A check digit is never the right one, so that no number can be a real card's.
_CARD_DIGITS: Final = 19
_SPREAD: Final = 387_420_489_137
_SPREAD_SPACE: Final = 10**12


def card_numbers(count: int, ours: Ints, seed: int) -> list[str]:
    """Return a 19-digit number for each account: bank prefix, 12 digits, a wrong check digit.

    The 12 digits are a permutation of the positions, so all numbers differ.
    """
    middle = (np.arange(count) * _SPREAD + seed % _SPREAD_SPACE) % _SPREAD_SPACE
    other_banks = np.array([629_901, 629_915, 629_922, 629_938])
    prefix = np.where(ours == 1, 629_900, other_banks[middle % 4])
    body = prefix * _SPREAD_SPACE + middle
    wrong = (_luhn_digits(body) + 5) % 10
    return [str(number) for number in (body * 10 + wrong).tolist()]


def _luhn_digits(body: Ints) -> Ints:
    """Return the check digit that ISO/IEC 7812-1 asks for after each number."""
    total = np.zeros(len(body), dtype=np.int64)
    rest = body.copy()
    for position in range(_CARD_DIGITS - 1):
        digit = rest % 10
        rest //= 10
        if position % 2 == 0:
            digit = digit * 2
            digit = np.where(digit > 9, digit - 9, digit)
        total += digit
    return (10 - total % 10) % 10
