"""What every call passes: who calls, may they, and errors into status."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import grpc

from fanzha.domain.errors import DeniedError
from fanzha.transport.authorise import Caller, Callers, authorise, take_permit
from fanzha.transport.denials import Denial, Denials
from fanzha.transport.status import abort, to_failure

M = TypeVar("M")

_AGAIN_S: Final = 1.0


class _Known:
    """What is known of a call so far."""

    __slots__ = ("caller",)

    def __init__(self) -> None:
        self.caller: Caller | None = None


class Guard:
    """Used by every RPC of every servicer."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self.denials = Denials(time.monotonic)

    def may(self, method: str, context: grpc.ServicerContext) -> None:
        """End a call whose caller may not make it, before its message is even read."""
        with self._failing(method, context) as known:
            known.caller = self._callers.identify(context)
            authorise(method, known.caller)

    @contextmanager
    def call(self, method: str, context: grpc.ServicerContext) -> Iterator[Caller]:
        """Let one call in, and end it with a status when it fails."""
        with self._failing(method, context) as known:
            known.caller = self._callers.identify(context)
            authorise(method, known.caller)
            take_permit(known.caller)
            yield known.caller

    @contextmanager
    def _failing(self, method: str, context: grpc.ServicerContext) -> Iterator["_Known"]:
        """End a call with a status when it fails within."""
        known = _Known()
        try:
            yield known
        except grpc.RpcError:
            # The client went away in the middle of its stream: that is no fault of ours.
            raise
        except Exception as error:  # noqa: BLE001 - every error becomes a status here
            if isinstance(error, DeniedError):
                name = "nobody" if known.caller is None else known.caller.name
                self.denials.note(Denial(method, name, error.cause))
            abort(context, to_failure(error))

    def while_allowed(
        self, method: str, context: grpc.ServicerContext, messages: Iterable[M]
    ) -> Iterator[M]:
        """Yield a stream's messages for as long as its caller may send them; ask each second.

        To be used within `call`.
        """
        due_s = time.monotonic() + _AGAIN_S
        for message in messages:
            if time.monotonic() >= due_s:
                authorise(method, self._callers.identify(context))
                due_s = time.monotonic() + _AGAIN_S
            yield message
