"""`fanzha-training drift`: what shifts is named, the rest is not, and the exit code says so."""

import json
import random
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.training.archives import PlayedService
from tests.training.drift_days import DAY, MODEL, ServedDay, World, a_world, column
from typer.testing import CliRunner

from fanzha.archive.rows import day_of, to_table
from fanzha.domain.errors import SetupError
from fanzha.features.manifest import FEATURE_INDEX
from fanzha_training.__main__ import app
from fanzha_training.drift.metrics_file import METRICS

ROWS = 1_500


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return a_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def vectors(world: World) -> np.ndarray:
    return world.vectors[world.some(ROWS, np.random.default_rng(5))].copy()


def drift(archive: Path, *words: object, code: int, day: date = DAY) -> dict[str, Any]:
    words = ("drift", "--archive", archive, "--day", day, "--json", *words)
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def of_model(world: World, archive: Path, *words: object, code: int) -> dict[str, Any]:
    return drift(archive, "--models", world.models, "--no-skew", *words, code=code)


def found(summary: dict[str, Any], state: str = "alarm") -> set[tuple[str, str]]:
    return {
        (each["check"], each["subject"]) for each in summary["findings"] if each["state"] == state
    }


class TestFeatures:
    """What a feature's values do on a day, against what training saw."""

    def test_a_day_like_those_of_training_is_ok(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        ServedDay(world, vectors).write(tmp_path)

        summary = of_model(world, tmp_path, code=0)

        (day,) = summary["days"]
        (model,) = day["models"]
        assert (summary["state"], summary["findings"]) == ("ok", [])
        assert (day["decisions"], model["model"], model["decisions"]) == (ROWS, MODEL, ROWS)
        assert set(model["features"]) == set(FEATURE_INDEX)
        assert summary["skew_checked"] is False
        assert day["skew"] is None

    def test_a_shifted_feature_is_named_and_no_other(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        vectors[:, column("out_sum_7d")] += 1.0
        ServedDay(world, vectors).write(tmp_path)

        summary = of_model(world, tmp_path, code=3)

        assert found(summary) == {("feature_psi", "out_sum_7d")}
        (finding,) = [each for each in summary["findings"] if each["state"] == "alarm"]
        assert finding["found"] > finding["noise"] + finding["alarm"]
        assert summary["states"]["alarm"] == 1

    def test_a_feature_that_goes_missing_is_named(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        vectors[: ROWS // 3, column("device_accounts")] = np.nan
        ServedDay(world, vectors).write(tmp_path)

        summary = of_model(world, tmp_path, code=3)

        missing = [each for each in summary["findings"] if each["check"] == "missing"]
        assert [each["subject"] for each in missing] == ["device_accounts"]
        assert missing[0]["found"] == pytest.approx(0.4, abs=0.03)
        assert missing[0]["reference"] == pytest.approx(0.1, abs=0.02)

    def test_values_that_training_never_saw_are_named(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        vectors[: ROWS // 8, column("speed")] = 77
        ServedDay(world, vectors).write(tmp_path)

        assert ("outside", "speed") in found(of_model(world, tmp_path, code=3))

    def test_the_order_of_rows_does_not_matter(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        ServedDay(world, vectors).write(tmp_path / "a")
        ServedDay(world, vectors[::-1]).write(tmp_path / "b")

        one, other = (
            of_model(world, tmp_path / name, code=0)["days"][0]["models"] for name in "ab"
        )
        assert one == other

    def test_limits_of_the_bank_are_kept(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        vectors[:, column("out_sum_7d")] += 1.0
        ServedDay(world, vectors).write(tmp_path)
        limits = tmp_path / "limits.yaml"
        limits.write_text("feature_psi: {warn: 0.3, alarm: 9.0}\n")

        summary = of_model(world, tmp_path, "--limits", limits, code=0)

        assert found(summary, "warn") == {("feature_psi", "out_sum_7d")}
        assert summary["limits"]["feature_psi"] == {"warn": 0.3, "alarm": 9.0}
        assert summary["limits"]["rows_min"] == 500

    def test_a_drift_that_the_bank_accepts_is_a_warning(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        vectors[:, [column("out_sum_7d"), column("in_sum_31d")]] += 1.0
        ServedDay(world, vectors).write(tmp_path)
        limits = tmp_path / "limits.yaml"
        limits.write_text("accepted: {out_sum_7d: a new salary day}\n")

        summary = of_model(world, tmp_path, "--limits", limits, code=3)

        assert found(summary) == {("feature_psi", "in_sum_31d")}
        assert found(summary, "warn") == {("feature_psi", "out_sum_7d")}
        assert summary["findings"][1]["text"].endswith("(accepted: a new salary day)")


class TestScores:
    """Points and alerts of a day, against those of the calibration days."""

    def test_shifted_points_are_told_in_three_ways(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        ServedDay(world, vectors, points_added=150).write(tmp_path)

        summary = of_model(world, tmp_path, code=3)

        assert found(summary) == {
            ("score_psi", ""), ("mean_points", ""), ("alerts", "confirm"), ("alerts", "pause"),
        }  # fmt: skip
        score = summary["days"][0]["models"][0]["score"]
        shift = score["mean_points"] - score["mean_points_reference"]
        assert shift == pytest.approx(150, abs=15)

    def test_alerts_are_counted_by_the_thresholds_of_the_policy(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        ServedDay(world, vectors).write(tmp_path)

        score = of_model(world, tmp_path, code=0)["days"][0]["models"][0]["score"]

        confirm, pause = score["alerts"]
        margin = world.scorer.margins(vectors)
        calibration = world.scorer.calibration
        points = 125 * ((calibration.slope * margin + calibration.intercept) / np.log(10) + 6)
        assert (confirm["decision"], pause["decision"]) == ("confirm", "pause")
        assert confirm["alerts"] == (np.round(points) >= 560).sum() > 0
        assert pause["alerts"] == (np.round(points) >= 700).sum() > 0
        assert confirm["low"] < confirm["rate"] < confirm["high"]


class TestCalibration:
    """Frauds expected and reported, of days whose labels have matured."""

    def served(self, world: World, archive: Path, days: int, *, surplus: float = 1) -> list[int]:
        """Serve days, the last one first; return how many frauds are reported of each."""
        rng = np.random.default_rng(8)
        counts = []
        for place in range(days):
            chosen = world.some(600, rng)
            truth = world.fraud[chosen]
            kept = truth & (rng.random(600) < surplus)
            more = rng.random(600) < (surplus - 1) * truth.mean()
            frauds = np.flatnonzero(kept | more).tolist()
            counts.append(len(frauds))
            day = DAY - timedelta(days=place)
            ServedDay(world, world.vectors[chosen], day, frauds=frauds).write(archive)
        return counts

    def test_holds_where_the_truth_is_as_in_training(self, world: World, tmp_path: Path) -> None:
        self.served(world, tmp_path, 9)

        summary = of_model(world, tmp_path, "--label-delay-days", 3, code=0)

        (calibration,) = summary["calibration"]
        assert calibration["check"]["state"] == "ok"
        assert (calibration["labelled"], calibration["unlabelled"]) == (6 * 600, 0)
        assert calibration["last_day"] == "2026-07-31"
        ratio = calibration["frauds_observed"] / calibration["frauds_expected"]
        assert ratio == pytest.approx(1, abs=0.25)
        assert sum(each["decisions"] for each in calibration["bins"]) == 6 * 600

    @pytest.mark.parametrize("surplus", [0.2, 4])
    def test_broken_is_an_alarm(self, world: World, tmp_path: Path, surplus: float) -> None:
        self.served(world, tmp_path, 9, surplus=surplus)

        summary = of_model(world, tmp_path, "--label-delay-days", 3, code=3)

        assert found(summary) == {("calibration", "")}

    @pytest.mark.parametrize("delay_days", [0, 2])
    def test_reports_that_came_later_are_not_known_yet(
        self, world: World, tmp_path: Path, delay_days: int
    ) -> None:
        frauds = self.served(world, tmp_path, 5)
        words = ["--models", world.models, "--no-skew", "--label-delay-days", delay_days]

        result = CliRunner().invoke(
            app, [*map(str, ["drift", "--archive", tmp_path, "--day", DAY, "--json", *words])]
        )

        (calibration,) = json.loads(result.stdout.splitlines()[-1])["calibration"]
        # The last day's are reported on the day after it.
        assert calibration["frauds_observed"] == sum(frauds[max(delay_days, 1) :])
        assert calibration["labelled"] == 600 * (5 - delay_days)

    def test_few_labels_are_not_judged(self, world: World, tmp_path: Path) -> None:
        ServedDay(world, world.vectors[:30], DAY - timedelta(days=5)).write(tmp_path)
        ServedDay(world, world.vectors[:600]).write(tmp_path)

        summary = of_model(world, tmp_path, "--label-delay-days", 3, code=0)

        (calibration,) = summary["calibration"]
        assert calibration["check"]["state"] == "too_few"
        assert calibration["expected_calibration_error"] is None


class TestSkew:
    """Every vector is computed again; one bit is an alarm, on its day."""

    def played(self, archive: Path, rows: list[dict[str, Any]]) -> list[date]:
        days = sorted({day_of(row) for row in rows})
        for day in days:
            folder = archive / f"day={day}"
            folder.mkdir(parents=True)
            table = to_table(row for row in rows if day_of(row) == day)
            pq.write_table(table, folder / "part-0.parquet")
        return days

    def test_as_served_there_is_none(self, world: World, tmp_path: Path) -> None:
        service = PlayedService(random.Random(3)).play(400)
        days = self.played(tmp_path, service.rows)
        limits = tmp_path / "limits.yaml"
        limits.write_text("degraded: {warn: 0.5, alarm: 0.9}\n")
        span = (days[-1] - days[0]).days + 2

        summary = drift(
            tmp_path, "--models", world.models, "--days", span, "--limits", limits,
            day=days[-1] + timedelta(days=1), code=0,
        )  # fmt: skip

        skew = [day["skew"] for day in summary["days"] if day["skew"]]
        assert sum(day["decisions"] for day in summary["days"]) == len(service.decided)
        assert sum(each["compared"] for each in skew) == len(service.decided)
        assert sum(each["differing"] for each in skew) == 0
        # The played service blinds a share of its reads; they are told apart.
        assert sum(day["lacking"]["payer_history"] for day in summary["days"] if day["lacking"]) > 0

    def test_one_bit_is_counted_on_its_day(self, world: World, tmp_path: Path) -> None:
        service = PlayedService(random.Random(3)).play(400)
        wrong = [row for row in service.rows if row["kind"] == "decision"][7]
        wrong["vector"] = wrong["vector"].copy()
        wrong["vector"].view("u4")[FEATURE_INDEX["hour"]] ^= 1
        self.played(tmp_path, service.rows)
        local = date(1970, 1, 1) + timedelta(milliseconds=wrong["record_time_ms"] + 8 * 3_600_000)

        summary = drift(tmp_path, "--models", world.models, day=local, code=3)

        assert ("skew", "") in found(summary)
        skew = summary["days"][0]["skew"]
        assert (skew["differing"], skew["features"]) == (1, {"hour": 1})
        assert skew["examples"] == [wrong["decision_id"]]
        without = drift(tmp_path, "--models", world.models, "--no-skew", day=local, code=3)
        assert ("skew", "") not in found(without)


class TestDays:
    """Days that cannot be judged, or not as a whole."""

    def test_too_few_decisions_are_no_alarm(self, world: World, tmp_path: Path) -> None:
        ServedDay(world, world.vectors[:100] + 50).write(tmp_path)

        summary = of_model(world, tmp_path, code=0)

        assert summary["state"] == "too_few"
        assert "100 decisions, of 500 needed" in summary["findings"][0]["text"]

    def test_a_day_without_decisions_is_a_warning(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        ServedDay(world, vectors).write(tmp_path)

        summary = drift(
            tmp_path, "--models", world.models, "--no-skew", day=DAY + timedelta(days=3), code=0
        )

        assert (summary["state"], summary["days"][0]["decisions"]) == ("warn", 0)

    def test_a_day_is_local(self, world: World, vectors: np.ndarray, tmp_path: Path) -> None:
        ServedDay(world, vectors).write(tmp_path)

        here = of_model(world, tmp_path, code=0)
        elsewhere = of_model(world, tmp_path, "--zone", "UTC", "--days", 2, code=0)

        assert here["days"][0]["decisions"] == ROWS
        parts = [day["decisions"] for day in elsewhere["days"]]
        assert parts == [ROWS // 3, 2 * ROWS // 3]

    def test_an_outage_does_not_look_like_drift_but_is_told(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        lost = np.arange(ROWS) < 300
        vectors[lost, column("out_count_24h") :] = np.nan
        ServedDay(world, vectors, lost_payer=lost).write(tmp_path)

        summary = of_model(world, tmp_path, code=3)

        assert found(summary) == {("degraded", "payer_history")}
        day = summary["days"][0]
        assert (day["degraded"], day["lacking"]["payer_history"]) == (300, 300)
        assert day["models"][0]["decisions"] == ROWS - 300

    def test_without_lists_or_without_a_score_is_degraded_too(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        ServedDay(world, vectors[:700], lists_away=True, seed=2).write(tmp_path, "a")
        ServedDay(world, vectors[700:], model=None, seed=3).write(tmp_path, "b")

        summary = of_model(world, tmp_path, code=3)

        assert found(summary) == {("degraded", "lists"), ("degraded", "score")}
        assert summary["days"][0]["models"] == []

    def test_each_model_meets_its_own_reference(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        ServedDay(world, vectors[:700], seed=2).write(tmp_path, "a")
        ServedDay(world, vectors[700:], model="fraud/unknown", seed=3).write(tmp_path, "b")

        summary = of_model(world, tmp_path, code=0)

        models = {each["model"]: each for each in summary["days"][0]["models"]}
        assert {name: each["decisions"] for name, each in models.items()} == {
            MODEL: 700, "fraud/unknown": 800,
        }  # fmt: skip
        assert found(summary, "no_reference") == {("decisions", "")}
        assert models["fraud/unknown"]["features"] == {}
        one = drift(
            tmp_path, "--model", world.models / MODEL, "--no-skew", code=0
        )["days"][0]["models"]  # fmt: skip
        assert [(each["model"], each["decisions"], each["score"]["rows"]) for each in one] == [
            (MODEL, ROWS, 700)
        ]

    def test_a_decision_that_was_archived_twice_counts_once(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        ServedDay(world, vectors).write(tmp_path, "a")
        ServedDay(world, vectors).write(tmp_path, "b")

        assert of_model(world, tmp_path, code=0)["days"][0]["decisions"] == ROWS


class TestOutputs:
    """Metrics, page and JSON say the same."""

    def test_the_metrics_can_be_read_by_prometheus(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        vectors[:, column("out_sum_7d")] += 1.0
        ServedDay(world, vectors).write(tmp_path)
        file = tmp_path / "metrics" / "drift.prom"

        summary = of_model(world, tmp_path, "--metrics", file, code=3)

        families = {each.name: each for each in text_string_to_metric_families(file.read_text())}
        assert set(families) == set(METRICS)
        assert all(each.type == "gauge" for each in families.values())
        assert all(each.documentation == METRICS[name][1] for name, each in families.items())
        where = {"day": "2026-08-03", "model": MODEL, "feature": "out_sum_7d"}
        model = summary["days"][0]["models"][0]
        values = {
            sample.labels["feature"]: sample.value
            for sample in families["fanzha_drift_feature_psi"].samples
        }
        assert values == {
            name: pytest.approx(each["psi"])
            for name, each in model["features"].items()
            if each["psi"] is not None
        }
        assert where in [each.labels for each in families["fanzha_drift_feature_psi"].samples]
        alarms = [
            sample.labels["check"]
            for sample in families["fanzha_drift_checks"].samples
            if sample.labels["state"] == "alarm" and sample.value
        ]
        assert alarms == ["feature_psi"]
        assert list(file.parent.iterdir()) == [file]

    def test_page_and_file_hold_what_was_found(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        vectors[:, column("out_sum_7d")] += 1.0
        ServedDay(world, vectors).write(tmp_path / "archive")

        summary = of_model(world, tmp_path / "archive", "--out", tmp_path / "out", code=3)

        page = (tmp_path / "out" / "index.html").read_text()
        assert json.loads((tmp_path / "out" / "drift.json").read_text()) == summary
        assert page.count("data:image/png;base64,") == 4
        assert "http" not in page
        assert page.index("alarm") < page.index("out_sum_7d")
        assert str(tmp_path) not in page + json.dumps(summary)

    def test_people_are_told_the_gravest_first(
        self, world: World, vectors: np.ndarray, tmp_path: Path
    ) -> None:
        vectors[:, column("out_sum_7d")] += 1.0
        ServedDay(world, vectors).write(tmp_path)
        words = ["drift", "--archive", tmp_path, "--models", world.models, "--day", DAY]

        result = CliRunner().invoke(app, [*map(str, words), "--no-skew"])

        assert result.exit_code == 3
        first, *_, last = result.stdout.splitlines()
        assert first.startswith("alarm        2026-08-03 feature_psi out_sum_7d fraud/1: PSI")
        assert "not computed again (--no-skew)" in result.stdout
        assert last.split() == ["checks.alarm", "1"]


class TestMistakes:
    """Errors name cause and remedy, and nothing is written."""

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ([], "exactly one of --models and --model"),
            (["--models", "models", "--model", "m"], "exactly one of --models and --model"),
            (["--models", "nowhere"], "give the folder of the service's models"),
            (["--model", "models"], "give the folder <models>/<name>/<version>"),
            (["--models", "models", "--day", "yesterday"], "--day is 'yesterday'"),
            (["--models", "models", "--days", "0"], "1 to 366"),
            (["--models", "models", "--zone", "Mars"], "IANA time zone"),
            (["--models", "models", "--label-delay-days", "-1"], "0 to 365"),
            (["--models", "models"], "holds no day=YYYY-MM-DD/part-"),
            (["--models", "models", "--limits", "limits.yaml"], "did you mean feature_psi"),
            (["--models", "models", "--limits", "accepted.yaml"], "there is none called hours"),
            (["--models", "models", "--limits", "order.yaml"], "warn .0.5. at most as large"),
        ],
    )
    def test_are_explained(
        self, words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for folder in ("models", "archive"):
            (tmp_path / folder).mkdir()
        (tmp_path / "limits.yaml").write_text("feature_spi: {warn: 0.1, alarm: 0.2}\n")
        (tmp_path / "accepted.yaml").write_text("accepted: {hours: we know}\n")
        (tmp_path / "order.yaml").write_text("missing: {warn: 0.5, alarm: 0.2}\n")

        result = CliRunner().invoke(app, ["drift", "--archive", "archive", "--out", "out", *words])

        assert isinstance(result.exception, SetupError)
        assert re.search(message, str(result.exception))
        assert not (tmp_path / "out").exists()

    def test_a_damaged_file_is_named(self, world: World, tmp_path: Path) -> None:
        folder = tmp_path / "day=2026-08-03"
        folder.mkdir()
        (folder / "part-a.parquet").write_bytes(b"PAR1 but not really")
        words = ["drift", "--archive", tmp_path, "--models", world.models, "--day", DAY]

        result = CliRunner().invoke(app, [*map(str, words)])

        assert isinstance(result.exception, SetupError)
        assert "part-a.parquet cannot be read" in str(result.exception)
