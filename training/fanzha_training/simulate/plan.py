"""Movements of money as people plan them; the ledger then says what could really be paid."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fanzha.domain.vocabulary import Channel, TransferKind

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

UNSET: Final = -2
"""Not said by the one who plans: `sessions` fills it in as for anybody."""
UNKNOWN: Final = -1
"""The bank does not know: null in the table."""
NOBODY: Final = -1
"""Index of no account, person, device or movement."""
YUAN: Final = 100
"""Minor units in a yuan."""


@dataclass(slots=True, kw_only=True)
class Movement:
    """One planned movement. Parties are indices of accounts; flags are 0, 1, UNKNOWN or UNSET."""

    time_ms: int
    payer: int
    payee: int = NOBODY
    amount_minor: int = 0
    """The amount; beside a `share` its upper limit, where 0 means none."""
    share: float = 0.0
    """If above 0, the amount is this share of the payer's balance, or of the movement below."""
    share_of: int = NOBODY
    """Key of an earlier movement whose real amount `share` is taken of."""
    key: int = NOBODY
    """Names this movement for `share_of`."""
    round_minor: int = 1
    """A share is rounded down to a multiple of this."""
    can_cut: bool = False
    """If the balance does not suffice, pay what is there; otherwise the plan is given up."""
    kind: int = TransferKind.TRANSFER
    channel: int = Channel.MOBILE
    speed: int = UNSET
    name_match: int = UNSET
    device: int = UNSET
    call_in_progress: int = UNSET
    screen_shared: int = UNSET
    remote_control: int = UNSET
    new_device: int = UNSET
    new_e_channel: int = UNSET
    limit_just_raised: int = UNSET
    branch: int = UNSET
    remark: int = 0
    fate: int = 0
    """ExecutionStatus that is settled beforehand; UNSPECIFIED: the ledger finds out."""
    warning: int = 0
    """OutcomeType of a warning that the payer met; UNSPECIFIED: none was met."""
    is_fraud: bool = False
    is_mule_flow: bool = False
    fraud_type: int = 0
    episode: int = NOBODY


_FIELDS: Final = fields(Movement)
_NUMPY: Final[dict[object, DTypeLike]] = {int: np.int64, float: np.float64, bool: np.bool_}
_DTYPES: Final = {field.name: _NUMPY[field.type] for field in _FIELDS}
_REQUIRED: Final = ("time_ms", "payer")
_Column = NDArray[Any]


class Plan:
    """Many movements as columns, one array for each field of `Movement`."""

    def __init__(self, columns: dict[str, _Column]) -> None:
        """Take one array of one length for each field."""
        self._columns = columns

    @classmethod
    def of(cls, **given: ArrayLike) -> "Plan":
        """Return a plan from arrays and single values; what is not given has its default.

        Raises:
            KeyError: `time_ms` or `payer` is missing, or a name is no field of `Movement`.
        """
        missing = [name for name in _REQUIRED if name not in given]
        unknown = [name for name in given if name not in _DTYPES]
        if missing or unknown:
            raise KeyError(*missing, *unknown)
        count = np.size(given["time_ms"])
        columns: dict[str, _Column] = {}
        for field in _FIELDS:
            value = np.asarray(given.get(field.name, field.default), dtype=_DTYPES[field.name])
            # A copy: sessions are filled in in place.
            columns[field.name] = np.broadcast_to(value, (count,)).copy()
        return cls(columns)

    @classmethod
    def from_movements(cls, movements: Sequence[Movement]) -> "Plan":
        """Return a plan of single movements."""
        return cls(
            {
                name: np.array([getattr(movement, name) for movement in movements], dtype=dtype)
                for name, dtype in _DTYPES.items()
            }
        )

    def __len__(self) -> int:
        return len(self._columns["time_ms"])

    def ints(self, name: str) -> Ints:
        """Return a column of whole numbers."""
        return self._columns[name]

    def floats(self, name: str) -> Floats:
        """Return the column of shares."""
        return self._columns[name]

    def bools(self, name: str) -> Bools:
        """Return a column of truth values."""
        return self._columns[name]

    def rows(self, which: Ints | Bools) -> "Plan":
        """Return the movements at these positions, or where the mask is true."""
        return Plan({name: column[which] for name, column in self._columns.items()})


def join(plans: Iterable[Plan]) -> Plan:
    """Return all movements of several plans, in their order."""
    every = [plan._columns for plan in plans]  # noqa: SLF001 - of this module
    return Plan({name: np.concatenate([columns[name] for columns in every]) for name in _DTYPES})
