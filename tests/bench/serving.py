"""Whole decisions beside empty handlers and the rival: how many one worker on one core answers.

All servers run at once, and are loaded in turn, round after round: what else the machine does falls
on all of them alike. The load and Redis have the other core. How busy the server's core was is told
too: a figure counts where it was the limit.
"""

import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import messages
from tests.bench.machine import Spread, spread
from tests.bench.rival_load import RivalLoad
from tests.bench.rival_model import same_trees
from tests.bench.servers import RIVAL, BenchError, Cores, Running, floor, rival, service

from fanzha.v1 import scoring_pb2 as scoring
from fanzha_loadtest.driver import Driver
from fanzha_loadtest.http2 import Call

SCORE = "/fanzha.v1.ScoringService/ScoreTransfer"
BATCH = "/fanzha.v1.ScoringService/ScoreBatch"
ROUNDS = 5
SECONDS = 3.0
WARM_S = 6.0
CALLERS = (16, 32)
BATCH_SIZE, BATCH_CALLERS = 64, 4
_RATE_MAX = 40_000


@dataclass
class _Seen:
    """What one server did in one round."""

    per_s: float
    cpu_us: float
    redis_us: float
    busy: float


@dataclass
class Rounds:
    """All rounds of the bench."""

    seen: dict[str, list[_Seen]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    memory_mib: float = 0.0

    def add(self, name: str, seen: _Seen) -> None:
        """Keep what a server did."""
        self.seen.setdefault(name, []).append(seen)

    def rates(self, name: str) -> list[float]:
        """Return a server's rates, in order of the rounds."""
        return [one.per_s for one in self.seen[name]]


def measure(cores: Cores, model: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure throughput of decisions, floors and rival.

    Args:
        cores: where what runs.
        model: folder of the champion; the rival scores with its trees.
        tell: told what is going on.

    Returns:
        Spreads by name (decisions a second, ratios, microseconds), and `skipped`: names and causes.
    """
    rounds = Rounds()
    with ExitStack() as stack:
        empty = [stack.enter_context(floor(kind, cores)) for kind in ("sync", "aio")]
        fanzha = stack.enter_context(service(cores))
        beside = _rival(stack, cores, model, rounds)
        _round(Rounds(), empty, fanzha, beside, WARM_S / 3, 0)
        for number in range(1, ROUNDS + 1):
            tell(f"throughput: round {number} of {ROUNDS}")
            _round(rounds, empty, fanzha, beside, SECONDS, number)
        rounds.memory_mib = fanzha.memory_mib()
    return _figures(rounds)


def _rival(stack: ExitStack, cores: Cores, model: Path, rounds: Rounds) -> Running | None:
    if not (RIVAL / "app.py").exists():
        rounds.skipped["rival_ratio"] = "the rival is not here (../shared/rival)"
        return None
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fz-")))
    return stack.enter_context(rival(cores, same_trees(model, folder / "model.onnx")))


def _round(
    rounds: Rounds,
    empty: list[Running],
    fanzha: Running,
    beside: Running | None,
    seconds: float,
    number: int,
) -> None:
    bodies = messages.prepared(number, int(_RATE_MAX * seconds / 4))
    for callers in CALLERS:
        for one in empty:
            rounds.add(f"{one.name} {callers}", _calls(one, SCORE, bodies, callers, seconds))
        # Each request is new to the service.
        fresh = messages.prepared(1_000 * number + callers, int(12_000 * seconds))
        rounds.add(f"unary {callers}", _calls(fanzha, SCORE, fresh, callers, seconds))
    many = messages.batches(10_000 + number, int(20_000 * seconds / BATCH_SIZE), BATCH_SIZE)
    rounds.add("batch", _calls(fanzha, BATCH, many, BATCH_CALLERS, seconds, BATCH_SIZE))
    if beside is not None:
        body = json.dumps(json.loads((RIVAL / "body.json").read_text())).encode()
        for callers in CALLERS:
            load = RivalLoad(beside.address, body, callers)
            rounds.add(f"rival {callers}", _Seen(load.closed(seconds), 0.0, 0.0, 0.0))
            load.close()


def _calls(
    server: Running, method: str, bodies: list[bytes], callers: int, seconds: float, each: int = 1
) -> _Seen:
    """Load a server in a closed loop; a call stands for so many decisions.

    Raises:
        BenchError: calls failed, or there were too few messages.
    """
    counted = [0]

    def count(_: int, answer: bytes) -> None:
        results = scoring.ScoreBatchResponse.FromString(answer).results
        counted[0] += sum(one.HasField("response") for one in results)

    with Driver(
        [server.address], Call(method, timeout="9S"), on_answer=count if each > 1 else None
    ) as driver:
        cpu_s, redis_s = server.cpu_s(), server.redis_cpu_s()
        load = driver.closed(iter(bodies), callers, seconds)
        cpu_s, redis_s = server.cpu_s() - cpu_s, server.redis_cpu_s() - redis_s
    if load.other or load.begun >= len(bodies):
        raise BenchError(
            f"{server.name}: {load.answered} of {load.begun} calls answered, {load.refused} "
            f"refused, others by status {dict(load.other)}; {len(bodies)} messages were made"
        )
    done = counted[0] if each > 1 else load.answered
    return _Seen(
        done / load.seconds, 1e6 * cpu_s / done, 1e6 * redis_s / done, cpu_s / load.seconds
    )


def _figures(rounds: Rounds) -> dict[str, Any]:
    names = {name.rpartition(" ")[0] for name in rounds.seen if name != "batch"}
    # Each server is taken at the number of callers that suits it best.
    best = {
        name: max((rounds.rates(f"{name} {callers}") for callers in CALLERS), key=sum)
        for name in names
    }
    floors = [max(pair) for pair in zip(best["empty sync"], best["empty aio"], strict=True)]
    unary, batch = best["unary"], rounds.rates("batch")
    figures: dict[str, Any] = {
        "unary_ratio": _ratio(unary, floors),
        "batch_ratio": _ratio(batch, floors),
        "unary_per_s": spread(unary),
        "batch_per_s": spread(batch),
        "empty_handler_per_s": spread(floors),
        "memory_mib": spread([rounds.memory_mib]),
        "skipped": rounds.skipped,
    }
    if "rival" in best:
        figures["rival_ratio"] = _ratio(unary, best["rival"])
        figures["rival_per_s"] = spread(best["rival"])
    for name in (*(f"unary {callers}" for callers in CALLERS), "batch"):
        seen, key = rounds.seen[name], name.replace(" ", "_")
        figures[f"{key}_cpu_us"] = spread([one.cpu_us for one in seen])
        figures[f"{key}_redis_cpu_us"] = spread([one.redis_us for one in seen])
        figures[f"{key}_core_busy"] = spread([one.busy for one in seen])
    return figures


def _ratio(ours: list[float], theirs: list[float]) -> Spread:
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])
