"""Explains a decision: what the model's score rests on, and which type of fraud it looks like.

Asked for answers that are not ALLOW alone. An explanation that fails leaves an answer without it:
the decision stands, because it does not depend on its explanation.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.domain.decision import FraudTypeGuess, Reason
from fanzha.domain.model import Head
from fanzha.pipeline.ports import Model

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the model says beside its score."""

    reasons: tuple[Reason, ...] = ()
    """In order of their weight, at most five."""
    fraud_types: tuple[FraudTypeGuess, ...] = ()
    """The likeliest first."""


NO_EXPLANATION: Final = Explanation()

Explain = Callable[[Head], Explanation]
"""Explains the score of one of the model's questions."""


def explainer(model: Model | None, features: npt.NDArray[np.float32]) -> Explain:
    """Return what explains the scores of one vector, float32 (features,)."""

    def explain(head: Head) -> Explanation:
        if model is None:
            return NO_EXPLANATION
        try:
            return Explanation(model.reasons(features, head), model.fraud_types(features))
        except Exception:
            log.exception("a score could not be explained; it is answered without model reasons")
            return NO_EXPLANATION

    return explain
