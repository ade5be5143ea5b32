"""Answers a body that is no message of its method with INVALID_ARGUMENT; gRPC's own is INTERNAL."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from fanzha.domain.errors import FieldFault, InvalidFieldsError
from fanzha.transport.status import abort, to_failure

_MALFORMED: Final = object()
_ERROR: Final = InvalidFieldsError(
    (
        FieldFault(
            "request", "is no protobuf message of this method; check the client's proto files"
        ),
    )
)


class StrictServer:
    """Stands for a server while generated code registers its handlers, and makes each strict."""

    def __init__(self, server: grpc.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, handlers: Iterable[object]) -> None:
        """Ignore: the same handlers come by name."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Register the handlers of a service, each made strict."""
        strict = {name: _strict(handler) for name, handler in handlers.items()}
        generic = grpc.method_handlers_generic_handler(service, strict)
        self._server.add_generic_rpc_handlers((generic,))


def _strict(handler: Any) -> Any:  # noqa: ANN401 - a named tuple of the library
    deserialize = handler.request_deserializer

    def read(body: bytes) -> object:
        try:
            return deserialize(body)
        except DecodeError:
            return _MALFORMED

    strict = handler._replace(request_deserializer=read)
    if handler.request_streaming:
        return strict._replace(stream_unary=_over_stream(handler.stream_unary))
    return strict._replace(unary_unary=_over_message(handler.unary_unary))


def _over_message(behaviour: Callable[..., Any]) -> Callable[..., Any]:
    def answer(request: object, context: grpc.ServicerContext) -> object:
        if request is _MALFORMED:
            abort(context, to_failure(_ERROR))
        return behaviour(request, context)

    return answer


def _over_stream(behaviour: Callable[..., Any]) -> Callable[..., Any]:
    def well_formed(requests: Iterator[object]) -> Iterator[object]:
        for request in requests:
            if request is _MALFORMED:
                raise _ERROR
            yield request

    def answer(requests: Iterator[object], context: grpc.ServicerContext) -> object:
        return behaviour(well_formed(requests), context)

    return answer
