"""What a bank's fraud analyst counts, checked against cases small enough to count by hand."""

from typing import Any

import numpy as np
import pytest
from tests.training.judged import AS_SERVED, QUIET, judged, the_result

from fanzha.domain.errors import SetupError
from fanzha.domain.model import Head
from fanzha.domain.vocabulary import Channel, CustomerSegment
from fanzha.pipeline.score import head_score
from fanzha.policy.load import load_policy
from fanzha_training.dataset import DAY_MS
from fanzha_training.evaluation.assumptions import Assumptions, assumptions_of
from fanzha_training.evaluation.cases import cases_of
from fanzha_training.evaluation.thresholds import GRID, PolicyLimits, policy_limits
from fanzha_training.points import points_of

ONE_CASE = {
    "label": [1, 1, 1] + [0] * 997,
    "amount": [100, 200, 700] + [50] * 997,
    "payer": [7, 7, 7, *range(100, 1097)],
    "day": [0.0, 1.0, 2.0] + [0.0] * 997,
}


def with_margins(*margins: float) -> dict[str, Any]:
    """One case of three frauds with these margins; all other transfers score lower than 0."""
    return {**ONE_CASE, "margin": [*margins, *np.linspace(-9, -1, 997)]}


def at(result: Any, budget: str = "1") -> dict[str, Any]:
    found: dict[str, Any] = result.figures["budgets"][budget]
    return {
        name: value["value"] if isinstance(value, dict) else value for name, value in found.items()
    }


class TestCases:
    """Frauds of one payer with gaps of at most N days are one case."""

    def test_a_longer_gap_begins_a_new_case(self) -> None:
        day = np.array([0.0, 14.0, 28.1, 0.0])
        account = np.array([1, 1, 1, 2])

        cases = cases_of(account, (day * DAY_MS).astype(np.int64), np.ones(4, bool), 14 * DAY_MS)

        assert cases.first.tolist() == [0, 0, 2, 3]
        assert cases.starts.tolist() == [True, False, True, True]
        assert cases.ends.tolist() == [False, True, True, True]

    def test_order_and_legitimate_transfers_do_not_matter(self) -> None:
        account, fraud = np.array([2, 1, 1, 2, 1]), np.array([True, True, False, True, True])

        cases = cases_of(account, np.array([5, 9, 4, 1, 2]), fraud, None)

        assert cases.row.tolist() == [4, 1, 3, 0]
        assert cases.first.tolist() == [0, 0, 2, 2]

    def test_alerts_are_counted_within_their_case(self) -> None:
        account = np.array([1, 1, 1, 2, 2])
        cases = cases_of(account, np.arange(5), np.ones(5, bool), None)

        so_far = cases.alerts_so_far(np.array([[False, True, True, False, True]]))

        assert so_far.tolist() == [[0, 1, 2, 0, 1]]


class TestMoneySaved:
    """From the first alerted transfer of a case on, the money stays."""

    @pytest.mark.parametrize(
        ("margins", "saved"),
        [((5, -10, -10), 1.0), ((-10, 5, -10), 0.9), ((-10, -10, 5), 0.7)],
    )
    def test_an_early_catch_saves_more(self, margins: tuple[float, ...], saved: float) -> None:
        found = at(the_result(*judged(**with_margins(*margins))))

        assert found["case_recall"] == 1
        assert found["recall"] == pytest.approx(1 / 3)
        assert found["money_saved"] == pytest.approx(saved)

    def test_value_detection_counts_only_what_is_alerted(self) -> None:
        assert at(the_result(*judged(**with_margins(-10, 5, -10))))[
            "value_detection_rate"
        ] == pytest.approx(0.2)

    def test_each_alert_stops_with_its_own_chance(self) -> None:
        assumptions = Assumptions(stop_rate=0.5, resamples=0, cases_min=1)

        found = at(the_result(*judged(**with_margins(-10, 5, 4)), assumptions), "5")

        assert found["money_saved_expected"] == pytest.approx((0.5 * 200 + 0.75 * 700) / 1000)

    def test_nothing_alerted_saves_nothing(self) -> None:
        found = at(the_result(*judged(**with_margins(-10, -10, -10))))

        assert found["case_recall"] == found["money_saved"] == found["money_saved_expected"] == 0
        assert found["false_per_true"] is None


