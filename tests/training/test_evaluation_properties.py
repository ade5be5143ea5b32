"""What must hold of the figures for any transfers, and of their intervals for any seed."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve
from tests.training.judged import judged, the_result, the_sample, whole

from fanzha.domain.model import Head
from fanzha_training.evaluation.assumptions import Assumptions
from fanzha_training.evaluation.bootstrap import interval
from fanzha_training.evaluation.figures import RECALLS
from fanzha_training.evaluation.measure import (
    average_precision,
    draw_of,
    precision_at,
    prefixes_within,
)
from fanzha_training.evaluation.report import Question, evaluate_question
from fanzha_training.metrics import BUDGETS_PER_1000, at_budget

SHARES = ("recall", "value_detection_rate", "case_recall", "money_saved", "money_saved_expected")


@st.composite
def transfers(draw: st.DrawFn) -> dict[str, Any]:
    """A few hundred transfers of both kinds, with ties, few payers, and days apart."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.integers(20, 400))
    label = (rng.random(rows) < draw(st.floats(0.02, 0.5))).astype(int)
    label[:2] = 0, 1
    return {
        "label": label,
        "margin": np.round(rng.normal(size=rows) + label, draw(st.integers(0, 3))),
        "amount": rng.integers(1, 10_000, rows),
        "payer": rng.integers(1, draw(st.integers(2, 60)), rows),
        "day": rng.random(rows) * 60,
        "channel": rng.integers(0, 6, rows),
        "segment": rng.integers(0, 8, rows),
        "fraud_type": label * rng.integers(0, 14, rows),
    }


def values(result: Any, name: str) -> list[float]:
    return [at[name]["value"] for at in result.figures["budgets"].values()]


@settings(max_examples=60, deadline=None)
@given(transfers(), st.sampled_from([None, 1e-4, 0.02, 0.4]))
def test_more_alerts_never_catch_less_and_shares_are_shares(
    world: dict[str, Any], rate: float | None
) -> None:
    result = the_result(*judged(**world, base_rate=rate), base_rate=rate)

    for name in SHARES:
        found = values(result, name)
        assert found == sorted(found)
        assert min(found) >= 0
        assert max(found) <= 1 + 1e-12
        curve = [line[name]["value"] for line in result.figures["thresholds"]]
        assert curve == sorted(curve, reverse=True)
    for saved, expected in zip(
        values(result, "money_saved"), values(result, "money_saved_expected"), strict=True
    ):
        assert expected <= saved + 1e-12
    for budget, at in result.figures["budgets"].items():
        assert at["alerts_per_1000"] <= float(budget) * (1 + 1e-6)


@settings(max_examples=40, deadline=None)
@given(transfers())
def test_a_base_rate_that_is_the_datas_changes_nothing(world: dict[str, Any]) -> None:
    rate = float(np.mean(world["label"]))
    plain, stated = (
        the_result(*judged(**world, base_rate=x), base_rate=x).figures for x in (None, rate)
    )

    assert stated["legitimate_weight"] == pytest.approx(1)
    for budget, at in plain["budgets"].items():
        for name in (*SHARES, "false_per_true", "false_per_true_money"):
            assert stated["budgets"][budget][name]["value"] == pytest.approx(at[name]["value"])
    assert stated["average_precision"]["value"] == pytest.approx(
        plain["average_precision"]["value"]
    )


@settings(max_examples=40, deadline=None)
@given(transfers(), st.sampled_from([None, 1e-3, 0.1]))
def test_curves_are_those_of_scikit_learn(world: dict[str, Any], rate: float | None) -> None:
    answers, data = judged(**world, base_rate=rate)
    sample = the_sample(answers, data, base_rate=rate)
    draw = draw_of(sample, np.ones(sample.accounts))
    fraud, weight = answers.scored.label == 1, answers.scored.weight

    precision, recall, _ = precision_recall_curve(
        fraud, answers.scored.margin, sample_weight=weight
    )

    assert average_precision(sample, draw) == pytest.approx(
        average_precision_score(fraud, answers.scored.margin, sample_weight=weight)
    )
    # Theirs rise with the threshold; the last with enough recall is the highest threshold.
    wanted = [precision[np.flatnonzero(recall >= x - 1e-9)[-1]] for x in RECALLS]
    assert precision_at(sample, draw, RECALLS) == pytest.approx(wanted)


@settings(max_examples=40, deadline=None)
@given(transfers(), st.sampled_from([None, 1e-3, 0.1]))
def test_report_gate_and_card_count_alike(world: dict[str, Any], rate: float | None) -> None:
    answers, data = judged(**world, base_rate=rate)
    result = the_result(answers, data, base_rate=rate)

    for budget in BUDGETS_PER_1000:
        brief, full = at_budget(answers.scored, budget), result.figures["budgets"][f"{budget:g}"]
        for name in ("recall", "value_detection_rate", "false_per_true"):
            assert full[name]["value"] == pytest.approx(brief[name])


