"""The bench's servers and loads work, in a short form; how fast is no test's business."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bench import messages, parts, serving
from tests.bench.servers import Cores, two_cores
from tests.model_folders import champion_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cores() -> Iterator[Cores]:
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("the bench needs two processor cores")
    yield two_cores()
    os.sched_setaffinity(0, before)


def test_decisions_floors_and_rival_are_measured_in_turn(
    cores: Cores, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("ROUNDS", 1), ("SECONDS", 0.5), ("WARM_S", 0.9), ("CALLERS", (4,))):
        monkeypatch.setattr(serving, name, value)

    figures = serving.measure(cores, champion_folder(ROOT / "models"), lambda _: None)

    assert {"unary_ratio", "batch_ratio"} <= figures.keys()
    assert ("rival_ratio" in figures) == (not figures["skipped"])
    for name in ("unary_ratio", "batch_ratio", "unary_per_s", "batch_per_s", "memory_mib"):
        assert figures[name]["median"] > 0


def test_parts_add_up_to_the_whole(cores: Cores, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("GROUPS", (8,)), ("DECISIONS", 64), ("WARM", 64), ("ROUNDS", 1)):
        monkeypatch.setattr(parts, name, value)

    figures = parts.measure(cores, ROOT / "models")

    whole = figures.pop("part_all_of_8_us")["median"]
    assert figures.pop("part_grpc_us")["median"] > 0
    assert sum(spread["median"] for spread in figures.values()) == pytest.approx(whole, rel=0.02)


def test_no_two_requests_are_alike() -> None:
    made = messages.prepared(1, 200, 50)
    assert len(set(made)) == 200
