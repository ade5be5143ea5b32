"""Writes XGBoost's trees as an ONNX graph that gives raw margins, and runs such graphs.

Each output has one TreeEnsembleRegressor, summed, without post-transform: ONNX Runtime's LOGISTIC
returns exactly 0 for low margins (onnxruntime issue 26281), so sigmoid and calibration are done in
float64 by the caller. Everything that could change from run to run is pinned: the same trees give
the same bytes.

The nodes are written so that ONNX Runtime walks them fast, see `_Column` and ADR 0008.
"""

import json
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import xgboost as xgb
from onnx import ModelProto, NodeProto, TensorProto, checker, helper

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
_WIDE = "features_four_ways"
_LOWEST = "lowest"
_ATTRIBUTES = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_values",
    "nodes_modes",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "target_treeids",
    "target_nodeids",
    "target_ids",
    "target_weights",
)


def to_onnx(boosters: Sequence[xgb.Booster]) -> ModelProto:
    """Return the graph of boosters of numeric trees; each output is one column of margins.

    A booster for binary:logistic has one output, one for multi:softprob as many as classes.

    Raises:
        SetupError: a booster is of another kind.

    """
    ensembles = [each for booster in boosters for each in _ensembles(checked_learner(booster))]
    names = [f"{OUTPUT_NAME}_{number}" for number in range(len(ensembles))]
    graph = helper.make_graph(
        [
            *_widened(),
            *(
                helper.make_node(
                    "TreeEnsembleRegressor",
                    [_WIDE],
                    [name],
                    name=name,
                    domain="ai.onnx.ml",
                    n_targets=1,
                    aggregate_function="SUM",
                    post_transform="NONE",
                    **columns,
                )
                for name, columns in zip(names, ensembles, strict=True)
            ),
            helper.make_node("Concat", names, [OUTPUT_NAME], name=OUTPUT_NAME, axis=1),
        ],
        GRAPH_NAME,
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, [None, len(FEATURES)])],
        [helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, [None, len(ensembles)])],
        initializer=[helper.make_tensor(_LOWEST, TensorProto.FLOAT, [1], [-np.inf])],
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


class _Column(IntEnum):
    """Where the trees find a feature: four blocks, each as long as the features.

    ONNX Runtime's loop over nodes is fastest when none needs to know of missing values, and when
    the branch that most rows take is the one where the condition is false. `x < threshold` is
    false for most rows where the right branch is the busier one; where the left one is,
    `-x < the float after -threshold` asks the same the other way round. A missing value makes both
    conditions false, and, as minus infinity, true.
    """

    AS_IS = 0
    MISSING_IS_LOWEST = 1
    TURNED = 2
    TURNED_MISSING_IS_LOWEST = 3


def _widened() -> list[NodeProto]:
    """Return nodes that make the blocks of `_Column` from the features."""
    return [
        helper.make_node("IsNaN", [INPUT_NAME], ["missing"]),
        helper.make_node("Neg", [INPUT_NAME], ["turned"]),
        helper.make_node("Where", ["missing", _LOWEST, INPUT_NAME], ["missing_is_lowest"]),
        helper.make_node("Where", ["missing", _LOWEST, "turned"], ["turned_missing_is_lowest"]),
        helper.make_node(
            "Concat",
            [INPUT_NAME, "missing_is_lowest", "turned", "turned_missing_is_lowest"],
            [_WIDE],
            axis=1,
        ),
    ]


def _ensembles(learner: dict[str, Any]) -> list[dict[str, Any]]:
    """Return for each output of a booster the attributes of its trees' nodes.

    The base margin is added to the leaves of an output's first tree. XGBoost starts its float32 sum
    from it, ONNX Runtime would add it at the end; with 200 trees that alone made differences of
    1.6e-5. In the same order both give the same margin to the last bit.
    """
    starts = base_margins(learner)
    ensembles: list[dict[str, list[Any]]] = [{name: [] for name in _ATTRIBUTES} for _ in starts]
    begun: set[int] = set()
    model = learner["gradient_booster"]["model"]
    for tree_id, (tree, output) in enumerate(zip(model["trees"], model["tree_info"], strict=True)):
        start = np.float32(0) if output in begun else starts[output]
        begun.add(output)
        _add_tree(ensembles[output], tree, tree_id, start)
    return ensembles


def _add_tree(
    columns: dict[str, list[Any]], tree: dict[str, Any], tree_id: int, start: np.float32
) -> None:
    """Add the nodes of a tree; `start` is added to its leaves."""
    for node, left in enumerate(tree["left_children"]):
        leaf = left == _NO_CHILD
        columns["nodes_treeids"].append(tree_id)
        columns["nodes_nodeids"].append(node)
        columns["nodes_modes"].append("LEAF" if leaf else "BRANCH_LT")
        feature, value, if_true, if_false = (0, 0.0, 0, 0) if leaf else _branch(tree, node)
        columns["nodes_featureids"].append(feature)
        columns["nodes_values"].append(value)
        columns["nodes_truenodeids"].append(if_true)
        columns["nodes_falsenodeids"].append(if_false)
        if leaf:
            columns["target_treeids"].append(tree_id)
            columns["target_nodeids"].append(node)
            columns["target_ids"].append(0)
            columns["target_weights"].append(
                float(np.float32(tree["split_conditions"][node]) + start)
            )


def _branch(tree: dict[str, Any], node: int) -> tuple[int, float, int, int]:
    """Return an inner node as place of its value, threshold, node if below it, node if not.

    XGBoost goes left where x < threshold, and where x is missing and left is the default.
    """
    left, right = int(tree["left_children"][node]), int(tree["right_children"][node])
    feature, default_left = int(tree["split_indices"][node]), bool(tree["default_left"][node])
    threshold, cover = np.float32(tree["split_conditions"][node]), tree["sum_hessian"]
    # The float after -0 is subnormal, and processors can be told to take those for 0.
    if cover[left] > cover[right] and threshold != 0:
        turned = np.nextafter(-threshold, np.float32(np.inf))
        column = _Column.TURNED if default_left else _Column.TURNED_MISSING_IS_LOWEST
        return feature + column * len(FEATURES), float(turned), right, left
    column = _Column.MISSING_IS_LOWEST if default_left else _Column.AS_IS
    return feature + column * len(FEATURES), float(threshold), left, right


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
