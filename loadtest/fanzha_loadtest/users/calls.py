"""Calls as a channel makes them: refused ones again, in the same words, when the server says so."""

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import grpc

TRIES: Final = 4
_AGAIN: Final = frozenset(
    {
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)
"""Statuses after which the same request may be sent again (docs/operations/overload.md)."""
_PAUSE_S: Final = 0.1
"""Before the second try, where the server gives no hint; doubled each time."""
_DEADLINE_S: Final = 5.0

A = TypeVar("A")


class CallError(Exception):
    """A call failed for good: its name, status and cause."""


def call(
    method: Callable[..., A],
    request: Any,  # noqa: ANN401 - any message of the API
    on_try: Callable[[float, A | None, str], None],
) -> A:
    """Return the answer to a request.

    Args:
        method: of a stub.
        request: sent unchanged each time, so that the service knows it again.
        on_try: told of each try: milliseconds, the answer or None, the status.

    Raises:
        CallError: it failed, and another try is no use.

    """
    for number in range(1, TRIES + 1):
        began = time.perf_counter()
        try:
            answer = method(request, timeout=_DEADLINE_S)
        except grpc.RpcError as error:
            code, said, hint_s = _cause(error)
            on_try(1000 * (time.perf_counter() - began), None, code.name)
            if code not in _AGAIN or number == TRIES:
                raise CallError(f"{code.name}: {said}") from error
            # Locust has made it give way to the other users.
            time.sleep(hint_s or _PAUSE_S * 2 ** (number - 1))
        else:
            on_try(1000 * (time.perf_counter() - began), answer, "OK")
            return answer
    raise AssertionError("the last try returns or raises")


def _cause(error: grpc.RpcError) -> tuple[grpc.StatusCode, str, float]:
    """Return status, cause, and how many seconds to wait as the server says; 0 when it does not."""
    if not isinstance(error, grpc.Call):
        return grpc.StatusCode.UNKNOWN, repr(error), 0.0
    hint_s = 0.0
    for key, value in error.trailing_metadata() or ():
        if key in {"grpc-retry-pushback-ms", "retry-after-ms"} and str(value).isdigit():
            hint_s = int(str(value)) / 1000
    return error.code(), error.details() or "", hint_s