class TestBaseRate:
    """Rates are reported at the true base rate even when the data over-sample fraud."""

    def test_each_legitimate_transfer_stands_for_many(self) -> None:
        # 10 frauds in 1,000; at one in 1,000 each legitimate transfer counts 10 × 999 / 990 times.
        label = [1] * 10 + [0] * 990
        margin = [9, 8, 6, 5, 4, 3, 2, 1, 0, -1, 7, *np.linspace(-20, -2, 989)]
        amount = [300] * 10 + [600] * 990
        weight = 10 * 999 / 990

        result = the_result(*judged(label, margin, amount=amount, base_rate=0.001), base_rate=0.001)

        # 10,000 transfers in all: room for 5 alerts at 0.5, where the false one needs 10.09.
        assert result.figures["legitimate_weight"] == pytest.approx(weight)
        assert at(result, "0.5")["alerts_in_data"] == 2
        assert at(result, "0.5")["recall"] == pytest.approx(0.2)
        assert at(result, "5")["alerts_in_data"] == 13
        assert at(result, "5")["recall"] == 1
        assert at(result, "5")["false_per_true"] == pytest.approx(3 * weight / 10)
        assert at(result, "5")["false_per_true_money"] == pytest.approx(6 * weight / 10)
        assert result.figures["calibration"]["observed_rate"] == pytest.approx(0.001)


class TestGroups:
    """The bank has one threshold; groups differ in what it catches."""

    def test_groups_share_the_threshold_of_all(self) -> None:
        # Two alerts at 1 per 1,000: a mobile fraud and a legitimate transfer at the counter.
        label = [1, 1, 1, 0] + [0] * 1996
        margin = [5.0, 1.0, 1.5, 4.0, *np.linspace(-9, -1, 1996)]
        channel = [4, 4, 1, 1] + [4] * 998 + [1] * 998

        found = the_result(
            *judged(label, margin, channel=channel, fraud_type=[1, 2, 1] + [0] * 1997)
        ).figures["groups"]

        mobile, counter = found["channel"]["mobile"], found["channel"]["counter"]
        assert (mobile["frauds"], mobile["transfers"]) == (2, 1000)
        assert (counter["frauds"], counter["transfers"]) == (1, 1000)
        assert mobile["budgets"]["1"]["recall"]["value"] == 0.5
        assert mobile["budgets"]["1"]["false_per_true"]["value"] == 0
        assert counter["budgets"]["1"]["recall"]["value"] == 0
        assert counter["budgets"]["1"]["alerts_per_1000"] == pytest.approx(1)
        task = found["fraud_type"]["task_rebate"]
        assert task["budgets"]["1"]["recall"]["value"] == 0.5
        assert task["transfers"] is None
        assert "false_per_true" not in task["budgets"]["1"]

    def test_a_group_with_few_cases_tells_no_rate(self) -> None:
        label, channel = [1] * 12 + [0] * 988, [4] * 11 + [1] * 989

        found = the_result(
            *judged(label, np.linspace(9, -9, 1000), channel=channel),
            Assumptions(resamples=0, cases_min=10),
        ).figures["groups"]["channel"]

        assert not found["mobile"]["too_few"]
        assert found["counter"]["too_few"]
        assert found["counter"]["frauds"] == 1
        assert found["counter"]["budgets"]["1"]["recall"] is None


