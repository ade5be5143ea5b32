"""Function calls of one decision, by step: what a busy machine cannot blur, unlike a time.

Counted are calls of Python functions and of those written in C, from the parsed request to the
answer's message, in a real worker on a real Redis. `python -m tests.call_budget` counts anew;
docs/reference/budget.md shows `BUDGET`, and a test holds it.
"""

import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median_low
from types import CodeType, FrameType
from typing import Any, Final

from tests.bench.plain_python import a_request

from fanzha.adapters.embedded_redis import EmbeddedRedis
from fanzha.adapters.redis_store import RedisStore
from fanzha.app import App, Place
from fanzha.domain.vocabulary import DecisionKind
from fanzha.pipeline.assess import Attempt
from fanzha.pipeline.budget import Budget
from fanzha.pipeline.decide import decide
from fanzha.pipeline.gather import evidence_of, missing_parts
from fanzha.pipeline.record import Recorder, Recording, to_record
from fanzha.pipeline.score import score_all
from fanzha.pipeline.validate import validate
from fanzha.settings import read_settings
from fanzha.transport.convert import to_draft, to_response
from fanzha.transport.identity import Tokens
from fanzha.v1 import scoring_pb2 as scoring

Counts = dict[str, int]

WAVES: Final = {"alone": 1, "of 32": 32}
"""So many transfers that are judged together."""
BUDGET: Final[dict[str, Counts]] = {
    "alone": {
        "convert": 149,
        "validate": 11,
        "gather": 135,
        "score": 68,
        "decide": 61,
        "record": 219,
        "answer": 5,
        "between": 67,
    },
    "of 32": {
        "convert": 149,
        "validate": 11,
        "gather": 96,
        "score": 50,
        "decide": 61,
        "record": 167,
        "answer": 5,
        "between": 28,
    },
}
"""Calls a decision of each step; "between" is what `pipeline/assess.py` does itself."""
COUNTED_WITH: Final = (3, 11)
"""Other versions of Python call fewer functions for the same lines."""
TOLERANCE: Final = 0.1
"""So much more or less, and two calls, is no change."""
STEPS: Final[dict[str, tuple[Callable[..., Any], ...]]] = {
    "convert": (to_draft,),
    "validate": (validate,),
    "gather": (RedisStore.find_all, evidence_of, missing_parts),
    "score": (score_all,),
    "decide": (decide,),
    "record": (
        to_record,
        Recording.__init__,
        Recorder.record_all,
        Recording.when_ready,
        Recording.finish,
    ),
    "answer": (to_response,),
}
"""The functions in which each step begins."""
ROUNDS: Final = 12
ROOT: Final = Path(__file__).parents[1]


class Calls:
    """Counts calls by step, as `sys.setprofile` tells of them."""

    def __init__(self) -> None:
        self.by_step: Counter[str] = Counter()
        self._step_of: dict[CodeType, str] = {
            function.__code__: step for step, begins in STEPS.items() for function in begins
        }
        self._began: FrameType | None = None
        self._step = "between"

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Take note of one event."""
        if event == "call":
            if self._began is None and frame.f_code in self._step_of:
                self._began, self._step = frame, self._step_of[frame.f_code]
            self.by_step[self._step] += 1
        elif event == "c_call":
            self.by_step[self._step] += 1
        elif event == "return" and frame is self._began:
            self._began, self._step = None, "between"

    def __enter__(self) -> None:
        sys.setprofile(self)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


def limits(wave: str, step: str) -> tuple[int, int]:
    """Return the least and the most calls that still are a step's budget."""
    calls = BUDGET[wave][step]
    spare = 2 + round(TOLERANCE * calls)
    return max(0, calls - spare), calls + spare


def count(folder: Path) -> dict[str, Counts]:
    """Return the calls of each step of a usual decision: known accounts, nothing found, ALLOW."""
    settings = read_settings(
        data_dir=folder,
        models=ROOT / "models",
        # A busy machine must not show as an outage.
        budget_ms=60_000,
        redis_timeout_ms=30_000,
    )
    redis = EmbeddedRedis(folder / "redis")
    app = App(settings, Place("127.0.0.1:0", folder / "spool", redis.url))
    app.prepare()
    try:
        return {wave: _counts_of(app, size) for wave, size in WAVES.items()}
    finally:
        app.stop()
        redis.close()


def _counts_of(app: App, size: int) -> Counts:
    """Return the calls a decision in waves of a size; each account pays for the second time."""
    first = range(ROUNDS * size)
    bodies = [_body(f"first-{size}", number) for number in first]
    for at in first[::size]:
        _judged(app, bodies[at : at + size])
    bodies = [_body(f"second-{size}", number) for number in first]
    counts = [_judged(app, bodies[at : at + size]).by_step for at in first[::size]]
    return {
        step: round(median_low(one[step] for one in counts) / size) for step in (*STEPS, "between")
    }


def _judged(app: App, bodies: list[bytes]) -> Calls:
    """Judge transfers that came together; return the calls that it took."""
    tokens, until_s = Tokens(bytes(32)), time.monotonic() + 60
    requests = [scoring.ScoreTransferRequest.FromString(body) for body in bodies]
    calls, on_disk = Calls(), threading.Semaphore(0)
    with calls:
        attempts = [
            Attempt(to_draft(request, "core", tokens), Budget(until_s, until_s))
            for request in requests
        ]
        app.assessor.begin_all(attempts)
        answers = [attempt.answer for attempt in attempts if attempt.answer is not None]
        for answer in answers:
            answer.when_ready(on_disk.release, on_disk.release)
    for _ in bodies:
        assert on_disk.acquire(timeout=60)
    with calls:
        decisions = [answer.finish() for answer in answers]
        for decision in decisions:
            to_response(decision)
    found = {(decision.kind, decision.degraded) for decision in decisions}
    assert (len(decisions), found) == (len(bodies), {(DecisionKind.ALLOW, ())})
    return calls


def _body(attempt: str, number: int) -> bytes:
    request = a_request(number)
    request.request_id = f"{attempt}-{number}"
    request.transfer.amount.minor_units = 10_000
    request.transfer.create_time.FromMilliseconds(time.time_ns() // 1_000_000)
    return request.SerializeToString()


def main() -> None:
    """Count, and print the counts as JSON in the last line."""
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        print(json.dumps(count(Path(folder))))  # noqa: T201 - for scripts


if __name__ == "__main__":
    main()
