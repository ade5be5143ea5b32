"""What every call passes: who calls, may they, and errors into status."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from fanzha.transport.authorise import Caller, Callers, authorise
from fanzha.transport.status import abort, to_failure


class Guard:
    """Used by every RPC of every servicer."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    @contextmanager
    def call(self, method: str, context: grpc.ServicerContext) -> Iterator[Caller]:
        """Let one call in, and end it with a status when it fails."""
        try:
            caller = self._callers.identify(context)
            authorise(method, caller)
            yield caller
        except Exception as error:  # noqa: BLE001 - every error becomes a status here
            abort(context, to_failure(error))
