"""The shadow model: whatever it does, the answer does not suffer."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.fakes import FixedModel

from fanzha.domain.decision import Score
from fanzha.pipeline.shadow import Shadows

FEATURES = np.zeros(3, np.float32)


class Ticking:
    """Processor time that a model can use up."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class BadModel(FixedModel):
    """Fails, gives no number, or takes long, while it is told to."""

    def __init__(self, clock: Ticking, fault: str) -> None:
        super().__init__(500)
        self._clock, self.fault = clock, fault
        self.asked = 0

    def score(self, vector: np.ndarray) -> Score:
        self.asked += 1
        if self.fault == "raises":
            raise RuntimeError("out of memory")
        if self.fault == "is slow":
            self._clock.now_ns += 50_000_000
        says = super().score(vector)
        return replace(says, margin=math.nan) if self.fault == "gives no number" else says


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


def test_says_what_the_model_says(clock: Ticking) -> None:
    shadows = Shadows(1_000, clock)

    assert shadows.score(FixedModel(640), FEATURES) == FixedModel(640).score(FEATURES)
    assert shadows.score(None, FEATURES) is None
    assert shadows.failures == 0


@pytest.mark.parametrize("fault", ["raises", "gives no number", "is slow"])
def test_a_fault_harms_nobody_is_counted_and_in_the_end_left_alone(
    clock: Ticking, fault: str
) -> None:
    shadows, model = Shadows(1_000, clock), BadModel(clock, fault)

    says = [shadows.score(model, FEATURES) for _ in range(50)]

    assert model.asked == shadows.failures == 20
    assert says[20:] == [None] * 30
    assert (says[0] is not None) == (fault == "is slow")
    # Another one is asked again.
    assert shadows.score(FixedModel(500), FEATURES) is not None


def test_a_fault_now_and_then_is_no_reason_to_leave_it_alone(clock: Ticking) -> None:
    shadows, model = Shadows(1_000, clock), BadModel(clock, "raises")
    for number in range(200):
        model.fault = "raises" if number % 10 else ""
        shadows.score(model, FEATURES)

    assert model.asked == 200
    assert shadows.failures == 180
