"""Scores with the shadow model, after the decision: nothing that it does may harm the answer."""

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.domain.decision import Score
from fanzha.pipeline.ports import Model

log = logging.getLogger(__name__)

_BAD_IN_A_ROW_MAX: Final = 20
_SLOW: Final = 10
"""So many times the budget of a model is slow: one that was loaded has been within it."""


class Shadows:
    """Asks the shadow model; one that keeps failing, or is slow, is left alone.

    It is asked on the thread that answers, since its score belongs into the same record. That costs
    the answer what the model takes, which loading held to a budget.
    """

    def __init__(
        self, budget_us: int, thread_time_ns: Callable[[], int] = time.thread_time_ns
    ) -> None:
        """Prepare.

        Args:
            budget_us: what a model may take for one row, in microseconds of processor time.
            thread_time_ns: processor time of the calling thread, in nanoseconds.
        """
        self._slow_ns = _SLOW * budget_us * 1000
        self._thread_time_ns = thread_time_ns
        self._lock = threading.Lock()
        self._bad_in_a_row = 0
        self._left_alone: Model | None = None
        self.failures = 0
        """How often a shadow model gave no score, or took too long for it."""

    def score(self, model: Model | None, features: npt.NDArray[np.float32]) -> Score | None:
        """Return what the shadow model says of one vector, None when it says nothing.

        Args:
            model: the shadow, None when there is none.
            features: float32 of shape (features,).
        """
        if model is None or model is self._left_alone:
            return None
        begin_ns = self._thread_time_ns()
        try:
            says = model.score(features)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer must not suffer
            self._count(model, f"fails: {error!r}")
            return None
        if not math.isfinite(says.margin):
            self._count(model, "gives a margin that is no number")
            return None
        if self._thread_time_ns() - begin_ns > self._slow_ns:
            self._count(model, "is slow")
        elif self._bad_in_a_row:
            self._bad_in_a_row = 0
        return says

    def _count(self, model: Model, fault: str) -> None:
        with self._lock:
            self.failures += 1
            self._bad_in_a_row += 1
            if self._bad_in_a_row == 1:
                log.warning("the shadow model %s", fault)
            if self._bad_in_a_row >= _BAD_IN_A_ROW_MAX:
                self._left_alone, self._bad_in_a_row = model, 0
                log.error("the shadow model %s, and is left alone until another is named", fault)
