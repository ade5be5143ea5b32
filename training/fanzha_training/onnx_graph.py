"""Writes XGBoost's trees as an ONNX graph that gives raw margins, and runs such graphs.

The graph has one TreeEnsembleRegressor, summed, without post-transform: ONNX Runtime's LOGISTIC
returns exactly 0 for low margins (onnxruntime issue 26281), so sigmoid and calibration are done in
float64 by the caller. Everything that could change from run to run is pinned: the same trees give
the same bytes.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import xgboost as xgb
from onnx import ModelProto, TensorProto, checker, helper

from fanzha.domain.errors import ModelRefusedError, SetupError
from fanzha.features.manifest import FEATURES

GRAPH_NAME: Final = "fanzha_margins"
INPUT_NAME: Final = "features"
OUTPUT_NAME: Final = "margins"

_IR_VERSION = 9
_OPSET = 19
_ML_OPSET = 3
_PRODUCER = "fanzha-training"
_BATCH_ROWS = 1 << 14
_NO_CHILD = -1
_OBJECTIVES = ("binary:logistic", "multi:softprob")


def to_onnx(boosters: Sequence[xgb.Booster]) -> ModelProto:
    """Return the graph of boosters of numeric trees; each output is one column of margins.

    A booster for binary:logistic has one output, one for multi:softprob as many as classes.

    Raises:
        SetupError: a booster is of another kind.

    """
    learners = [checked_learner(booster) for booster in boosters]
    outputs = sum(len(base_margins(learner)) for learner in learners)
    graph = helper.make_graph(
        [
            helper.make_node(
                "TreeEnsembleRegressor",
                [INPUT_NAME],
                [OUTPUT_NAME],
                name="trees",
                domain="ai.onnx.ml",
                n_targets=outputs,
                aggregate_function="SUM",
                post_transform="NONE",
                **_nodes(learners),
            )
        ],
        GRAPH_NAME,
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, [None, len(FEATURES)])],
        [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, [None, outputs])],
    )
    model = helper.make_model(
        graph,
        opset_imports=[
            helper.make_opsetid("", _OPSET),
            helper.make_opsetid("ai.onnx.ml", _ML_OPSET),
        ],
        ir_version=_IR_VERSION,
        producer_name=_PRODUCER,
        producer_version="",
        model_version=0,
    )
    checker.check_model(model)
    return model


def checked_learner(booster: xgb.Booster) -> dict[str, Any]:
    """Return XGBoost's own JSON of a booster's learner.

    Raises:
        SetupError: the booster is of a kind that is not exported.

    """
    learner: dict[str, Any] = json.loads(bytes(booster.save_raw(raw_format="json")))["learner"]
    _check_kind(learner)
    return learner


def split_conditions(booster: xgb.Booster) -> list[tuple[int, np.float32]]:
    """Return (feature, threshold) of every split in the booster, in the order of its trees."""
    learner = checked_learner(booster)
    return [
        (int(feature), np.float32(threshold))
        for tree in learner["gradient_booster"]["model"]["trees"]
        for feature, threshold, left in zip(
            tree["split_indices"], tree["split_conditions"], tree["left_children"], strict=True
        )
        if left != _NO_CHILD
    ]


def _check_kind(learner: dict[str, Any]) -> None:
    objective = learner["objective"]["name"]
    kind = learner["gradient_booster"]["name"]
    features = int(learner["learner_model_param"]["num_feature"])
    if objective not in _OBJECTIVES or kind != "gbtree":
        raise SetupError(
            f"the booster is a {kind} for {objective}; only gbtree for "
            f"{' and '.join(_OBJECTIVES)} is exported"
        )
    if features != len(FEATURES):
        raise SetupError(
            f"the booster has {features} features, this code has {len(FEATURES)}; train again"
        )
    if any(tree["categories"] for tree in learner["gradient_booster"]["model"]["trees"]):
        raise SetupError("the booster has categorical splits, which are not exported; train again")


def base_margins(learner: dict[str, Any]) -> list[np.float32]:
    """Return the margin that the sum of each output starts from.

    XGBoost 3 writes base scores as "[4.6E-1]", older versions without brackets. For
    binary:logistic it is a probability, whose log-odds XGBoost takes in float32.
    """
    text = learner["learner_model_param"]["base_score"].strip("[]")
    stated = [np.float32(number) for number in text.split(",")]
    if learner["objective"]["name"] == "binary:logistic":
        return [np.float32(-np.log(np.float32(1) / score - np.float32(1))) for score in stated]
    classes = int(learner["learner_model_param"]["num_class"])
    return stated if len(stated) == classes else stated * classes


def _nodes(learners: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the attributes of all nodes; XGBoost goes left where x < threshold.

    The base margin is added to the leaves of an output's first tree. XGBoost starts its float32 sum
    from it, ONNX Runtime would add it at the end; with 200 trees that alone made differences of
    1.6e-5. In the same order both give the same margin to the last bit.
    """
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            "nodes_treeids",
            "nodes_nodeids",
            "nodes_featureids",
            "nodes_values",
            "nodes_modes",
            "nodes_truenodeids",
            "nodes_falsenodeids",
            "nodes_missing_value_tracks_true",
            "target_treeids",
            "target_nodeids",
            "target_ids",
            "target_weights",
        )
    }
    first_output = tree_id = 0
    for learner in learners:
        starts = base_margins(learner)
        model = learner["gradient_booster"]["model"]
        begun: set[int] = set()
        for tree, output in zip(model["trees"], model["tree_info"], strict=True):
            start = np.float32(0) if output in begun else starts[output]
            begun.add(output)
            _add_tree(columns, tree, tree_id, first_output + output, start)
            tree_id += 1
        first_output += len(starts)
    return columns


