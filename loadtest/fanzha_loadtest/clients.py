"""Clients that stand outside: each has a connection of its own and a few threads that call."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import grpc

from fanzha.v1.outcomes_pb2_grpc import OutcomeServiceStub
from fanzha.v1.scoring_pb2_grpc import ScoringServiceStub

_TRIES: Final = 4
_RETRYABLE: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)
CALL_TIMEOUT_S: Final = 15.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stubs:
    """What a client calls, over one connection."""

    scoring: ScoringServiceStub
    outcomes: OutcomeServiceStub


Task = Callable[[Stubs], None]
"""What a client thread does next, over its client's connection."""


class ClientError(Exception):
    """A call failed for good: names the client and the cause."""


class Window:
    """Bounds the calls that are under way, and is where a failure of any thread comes to light."""

    def __init__(self, calls_max: int) -> None:
        """Open the window.

        Args:
            calls_max: calls under way at most.

        """
        self._calls_max = calls_max
        self._under_way = 0
        self._failure: ClientError | None = None
        self._changed = threading.Condition()

    def enter(self) -> None:
        """Wait for room for one more call.

        Raises:
            ClientError: some call failed for good.

        """
        self._wait_for(lambda: self._under_way < self._calls_max)
        with self._changed:
            self._under_way += 1

    def leave(self) -> None:
        """Say that a call has ended."""
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def drain(self) -> None:
        """Wait until no call is under way.

        Raises:
            ClientError: some call failed for good.

        """
        self._wait_for(lambda: self._under_way == 0)

    def fail(self, failure: ClientError) -> None:
        """Keep the first failure for those who wait."""
        with self._changed:
            self._failure = self._failure or failure
            self._changed.notify_all()

    def _wait_for(self, holds: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None or holds())
            if self._failure is not None:
                raise self._failure


class Client:
    """One caller of the service, with a connection of its own and a fixed number of threads."""

    def __init__(self, name: str, address: str, threads: int, window: Window) -> None:
        """Connect and start the threads.

        Args:
            name: for messages.
            address: host:port.
            threads: calls in flight at most.
            window: is told of failures. Whoever puts a task has entered it before, and the task
                leaves it in the end.

        """
        self._name = name
        self._window = window
        # Without pools of their own, clients of one process would share one connection.
        self._channel = grpc.insecure_channel(
            address, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        self._stubs = Stubs(ScoringServiceStub(self._channel), OutcomeServiceStub(self._channel))
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, task: Task) -> None:
        """Hand a task to the next free thread."""
        self._tasks.put(task)

    def close(self) -> None:
        """Let the threads finish what they do, and hang up."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(timeout=CALL_TIMEOUT_S)
        self._channel.close()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task(self._stubs)
            except grpc.RpcError as error:
                self._window.fail(ClientError(f"{self._name}: {_cause(error)}"))
                return
            except Exception as error:  # noqa: BLE001 - told to the thread that waits
                self._window.fail(ClientError(f"{self._name}: {error!r}"))
                return


def with_retries(call: Callable[[], T], on_retry: Callable[[], None]) -> T:
    """Return what a call returns, tried again where that is safe and may help.

    Raises:
        grpc.RpcError: it failed for good, or too often.

    """
    for attempt in range(1, _TRIES):
        try:
            return call()
        except grpc.RpcError as error:
            if not isinstance(error, grpc.Call) or error.code() not in _RETRYABLE:
                raise
        on_retry()
        time.sleep(0.05 * 2**attempt)
    return call()


def _cause(error: grpc.RpcError) -> str:
    if isinstance(error, grpc.Call):
        return f"{error.code().name}: {error.details()}"
    return repr(error)
