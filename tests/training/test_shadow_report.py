"""`fanzha-training shadow-report`: what both models said, compared by hand."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.training.archives import PlayedService, write_archive
from typer.testing import CliRunner

from fanzha.domain.vocabulary import CustomerSegment
from fanzha_training.__main__ import app

LEAST, MOST = 560, 700
"""Points from which the shipped policy confirms and pauses in mobile banking."""


def report(archive: Path, *words: object, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(
        app, ["shadow-report", "--archive", str(archive), *map(str, words), "--json"]
    )
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


@pytest.fixture
def service() -> PlayedService:
    """A service whose decisions carry both scores; fraud is what scores high by the shadow."""
    rng = random.Random(7)
    service = PlayedService(rng).play(2_500, days=60)
    for row in decisions(service):
        points = rng.randrange(300, 900)
        shadow = points if rng.random() < 0.5 else rng.randrange(300, 900)
        row |= {
            "points": points, "margin": points / 100, "payer_segment": CustomerSegment.UNSPECIFIED,
            "shadow_version": "fraud/2", "shadow_points": shadow, "shadow_margin": shadow / 50,
        }  # fmt: skip
    return service


def decisions(service: PlayedService) -> list[dict[str, Any]]:
    return [row for row in service.rows if row["kind"] == "decision"]


def decided(points: int) -> str:
    return "pause" if points >= MOST else "confirm" if points >= LEAST else "allow"


def test_counts_what_would_change(service: PlayedService, tmp_path: Path) -> None:
    rows = decisions(service)
    found = report(write_archive(tmp_path, service.rows))

    (one,) = found["comparisons"]
    pairs = [(decided(row["points"]), decided(row["shadow_points"])) for row in rows]
    changed = [f"{old} to {new}" for old, new in pairs if old != new]
    assert (found["decisions"], found["without_both_scores"]) == (len(rows), 0)
    assert (one["champion"], one["shadow"], one["decisions"]) == ("fraud/1", "fraud/2", len(rows))
    assert one["changes"] == {name: changed.count(name) for name in set(changed)}
    assert one["agreement"] == pytest.approx(1 - len(changed) / len(rows))
    paused = sum(row["shadow_points"] >= MOST for row in rows)
    assert one["alert_rate"]["shadow"]["pause"] == pytest.approx(paused / len(rows))
    confirmed = sum(row["points"] >= LEAST for row in rows)
    assert one["alert_rate"]["champion"]["confirm"] == pytest.approx(confirmed / len(rows))
    assert 0.3 < one["rank_correlation"] < 0.8
    worst = max(abs(row["points"] - row["shadow_points"]) for row in rows)
    assert one["points_difference"]["largest"] == worst
    first = one["examples"][0]
    assert abs(first["champion_points"] - first["shadow_points"]) == worst
    assert first["decision_id"] in {row["decision_id"] for row in rows}


def test_says_what_both_find_among_mature_labels(service: PlayedService, tmp_path: Path) -> None:
    """The shadow ranks the known frauds first, the champion last; no two margins are equal."""
    outcomes = [row for row in service.rows if row["kind"] == "outcome"]
    frauds = {row["decision_id"] for row in outcomes if row["fraud_type"]}
    for number, row in enumerate(decisions(service)):
        margin = number / 1e4 + (5 if row["decision_id"] in frauds else -5)
        row |= {"margin": -margin, "shadow_margin": margin}

    (one,) = report(write_archive(tmp_path, service.rows), "--label-delay-days", "1")["comparisons"]

    matured = one["matured"]
    assert 0 < matured["frauds"] < matured["transfers"] <= one["decisions"]
    assert list(matured["at_budgets"]) == ["0.5", "1", "5"]
    at = matured["at_budgets"]["5"]
    assert at["champion"]["value_detection_rate"] == 0
    assert at["shadow"]["value_detection_rate"] > 0
    assert at["shadow"]["false_per_true"] == 0
    assert one["rank_correlation"] == pytest.approx(-1)


def test_says_so_where_no_fraud_is_known(service: PlayedService, tmp_path: Path) -> None:
    service.rows = [row for row in service.rows if row["kind"] != "outcome"]

    (one,) = report(write_archive(tmp_path, service.rows))["comparisons"]

    assert one["matured"] is None


def test_days_from_before_shadows_and_decisions_without_one_are_counted(
    service: PlayedService, tmp_path: Path
) -> None:
    for row in decisions(service)[:20]:
        row["shadow_version"] = row["shadow_margin"] = row["shadow_points"] = None
    archive = write_archive(tmp_path, service.rows)
    old = next(archive.glob("day=*/part-*.parquet"))
    table = pq.ParquetFile(old).read()
    names = [name for name in table.column_names if not name.startswith("shadow_")]
    pq.write_table(table.select(names), old)

    found = report(archive)

    in_old = sum(kind == "decision" for kind in table["kind"].to_pylist())
    assert 20 < found["without_both_scores"] <= 20 + in_old
    assert found["comparisons"][0]["decisions"] == (
        found["decisions"] - found["without_both_scores"]
    )


def test_each_pair_of_models_is_compared_by_itself(service: PlayedService, tmp_path: Path) -> None:
    rows = decisions(service)
    for row in rows[::3]:
        row["model_version"], row["shadow_version"] = "fraud/2", "fraud/3"

    found = report(write_archive(tmp_path, service.rows))["comparisons"]

    assert {(one["champion"], one["shadow"]): one["decisions"] for one in found} == {
        ("fraud/1", "fraud/2"): len(rows) - len(rows[::3]),
        ("fraud/2", "fraud/3"): len(rows[::3]),
    }


def test_draws_one_page_that_needs_nothing_else(service: PlayedService, tmp_path: Path) -> None:
    page = tmp_path / "shadow.html"
    report(write_archive(tmp_path / "archive", service.rows), "--out", page)

    html = page.read_text()
    assert html.count("data:image/png;base64,") == 1
    assert "fraud/2 beside fraud/1" in html
    assert "http" not in html


def test_an_archive_without_shadows_is_told_with_a_remedy(tmp_path: Path) -> None:
    service = PlayedService(random.Random(3)).play(50)
    archive = str(write_archive(tmp_path, service.rows))

    result = CliRunner().invoke(app, ["shadow-report", "--archive", archive])

    assert "fanzha models shadow" in str(result.exception)
