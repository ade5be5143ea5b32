"""Groups frauds into cases: one victim, or one mule account, is one case, not one per transfer."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cases:
    """Frauds ordered by case, within it by time; int64, one entry a fraud."""

    row: Ints
    """Where the fraud stands among the transfers."""
    first: Ints
    """Position, in this order, of the first fraud of the same case."""

    @property
    def starts(self) -> npt.NDArray[np.bool_]:
        """Whether a fraud is the first of its case."""
        starts: npt.NDArray[np.bool_] = self.first == np.arange(len(self.first))
        return starts

    @property
    def ends(self) -> npt.NDArray[np.bool_]:
        """Whether a fraud is the last of its case."""
        ends = np.ones(len(self.first), np.bool_)
        ends[:-1] = self.starts[1:]
        return ends

    def alerts_so_far(self, alerted: npt.NDArray[np.bool_]) -> Ints:
        """Return how many transfers of its case were alerted up to each fraud, itself included.

        Args:
            alerted: whether each fraud is alerted, shape (..., frauds), in this order.

        """
        running = np.cumsum(alerted, axis=-1, dtype=np.int64)
        before = running[..., self.first] - alerted[..., self.first]
        return running - before


def cases_of(
    account: Ints, time_ms: Ints, fraud: npt.NDArray[np.bool_], gap_ms: float | None
) -> Cases:
    """Return the cases.

    Args:
        account: whose case a transfer would belong to, one entry a transfer.
        time_ms: times of the transfers, in any order.
        fraud: which transfers are fraud.
        gap_ms: a longer pause between two frauds of an account begins a new case; None: never.

    """
    row = np.flatnonzero(fraud)
    row = row[np.lexsort((time_ms[row], account[row]))]
    begins = np.ones(len(row), np.bool_)
    begins[1:] = np.diff(account[row]) != 0
    if gap_ms is not None:
        begins[1:] |= np.diff(time_ms[row]) > gap_ms
    first = np.maximum.accumulate(np.where(begins, np.arange(len(row)), 0))
    return Cases(row, first)
