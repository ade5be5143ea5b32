"""The arrays of one head's booster, as `victim.trees.npz` and its like hold them.

They are checked before they are used.

Nodes of all trees stand one tree after the other, each tree from its root downwards level by level;
the right child follows the left one. So a parent stands before its children.
"""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fanzha.domain.errors import ModelRefusedError
from fanzha.domain.model import Head
from fanzha.features.manifest import FEATURES

NO_CHILD: Final = -1
LAYOUT: Final[dict[str, tuple[type[np.generic], int]]] = {
    "feature": (np.int32, 1),
    "threshold": (np.float32, 1),
    "default_left": (np.bool_, 1),
    "left": (np.int32, 1),
    "cover": (np.float32, 1),
    "value": (np.float32, 1),
    "root": (np.int32, 1),
    "base_margin": (np.float32, 0),
}
"""Type and dimensions of each array.

`feature` (nodes,): place of the feature that an inner node splits, 0 for leaves.
`threshold` (nodes,): a value below it goes left, 0 for leaves.
`default_left` (nodes,): whether a missing value goes left.
`left` (nodes,): the left child's place, -1 for leaves.
`cover` (nodes,): sum of hessians of the training rows that came here, at least 0.
`value` (nodes,): a leaf's part of the margin, 0 for inner nodes.
`root` (trees,): place of each tree's first node.
`base_margin` (): what the margin starts from.
"""
_NODES: Final = tuple(name for name in LAYOUT if name not in ("root", "base_margin"))


def trees_file(head: Head) -> str:
    """Return the name of the file of a head's arrays."""
    return f"{head.value}.trees.npz"


def trees_of(content: bytes, path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of one booster that were read from a file.

    Raises:
        ModelRefusedError: they are damaged.

    """
    try:
        with np.load(BytesIO(content), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except Exception as error:  # A damaged archive fails in many ways, none of them documented.
        raise ModelRefusedError(
            f"{path} cannot be read: {error!r}; export the model again"
        ) from error


def check_trees(arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Check that the arrays are trees, so that the kernel cannot leave them.

    Raises:
        ModelRefusedError: they are not; names what is wrong.

    """
    for name, (kind, dimensions) in LAYOUT.items():
        array = arrays.get(name)
        if array is None or array.dtype != kind or array.ndim != dimensions:
            shown = "missing" if array is None else f"{array.dtype} of {array.ndim} dimensions"
            _refuse(f"{name} is {shown}, not {np.dtype(kind)} of {dimensions} dimensions")
    nodes = len(arrays["left"])
    if any(len(arrays[name]) != nodes for name in _NODES):
        _refuse("the arrays of nodes differ in length")
    for name in ("threshold", "cover", "value", "base_margin"):
        # A threshold may be infinite: XGBoost cuts there when a column holds infinities.
        numbers = arrays[name]
        if np.isnan(numbers).any() or (name != "threshold" and np.isinf(numbers).any()):
            _refuse(f"{name} holds what is no number")
    _check_shape(arrays, nodes)


def _check_shape(arrays: Mapping[str, npt.NDArray[Any]], nodes: int) -> None:
    root, left, feature, cover = (arrays[name] for name in ("root", "left", "feature", "cover"))
    if len(root) == 0 or root[0] != 0 or (np.diff(root) <= 0).any() or root[-1] >= nodes:
        _refuse("root is not the rising places of trees, from 0")
    ends = np.append(root[1:], nodes)
    tree = np.repeat(np.arange(len(root)), ends - root)
    inner = np.flatnonzero(left != NO_CHILD)
    # Level by level: a tree's n-th inner node has the n-th pair of nodes after the root.
    pairs = np.arange(len(inner)) - np.searchsorted(inner, root)[tree[inner]]
    if (left[inner] != root[tree[inner]] + 1 + 2 * pairs).any() or (left[inner] <= inner).any():
        _refuse("children do not follow their parents, level by level")
    if (ends - root != 1 + 2 * np.bincount(tree[inner], minlength=len(root))).any():
        _refuse("a tree has nodes without a parent")
    if (feature < 0).any() or (feature >= len(FEATURES)).any():
        _refuse(f"feature names places outside of the {len(FEATURES)} features of this code")
    if (cover < 0).any() or (cover[inner] == 0).any():
        _refuse("cover is below 0, or 0 where a tree splits")


def _refuse(cause: str) -> None:
    raise ModelRefusedError(f"the arrays of trees are not sound: {cause}; export the model again")
