import json
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
import xgboost as xgb
from tests.training.learnable import QUICK, a_dataset, saved, trained_on

from fanzha.adapters.onnx_model import OnnxModel
from fanzha.domain.errors import ModelRefusedError, SetupError
from fanzha.domain.model import Head
from fanzha.features.manifest import FEATURE_NAMES, FEATURES, manifest_hash
from fanzha.registry.model_folder import read_model_folder
from fanzha_training.export import export
from fanzha_training.golden import TOLERANCE, check_parity, golden_of, load_golden
from fanzha_training.grow import margins
from fanzha_training.onnx_graph import open_graph, run_graph, split_conditions, to_onnx
from fanzha_training.published import read_manifest
from fanzha_training.scorer import load_scorer
from fanzha_training.trained import load_trained, save_evaluation


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    dataset = a_dataset(folder / "dataset.parquet", rows=8000)
    saved(folder / "model", trained_on(dataset, replace(QUICK, base_rate=0.001)))
    return folder / "model"


def a_booster(*, base_score: float = 0.02, trees: int = 60, rows: int = 2000) -> xgb.Booster:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(rows, len(FEATURES))).astype(np.float32)
    vectors[rng.random(vectors.shape) < 0.2] = np.nan
    label = np.nan_to_num(vectors[:, 0]) + np.nan_to_num(vectors[:, 1]) > 2
    parameters = {
        "objective": "binary:logistic", "base_score": base_score, "max_depth": 5, "nthread": 1,
    }  # fmt: skip
    return xgb.train(parameters, xgb.DMatrix(vectors, label=label), trees)


def a_stump(
    threshold: float, covers: tuple[float, float, float], *, default_left: bool
) -> xgb.Booster:
    """Return a booster of one split of the third feature."""
    booster = a_booster(trees=1, base_score=0.5)
    stored = json.loads(bytes(booster.save_raw(raw_format="json")))
    (tree,) = stored["learner"]["gradient_booster"]["model"]["trees"]
    tree |= {
        "left_children": [1, -1, -1], "right_children": [2, -1, -1],
        "parents": [2**31 - 1, 0, 0], "split_indices": [2, 0, 0], "split_type": [0, 0, 0],
        "split_conditions": [threshold, -0.25, 0.75], "default_left": [int(default_left), 0, 0],
        "base_weights": [0.0, -0.25, 0.75], "loss_changes": [1.0, 0.0, 0.0],
        "sum_hessian": list(covers),
    }  # fmt: skip
    tree["tree_param"] |= {"num_nodes": "3"}
    return xgb.Booster(model_file=bytearray(json.dumps(stored).encode()))


def some_vectors(rows: int) -> np.ndarray:
    rng = np.random.default_rng(6)
    vectors = rng.normal(size=(rows, len(FEATURES))).astype(np.float32)
    vectors[rng.random(vectors.shape) < 0.3] = np.nan
    return vectors


def attributes(graph: onnx.ModelProto) -> dict[str, onnx.AttributeProto]:
    """Return the attributes of the graph's first trees."""
    trees = next(node for node in graph.graph.node if node.op_type == "TreeEnsembleRegressor")
    return {item.name: item for item in trees.attribute}


def without_missing(booster: xgb.Booster) -> onnx.ModelProto:
    """Return the booster's graph, where missing values never count as the lowest."""
    graph = to_onnx([booster])
    places = attributes(graph)["nodes_featureids"].ints
    for node, place in enumerate(places):
        block, feature = divmod(place, len(FEATURES))
        places[node] = block // 2 * 2 * len(FEATURES) + feature
    return graph


def with_less_or_equal(booster: xgb.Booster) -> onnx.ModelProto:
    """Return the booster's graph, where a value on a threshold goes the other way."""
    graph = to_onnx([booster])
    modes = attributes(graph)["nodes_modes"].strings
    for node, mode in enumerate(modes):
        if mode != b"LEAF":
            modes[node] = b"BRANCH_LEQ"
    return graph


