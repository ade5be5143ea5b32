"""A soak tells slow growth from noise, and lost records from late ones."""

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fanzha_loadtest.soak.records import Notes, compare
from fanzha_loadtest.soak.slopes import Bound, slope_of

BOUND = Bound("rss", "bytes", per_hour_max=0.05, least=8.0)
TIMES = [5.0 * number for number in range(180)]


def series(per_hour: float, noise: float, spikes: int = 0) -> list[float]:
    rng = random.Random(4)
    values = [400 + per_hour * 400 * time / 3600 + rng.gauss(0, noise) for time in TIMES]
    for place in rng.sample(range(len(values)), spikes):
        values[place] += 300
    return values


def test_noise_and_spikes_are_flat() -> None:
    assert slope_of(BOUND, TIMES, series(0.0, noise=4, spikes=9)).is_flat
    assert slope_of(BOUND, TIMES, series(-0.5, noise=4)).is_flat


def test_steady_growth_is_found_under_noise() -> None:
    slope = slope_of(BOUND, TIMES, series(0.3, noise=4, spikes=9))

    assert not slope.is_flat
    assert 0.2 < slope.per_hour < 0.4


def test_growth_too_small_to_mean_anything_is_flat() -> None:
    assert slope_of(BOUND, TIMES, series(0.07, noise=0)).is_flat


def test_too_few_samples_prove_nothing() -> None:
    assert not slope_of(BOUND, TIMES[:5], [400.0] * 5).is_flat


def name(number: int) -> str:
    return f"{number:026d}"


def test_records_missing_doubled_and_untold_are_counted(tmp_path: Path) -> None:
    notes, archive = Notes(tmp_path), tmp_path / "archive"
    for number in range(5):
        notes.note("decision", name(number))
    notes.note("execution", name(0))
    notes.close()
    held = [("decision", name(x)) for x in (0, 1, 1, 2, 3, 9)]
    rows = [*held, ("execution", name(0)), ("change", None)]
    (archive / "_log").mkdir(parents=True)
    table = pa.table({"kind": [kind for kind, _ in rows], "decision_id": [x for _, x in rows]})
    pq.write_table(table, archive / "part-1.parquet")
    pq.write_table(table, archive / "part-that-no-commit-names.parquet")
    commit = {"files": [{"path": "part-1.parquet"}]}
    (archive / "_log" / "000000000001.json").write_text(json.dumps(commit))

    (decisions, executions, outcomes), kinds = compare(notes, archive)

    assert (decisions.missing, decisions.doubled, decisions.untold) == (1, 1, 1)
    assert not decisions.agrees(failed=1)
    assert executions.agrees(failed=0)
    assert outcomes.told == outcomes.archived == 0
    assert kinds == {"change": 1, "decision": 6, "execution": 1}
