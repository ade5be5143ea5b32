"""The bench measures what it says; how fast is no test's business."""

from pathlib import Path

import numpy as np
import pytest
from tests.bench import explanation, one_decision, one_row, plain_python

from fanzha.features.kernel import feature_vector
from fanzha.features.manifest import FEATURE_INDEX

CHAMPION = next(Path(__file__).parents[2].glob("models/fraud/*"))


def test_rows_differ_and_have_history() -> None:
    rows = [one_row.a_row(np.random.default_rng(number)) for number in range(30)]

    vectors = np.stack([feature_vector(*row) for row in rows])

    assert len(np.unique(vectors, axis=0)) == 30
    for name in ("out_count_30d", "payee_in_count_7d", "out_count_31d", "device_accounts"):
        assert np.nanmax(vectors[:, FEATURE_INDEX[name]]) > 1


def test_the_empty_graph_hands_its_input_on() -> None:
    vector = np.arange(one_row.FEATURES_COUNT, dtype=np.float32)

    (back,) = one_row.identity_call()(vector)

    assert back[0].tolist() == vector.tolist()


def test_every_figure_has_its_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_row, "ROWS", 5)
    monkeypatch.setattr(one_row, "ROUNDS", 3)

    figures = one_row.measure(CHAMPION)

    assert "kernel_onnx_over_identity" in figures
    assert all(x["least"] <= x["median"] <= x["most"] for x in figures.values())


def test_decisions_are_measured_beside_their_floors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_decision, "ROWS", 70)
    monkeypatch.setattr(one_decision, "ROUNDS", 3)

    figures = one_decision.measure(CHAMPION)

    assert {"policy_over_empty_program", "score_and_decide_over_identity"} <= set(figures)
    assert all(0 < x["least"] <= x["median"] <= x["most"] for x in figures.values())


def test_explanations_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ROUNDS", 2), ("LARGE_TREES", 3), ("LARGE_ROWS", 500)):
        monkeypatch.setattr(explanation, name, value)

    figures = explanation.measure(CHAMPION)

    assert all(x["least"] <= x["median"] <= x["most"] for x in figures.values())
    assert figures["reasons_us"]["least"] > 0
    assert figures["contributions_nodes"]["median"] > 1000


def test_plain_python_is_measured_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_python, "REQUESTS", 5)
    monkeypatch.setattr(plain_python, "ROUNDS", 2)

    figures = plain_python.measure()

    steps = {"protobuf_us", "convert_in_us", "validate_us", "record_us", "convert_out_us"}
    assert figures.keys() == {"plain_python_over_protobuf", *steps}
    assert all(x["least"] <= x["median"] <= x["most"] for x in figures.values())
    assert figures["plain_python_over_protobuf"]["least"] > 1
