"""The part of gRPC's core that the library's own server stands on, for methods of ours.

`grpc.server` moves each call between its polling thread and a pool: three hand-overs that cost more
than most decisions. Its core lets several threads take calls from a completion queue directly. This
file is all that we use of it: names that start with an underscore in the library, so that nothing
else here has to know them (ADR 0029). `tests/contract/test_direct_calls.py` holds the behaviour
against the library's own server.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]

log = logging.getLogger(__name__)

_NO_FLAGS: Final = 0
_OK: Final = cygrpc.StatusCode.ok
_SENT: Final = object()
_SHUT_DOWN: Final = cygrpc.CompletionType.queue_shutdown


class CoreCall:
    """One unary call: what its handler may ask of it, as of a `grpc.ServicerContext`."""

    __slots__ = ("_event",)

    def __init__(self, event: Any) -> None:  # noqa: ANN401 - the library has no types for it
        self._event = event

    def time_remaining(self) -> float:
        """Return the time until the client's deadline, in seconds; very long without one."""
        deadline_s: float = self._event.call_details.deadline
        return max(0.0, deadline_s - time.time())

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        """Return what the client sent beside the message."""
        metadata: Sequence[tuple[str, str | bytes]] = self._event.invocation_metadata
        return metadata

    def auth_context(self) -> Mapping[str, Any]:
        """Return what the transport knows of the client, such as its certificate."""
        found = cygrpc.auth_context(self._event.call) or {}
        return {name.decode(): values for name, values in found.items()}

    def cancel(self) -> None:
        """End the call; the client sees CANCELLED."""
        self._event.call.cancel()

    def receive(self) -> None:
        """Ask for the message: the queue tells when it is there, or will not come."""
        operations = (cygrpc.ReceiveMessageOperation(_NO_FLAGS),)
        self._event.call.start_server_batch(operations, self)

    def answer(self, message: bytes) -> None:
        """Send the answer and end the call; one whose client has gone is ended all the same."""
        self._event.call.start_server_batch(
            (
                cygrpc.SendInitialMetadataOperation(None, _NO_FLAGS),
                cygrpc.SendMessageOperation(message, _NO_FLAGS),
                cygrpc.SendStatusFromServerOperation(None, _OK, b"", _NO_FLAGS),
                cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),
            ),
            _SENT,
        )

    def refuse(self, status: grpc.Status) -> None:
        """End the call with a status that is not OK."""
        self._event.call.start_server_batch(
            (
                cygrpc.SendInitialMetadataOperation(None, _NO_FLAGS),
                cygrpc.SendStatusFromServerOperation(
                    status.trailing_metadata,
                    status.code.value[0],
                    (status.details or "").encode(),
                    _NO_FLAGS,
                ),
                cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),
            ),
            _SENT,
        )


class CoreQueue:
    """Takes the calls of some methods of a server, on the threads that call `run`."""

    def __init__(self, server: grpc.Server) -> None:
        """Stand beside the server's own queue; to be made before it starts."""
        core: Any = server
        self._core = core._state.server  # noqa: SLF001 - the library has no other way to it
        self._queue = cygrpc.CompletionQueue()
        self._core.register_completion_queue(self._queue)
        self._is_closing = False

    def register(self, method: str) -> None:
        """Have the calls of a method, by its full name, come here; before the server starts."""
        self._core.register_method(method)

    def ask_for(self, method: str) -> None:
        """Ask for the next call of a method; after the server has started."""
        self._core.request_registered_call(self._queue, self._queue, method, method)

    def run(
        self,
        arrived: Callable[[str, CoreCall], None],
        received: Callable[[Any, bytes | None], None],
        made: Callable[[str, Any], CoreCall],
    ) -> None:
        """Work off what the queue tells, until it is closed.

        Args:
            arrived: told of each new call, with its method.
            received: told of each message, or of None where none comes any more.
            made: makes a call of what the core says of it.
        """
        poll = self._queue.poll
        while True:
            event = poll()
            tag = event.tag
            try:
                if isinstance(tag, CoreCall):
                    received(tag, event.batch_operations[0].message())
                elif isinstance(tag, str):
                    if not self._is_closing:
                        self.ask_for(tag)
                    if event.success and event.call is not None:
                        arrived(tag, made(tag, event))
                elif event.completion_type == _SHUT_DOWN:
                    return
            except Exception:
                # One call must not end the thread that looks at all others.
                log.exception("an event of gRPC's core could not be worked off")
            # The last reference to a call must not wait for the next event.
            event = tag = None

    def stop_asking(self) -> None:
        """Ask for no more calls: the server is about to stop."""
        self._is_closing = True

    def close(self) -> None:
        """End `run` on all threads; after the server has stopped."""
        self._queue.shutdown()
