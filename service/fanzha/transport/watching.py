"""Health that strangers may watch: what they name is not kept, and none waits for another.

The library's own keeps each name that was ever watched, and sends to all watchers under one lock,
which a watcher that goes away at that moment takes for ever: nothing of the process goes on then.
Here each watch has a thread, of which there are few.
"""

import threading
from collections.abc import Iterator
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2

from fanzha.domain.errors import OverloadedError
from fanzha.transport.status import abort, to_failure

WATCHES_MAX: Final = 48
"""Watches that may be open at once."""
_LOOK_S: Final = 0.5
"""So often a watch looks whether its client is still there."""
_FULL: Final = OverloadedError("too many watch the health already; ask with Check")


class WatchedHealth(health.HealthServicer):
    """Health of the names that this process set itself."""

    def __init__(self) -> None:
        super().__init__(experimental_non_blocking=False)
        self._states: dict[str, Any] = {"": health_pb2.HealthCheckResponse.SERVING}
        self._is_ending = False
        self._watches = 0
        self._changed = threading.Condition()

    def set(self, service: str, status: Any) -> None:  # noqa: ANN401 - an enum of the library
        """Set the state of a name, and have those told that watch it."""
        super().set(service, status)
        with self._changed:
            if not self._is_ending:
                self._states[service] = status
                self._changed.notify_all()

    def enter_graceful_shutdown(self) -> None:
        """Say NOT_SERVING for every name, and nothing else any more."""
        super().enter_graceful_shutdown()
        self._is_ending = True

    def Watch(  # type: ignore[override] # noqa: N802 - named by the proto
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> Iterator[health_pb2.HealthCheckResponse]:
        """Tell a name's state, and each change of it."""
        with self._changed:
            is_full = self._watches >= WATCHES_MAX
            self._watches += not is_full
        if is_full:
            abort(context, to_failure(_FULL))
        try:
            yield from self._states_of(request.service, context)
        finally:
            with self._changed:
                self._watches -= 1

    def _states_of(
        self, name: str, context: grpc.ServicerContext
    ) -> Iterator[health_pb2.HealthCheckResponse]:
        context.add_callback(self._wake)
        told: Any = None
        unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        while context.is_active():
            with self._changed:
                state = self._states.get(name, unknown)
                if state == told:
                    self._changed.wait(_LOOK_S)
                    continue
            # Nothing is held while the client takes its time.
            yield health_pb2.HealthCheckResponse(status=state)
            told = state

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
