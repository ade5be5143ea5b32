"""Unary methods, their calls, and the turns that calls wait for."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from fanzha.transport.authorise import Caller
from fanzha.transport.core_calls import CoreCall

TOGETHER_MAX: Final = 32
"""So many calls are worked on together at most: those behind them wait as long as that takes."""
Together = Callable[[list[tuple[Any, Any]]], list[Any]]
"""Works on several messages with their calls; returns for each an answer, a `Later` or an error."""


class Turns:
    """Calls that wait, and the turns that they wait for."""

    __slots__ = ("_count", "_crowd", "_free", "waiting")

    def __init__(self, count: int, crowd: int = 1) -> None:
        """Prepare.

        Args:
            count: how many there are.
            crowd: so many calls must wait for another turn to begin while one is under way: fewer
                go together with those that come until it ends.
        """
        self._count = count
        self._crowd = crowd
        self._free = deque([None] * count)
        self.waiting: deque[DirectCall] = deque()

    def take(self) -> bool:
        """Take a turn, if there is work for one; who takes it gives it back."""
        if len(self.waiting) < self._crowd and len(self._free) < self._count:
            return False
        try:
            self._free.pop()
        except IndexError:
            return False
        return True

    def give_back(self) -> None:
        """End a turn; who does looks for work again, as nobody else may."""
        self._free.append(None)


@dataclass(frozen=True, slots=True)
class Method:
    """One unary method: who works, and how its messages are read and written."""

    work: Together
    most: int
    """So many calls that wait are worked on together."""
    turns: Turns
    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]


class DirectCall(CoreCall):
    """One call on its way."""

    __slots__ = ("caller", "message", "method", "name", "received_s", "wait")

    def __init__(self, name: str, method: Method, event: Any) -> None:  # noqa: ANN401
        super().__init__(event)
        self.name = name
        self.method = method
        self.caller: Caller | None = None
        self.message = b""
        self.received_s = 0.0
        self.wait = 0


def one_by_one(handler: Callable[[Any, Any], Any]) -> Together:
    """Return what works on one call at a time."""

    def work(calls: list[tuple[Any, Any]]) -> list[Any]:
        return [handler(request, call) for request, call in calls]

    return work
