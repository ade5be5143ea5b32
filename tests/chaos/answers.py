"""What clients write down of each call, and how the judge reads it: one JSON line a call.

Times are CLOCK_MONOTONIC in seconds: one clock for all processes of the machine, which no fault
steps. A line that the disk holds says what somebody was really told.
"""

import base64
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fanzha.v1 import scoring_pb2 as scoring

DECISION, EXECUTION, OUTCOME, FAILURE = "decision", "execution", "outcome", "failure"
_FSYNC_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Call:
    """One call that came to an end, as its client saw it."""

    kind: str
    """DECISION, EXECUTION or OUTCOME when it was answered, else FAILURE."""
    client: str
    worker: int
    sent_s: float
    ended_s: float
    request_id: str = ""
    """Of a decision, or of the attempt that failed."""
    decision_id: str = ""
    response: str = ""
    """Of a decision: the whole answer, base64."""
    attempt: str = "fresh"
    """Why it was sent: fresh, retry, duplicate, race."""
    detail: str = ""
    """Of an execution its status, of an outcome its id, of a failure code and message."""

    @property
    def answer(self) -> scoring.ScoreTransferResponse:
        """The answer as it came."""
        return scoring.ScoreTransferResponse.FromString(base64.b64decode(self.response))

    @property
    def took_ms(self) -> float:
        """How long the client waited."""
        return (self.ended_s - self.sent_s) * 1000


def as_text(answer: scoring.ScoreTransferResponse) -> str:
    """Return an answer as a line holds it."""
    return base64.b64encode(answer.SerializeToString(deterministic=True)).decode()


class CallLog:
    """A client's log: appended, on disk every fifth of a second and at the end."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", buffering=1 << 20)
        self._synced_s = time.monotonic()
        self._lock = threading.RLock()

    def write(self, call: Call) -> None:
        """Note a call that ended."""
        with self._lock:
            self._file.write(json.dumps(asdict(call), separators=(",", ":")) + "\n")
            if time.monotonic() - self._synced_s > _FSYNC_EVERY_S:
                self.sync()

    def sync(self) -> None:
        """Have all that was noted on disk."""
        with self._lock:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._synced_s = time.monotonic()

    def close(self) -> None:
        """End it."""
        self.sync()
        self._file.close()


def read_calls(folder: Path) -> list[Call]:
    """Return all calls of all clients whose logs lie in a folder, by the time of their end."""
    calls = [call for file in sorted(folder.glob("*.jsonl")) for call in _lines(file)]
    return sorted(calls, key=lambda call: call.ended_s)


def _lines(file: Path) -> Iterator[Call]:
    for line in file.read_text().splitlines():
        fields: dict[str, Any] = json.loads(line)
        yield Call(**fields)
