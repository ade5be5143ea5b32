"""Health as a service that strangers may ask: what they name is not kept, and it has room for few.

The library's own keeps each name that was ever watched, for good, and waits for the message of a
watch without end.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2

from fanzha.domain.errors import OverloadedError
from fanzha.transport.status import abort, to_failure

WATCHES_MAX: Final = 1_000
"""Watches that may be open at once; each is a few kilobytes."""
_FULL: Final = OverloadedError("too many watch the health already; ask with Check")

Send = Callable[[health_pb2.HealthCheckResponse | None], None]
"""Sends one answer of a stream; None ends it."""


class WatchedHealth(health.HealthServicer):
    """Health of the names that this process set itself."""

    def __init__(self) -> None:
        super().__init__()
        self._names = {""}
        self._watches = 0
        self._counting = threading.Lock()

    def set(self, service: str, status: Any) -> None:  # noqa: ANN401 - an enum of the library
        """Set the state of a name, which can be watched from then on."""
        self._names.add(service)
        super().set(service, status)

    def Watch(  # type: ignore[override] # noqa: N802 - named by the proto
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.ServicerContext,
        send_response_callback: Send,
    ) -> None:
        """Tell a name's state, and each change of it; of a name that nobody set, that alone."""
        with self._counting:
            is_full = self._watches >= WATCHES_MAX
            self._watches += not is_full
        if is_full:
            abort(context, to_failure(_FULL))
        if not context.add_callback(self._left):
            self._left()
            return
        if request.service in self._names:
            super().Watch(request, context, send_response_callback)
            return
        unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        send_response_callback(health_pb2.HealthCheckResponse(status=unknown))
        context.add_callback(lambda: send_response_callback(None))

    def _left(self) -> None:
        with self._counting:
            self._watches -= 1


class Watch:
    """A method with one message that answers with a stream from other threads, as they have it."""

    experimental_non_blocking = True
    """Where the library looks for it."""

    def __init__(
        self,
        work: Callable[[Any, grpc.ServicerContext, Send], None],
        received: Callable[[Iterator[object], grpc.ServicerContext], object],
        pool: object,
    ) -> None:
        """Prepare.

        Args:
            work: sends the answers.
            received: waits for the message, for so long as it may take.
            pool: threads to wait in.
        """
        self._work = work
        self._received = received
        self.experimental_thread_pool = pool

    def __call__(
        self,
        requests: Iterator[object],
        context: grpc.ServicerContext,
        send_response_callback: Send,
    ) -> None:
        """Wait for the message, and leave the rest to the work."""
        self._work(self._received(requests, context), context, send_response_callback)
