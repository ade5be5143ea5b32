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


class Client:
    """One caller of the service, with a connection of its own and a fixed number of threads."""

    def __init__(self, name: str, address: str, threads: int) -> None:
        """Connect and start the threads.

        Args:
            name: for messages.
            address: host:port.
            threads: calls in flight at most.

        """
        self.name = name
        self.failure: ClientError | None = None
        # Without pools of their own, clients of one process would share one connection.
        self._channel = grpc.insecure_channel(
            address, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        self._stubs = Stubs(ScoringServiceStub(self._channel), OutcomeServiceStub(self._channel))
        self._tasks: queue.Queue[Task | None] = queue.Queue(maxsize=2 * threads)
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Task) -> None:
        """Hand a task to the next free thread; wait while all are busy and the queue is full.

        Raises:
            ClientError: an earlier task failed for good.

        """
        while True:
            self.check()
            try:
                self._tasks.put(task, timeout=1.0)
            except queue.Full:
                continue
            return

    def wait(self) -> None:
        """Return when everything submitted was done.

        Raises:
            ClientError: a task failed for good.

        """
        self._tasks.join()
        self.check()

    def check(self) -> None:
        """Raise ClientError if a task failed for good."""
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        """Let the threads finish what they do, and hang up."""
        for _ in self._threads:
            try:
                self._tasks.put(None, timeout=CALL_TIMEOUT_S)
            except queue.Full:
                break
        for thread in self._threads:
            thread.join(timeout=CALL_TIMEOUT_S)
        self._channel.close()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                # After a failure the queue is only emptied, so that nobody waits for ever.
                if self.failure is None:
                    task(self._stubs)
            except grpc.RpcError as error:
                self.failure = ClientError(f"{self.name}: {_cause(error)}")
            except Exception as error:  # noqa: BLE001 - told to the thread that submits
                self.failure = ClientError(f"{self.name}: {error!r}")
            finally:
                self._tasks.task_done()


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