@settings(max_examples=30, deadline=None)
@given(transfers(), st.integers(0, 2**32), st.sampled_from([None, 0.01]))
def test_a_draw_counts_as_if_accounts_were_there_several_times(
    world: dict[str, Any], seed: int, rate: float | None
) -> None:
    answers, data = judged(**world, base_rate=rate)
    sample = the_sample(answers, data, base_rate=rate)
    times = np.random.default_rng(seed).integers(1, 4, sample.accounts)
    each = times[np.unique(data.payer, return_inverse=True)[1]]
    # Each copy is an account of its own.
    rows = np.repeat(np.arange(len(data)), each)
    copy = np.concatenate([np.arange(count) for count in each])
    drawn = {name: np.asarray(column)[rows] for name, column in world.items()}
    drawn["payer"] = drawn["payer"] * 10 + copy
    repeated = the_sample(*judged(**drawn, base_rate=rate), base_rate=rate)

    one, other = draw_of(sample, times.astype(float)), draw_of(repeated, np.ones(repeated.accounts))

    assert one.weight == pytest.approx(other.weight)
    assert one.transfers == pytest.approx(other.transfers)
    assert average_precision(sample, one) == pytest.approx(average_precision(repeated, other))
    budgets = (50.0, 200.0, 500.0)
    hits = one.hits_within(prefixes_within(sample, one, budgets))
    assert hits.tolist() == other.hits_within(prefixes_within(repeated, other, budgets)).tolist()


def a_bank(seed: int, *, victims: int = 60, per_victim: int = 1) -> dict[str, Any]:
    """Return frauds of which half score high, each victim's alike, among 1,500 others."""
    rng = np.random.default_rng(seed)
    high = np.repeat(rng.random(victims) < 0.5, per_victim)
    frauds = victims * per_victim
    return {
        "label": [1] * frauds + [0] * 1500,
        "margin": np.concatenate([np.where(high, 5.0, -20.0) + rng.normal(size=frauds) / 10,
                                  rng.normal(-10, 1, 1500)]),
        "payer": [*np.repeat(np.arange(victims), per_victim), *range(1000, 2500)],
    }  # fmt: skip


def recall_ends(world: dict[str, Any], seed: int = 1) -> tuple[float, float]:
    # The budget has room for all that score high: recall is the share that does.
    result = the_result(*judged(**world, base_rate=0.001), Assumptions(resamples=200, seed=seed),
                        base_rate=0.001)  # fmt: skip
    recall = result.figures["budgets"]["5"]["recall"]
    return recall["low"], recall["high"]


class TestIntervals:
    """Accounts are drawn, each with all its transfers."""

    def test_the_seed_decides(self) -> None:
        world = a_bank(3)

        assert recall_ends(world) == recall_ends(world)
        assert recall_ends(world, 1) != recall_ends(world, 2)

    def test_they_cover_the_truth_as_often_as_they_say(self) -> None:
        inside = sum(low <= 0.5 <= high for low, high in map(recall_ends, map(a_bank, range(50))))

        # 95 % of 50 are 47 or 48; fewer than 42 has a chance of one in a thousand.
        assert inside >= 42

    def test_frauds_that_hang_together_are_no_more_evidence(self) -> None:
        alone, together = a_bank(5, victims=60), a_bank(5, victims=60, per_victim=20)

        widths = [high - low for low, high in map(recall_ends, (alone, together))]

        assert widths[1] == pytest.approx(widths[0], rel=0.35)
        assert widths[1] > 0.15

    def test_few_cases_give_none(self) -> None:
        recall = the_result(
            *judged(**a_bank(1, victims=9, per_victim=30)), Assumptions(resamples=20)
        ).figures

        assert recall["too_few"]
        assert recall["budgets"]["5"]["recall"]["value"] is not None
        assert recall["budgets"]["5"]["recall"]["low"] is None

    def test_ends_are_ranks_of_the_draws(self) -> None:
        draws = np.column_stack(
            [
                np.arange(1.0, 201),
                np.where(np.arange(200) < 5, np.nan, np.arange(200.0)),
                np.where(np.arange(200) < 50, np.nan, 1.0),
                np.where(np.arange(200) < 20, np.inf, np.arange(200.0)),
                np.ones(200),
            ]
        )

        low, high = interval(draws)

        assert (low[0], high[0]) == (5, 195)
        assert (low[1], high[1]) == (9, 195)
        assert np.isnan([low[2], high[2], low[4], high[4]]).all()
        assert (low[3], high[3]) == (24, np.inf)


def test_a_model_does_not_differ_from_itself() -> None:
    answers, data = judged(**a_bank(2))
    question = Question(Head.VICTIM, whole(data), (answers, answers), None)

    section = evaluate_question(question, Assumptions(resamples=30), lambda _done, _total: None)

    assert section["model"] == section["against"]
    for at in section["difference"].values():
        assert at["recall"] == {"value": 0, "low": None, "high": None}