def _add_tree(
    columns: dict[str, list[Any]],
    tree: dict[str, Any],
    tree_id: int,
    output: int,
    start: np.float32,
) -> None:
    """Add the nodes of a tree; `start` is added to its leaves."""
    for node, left in enumerate(tree["left_children"]):
        leaf = left == _NO_CHILD
        value = float(tree["split_conditions"][node])
        columns["nodes_treeids"].append(tree_id)
        columns["nodes_nodeids"].append(node)
        columns["nodes_featureids"].append(0 if leaf else int(tree["split_indices"][node]))
        columns["nodes_values"].append(0.0 if leaf else value)
        columns["nodes_modes"].append("LEAF" if leaf else "BRANCH_LT")
        columns["nodes_truenodeids"].append(0 if leaf else left)
        columns["nodes_falsenodeids"].append(0 if leaf else tree["right_children"][node])
        columns["nodes_missing_value_tracks_true"].append(
            0 if leaf else int(tree["default_left"][node])
        )
        if leaf:
            columns["target_treeids"].append(tree_id)
            columns["target_nodeids"].append(node)
            columns["target_ids"].append(output)
            columns["target_weights"].append(float(np.float32(value) + start))


def open_graph(content: bytes, name: Path | str) -> ort.InferenceSession:
    """Return a session on one thread, as the service runs it.

    Raises:
        ModelRefusedError: ONNX Runtime cannot load the graph.

    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a class of errors for each of its status codes.
        cause = str(error).strip().split("\n", maxsplit=1)[0]
        raise ModelRefusedError(
            f"{name} cannot be loaded by ONNX Runtime: {cause}; export the model again"
        ) from error


def run_graph(
    session: ort.InferenceSession, vectors: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Return the margins of vectors float32 (rows, features), as float64 (rows, outputs)."""
    parts = [
        session.run([OUTPUT_NAME], {INPUT_NAME: vectors[start : start + _BATCH_ROWS]})[0]
        for start in range(0, len(vectors), _BATCH_ROWS)
    ]
    return np.concatenate(parts).astype(np.float64)
