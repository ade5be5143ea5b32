"""How long a worker takes to its first decision, and what a change of model costs under load."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import messages
from tests.bench.machine import spread
from tests.bench.servers import ROOT, Cores, service
from tests.bench.serving import SCORE

from fanzha.v1 import scoring_pb2 as scoring
from fanzha_loadtest.driver import Driver
from fanzha_loadtest.http2 import Call

ROUNDS = 3
RATE = 300.0
SECONDS = 8.0
_SWAP_AT_S = 3.0


def measure(cores: Cores, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return `start_to_first_decision_s`, and the slowest answer while a model takes over.

    Args:
        cores: where what runs.
        tell: told what is going on.
    """
    took = []
    for number in range(ROUNDS):
        tell(f"start-up: round {number + 1} of {ROUNDS}")
        began = time.monotonic()
        with service(cores) as server, Driver([server.address], Call(SCORE, timeout="9S")) as one:
            load = one.closed(iter(messages.prepared(number, 1)), 1, 5.0)
            took.append(time.monotonic() - began)
            assert load.answered == 1, load
    return {"start_to_first_decision_s": spread(took)} | _swap(cores, tell)


def _swap(cores: Cores, tell: Callable[[str], None]) -> dict[str, Any]:
    """Load a worker steadily; take its champion back in the middle, by the registry file."""
    tell("a model is taken over under load")
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        models = Path(folder) / "models"
        shutil.copytree(ROOT / "models", models)
        registry = models / "registry.json"
        whole = registry.read_bytes()
        first = _first_champion_only(whole)
        registry.write_bytes(first)
        with service(cores, "--models", str(models)) as server:
            seen: set[str] = set()

            def note(_: int, answer: bytes) -> None:
                seen.add(_model_of(answer))

            with Driver([server.address], Call(SCORE), on_answer=note) as driver:
                driver.open(iter(messages.prepared(1, 2_000)), RATE, 3.0, 1)
                quiet = driver.open(
                    iter(messages.prepared(2, int(2 * RATE * SECONDS))), RATE, SECONDS, 2
                )
                timer = _later(registry, whole)
                swapped = driver.open(
                    iter(messages.prepared(3, int(2 * RATE * SECONDS))), RATE, SECONDS, 3
                )
                timer.join()
    return {
        "swap_max_ms": spread([swapped.latency_ms(1.0)]),
        "no_swap_max_ms": spread([quiet.latency_ms(1.0)]),
        "swap_models_seen": spread([float(len(seen))]),
    }


def _first_champion_only(whole: bytes) -> bytes:
    """Return the registry as it was when its first champion had been approved."""
    statements = json.loads(whole)["statements"]
    approved = next(
        number for number, one in enumerate(statements, 1) if one["action"] == "approve"
    )
    return json.dumps({"statements": statements[:approved]}).encode()


def _later(registry: Path, whole: bytes) -> threading.Timer:
    def write() -> None:
        draft = registry.with_suffix(".draft")
        draft.write_bytes(whole)
        draft.replace(registry)

    timer = threading.Timer(_SWAP_AT_S, write)
    timer.start()
    return timer


def _model_of(answer: bytes) -> str:
    return scoring.ScoreTransferResponse.FromString(answer).versions.model_version
