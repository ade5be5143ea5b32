"""What every call passes: who calls, may they, and errors into status."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import grpc

from fanzha.domain.errors import DeniedError, NotAuthenticatedError
from fanzha.transport.authorise import (
    CallContext,
    Caller,
    Callers,
    authorise,
    take_permit,
)
from fanzha.transport.denials import Denial, Denials
from fanzha.transport.status import Failure, abort, to_failure

M = TypeVar("M")

_AGAIN_S: Final = 1.0


class Guard:
    """Used by every RPC of every servicer."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self.denials = Denials(time.monotonic)

    def identify(self, context: CallContext) -> Caller:
        """Return who calls.

        Raises:
            NotAuthenticatedError: what it shows does not count.
        """
        return self._callers.identify(context)

    def authorise(self, method: str, caller: Caller) -> None:
        """Let a call of a method, by its full name, pass.

        Raises:
            RoleRequiredError: the caller has none of the roles that it needs.
        """
        authorise(method, caller)

    def let_in(self, context: grpc.ServicerContext) -> Caller:
        """Return who makes a unary call, which was authorised at the door; takes one permit.

        Raises:
            RateLimitedError: that was one too many.
        """
        caller: Caller | None = getattr(context, "caller", None)
        if caller is None:
            raise NotAuthenticatedError("a call came in past the door")
        if caller.buckets:
            take_permit(caller)
        return caller

    @contextmanager
    def stream(self, method: str, context: grpc.ServicerContext) -> Iterator[Caller]:
        """Let one stream in, and end it with a status when it fails."""
        caller: Caller | None = None
        try:
            caller = self._callers.identify(context)
            authorise(method, caller)
            take_permit(caller)
            yield caller
        except grpc.RpcError:
            # The client went away in the middle of its stream: that is no fault of ours.
            raise
        except Exception as error:  # noqa: BLE001 - every error becomes a status here
            abort(context, self.failure(method, caller, error))

    def failure(self, method: str, caller: Caller | None, error: Exception) -> Failure:
        """Return what callers may know of an error; takes note of denied calls."""
        if isinstance(error, DeniedError):
            name = "nobody" if caller is None else caller.name
            self.denials.note(Denial(method, name, error.cause))
        return to_failure(error)

    def while_allowed(
        self, method: str, context: grpc.ServicerContext, messages: Iterable[M]
    ) -> Iterator[M]:
        """Yield a stream's messages for as long as its caller may send them; ask each second.

        To be used within `stream`.
        """
        due_s = time.monotonic() + _AGAIN_S
        for message in messages:
            if time.monotonic() >= due_s:
                authorise(method, self._callers.identify(context))
                due_s = time.monotonic() + _AGAIN_S
            yield message
