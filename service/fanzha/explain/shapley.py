"""Exact path-dependent Shapley values of trees (TreeSHAP), in float64.

The game (Lundberg, Erion, Lee 2018, "Consistent individualized feature attribution for tree
ensembles"): features outside of a coalition are averaged over both children, by cover. For a leaf
of value v with the features 1 to d on its path, let z be 1 where the vector meets all splits of a
feature, else 0, and r the product of cover(child) / cover(parent) over them. A coalition S is then
worth v × Π_{i in S} z_i × Π_{i not in S} r_i, and feature i gets

    φ_i = v × ∫₀¹ (z_i − r_i) × Π_{j ≠ i} (t z_j + (1 − t) r_j) dt,

because ∫ tˢ (1 − t)^(d−1−s) dt = s! (d−1−s)! / d! is Shapley's weight. The integrand is a
polynomial of degree d − 1, so that Gauss and Legendre's rule with at least d / 2 points gives the
integral itself (the idea of Yu et al. 2022, "Linear TreeSHAP"). Points come in blocks of four: one
block serves paths of up to eight different features.

One pass down each tree carries the product at the points, one pass up the sums of the leaves. A
feature that a path splits again takes the place of its earlier split: `up` is the node whose
incoming split that was, the root where there is none, since a root has z = r = 1. Nothing is
divided by an r, so that children without cover do no harm.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fanzha.features.compiled import compiled

POINTS = 4
"""Points of the rule in a block."""

Flags: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int32]
Places: TypeAlias = npt.NDArray[np.int64]
Singles: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

_FLAGS = "Array(boolean, 1, 'C', readonly=True)"
_INTS = "Array(int32, 1, 'C', readonly=True)"
_PLACES = "Array(int64, 1, 'C', readonly=True)"
_SINGLES = "Array(float32, 1, 'C', readonly=True)"
_DOUBLES = "Array(float64, 1, 'C', readonly=True)"
_RULE = "Array(float64, 2, 'C', readonly=True)"
_INVERSE = "Array(float64, 3, 'C', readonly=True)"


@compiled(
    "Tuple((int32[::1], float64[::1], float64[::1], float64[::1], int64))"
    f"({_INTS}, {_INTS}, {_SINGLES}, {_INTS})"
)
def path_arrays(
    feature: Ints, left: Ints, cover: Singles, root: Ints
) -> tuple[Ints, Doubles, Doubles, Doubles, int]:
    """Return what follows from the trees alone; `fanzha.explain.trees` tells of the arguments.

    Returns:
        up: int32 (nodes,), for an inner node the last node above its children, itself included,
            that a split by the same feature leads to; the root's place where there is none.
        share: float64 (nodes,), cover ÷ parent's cover, 1 for roots.
        zero: float64 (nodes,), r of the incoming split's feature, 1 for roots.
        reach: float64 (nodes,), product of the shares on the way from the root.
        most: the largest number of different features on a path.

    """
    nodes = left.shape[0]
    parent = np.full(nodes, -1, np.int32)
    up = np.zeros(nodes, np.int32)
    share = np.ones(nodes, np.float64)
    zero = np.ones(nodes, np.float64)
    reach = np.ones(nodes, np.float64)
    distinct = np.zeros(nodes, np.int64)
    most = 0
    tree = -1
    for node in range(nodes):
        if tree + 1 < root.shape[0] and root[tree + 1] == node:
            tree += 1
        most = max(most, distinct[node])
        if left[node] < 0:
            continue
        up[node] = root[tree]
        walk = np.int32(node)
        while parent[walk] >= 0:
            if feature[parent[walk]] == feature[node]:
                up[node] = walk
                break
            walk = parent[walk]
        is_new = up[node] == root[tree]
        for child in range(left[node], left[node] + 2):
            parent[child] = node
            share[child] = np.float64(cover[child]) / np.float64(cover[node])
            zero[child] = zero[up[node]] * share[child]
            reach[child] = reach[node] * share[child]
            distinct[child] = distinct[node] + (1 if is_new else 0)
    return up, share, zero, reach, most


@compiled(
    f"float64[::1]({_INTS}, {_SINGLES}, {_FLAGS}, {_INTS}, {_INTS}, {_PLACES}, {_PLACES}, {_INTS},"
    f" {_DOUBLES}, {_DOUBLES}, {_DOUBLES}, {_RULE}, {_RULE}, {_INVERSE}, int64, {_SINGLES})"
)
def shapley_values(
    feature: Ints,
    threshold: Singles,
    default_left: Flags,
    left: Ints,
    root: Ints,
    inner: Places,
    inner_from: Places,
    up: Ints,
    share: Doubles,
    zero: Doubles,
    scale: Doubles,
    points: Doubles,
    weights: Doubles,
    inverse: Doubles,
    tree_nodes_most: int,
    vector: Singles,
) -> Doubles:
    """Return the contributions to the margin, float64 (features,).

    Args:
        feature: int32 (nodes,), see `fanzha.explain.trees`.
        threshold: float32 (nodes,), the same.
        default_left: bool (nodes,), the same.
        left: int32 (nodes,), the same.
        root: int32 (trees,), the same.
        inner: int64 (inner nodes,), places of the nodes that are no leaves, rising.
        inner_from: int64 (trees + 1,), where each tree's inner nodes begin in `inner`, and the end.
        up: int32 (nodes,), from `path_arrays`.
        share: float64 (nodes,), the same.
        zero: float64 (nodes,), the same.
        scale: float64 (nodes,), a leaf's value, 1 for inner nodes.
        points: float64 (blocks, 4), t of the rule, each above 0 and below 1.
        weights: float64 (blocks, 4), of the rule.
        inverse: float64 (blocks, nodes, 4), 1 / (t + (1 - t) r) at each node and point.
        tree_nodes_most: nodes of the largest tree.
        vector: float32 (features,), NaN where unknown.

    """
    found = np.zeros(vector.shape[0], np.float64)
    carried = np.empty((tree_nodes_most, 4), np.float64)
    met = np.empty(tree_nodes_most, np.bool_)
    for block in range(points.shape[0]):
        t, w = points[block], weights[block]
        u = 1.0 - t
        # What an unmet split gives: (0 - r) / ((1 - t) r).
        m = -w / u
        for tree in range(root.shape[0]):
            first = root[tree]
            met[0] = True
            carried[0] = scale[first]
            # Down: the product of all features' factors at the points, leaves' values included.
            for place in range(inner_from[tree], inner_from[tree + 1]):
                node = inner[place]
                here = node - first
                above = up[node]
                x = vector[feature[node]]
                is_missing = x != x  # noqa: PLR0124 - NaN
                goes_left = (x < threshold[node]) | (default_left[node] & is_missing)
                hot = left[node] + 1 - np.int32(goes_left)
                cold = left[node] + np.int32(goes_left)
                hot_here, cold_here = hot - first, cold - first
                met[hot_here] = met[above - first]
                met[cold_here] = False
                if met[above - first]:
                    for k in range(4):
                        g = carried[here, k] * inverse[block, above, k]
                        carried[hot_here, k] = g * (t[k] + u[k] * zero[hot]) * scale[hot]
                        carried[cold_here, k] = g * (u[k] * zero[cold]) * scale[cold]
                else:
                    # The feature is unmet already; only its r shrinks.
                    hot_part, cold_part = share[hot] * scale[hot], share[cold] * scale[cold]
                    for k in range(4):
                        g = carried[here, k]
                        carried[hot_here, k] = g * hot_part
                        carried[cold_here, k] = g * cold_part
            # Up: the sum of the leaves below; what each split's feature gets of it.
            for place in range(inner_from[tree + 1] - 1, inner_from[tree] - 1, -1):
                node = inner[place]
                here = node - first
                above = up[node]
                hot = left[node] + 1 - np.int32(met[left[node] - first])
                cold = left[node] + np.int32(met[left[node] - first])
                gained, taken = 1.0 - zero[hot], 1.0 - zero[above]
                total = 0.0
                for k in range(4):
                    h, c = carried[hot - first, k], carried[cold - first, k]
                    carried[here, k] = h + c
                    later = gained * inverse[block, hot, k] * h
                    # The earlier split was counted for these leaves; the later one replaces it.
                    earlier = taken * inverse[block, above, k] * (h + c)
                    total += w[k] * (later - earlier) + m[k] * c
                if met[above - first]:
                    found[feature[node]] += total
    return found
