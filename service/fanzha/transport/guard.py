"""What every call passes: who calls, may they, is there room, and errors into status."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from fanzha.domain.errors import OverloadedError
from fanzha.transport.authorise import Caller, Callers, authorise
from fanzha.transport.status import abort, to_failure


class Guard:
    """Used by every RPC of every servicer."""

    def __init__(self, callers: Callers, calls_max: int) -> None:
        """Prepare.

        Args:
            callers: finds out who calls.
            calls_max: calls served or waiting at once; more are refused at once.
        """
        self._callers = callers
        self._room = threading.BoundedSemaphore(calls_max)

    @contextmanager
    def call(self, method: str, context: grpc.ServicerContext) -> Iterator[Caller]:
        """Let one call in, and end it with a status when it fails."""
        try:
            with self._place():
                caller = self._callers.identify(context)
                authorise(method, caller)
                yield caller
        except Exception as error:  # noqa: BLE001 - every error becomes a status here
            abort(context, to_failure(error))

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._room.acquire(blocking=False):
            raise OverloadedError("too many calls at once; try again after a pause")
        try:
            yield
        finally:
            self._room.release()
