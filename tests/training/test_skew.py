"""`fanzha-training skew`: none is expected, and any is told with decision and feature."""

import json
import random
from pathlib import Path

from tests.training.archives import PlayedService, write_archive
from typer.testing import CliRunner

from fanzha.features.manifest import FEATURE_INDEX
from fanzha_training.__main__ import app


def skew(archive: Path) -> tuple[int, dict[str, object]]:
    result = CliRunner().invoke(app, ["skew", "--archive", str(archive), "--json"])
    return result.exit_code, json.loads(result.stdout.splitlines()[-1])


def test_an_archive_as_served_has_none(tmp_path: Path) -> None:
    service = PlayedService(random.Random(3)).play(400)

    code, found = skew(write_archive(tmp_path, service.rows))

    assert (code, found["differences"], found["features"]) == (0, 0, {})
    assert found["compared"] == found["decisions"] == len(service.decided)


def test_one_bit_is_told_with_its_decision_and_feature(tmp_path: Path) -> None:
    service = PlayedService(random.Random(3)).play(400)
    wrong = [row for row in service.rows if row["kind"] == "decision"][7]
    wrong["vector"] = wrong["vector"].copy()
    wrong["vector"].view("u4")[FEATURE_INDEX["hour"]] ^= 1

    code, found = skew(write_archive(tmp_path, service.rows))

    assert (code, found["differences"], found["features"]) == (3, 1, {"hour": 1})
    (example,) = found["examples"]  # type: ignore[misc]
    assert example["decision_id"] == wrong["decision_id"]  # type: ignore[index]
    assert list(example["served_and_recomputed"]) == ["hour"]  # type: ignore[index]


def test_an_execution_that_was_lost_shows_as_a_gap_and_not_as_skew(tmp_path: Path) -> None:
    service = PlayedService(random.Random(3)).play(400)
    lost = next(row for row in service.rows if row["kind"] == "execution")

    code, found = skew(write_archive(tmp_path, [row for row in service.rows if row is not lost]))

    assert (code, found["differences"]) == (0, 0)
    assert found["subjects_with_gaps"] == 1
    assert found["after_gap"]
