"""The figures of drift: what they are, and how often they cry wolf."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.training.drift_days import World, a_world, column
from tests.training.learnable import QUICK, a_dataset, trained_on

from fanzha.domain.errors import SetupError
from fanzha.domain.vocabulary import DecisionKind
from fanzha_training.drift.bins import Bins, bins_of
from fanzha_training.drift.check import State
from fanzha_training.drift.feature_checks import OF_THE_DATE, feature_drifts
from fanzha_training.drift.intervals import count_interval, rate_interval, times_apart
from fanzha_training.drift.limits import Limits
from fanzha_training.drift.models import load_one
from fanzha_training.drift.psi import by_chance, chance_bound, psi, psi_of_counts
from fanzha_training.drift.reference import Reference, read_reference, reference_text
from fanzha_training.drift.score_checks import score_drift
from fanzha_training.drift.thresholds import load_lines
from fanzha_training.points import points_of

LIMITS = Limits()
COUNTS = arrays(np.float64, st.integers(2, 12), elements=st.integers(0, 1000))
VALUES = arrays(
    np.float32,
    st.integers(1, 200),
    elements=st.floats(-1e6, 1e6, width=32) | st.just(float("nan")) | st.sampled_from([0.0, 1.0]),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return a_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def reference(world: World) -> Reference:
    return load_one(world.models / "fraud" / "1").reference


class TestIndex:
    """PSI is a symmetric divergence: 0 only without a difference."""

    @given(COUNTS, st.randoms())
    def test_is_not_below_zero_and_the_same_both_ways(
        self, one: np.ndarray, randomness: object
    ) -> None:
        other = one.copy()
        randomness.shuffle(other)  # type: ignore[attr-defined]

        found = psi_of_counts(one, other)

        assert found >= 0
        assert found == pytest.approx(psi_of_counts(other, one))

    @given(COUNTS)
    def test_is_zero_for_equal_counts(self, counts: np.ndarray) -> None:
        assert psi_of_counts(counts, counts) == 0

    def test_of_shares_as_worked_out_by_hand(self) -> None:
        found = psi(np.array([0.5, 0.5]), np.array([0.75, 0.25]))

        # 0.25 × ln 1.5 + (−0.25) × ln 0.5
        assert found == pytest.approx(0.25 * np.log(1.5) + 0.25 * np.log(2))

    def test_of_shares_with_an_empty_bin_is_infinite_and_of_counts_is_not(self) -> None:
        assert psi(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == float("inf")
        assert psi_of_counts(np.array([100.0, 0.0]), np.array([50.0, 50.0])) < 10

    @pytest.mark.parametrize(("rows", "reference_rows"), [(200, 5_000), (1_000, 3_000)])
    def test_is_by_chance_as_large_as_stated(self, rows: int, reference_rows: int) -> None:
        rng = np.random.default_rng(1)
        shares = np.full(10, 0.1)
        found = np.array(
            [
                psi_of_counts(
                    rng.multinomial(reference_rows, shares).astype(float),
                    rng.multinomial(rows, shares).astype(float),
                )
                for _ in range(4_000)
            ]
        )

        assert found.mean() == pytest.approx(by_chance(10, rows, reference_rows), rel=0.06)
        for chance in (0.1, 0.01):
            beyond = (found > chance_bound(10, rows, reference_rows, chance)).mean()
            assert beyond == pytest.approx(chance, rel=0.35)

    def test_one_bin_leaves_nothing_to_chance(self) -> None:
        assert chance_bound(1, 10, 10, 0.001) == by_chance(1, 10, 10) == 0


class TestBins:
    """Every value falls into one bin, whatever the order of the rows."""

    @given(VALUES, VALUES)
    def test_hold_every_value_once(self, learned: np.ndarray, served: np.ndarray) -> None:
        bins = bins_of(learned, np.ones(len(learned)))

        assert sum(bins.shares) == pytest.approx(1, abs=1e-6)
        assert bins.counts(served).sum() == len(served)
        assert np.allclose(bins.counts(learned) / len(learned), bins.shares, atol=1e-8)
        assert bins.counts(served)[0] == np.isnan(served).sum()
        assert bins.outside(learned) == 0
        assert len(bins.names()) == len(bins.shares)

    @given(VALUES, st.randoms())
    def test_do_not_depend_on_the_order_of_rows(
        self, values: np.ndarray, randomness: object
    ) -> None:
        order = list(range(len(values)))
        randomness.shuffle(order)  # type: ignore[attr-defined]
        weights = np.ones(len(values))

        assert bins_of(values, weights) == bins_of(values[order], weights)

    def test_are_of_equal_share(self) -> None:
        values = np.random.default_rng(1).normal(size=10_000).astype(np.float32)

        bins = bins_of(values, np.ones(len(values)))

        assert (bins.shares[0], len(bins.shares)) == (0, 11)
        assert np.allclose(bins.shares[1:], 0.1, atol=0.001)

    def test_a_value_that_many_share_has_its_own(self) -> None:
        rng = np.random.default_rng(1)
        values = np.where(rng.random(10_000) < 0.6, 0, rng.lognormal(size=10_000)).astype("f4")

        bins = bins_of(values, np.ones(len(values)))

        assert bins.masses == (0.0,)
        assert bins.shares[1] == pytest.approx(0.6, abs=0.02)
        assert np.allclose(bins.shares[2:], 0.1, atol=0.01)

    def test_of_codes_a_new_one_is_outside(self) -> None:
        codes = np.array([1, 2, 2, 4], np.float32)
        bins = bins_of(codes, np.ones(4))

        served = np.array([1, 3, 3, 9, np.nan, 2], np.float32)

        assert bins.masses == (1.0, 2.0, 4.0)
        assert bins.counts(served).tolist() == [1, 1, 1, 0, 3]
        assert bins.outside(served) == 3

    def test_of_a_feature_that_was_always_missing_any_value_is_outside(self) -> None:
        bins = bins_of(np.full(5, np.nan, np.float32), np.ones(5))

        assert bins.outside(np.array([1, np.nan], np.float32)) == 1
        assert bins.missing == 1

    def test_weights_bring_fraud_back_to_its_true_share(self) -> None:
        values = np.array([0, 0, 0, 1], np.float32)

        bins = bins_of(values, np.array([1.0, 1, 1, 0.01]))

        assert bins.shares[2] == pytest.approx(0.01 / 3.01, abs=1e-8)


class TestReference:
    """The reference says what the model saw, in the same bytes every time."""

    def test_is_read_as_it_was_written(self, reference: Reference, tmp_path: Path) -> None:
        text = reference_text(reference)
        (tmp_path / "reference.json").write_text(text)

        again = read_reference(tmp_path / "reference.json")

        assert again == reference
        assert reference_text(again) == text

    def test_adds_up(self, reference: Reference) -> None:
        assert all(sum(each.shares) == pytest.approx(1) for each in reference.features.values())
        by_points = [sum(shares.values()) for shares in reference.points_by_group.values()]
        assert sum(by_points) == pytest.approx(1, abs=1e-6)
        assert reference.features["amount_minor"].missing == pytest.approx(0.1, abs=0.02)

    def test_is_of_the_true_rate_of_fraud_where_it_was_over_sampled(
        self, world: World, reference: Reference, tmp_path: Path
    ) -> None:
        dataset = a_dataset(tmp_path / "dataset.parquet", rows=12_000)
        rare = trained_on(dataset, replace(QUICK, seed=3, base_rate=0.001)).reference

        # Frauds have the highest values of this feature; so rare, they hardly count.
        highest = [each.features["amount_minor"].edges[-1] for each in (reference, rare)]
        assert highest[1] < highest[0]
        lines = load_lines(None)[DecisionKind.PAUSE]
        assert rare.points_mean < reference.points_mean - 100
        assert rare.alert_rate(lines) < reference.alert_rate(lines) / 10

    @pytest.mark.parametrize("content", ["", "{}", "[1]", '{"feature_hash":3}'])
    def test_damaged_is_refused(self, content: str, tmp_path: Path) -> None:
        (tmp_path / "reference.json").write_text(content)

        with pytest.raises(SetupError, match="export the model again"):
            read_reference(tmp_path / "reference.json")

    def test_exchanged_is_refused(self, world: World, tmp_path: Path) -> None:
        folder = tmp_path / "1"
        folder.mkdir()
        for file in (world.models / "fraud" / "1").iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        with (folder / "reference.json").open("a") as file:
            file.write(" ")

        with pytest.raises(SetupError, match="not the file that"):
            load_one(folder)

    def test_points_are_those_of_the_service(self) -> None:
        from fanzha.pipeline.score import head_score  # noqa: PLC0415 - training may not

        margins = np.linspace(-30, 30, 501)
        served = [head_score(margin, 0.8, -0.3).points for margin in margins]

        assert points_of(0.8 * margins - 0.3).tolist() == served


class TestNoise:
    """Days of the same transfers raise no alarm, be they small or large."""

    @pytest.mark.parametrize("rows", [500, 4_000])
    def test_nothing_is_found_in_thirty_days_where_nothing_changed(
        self, world: World, reference: Reference, rows: int
    ) -> None:
        lines = load_lines(None)
        bad = []
        indices = []
        for seed in range(30):
            chosen = world.some(rows, np.random.default_rng(seed))
            drifts = feature_drifts(world.vectors[chosen], reference, LIMITS)
            score = score_drift(frame_of(world, chosen), reference, lines, LIMITS)
            indices += [each.psi for each in drifts if each.psi is not None]
            checks = [check for each in drifts for check in each.checks] + list(score.checks)
            bad += [check for check in checks if check.state is not State.OK]

        assert bad == []
        # What is not there must not be found, although there is noise.
        assert np.mean(indices) > 0.5 * by_chance(11, rows, 1e9)

    def test_without_the_bound_small_days_would_cry_wolf(
        self, world: World, reference: Reference
    ) -> None:
        chosen = world.some(100, np.random.default_rng(1))

        drifts = feature_drifts(world.vectors[chosen], reference, LIMITS)

        assert sum((each.psi or 0) > LIMITS.feature_psi.warn for each in drifts) > 20
        assert all(each.state is State.OK for each in drifts)

    def test_features_of_the_date_have_no_index(self, world: World, reference: Reference) -> None:
        vectors = world.vectors[:600].copy()
        vectors[:, [column(name) for name in OF_THE_DATE]] = 3

        drifts = {each.feature: each for each in feature_drifts(vectors, reference, LIMITS)}

        assert all(drifts[name].psi is None for name in OF_THE_DATE)
        assert len(OF_THE_DATE & set(drifts)) == 2


def frame_of(world: World, chosen: np.ndarray) -> pl.DataFrame:
    calibration = world.scorer.calibration
    log_odds = calibration.slope * world.scorer.margins(world.vectors[chosen])
    points = points_of(log_odds + calibration.intercept)
    zeros = np.zeros(len(points), np.int8)
    return pl.DataFrame({"channel": zeros, "payer_segment": zeros, "points": points})


class TestIntervals:
    """Intervals of rates and counts against values in print and by simulation."""

    def test_of_counts_as_garwood(self) -> None:
        assert count_interval(0, 0.05) == pytest.approx((0, 3.6889), abs=1e-3)
        assert count_interval(10, 0.05) == pytest.approx((4.7954, 18.3904), abs=1e-3)

    def test_of_rates_as_wilson(self) -> None:
        assert rate_interval(0, 10, 0.05) == pytest.approx((0, 0.2775), abs=1e-3)
        assert rate_interval(5, 10, 0.05) == pytest.approx((0.2366, 0.7634), abs=1e-3)

    def test_apart(self) -> None:
        assert times_apart((1, 2), (1.5, 9)) == 1
        assert times_apart((4, 5), (1, 2)) == times_apart((1, 2), (4, 5)) == 2
        assert times_apart((4, 5), (0, 0)) == float("inf")


def test_bins_say_what_they_hold() -> None:
    bins = Bins(masses=(0.0,), edges=(1.0, 2.5), low=0, high=9, shares=(0, 0.5, 0.2, 0.2, 0.1))

    assert bins.names() == ("missing", "0", "below 1", "1 to 2.5", "from 2.5")
