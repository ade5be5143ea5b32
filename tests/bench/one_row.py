"""What one decision pays for features and score, beside the floor: an ONNX graph that does nothing.

Rows differ from call to call: one row repeated teaches the processor the way through the trees.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from tests.bench.machine import Spread, seconds_of, spread

from fanzha.adapters.onnx_model import OnnxModel
from fanzha.domain.evidence import AccountState, LinkState
from fanzha.domain.vocabulary import Channel, DecisionKind, PartyType, TransferKind
from fanzha.features.facts import (
    AMOUNT_MINOR,
    CHANNEL,
    FACTS,
    KIND,
    PAYEE_ID,
    PAYER_ID,
    TIME_MS,
    UNKNOWN,
    UTC_OFFSET_S,
)
from fanzha.features.kernel import feature_vector
from fanzha.features.layout import DAYS, HOURS, RING_EVENTS, pack_event, pack_flags
from fanzha.features.manifest import FEATURES
from fanzha.registry.model_folder import read_model_folder

FEATURES_COUNT = len(FEATURES)
ROWS = 2_000
ROUNDS = 9
NOW_MS = 1_790_000_000_000
UTC_OFFSET_S_CHINA = 28_800
_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000

Row = tuple[np.ndarray, AccountState, AccountState, tuple[LinkState | None, ...]]


def measure(model: Path) -> dict[str, Spread]:
    """Return microseconds a row, and the ratio to one ONNX Identity call, in interleaved rounds."""
    rows = [a_row(np.random.default_rng(number)) for number in range(ROWS)]
    vectors = [feature_vector(*row) for row in rows]
    score = OnnxModel(read_model_folder(model)).score
    identity = identity_call()
    steps: dict[str, Callable[[], object]] = {
        "identity": lambda: [identity(vector) for vector in vectors],
        "kernel": lambda: [feature_vector(*row) for row in rows],
        "onnx": lambda: [score(vector) for vector in vectors],
        "kernel_and_onnx": lambda: [score(feature_vector(*row)) for row in rows],
    }
    for work in steps.values():
        work()
    rounds = [{name: seconds_of(work) for name, work in steps.items()} for _ in range(ROUNDS)]
    ratios = [seconds["kernel_and_onnx"] / seconds["identity"] for seconds in rounds]
    return {"kernel_onnx_over_identity": spread(ratios)} | {
        f"{name}_us": spread([1e6 * seconds[name] / ROWS for seconds in rounds]) for name in steps
    }


def identity_call() -> Callable[[np.ndarray], list[np.ndarray]]:
    """Return a call of a graph that hands its input on: what ONNX Runtime costs by itself."""
    shape = [None, FEATURES_COUNT]
    given = onnx.helper.make_tensor_value_info("in", onnx.TensorProto.FLOAT, shape)
    back = onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, shape)
    node = onnx.helper.make_node("Identity", ["in"], ["out"])
    graph = onnx.helper.make_graph([node], "identity", [given], [back])
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    made.ir_version = 10
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda vector: session.run(["out"], {"in": vector[np.newaxis, :]})


def a_row(rng: np.random.Generator) -> Row:
    """Return a request with histories of any length up to full rings, and three known links."""
    facts = np.full(len(FACTS), UNKNOWN, np.int64)
    facts[[TIME_MS, UTC_OFFSET_S]] = NOW_MS, UTC_OFFSET_S_CHINA
    facts[[AMOUNT_MINOR, KIND, CHANNEL]] = rng.integers(1, 10**7), 1, 4
    facts[[PAYER_ID, PAYEE_ID]] = 1, 2
    links = (_link(rng), _link(rng), None, _link(rng), None)
    return facts, _account(rng), _account(rng), links


def _account(rng: np.random.Generator) -> AccountState:
    return AccountState(
        seq=1,
        out_ring=_ring(rng),
        in_ring=_ring(rng),
        hours=_totals(rng, NOW_MS // _HOUR_MS, HOURS),
        days=_totals(rng, NOW_MS // _DAY_MS, DAYS),
    )


def _ring(rng: np.random.Generator) -> bytes:
    flags = pack_flags(
        Channel.MOBILE, TransferKind.TRANSFER, DecisionKind.ALLOW, PartyType.PERSON,
        UTC_OFFSET_S_CHINA, same_owner=False,
    )  # fmt: skip
    ages = np.sort(rng.exponential(3 * _DAY_MS, rng.integers(0, RING_EVENTS + 1)).astype(int))
    return b"".join(
        pack_event(number, NOW_MS - int(age) - 1, int(rng.integers(1, 10**6)),
                   int(rng.integers(1, 12)), flags)
        for number, age in enumerate(ages)
    )  # fmt: skip


def _totals(rng: np.random.Generator, newest: int, most: int) -> bytes:
    count = int(rng.integers(0, most + 1))
    rows = np.array([(newest - back, 2, 5_000, 1, 3_000) for back in range(count)], np.int64)
    return rows.tobytes()


def _link(rng: np.random.Generator) -> LinkState:
    seen = [
        (int(other), NOW_MS - int(rng.integers(1, 10**9)), 0) for other in rng.integers(1, 9, 3)
    ]
    return LinkState(1, np.array(seen, np.int64).tobytes())
