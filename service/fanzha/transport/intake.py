"""How streams come in, and health and reflection: over the library's own server.

gRPC's own thread asks here for the handler of each call. A stream that finds no room gets one that
refuses, on a thread of its own, with a hint when to try again. Health and reflection have threads
apart, so that a service at its limit still says that it lives. Unary methods of ours go another
way: `direct.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar

import grpc
from google.protobuf.message import DecodeError

from fanzha.domain.errors import FanzhaError
from fanzha.transport.admission import Admission
from fanzha.transport.direct import FULL, MALFORMED, MESSAGE_WAIT_S, STOPPING, DirectCalls
from fanzha.transport.patience import Patience
from fanzha.transport.status import abort, to_failure

P = ParamSpec("P")
T = TypeVar("T")

_MALFORMED: Final = object()
NEXT_MESSAGE_WAIT_S: Final = 30.0
"""So long a stream's next message may take."""


class Lane(ThreadPoolExecutor):
    """Threads for calls of one kind, and the count of those that are in."""

    def __init__(self, name: str, threads: int, admission: Admission, patience: Patience) -> None:
        super().__init__(threads, thread_name_prefix=name)
        self.admission = admission
        self.patience = patience

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Take a call in; gRPC does so right after it was given the handler."""
        self.admission.enter()
        try:
            future = super().submit(fn, *args, **kwargs)
        except BaseException:
            self.admission.leave()
            raise
        future.add_done_callback(self._left)
        return future

    def _left(self, _: object) -> None:
        self.admission.leave()


@dataclass(frozen=True, slots=True)
class _Method:
    """One method that the lane bounds: who works, and how its messages are read and written."""

    work: Callable[[Any, grpc.ServicerContext], Any]
    lane: Lane
    read: Callable[[bytes], object]
    write: Callable[[Any], bytes]
    is_stream: bool


class Intake(grpc.GenericRpcHandler):
    """Gives gRPC the handler of each call of the methods that were added."""

    def __init__(self) -> None:
        self._methods: dict[str, _Method] = {}
        self._others: dict[str, Any] = {}
        one = ThreadPoolExecutor(1, thread_name_prefix="refuse")
        self._full: Any = grpc.stream_unary_rpc_method_handler(_Refuse(FULL, one))
        self._stopping: Any = grpc.stream_unary_rpc_method_handler(_Refuse(STOPPING, one))
        self._is_stopping = False

    def stop(self) -> None:
        """Take nothing more in: say so, rather than have gRPC cancel what it has not looked at."""
        self._is_stopping = True

    def on(self, unary: "Lane | DirectCalls", streams: Lane) -> "Registrar":
        """Return what stands for a server while generated code adds its methods.

        Args:
            unary: for methods whose request and answer are one message each.
            streams: for methods whose request or answer is a stream.
        """
        return Registrar(self, unary, streams)

    def add(self, name: str, handler: Any, lane: Lane) -> None:  # noqa: ANN401 - a named tuple of grpc
        """Add a method under its full name, such as /grpc.health.v1.Health/Check."""
        read, write = handler.request_deserializer, handler.response_serializer
        if handler.response_streaming:
            work: Any = _Talk(handler.stream_stream, lane)
            if not handler.request_streaming:
                work, read = _Tell(handler.unary_stream, lane), _strict(read)
            self._others[name] = grpc.stream_stream_rpc_method_handler(work, read, write)
            return
        work = handler.stream_unary if handler.request_streaming else handler.unary_unary
        self._methods[name] = _Method(work, lane, _strict(read), write, handler.request_streaming)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401
        """Return the handler of a call that has just come in; None: not ours."""
        method = self._methods.get(handler_call_details.method)
        if method is None:
            return self._others.get(handler_call_details.method)
        if self._is_stopping:
            return self._stopping
        lane = method.lane
        # A stream may be silent for a while; what it holds is its place among the streams.
        if not lane.admission.has_room(0 if method.is_stream else lane.patience.stalled):
            return self._full
        # Also where the request is one message: so the wait for it is ours, and can be ended.
        return grpc.stream_unary_rpc_method_handler(_Call(method), method.read, method.write)


class Registrar:
    """Stands for a server while generated code registers the methods of a service."""

    def __init__(self, intake: Intake, unary: Lane | DirectCalls, streams: Lane) -> None:
        self._intake = intake
        self._unary = unary
        self._streams = streams

    def add_generic_rpc_handlers(self, handlers: Iterable[object]) -> None:
        """Ignore: the same handlers come by name."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Add the methods of a service."""
        for name, handler in handlers.items():
            full = f"/{service}/{name}"
            if handler.request_streaming or handler.response_streaming:
                self._intake.add(full, handler, self._streams)
            elif isinstance(self._unary, DirectCalls):
                self._unary.add(full, handler)
            else:
                self._intake.add(full, handler, self._unary)


def _strict(read: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """Read a body that is no message of its method as such; gRPC's own answer is INTERNAL."""

    def strict(body: bytes) -> object:
        try:
            return read(body)
        except DecodeError:
            return _MALFORMED

    return strict


class _Call:
    """One call on its way through its lane."""

    __slots__ = ("_method", "experimental_thread_pool")

    def __init__(self, method: _Method) -> None:
        self._method = method
        self.experimental_thread_pool = method.lane

    def __call__(self, requests: Iterator[object], context: grpc.ServicerContext) -> object:
        method = self._method
        if method.is_stream:
            sent = _in_time(requests, context, method.lane.patience)
            return method.work(_well_formed(sent), context)
        return method.work(_received(method.lane, requests, context), context)


def _received(lane: Lane, requests: Iterator[object], context: grpc.ServicerContext) -> object:
    """Return the message of a method that has one; the call ends where it does not come."""
    with lane.patience.waiting(context, MESSAGE_WAIT_S):
        request = next(requests, _MALFORMED)
    if request is _MALFORMED:
        abort(context, to_failure(MALFORMED))
    return request


class _Talk:
    """A method that streams both ways, such as reflection."""

    def __init__(self, work: Callable[[Any, grpc.ServicerContext], Any], lane: Lane) -> None:
        self._work = work
        self._lane = lane
        self.experimental_thread_pool = lane

    def __call__(self, requests: Iterator[object], context: grpc.ServicerContext) -> object:
        return self._work(_in_time(requests, context, self._lane.patience), context)


class _Tell:
    """A method with one message that answers with a stream, such as watching the health."""

    def __init__(self, work: Callable[[Any, grpc.ServicerContext], Any], lane: Lane) -> None:
        self._work = work
        self._lane = lane
        self.experimental_thread_pool = lane

    def __call__(self, requests: Iterator[object], context: grpc.ServicerContext) -> object:
        return self._work(_received(self._lane, requests, context), context)


def _in_time(
    requests: Iterator[object], context: grpc.ServicerContext, patience: Patience
) -> Iterator[object]:
    """Yield a stream's messages, as long as the next one does not take too long."""
    while True:
        with patience.waiting(context, NEXT_MESSAGE_WAIT_S):
            request = next(requests, None)
        if request is None:
            return
        yield request


def _well_formed(requests: Iterator[object]) -> Iterator[object]:
    for request in requests:
        if request is _MALFORMED:
            raise MALFORMED
        yield request


class _Refuse:
    """Refuses calls on a thread of its own, without waiting for their message."""

    def __init__(self, error: FanzhaError, pool: ThreadPoolExecutor) -> None:
        self._error = error
        self.experimental_thread_pool = pool

    def __call__(self, requests: Iterator[object], context: grpc.ServicerContext) -> object:  # noqa: ARG002
        abort(context, to_failure(self._error))
        raise AssertionError
