"""How long one answer may take: what is late is left out, not waited for.

An answer that comes after the payment's own time budget helps nobody. So reading may take a share
of the budget, and the record in the store what is then left; what is late counts as missing, by
the same rules as what is away. The model and the policy are pure computation of well under a
millisecond and are always asked. The record on disk is waited for beyond the budget: nothing is
answered that is nowhere on record.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fanzha.domain.errors import DeadlinePassedError
from fanzha.domain.light import light_dataclass

_READING: Final = 0.5
"""Share of the budget that reading history and lists may take."""


@light_dataclass(frozen=True, slots=True)
class Budget:
    """Instants of the monotonic clock, in seconds."""

    read_by_s: float
    """What has not been read by then is left out."""
    record_by_s: float
    """What the store has not confirmed by then, the spool keeps for it."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """Gives each answer its budget."""

    whole_s: float
    """For an answer whose client sets no earlier deadline, in seconds."""
    monotonic: Callable[[], float]
    """Clock in seconds."""

    def begin(self, client_left_s: float | None) -> Budget:
        """Return the budget of an answer that is begun now.

        Args:
            client_left_s: until the client's own deadline, in seconds; None: it has none.

        Raises:
            DeadlinePassedError: the client waits no longer; nothing is begun.
        """
        left_s = self.whole_s if client_left_s is None else min(self.whole_s, client_left_s)
        if left_s <= 0:
            raise DeadlinePassedError("the call's deadline had passed when its turn came")
        now_s = self.monotonic()
        return Budget(now_s + _READING * left_s, now_s + left_s)
