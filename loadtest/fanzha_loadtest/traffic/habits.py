"""What people do at each channel: kinds of transfers, amounts, payees, and time between two.

Medians and shares are those of the simulator's bank where it has them; nobody's real figures.
"""

from dataclasses import dataclass
from typing import Final

from fanzha.v1 import transfer_pb2 as wire


@dataclass(frozen=True, slots=True)
class Habits:
    """How one channel is used."""

    channel: "wire.Channel.ValueType"
    kinds: tuple[tuple["wire.TransferKind.ValueType", float], ...]
    """Kinds of transfers with their shares."""
    median_yuan: float
    sigma: float
    """Of the logarithm of the amounts."""
    most_yuan: int
    collecting: float
    """Share of transfers to the hot collecting accounts."""
    known: float
    """Share to payees whom the customer has paid before; the rest are new."""
    between_s: tuple[float, float]
    """Seconds between two transfers of one simulated user: of a queue's next customer."""


_TRANSFER: Final = wire.TRANSFER_KIND_TRANSFER
_CASH: Final = wire.TRANSFER_KIND_CASH_WITHDRAWAL
_GOLD: Final = wire.TRANSFER_KIND_GOLD_PURCHASE
_OVERSEAS: Final = wire.TRANSFER_KIND_OVERSEAS_USE
_LOAN: Final = wire.TRANSFER_KIND_LOAN_PAYOUT
_BREAK: Final = wire.TRANSFER_KIND_DEPOSIT_BREAK

HABITS: Final = {
    "counter": Habits(
        channel=wire.CHANNEL_COUNTER,
        kinds=((_TRANSFER, 0.55), (_CASH, 0.27), (_BREAK, 0.10), (_LOAN, 0.05), (_GOLD, 0.03)),
        median_yuan=9_000, sigma=1.1, most_yuan=2_000_000,
        collecting=0.10, known=0.70, between_s=(2.0, 6.0),
    ),
    "atm": Habits(
        channel=wire.CHANNEL_ATM,
        kinds=((_CASH, 0.85), (_TRANSFER, 0.13), (_OVERSEAS, 0.02)),
        median_yuan=1_000, sigma=0.7, most_yuan=20_000,
        collecting=0.02, known=0.80, between_s=(1.0, 3.0),
    ),
    "smart_teller": Habits(
        channel=wire.CHANNEL_SMART_TELLER,
        kinds=((_TRANSFER, 0.60), (_CASH, 0.25), (_BREAK, 0.10), (_GOLD, 0.05)),
        median_yuan=4_000, sigma=1.0, most_yuan=500_000,
        collecting=0.15, known=0.70, between_s=(2.0, 5.0),
    ),
    "mobile": Habits(
        channel=wire.CHANNEL_MOBILE,
        kinds=((_TRANSFER, 0.97), (_OVERSEAS, 0.02), (_GOLD, 0.01)),
        median_yuan=180, sigma=1.5, most_yuan=500_000,
        collecting=0.55, known=0.80, between_s=(0.3, 1.5),
    ),
    "online": Habits(
        channel=wire.CHANNEL_ONLINE,
        kinds=((_TRANSFER, 0.99), (_OVERSEAS, 0.01)),
        median_yuan=1_500, sigma=1.4, most_yuan=2_000_000,
        collecting=0.35, known=0.85, between_s=(0.5, 2.0),
    ),
}  # fmt: skip
"""By the channel's word, as profiles write it."""

CHANNELS: Final = tuple(HABITS)
WITH_PAYEE: Final = frozenset({_TRANSFER, _LOAN, _BREAK})
ELECTRONIC: Final = frozenset({"mobile", "online"})
