"""Writes XGBoost's trees as an ONNX graph that gives the raw margin, and runs such graphs.

The graph has one TreeEnsembleRegressor, summed, without post-transform: ONNX Runtime's LOGISTIC
returns exactly 0 for low margins (onnxruntime issue 26281), so sigmoid and calibration are done in
float64 by the caller. Everything that could change from run to run is pinned: the same trees give
the same bytes.
"""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import xgboost as xgb
from onnx import ModelProto, TensorProto, checker, helper

from fanzha.domain.errors import ModelRefusedError, SetupError
from fanzha.features.manifest import FEATURES

GRAPH_NAME: Final = "fanzha_margin"
INPUT_NAME: Final = "features"
OUTPUT_NAME: Final = "margin"

_IR_VERSION = 9
_OPSET = 19
_ML_OPSET = 3
_PRODUCER = "fanzha-training"
_BATCH_ROWS = 1 << 14
_NO_CHILD = -1


def to_onnx(booster: xgb.Booster) -> ModelProto:
    """Return the graph of a booster of numeric trees with a logistic objective.

    Raises:
        SetupError: the booster is of another kind.

    """
    learner = checked_learner(booster)
    graph = helper.make_graph(
        [
            helper.make_node(
                "TreeEnsembleRegressor",
                [INPUT_NAME],
                [OUTPUT_NAME],
                name="trees",
                domain="ai.onnx.ml",
                n_targets=1,
                aggregate_function="SUM",
                post_transform="NONE",
                **_nodes(learner["gradient_booster"]["model"]["trees"], base_margin(learner)),
            )
        ],
        GRAPH_NAME,
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, [None, len(FEATURES)])],
        [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, [None, 1])],
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
    learner = json.loads(bytes(booster.save_raw(raw_format="json")))["learner"]
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
    if objective != "binary:logistic" or kind != "gbtree":
        raise SetupError(
            f"the booster is a {kind} for {objective}; only gbtree for binary:logistic is exported"
        )
    if features != len(FEATURES):
        raise SetupError(
            f"the booster has {features} features, this code has {len(FEATURES)}; train again"
        )
    if any(tree["categories"] for tree in learner["gradient_booster"]["model"]["trees"]):
        raise SetupError("the booster has categorical splits, which are not exported; train again")


def base_margin(learner: dict[str, Any]) -> np.float32:
    """Return the margin that sums start from.

    XGBoost 3 writes the base score as "[4.6E-1]", older versions without brackets; it is a
    probability, whose log-odds XGBoost takes in float32.
    """
    text = learner["learner_model_param"]["base_score"].strip("[]")
    probability = np.float32(text)
    return np.float32(-np.log(np.float32(1) / probability - np.float32(1)))


def _nodes(trees: list[dict[str, Any]], margin: np.float32) -> dict[str, Any]:
    """Return the attributes of all nodes; XGBoost goes left where x < threshold.

    The base margin is added to the leaves of the first tree. XGBoost starts its float32 sum from
    it, ONNX Runtime would add it at the end; with 200 trees that alone made differences of 1.6e-5.
    In the same order both give the same margin to the last bit.
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
    for tree_id, tree in enumerate(trees):
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
                columns["target_ids"].append(0)
                start = margin if tree_id == 0 else np.float32(0)
                columns["target_weights"].append(float(np.float32(value) + start))
    return columns


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
    """Return the margins of vectors float32 (rows, features), as float64 (rows,)."""
    parts = [
        session.run([OUTPUT_NAME], {INPUT_NAME: vectors[start : start + _BATCH_ROWS]})[0]
        for start in range(0, len(vectors), _BATCH_ROWS)
    ]
    return np.concatenate(parts).reshape(-1).astype(np.float64)
