"""What every call passes: who calls, may they, is there room, and errors into status."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from fanzha.domain.errors import DeniedError, OverloadedError
from fanzha.transport.authorise import Caller, Callers, authorise
from fanzha.transport.denials import Denial, Denials
from fanzha.transport.status import abort, to_failure


class Guard:
    """Used by every RPC of every servicer."""

    def __init__(self, callers: Callers, streams_max: int) -> None:
        """Prepare.

        Args:
            callers: finds out who calls.
            streams_max: client streams served at once. Each holds a thread for as long as its
                client likes, and must not starve the calls that wait for a decision.
        """
        self._callers = callers
        self.denials = Denials(time.monotonic)
        self._streams = threading.BoundedSemaphore(streams_max)

    @contextmanager
    def call(self, method: str, context: grpc.ServicerContext) -> Iterator[Caller]:
        """Let one call in, and end it with a status when it fails."""
        name = "nobody"
        try:
            caller = self._callers.identify(context)
            name = caller.name
            authorise(method, caller)
            yield caller
        except Exception as error:  # noqa: BLE001 - every error becomes a status here
            if isinstance(error, DeniedError):
                self.denials.note(Denial(method, name, error.cause))
            abort(context, to_failure(error))

    @contextmanager
    def stream(self, method: str, context: grpc.ServicerContext) -> Iterator[Caller]:
        """Let one client stream in, if there is room for another."""
        with self.call(method, context) as caller:
            if not self._streams.acquire(blocking=False):
                raise OverloadedError("too many streams at once; try again after a pause")
            try:
                yield caller
            finally:
                self._streams.release()
