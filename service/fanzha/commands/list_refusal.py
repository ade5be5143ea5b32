"""What a service's refusal of entries means for the rows of the file."""

import re
from array import array
from typing import Any, Final

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from fanzha.domain.errors import SetupError

_ENTRY: Final = re.compile(r"entries\[(\d+)\]\.?")


def refusal(error: Any, numbers: "array[int]", what: str) -> SetupError:  # noqa: ANN401 - also a grpc.Call
    """Return a failed call as one clear error.

    Args:
        error: the failed call.
        numbers: row of the file that each entry sent came from.
        what: the call: "import" or "proposal".
    """
    code = error.code()
    if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED):
        lines = [f"  {_place(v.field, numbers)} {v.description}" for v in _violations(error)]
        text = "\n".join(lines) or f"  {error.details()}"
        return SetupError(
            f"the service refused the {what} ({code.name}), nothing took effect:\n{text}"
        )
    return SetupError(
        f"the {what} failed ({code.name}: {error.details()}); it is there as a whole or not at "
        "all, and sending the same file again is safe"
    )


def _violations(error: Any) -> "list[Any]":  # noqa: ANN401 - also a grpc.Call
    status = rpc_status.from_call(error)
    found: list[Any] = []
    for detail in status.details if status is not None else ():
        bad = error_details_pb2.BadRequest()
        if detail.Is(bad.DESCRIPTOR):
            detail.Unpack(bad)
            found += bad.field_violations
    return found


def _place(name: str, numbers: "array[int]") -> str:
    """Say which row of the file a field of the call stands for."""
    match = _ENTRY.match(name)
    if match is None or int(match[1]) >= len(numbers):
        return name
    return f"row {numbers[int(match[1])]}: {name[match.end() :]}"