class TestGraph:
    """The graph gives XGBoost's raw margin within 1e-5."""

    @pytest.mark.parametrize("base_score", [0.5, 0.0017, 0.93])
    def test_margins_equal_those_of_xgboost(self, base_score: float) -> None:
        booster = a_booster(base_score=base_score)
        vectors = some_vectors(500)

        session = open_graph(to_onnx([booster]).SerializeToString(), "graph")

        difference = run_graph(session, vectors)[:, 0] - margins(booster, vectors)
        assert np.abs(difference).max() <= TOLERANCE

    def test_values_on_a_threshold_go_the_same_way(self) -> None:
        booster = a_booster()
        rows = []
        for feature, threshold in split_conditions(booster)[:200]:
            for value in (np.nextafter(threshold, np.float32(-9)), threshold):
                row = some_vectors(1)[0]
                row[feature] = value
                rows.append(row)

        session = open_graph(to_onnx([booster]).SerializeToString(), "graph")

        difference = run_graph(session, np.stack(rows))[:, 0] - margins(booster, np.stack(rows))
        assert np.abs(difference).max() <= TOLERANCE

    def test_trees_that_never_split_give_the_base_margin(self) -> None:
        """ONNX Runtime skips the post-transform of such trees (issue 27533); we have none."""
        vectors = some_vectors(50)
        booster = xgb.train(
            {"objective": "binary:logistic", "base_score": 0.25, "nthread": 1, "gamma": 1e9},
            xgb.DMatrix(vectors, label=np.arange(50) % 2),
            3,
        )

        session = open_graph(to_onnx([booster]).SerializeToString(), "graph")

        difference = run_graph(session, vectors)[:, 0] - margins(booster, vectors)
        assert np.abs(difference).max() <= TOLERANCE

    def test_long_sums_differ_by_nothing(self) -> None:
        """Both add up in float32; only the same order gives the same margin."""
        booster = a_booster(base_score=0.002, trees=300)
        vectors = some_vectors(2000)

        session = open_graph(to_onnx([booster]).SerializeToString(), "graph")

        assert (run_graph(session, vectors)[:, 0] == margins(booster, vectors)).all()

    def test_every_way_of_asking_occurs(self) -> None:
        """Each with missing values, and on thresholds, in the tests above."""
        found = attributes(to_onnx([a_booster()]))
        inner = [
            place
            for place, mode in zip(
                found["nodes_featureids"].ints, found["nodes_modes"].strings, strict=True
            )
            if mode != b"LEAF"
        ]

        assert {place // len(FEATURES) for place in inner} == {0, 1, 2, 3}

    @pytest.mark.parametrize("threshold", [-1.0, -0.0, 0.0, 1e-40, 2.5, 1e38])
    def test_the_busier_branch_is_asked_for_the_other_way_round(self, threshold: float) -> None:
        """Whatever the values are: next to the threshold, zero of either sign, missing."""
        border = np.float32(threshold)
        near = [np.nextafter(border, np.float32(way)) for way in (-np.inf, np.inf)]
        values = np.array([*near, border, -border, 0.0, -0.0, 1e-45, np.nan])
        vectors = np.full((len(values), len(FEATURES)), np.nan, np.float32)
        vectors[:, 2] = values
        for covers, default_left in product([(3.0, 2.0, 1.0), (3.0, 1.0, 2.0)], [False, True]):
            learner = a_stump(threshold, covers, default_left=default_left)

            session = open_graph(to_onnx([learner]).SerializeToString(), "graph")

            assert (run_graph(session, vectors)[:, 0] == margins(learner, vectors)).all()

    def test_bytes_are_the_same_every_time(self) -> None:
        booster = a_booster()

        first, second = (to_onnx([booster]).SerializeToString(deterministic=True) for _ in range(2))

        assert first == second
        assert to_onnx([booster]).graph.name == "fanzha_margins"

    @pytest.mark.parametrize("objective", ["reg:squarederror", "binary:hinge"])
    def test_another_objective_is_refused(self, objective: str) -> None:
        vectors = some_vectors(50)
        matrix = xgb.DMatrix(vectors, label=np.arange(50) % 2)

        with pytest.raises(SetupError, match="only gbtree for binary:logistic"):
            to_onnx([xgb.train({"objective": objective, "nthread": 1}, matrix, 2)])


class TestGolden:
    """Golden rows hold what goes wrong in conversions: NaN, and values on thresholds."""

    def test_hold_missing_values_and_thresholds(self) -> None:
        booster = a_booster()

        golden = golden_of([booster], None, some_vectors(64), 1, np.array([-1.0, 0.5]))

        vectors = golden.vectors
        assert vectors.dtype == np.float32
        assert golden.margins.dtype == np.float64
        assert np.isnan(vectors).all(axis=1).any()
        splits = {(feature, float(value)) for feature, value in split_conditions(booster)}
        on_threshold = [
            (feature, float(value)) in splits
            for row in vectors
            for feature, value in enumerate(row)
        ]
        assert sum(on_threshold) >= 48

    @pytest.mark.parametrize("broken", [without_missing, with_less_or_equal])
    def test_betray_a_graph_that_is_a_little_wrong(
        self, broken: Callable[[xgb.Booster], onnx.ModelProto]
    ) -> None:
        booster = a_booster()
        graph = broken(booster)
        golden = golden_of([booster], None, some_vectors(64), 1, np.array([-1.0, 0.5]))

        session = open_graph(graph.SerializeToString(), "graph")

        with pytest.raises(ModelRefusedError, match="disagree on"):
            check_parity(session, golden.vectors, golden.margins)


class TestExport:
    """All of a version is published, or nothing."""

    def test_publishes_what_the_service_accepts(self, model: Path, tmp_path: Path) -> None:
        summary = export(model, tmp_path, "fraud", "1", command="fanzha-training export")

        folder = tmp_path / "fraud" / "1"
        manifest = read_manifest(folder)
        golden = load_golden(folder)
        served = OnnxModel(read_model_folder(folder))
        assert sorted(path.name for path in folder.iterdir()) == [
            "card.md", "golden.npz", "manifest.json", "model.onnx", "payee_mule.trees.npz",
            "payee_mule.ubj", "reference.json", "typology.onnx", "typology.ubj",
            "victim.trees.npz", "victim.ubj",
        ]  # fmt: skip
        assert summary["version"] == manifest.label == served.manifest.label == "fraud/1"
        assert tuple(manifest.feature_names) == FEATURE_NAMES
        assert manifest.feature_hash == manifest_hash()
        assert [each.head for each in manifest.heads] == [Head.VICTIM, Head.PAYEE_MULE]
        assert summary["heads_left_out"].keys() == {"payer_mule"}
        assert (served.margins(golden.vectors) == golden.margins).all()
        score = served.score(golden.vectors[0])
        assert score.payee_mule is not None
        assert score.payer_mule is None
        for column, (head, found) in enumerate(
            [(Head.VICTIM, score.probability), (Head.PAYEE_MULE, score.payee_mule.probability)]
        ):
            calibration = load_scorer(folder, head).calibration
            expected = calibration.probability(golden.margins[:1, column])
            assert found == pytest.approx(float(expected[0]), rel=1e-12)

    def test_the_service_tells_the_types_of_fraud_as_xgboost_does(
        self, model: Path, tmp_path: Path
    ) -> None:
        export(model, tmp_path, "fraud", "1", command="fanzha-training export")
        served = OnnxModel(read_model_folder(tmp_path / "fraud" / "1"))
        typology = load_trained(model).typology
        vectors = load_golden(tmp_path / "fraud" / "1").vectors

        for row in range(0, len(vectors), 7):
            guesses = served.fraud_types(vectors[row])
            assert typology is not None
            expected = typology.predict(xgb.DMatrix(vectors[row : row + 1], nthread=1))[0]
            found = {guess.fraud_type: guess.probability for guess in guesses}
            assert [found[kind] for kind in sorted(found)] == pytest.approx(expected, abs=1e-6)
            assert guesses[0].probability == max(found.values())
            assert sum(found.values()) == pytest.approx(1)

    def test_the_same_model_gives_the_same_bytes(self, model: Path, tmp_path: Path) -> None:
        for models in ("a", "b"):
            export(model, tmp_path / models, "fraud", "1", command="fanzha-training export")

        files = [sorted((tmp_path / models / "fraud" / "1").iterdir()) for models in ("a", "b")]
        assert len(files[0]) == 11
        for first, second in zip(*files, strict=True):
            assert first.read_bytes() == second.read_bytes()

    def test_the_manifest_says_how_to_train_it_again(self, model: Path, tmp_path: Path) -> None:
        export(model, tmp_path, "fraud", "1", command="fanzha-training export --model model")

        stored = json.loads((tmp_path / "fraud" / "1" / "manifest.json").read_text())
        trained = stored["trained"]
        assert trained["command"] == "fanzha-training train"
        assert trained["export_command"] == "fanzha-training export --model model"
        assert trained["data"]["command"] == "fanzha-training build"
        assert trained["seed"] == 7
        assert trained["threads"] == 1
        assert trained["graph_name"] == "fanzha_margins"
        assert len(trained["data"]["fingerprint"]) == 32
        assert "xgboost-cpu" in trained["libraries"]

    def test_the_card_says_plainly_that_data_were_simulated(
        self, model: Path, tmp_path: Path
    ) -> None:
        export(model, tmp_path, "fraud", "1", command="")

        card = (tmp_path / "fraud" / "1" / "card.md").read_text()
        assert "learned from simulated data" in card
        assert "Not evaluated" in card

    def test_a_broken_graph_is_refused_and_nothing_is_published(
        self, model: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(ModelRefusedError, match="nothing is published"):
            export(
                model, tmp_path, "fraud", "1", command="",
                convert=lambda boosters: without_missing(boosters[0]),
            )  # fmt: skip

        assert not list(tmp_path.iterdir())

    def test_a_graph_that_is_none_is_refused(self, model: Path, tmp_path: Path) -> None:
        with pytest.raises(ModelRefusedError, match="cannot be loaded"):
            export(
                model, tmp_path, "fraud", "1", command="",
                convert=lambda _boosters: onnx.ModelProto(ir_version=9),
            )  # fmt: skip

        assert not list(tmp_path.iterdir())

    def test_a_version_is_never_overwritten(self, model: Path, tmp_path: Path) -> None:
        export(model, tmp_path, "fraud", "1", command="")
        before = (tmp_path / "fraud" / "1" / "manifest.json").read_bytes()

        with pytest.raises(SetupError, match="exists already"):
            export(model, tmp_path, "fraud", "1", command="another")

        assert (tmp_path / "fraud" / "1" / "manifest.json").read_bytes() == before

    @pytest.mark.parametrize("version", ["", "../1", "a/b", ".hidden", "x" * 65])
    def test_names_that_are_no_folder_names_are_refused(
        self, model: Path, tmp_path: Path, version: str
    ) -> None:
        with pytest.raises(SetupError, match="--version is"):
            export(model, tmp_path, "fraud", version, command="")

    def test_exchanged_files_are_noticed(self, model: Path, tmp_path: Path) -> None:
        export(model, tmp_path, "fraud", "1", command="")
        file = tmp_path / "fraud" / "1" / "model.onnx"
        file.write_bytes(file.read_bytes() + b"\0")

        with pytest.raises(ModelRefusedError, match="is not the file that"):
            load_scorer(tmp_path / "fraud" / "1")

    def test_figures_of_an_evaluation_stand_in_card_and_manifest(
        self, model: Path, tmp_path: Path
    ) -> None:
        figures = {
            "model": "m", "transfers": 10, "frauds": 2, "average_precision": 0.5,
            "window": {"from": "2026-06-01T00:00:00Z", "until": "2026-06-02T00:00:00Z"},
            "calibration": {
                "mean_predicted": 0.2, "observed_rate": 0.2, "expected_calibration_error": 0.01,
            },
            "budgets": {
                "1": {
                    "alerts": 1, "recall": 0.5, "value_detection_rate": 0.7, "false_per_true": None,
                }
            },
        }  # fmt: skip
        save_evaluation(model, figures)

        export(model, tmp_path, "fraud", "1", command="")

        (model / "evaluation.json").unlink()
        folder = tmp_path / "fraud" / "1"
        assert read_manifest(folder).metrics == figures
        assert "| 1 | 1 | 50.0% | 70.0% | – |" in (folder / "card.md").read_text()
