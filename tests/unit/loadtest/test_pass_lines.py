"""Pass lines are limits, at most or at least; what was not measured was not kept."""

import math

import pytest

from fanzha_loadtest.driver import Load
from fanzha_loadtest.load.answers import Seen
from fanzha_loadtest.load.figures import Played, figures_of, statuses, whole
from fanzha_loadtest.load.play import Run
from fanzha_loadtest.load.result import Exit, judge_run
from fanzha_loadtest.profile.pass_lines import PassLines, judge
from fanzha_loadtest.profile.profile import Profile


def a_load(answered: int = 98, refused: int = 1, failed: int = 1, latency_us: int = 2_000) -> Load:
    load = Load(10.0, 10.0, answered=answered, refused=refused, hinted=refused)
    load.begun = answered + refused + failed
    load.other[4] = failed
    for _ in range(answered):
        load.histogram.record_value(latency_us)
    return load


def a_profile(**lines: float) -> Profile:
    phase = {"name": "one", "seconds": 10, "rate": 10}
    warm_up = {"name": "warm-up", "seconds": 10, "rate": 10, "counts": False}
    return Profile.model_validate({"about": "x", "phases": [warm_up, phase], "pass": lines})


def a_run(load: Load, warm_up: Load | None = None) -> Run:
    first, second = a_profile().phases
    seen = Seen()
    seen.decisions["mobile", "allow", False] = 90
    seen.decisions["mobile", "pause", False] = 3
    seen.decisions["mobile", "pause", True] = 4
    seen.decisions["mobile", "allow", True] = 1
    played = [Played(first, warm_up or a_load(), Seen()), Played(second, load, seen)]
    return Run(played=played, asked=10, found=9)


@pytest.mark.parametrize(
    ("line", "limit", "passed"),
    [
        ("p99_ms_max", 3.0, True),
        ("p99_ms_max", 1.0, False),
        ("answered_share_min", 0.98, True),
        ("answered_share_min", 0.981, False),
        ("error_share_max", 0.01, True),
        ("error_share_max", 0.009, False),
        ("found_share_min", 0.9, True),
        ("found_share_min", 1.0, False),
        ("fraud_stopped_share_min", 0.8, True),
        ("honest_stopped_share_max", 0.03, False),
        ("unhinted_max", 0, True),
        # No call repeated another one.
        ("contradicted_max", 1_000, False),
    ],
)
def test_each_line_is_held_against_what_was_measured(
    line: str,
    limit: float,
    passed: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    result = judge_run(a_profile(**{line: limit}), a_run(a_load()))

    assert [one.passed for one in result.verdicts] == [passed]
    assert result.exit is (Exit.PASSED if passed else Exit.FAILED)


def test_what_was_not_measured_was_not_kept() -> None:
    (one,) = judge("all", PassLines(p50_ms_max=10), {})

    assert math.isnan(one.measured)
    assert not one.passed


def test_warm_ups_count_in_no_figure_over_all() -> None:
    slow = a_load(answered=50, latency_us=900_000)

    load, _ = whole(a_run(a_load(), slow).played)

    assert load.begun == 100
    assert figures_of(load, Seen())["max_ms"] < 3
    assert statuses(load) == {"DEADLINE_EXCEEDED": 1}


@pytest.mark.parametrize(("late", "lag_max_s"), [(6, 0.01), (0, 0.2)])
def test_a_driver_that_lagged_voids_a_run_that_would_pass(late: int, lag_max_s: float) -> None:
    load = a_load()
    load.late, load.lag_max_s = late, lag_max_s

    result = judge_run(a_profile(answered_share_min=0.5), a_run(load))

    assert result.lagged == ["one"]
    assert result.exit is Exit.VOID


def test_a_driver_that_lagged_in_a_warm_up_voids_nothing() -> None:
    lagged = a_load()
    lagged.lag_max_s = 1.0

    assert judge_run(a_profile(answered_share_min=0.5), a_run(a_load(), lagged)).exit is Exit.PASSED