class TestThresholds:
    """What each decision threshold would cost."""

    def test_points_are_those_of_the_service(self) -> None:
        margins = np.concatenate([np.linspace(-30, 30, 4001), [-800.0, 800.0]])

        served = [head_score(x, 0.7, -1.3).points for x in margins]

        assert points_of(0.7 * margins - 1.3).tolist() == served

    def test_the_policy_has_thresholds_for_every_channel_and_segment(self) -> None:
        limits, policy = policy_limits(), load_policy()

        assert limits.version == policy.version
        for channel in Channel:
            for segment in CustomerSegment:
                expected = policy.thresholds[channel, segment]
                assert limits.confirm[channel, segment] == expected.confirm_points
                assert limits.pause[channel, segment] == expected.pause_points

    def test_a_day_with_a_threshold_is_priced(self) -> None:
        # 1,000 points for both frauds and one other transfer, 0 points for the rest, in two days.
        label, margin = [1, 1, 0] + [0] * 997, [50.0] * 3 + [-50.0] * 997
        amount = [40_000, 60_000] + [100] * 998
        assumptions = Assumptions(
            stop_rate=0.5, resamples=0, cases_min=1, review_minutes=6, minute_cost_minor=50,
            friction_minor=800, loss_share=0.9, transfers_per_day=5000,
        )  # fmt: skip

        lines = the_result(*judged(label, margin, amount=amount), assumptions, days=2.0).figures[
            "thresholds"
        ]

        top = lines[GRID.tolist().index(1000)]
        # 5 times the data each day: 15 alerts, of them 5 false; 500,000 of fraud.
        assert top["alerts_per_1000"] == pytest.approx(3)
        assert top["alerts_per_day"] == top["reviews_per_day"] == pytest.approx(15)
        assert top["review_cost_minor_per_day"] == pytest.approx(15 * 6 * 50)
        assert top["friction_minor_per_day"] == pytest.approx(5 * 800)
        assert top["loss_avoided_minor_per_day"] == pytest.approx(0.5 * 0.9 * 500_000)
        assert top["loss_left_minor_per_day"] == pytest.approx(0.5 * 0.9 * 500_000)
        assert top["net_minor_per_day"] == pytest.approx(225_000 - 4500 - 4000)
        assert lines[0]["alerts_per_1000"] == pytest.approx(1000)

    def test_only_pauses_of_the_policy_are_reviewed(self) -> None:
        # Points: 750 + 125 × margin / ln 10. Channel 1 confirms from 800, channel 4 from 900.
        label = [1, 0, 0, 1] + [0] * 996
        margin = np.array([100.0, 100.0, 180.0, 180.0] + [-900.0] * 996) * np.log(10) / 125
        confirm = np.full((len(Channel), len(CustomerSegment)), 800)
        confirm[Channel.MOBILE] = 900
        limits = PolicyLimits("v", confirm, np.full_like(confirm, 930), 0.5)

        lines = the_result(
            *judged(label, margin, channel=[1, 4, 4, 1] + [4] * 996), limits=limits
        ).figures["thresholds"]

        confirming, pausing = lines[-2:]
        assert (confirming["decision"], pausing["decision"]) == ("policy_confirm", "policy_pause")
        assert confirming["alerts_per_1000"] == pytest.approx(3)
        assert confirming["recall"]["value"] == 1
        assert confirming["false_per_true"]["value"] == pytest.approx(0.5)
        assert pausing["alerts_per_1000"] == pytest.approx(2)
        assert confirming["reviews_per_day"] == pausing["reviews_per_day"] == pytest.approx(2)

    @pytest.mark.parametrize(("missing", "rows"), [(0, 4), (1, 2)])
    def test_decisions_that_were_served_stand_beside_if_all_are_known(
        self, missing: int, rows: int
    ) -> None:
        # Confirmed: a fraud; paused: the other one and a legitimate transfer.
        decision = [2, 3, 3] + [1] * (997 - missing) + [0] * missing

        lines = the_result(
            *judged([1, 1] + [0] * 998, np.linspace(9, -9, 1000), decision=decision),
            limits=policy_limits(),
        ).figures["thresholds"][len(GRID) :]

        assert len(lines) == rows
        if rows == 4:
            confirmed, paused = lines[2:]
            assert (confirmed["decision"], paused["decision"]) == ("served_confirm", "served_pause")
            assert (confirmed["recall"]["value"], paused["recall"]["value"]) == (1, 0.5)
            assert confirmed["alerts_per_1000"] == pytest.approx(3)
            assert confirmed["reviews_per_day"] == paused["reviews_per_day"] == pytest.approx(2)


class TestMules:
    """A mule's account is one case; nobody's money is saved by it."""

    def test_accounts_of_payees_are_cases_however_far_apart(self) -> None:
        label, payee = [1, 1, 1] + [0] * 997, [5, 5, 6] + [0] * 997
        margin = [5.0, -9.0, -9.0, *np.linspace(-8, -1, 997)]

        figures = the_result(
            *judged(label, margin, payee=payee, day=[0, 90, 0] + [0] * 997), head=Head.PAYEE_MULE
        ).figures

        assert figures["cases"] == 2
        assert figures["accounts"] == 2 + 997
        assert figures["budgets"]["1"]["case_recall"]["value"] == 0.5
        assert "money_saved" not in figures["budgets"]["1"]
        assert "money_saved" not in figures["by_alerts"][0]
        assert "net_minor_per_day" not in figures["thresholds"][0]
        assert "fraud_type" not in figures["groups"]


class TestAssumptions:
    """Everything that is assumed can be chosen."""

    def test_values_take_the_place_of_defaults(self) -> None:
        assert assumptions_of(["stop_rate=0.5", "seed=3"]) == Assumptions(stop_rate=0.5, seed=3)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("stop=1", "no such assumption; there are gap_days"),
            ("stop_rate", "write a number"),
            ("stop_rate=1.1", "from 0 to 1"),
            ("loss_share=nan", "from 0 to 1"),
            ("friction_minor=-1", "from 0 up"),
            ("resamples=1.5", "whole number"),
            ("transfers_per_day=0", "above 0"),
        ],
    )
    def test_wrong_values_are_explained(self, text: str, message: str) -> None:
        with pytest.raises(SetupError, match=message):
            assumptions_of([text])


def test_scores_without_any_difference_alert_nobody() -> None:
    figures = the_result(*judged([1] * 5 + [0] * 995, [0.0] * 1000), QUIET).figures

    assert figures["budgets"]["5"]["alerts_in_data"] == 0
    assert figures["budgets"]["5"]["points"] is None
    assert figures["budgets"]["5"]["recall"]["value"] == 0
    assert figures["roc_auc"] == 0.5
    assert AS_SERVED.stated_rate is None
