"""Explains the margins of one booster from its own arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fanzha.domain.decision import Reason
from fanzha.explain.reasons import model_reasons
from fanzha.explain.shapley import POINTS, path_arrays, shapley_values
from fanzha.explain.texts import ReasonTexts
from fanzha.explain.trees import LAYOUT, check_trees
from fanzha.features.manifest import FEATURES


class Explainer:
    """Contributions of features to one head's margin, and the reasons they amount to.

    Immutable, and used from several threads at once.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]], texts: ReasonTexts) -> None:
        """Prepare the arrays of one booster, as `fanzha.explain.trees` describes them.

        Raises:
            ModelRefusedError: they are not sound.

        """
        check_trees(arrays)
        trees = {name: np.ascontiguousarray(arrays[name]) for name in LAYOUT}
        feature, left, root = trees["feature"], trees["left"], trees["root"]
        up, share, zero, reach, most = path_arrays(feature, left, trees["cover"], root)
        points, weights = gauss_legendre(most)
        inverse = 1.0 / (
            points[:, np.newaxis, :] + (1.0 - points[:, np.newaxis, :]) * zero[:, np.newaxis]
        )
        inner = np.flatnonzero(left >= 0)
        inner_from = np.searchsorted(inner, np.append(root, len(left)))
        scale = np.where(left >= 0, 1.0, trees["value"].astype(np.float64))
        ends = np.append(root[1:], len(left))
        self._prepared = (
            *(feature, trees["threshold"], trees["default_left"], left, root, inner, inner_from),
            *(up, share, zero, scale, points, weights, inverse, int((ends - root).max())),
        )
        self._texts = texts
        self.bias = float(arrays["base_margin"]) + float(reach @ trees["value"].astype(np.float64))
        """The margin when nothing is known: base margin and the mean of all leaves by cover."""

    def contributions(
        self, vector: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float64], float]:
        """Return what each feature adds to the margin, float64 (features,), and the bias.

        They add up to the margin. `vector`: float32 (features,), NaN where unknown.
        """
        given = np.ascontiguousarray(vector, np.float32)
        if given.shape != (len(FEATURES),):
            raise ValueError(f"a vector of shape {given.shape} is not one of features")
        return shapley_values(*self._prepared, given), self.bias

    def reasons(self, vector: npt.NDArray[np.float32]) -> tuple[Reason, ...]:
        """Return the model's reasons for one vector, at most five, the strongest first."""
        return model_reasons(vector, self.contributions(vector)[0], self._texts)


def gauss_legendre(degree: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return points and weights, float64 (blocks, 4), that integrate from 0 to 1.

    Exact for polynomials of a degree below twice the number of points, which is at least `degree`.
    """
    blocks = max(1, -(-degree // (2 * POINTS)))
    points, weights = np.polynomial.legendre.leggauss(POINTS * blocks)
    shape = (blocks, POINTS)
    return ((points + 1.0) / 2.0).reshape(shape), (weights / 2.0).reshape(shape)
