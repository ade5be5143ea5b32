"""Writes a booster's trees as the arrays that the service explains margins from."""

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from fanzha.explain.trees import LAYOUT, NO_CHILD, check_trees
from fanzha_training.onnx_graph import base_margins, checked_learner


def explain_arrays(booster: xgb.Booster) -> dict[str, npt.NDArray[Any]]:
    """Return a booster's arrays, as `fanzha.explain.trees` describes them.

    Raises:
        SetupError: the booster is of a kind that is not exported.
        ModelRefusedError: its trees are not sound.

    """
    learner = checked_learner(booster)
    columns: dict[str, list[Any]] = {name: [] for name in LAYOUT}
    for tree in learner["gradient_booster"]["model"]["trees"]:
        _add_tree(columns, tree)
    arrays = {
        name: np.array(columns[name], kind)
        for name, (kind, dimensions) in LAYOUT.items()
        if dimensions
    }
    arrays["base_margin"] = np.array(base_margins(learner)[0], np.float32)
    check_trees(arrays)
    return arrays


def _add_tree(columns: dict[str, list[Any]], tree: dict[str, Any]) -> None:
    """Add a tree's nodes level by level; the children of a node stand side by side."""
    first = len(columns["left"])
    columns["root"].append(first)
    waiting, found = deque([0]), 1
    while waiting:
        node = waiting.popleft()
        left = tree["left_children"][node]
        is_leaf = left == NO_CHILD
        condition = tree["split_conditions"][node]
        columns["feature"].append(0 if is_leaf else tree["split_indices"][node])
        columns["threshold"].append(0.0 if is_leaf else condition)
        columns["default_left"].append(not is_leaf and bool(tree["default_left"][node]))
        columns["left"].append(NO_CHILD if is_leaf else first + found)
        columns["cover"].append(tree["sum_hessian"][node])
        columns["value"].append(condition if is_leaf else 0.0)
        if not is_leaf:
            waiting += (left, tree["right_children"][node])
            found += 2


def save_trees(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Write arrays to a file; numpy stamps no time into it: the same arrays give the same bytes."""
    np.savez(path, allow_pickle=False, **arrays)
