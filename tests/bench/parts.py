"""Where the processor time of a decision goes, by part, in groups of one size.

A whole worker in this process, with a real Redis on another core, judges groups of requests as its
turns do; what the calling thread takes for each step is counted. What gRPC takes is the time of a
process whose handlers are empty and come in the same way. `spool and relay` is what the worker's
other threads took.
"""

import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench import messages
from tests.bench.machine import Spread, spread
from tests.bench.servers import Cores, floor
from tests.bench.serving import SCORE

import fanzha.pipeline.score as scoring_step
from fanzha.adapters.embedded_redis import EmbeddedRedis
from fanzha.app import App, Place
from fanzha.pipeline.assess import Attempt
from fanzha.pipeline.budget import Budget
from fanzha.settings import read_settings
from fanzha.telemetry import Steps
from fanzha.transport.convert import to_draft, to_response
from fanzha.transport.identity import Tokens
from fanzha.v1 import scoring_pb2 as scoring
from fanzha_loadtest.driver import Driver
from fanzha_loadtest.http2 import Call

GROUPS = (1, 16, 64)
DECISIONS = 3_200
WARM = 6_400
ROUNDS = 3
_IN_FLIGHT = 64
_LATER_S = 60.0


def measure(cores: Cores, models: Path) -> dict[str, Any]:
    """Return `part_<step>_of_<group>_us`, microseconds of processor time a decision.

    Args:
        cores: where what runs; Redis runs where load does.
        models: folder of the models.
    """
    figures: dict[str, Any] = {"part_grpc_us": _grpc(cores)}
    with _worker(models) as app:
        source = messages.requests(7, 2_000)
        _judge(app, source, 64, WARM)
        for group in GROUPS:
            rounds = [_judge(app, source, group, DECISIONS) for _ in range(ROUNDS)]
            for step in rounds[0]:
                values = [one[step] for one in rounds]
                figures[f"part_{step}_of_{group}_us"] = spread(values)
    return figures


def _grpc(cores: Cores) -> Spread:
    values = []
    with floor("direct", cores) as server:
        for seed in range(ROUNDS + 1):
            with Driver([server.address], Call(SCORE, timeout="9S")) as driver:
                before = server.cpu_s()
                load = driver.closed(iter(messages.prepared(seed, 80_000)), 32, 2.0)
                values.append(1e6 * (server.cpu_s() - before) / load.answered)
    return spread(values[1:])


@contextmanager
def _worker(models: Path) -> Iterator[App]:
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        place = Path(folder)
        server = EmbeddedRedis(place / "redis")
        (place / "data").mkdir()
        settings = read_settings(
            redis=server.url, data_dir=place / "data", models=models, address="127.0.0.1:0",
            budget_ms=4_000, redis_timeout_ms=2_000,
        )  # fmt: skip
        app = App(settings, Place("127.0.0.1:0", place / "data" / "spool", server.url))
        app.prepare()
        try:
            yield app
        finally:
            app.stop()
            server.close()


def _judge(
    app: App, source: Iterator[scoring.ScoreTransferRequest], group: int, decisions: int
) -> dict[str, float]:
    """Judge so many; return microseconds a decision by step."""
    assessor, tokens = app.assessor, Tokens(bytes(range(32)))
    bodies = [next(source).SerializeToString() for _ in range(decisions)]
    spent: Counter[str] = Counter()
    waiting: deque[Attempt] = deque()

    def took(step: str, work: Callable[[], Any]) -> Any:
        before = time.thread_time_ns()
        result = work()
        spent[step] += time.thread_time_ns() - before
        return result

    def finish(attempt: Attempt) -> None:
        assert attempt.answer is not None, attempt.error
        decision = attempt.answer.finish()
        took("answer", lambda: to_response(decision).SerializeToString())

    whole_s = time.process_time()
    with _timed_steps(spent):
        for start in range(0, decisions, group):
            some = bodies[start : start + group]
            read = scoring.ScoreTransferRequest.FromString
            until_s = time.monotonic() + _LATER_S
            attempts = took(
                "convert",
                lambda some=some, read=read, until_s=until_s: [
                    Attempt(to_draft(read(one), "bench", tokens), Budget(until_s, until_s))
                    for one in some
                ],
            )
            took("judge", lambda attempts=attempts: assessor.begin_all(attempts))
            waiting.extend(attempts)
            while len(waiting) > _IN_FLIGHT:
                took("finish", lambda: finish(waiting.popleft()))
        while waiting:
            took("finish", lambda: finish(waiting.popleft()))
    whole_s = time.process_time() - whole_s
    steps = sum(spent[step] for step in ("validate", "gather", "score", "decide", "shadow"))
    spent["record"] = spent["judge"] - steps + spent["finish"] - spent["answer"]
    spent["scores"] = spent["score"] - spent["features"] - spent["onnx"]
    own = spent["convert"] + spent["judge"] + spent["finish"]
    spent["spool_and_relay"] = int(1e9 * whole_s) - own
    names = (
        *("convert", "validate", "gather", "features", "onnx", "scores", "decide", "record"),
        *("answer", "spool_and_relay"),
    )
    each = {name: spent[name] / decisions / 1000 for name in names}
    return {**each, "all": 1e6 * whole_s / decisions}


@contextmanager
def _timed_steps(spent: "Counter[str]") -> Iterator[None]:
    """Count the steps' processor time, and that of kernel and model within one of them."""

    def done(self: Steps, step: str) -> None:
        now_ns = time.thread_time_ns()
        spent[step] += now_ns - self._last_ns
        self.us[step] = 1
        self._last_ns = now_ns

    def begin(self: Steps) -> None:
        self.us = {}
        self._last_ns = time.thread_time_ns()

    kernel, of_model = scoring_step.vectors_of, scoring_step.scores_of

    def features(cases: Any) -> Any:
        before = time.thread_time_ns()
        vectors = kernel(cases)
        spent["features"] += time.thread_time_ns() - before
        return vectors

    def onnx(model: Any, vectors: Any) -> Any:
        before = time.thread_time_ns()
        says = of_model(model, vectors)
        spent["onnx"] += time.thread_time_ns() - before
        return says

    steps_done, steps_begin = Steps.done, Steps.__init__
    Steps.done, Steps.__init__ = done, begin  # type: ignore[method-assign]
    scoring_step.vectors_of, scoring_step.scores_of = features, onnx
    try:
        yield
    finally:
        Steps.done, Steps.__init__ = steps_done, steps_begin  # type: ignore[method-assign]
        scoring_step.vectors_of, scoring_step.scores_of = kernel, of_model
