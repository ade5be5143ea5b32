"""The same data and seed give the same model bytes; who made it, where and when stands beside."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.training.learnable import a_dataset, saved, trained_on

from fanzha.domain.errors import SetupError
from fanzha_training.export import export
from fanzha_training.provenance import PROVENANCE_FILE, Recorder, read_provenance

SAME_BYTES = (
    "victim.ubj", "payee_mule.ubj", "typology.ubj", "model.onnx", "typology.onnx", "golden.npz",
    "victim.trees.npz", "payee_mule.trees.npz", "reference.json",
)  # fmt: skip
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def command(folder: Path, *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "fanzha_training", *words],
        cwd=folder,
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONHASHSEED": "random"},
    )


def test_two_processes_give_the_same_model_bytes(tmp_path: Path) -> None:
    a_dataset(tmp_path / "dataset.parquet", rows=8000)
    for run in ("first", "second"):
        folder = tmp_path / run
        folder.mkdir()
        command(
            folder, "train", "--dataset", "../dataset.parquet", "--out", "model", "--trees", "20",
            "--learning-rate", "0.3", "--by", f"{run} person", "--where", "a test",
        )  # fmt: skip
        command(folder, "export", "--model", "model", "--version", "1", "--models", "models")
    first, second = (tmp_path / run / "models" / "fraud" / "1" for run in ("first", "second"))

    for name in SAME_BYTES:
        assert (first / name).read_bytes() == (second / name).read_bytes()
    one, other = (json.loads((x / "manifest.json").read_text("utf-8")) for x in (first, second))
    assert one["files_sha256"] == other["files_sha256"]
    assert one["trained"].pop("made")["by"] == "first person"
    assert other["trained"].pop("made")["by"] == "second person"
    assert one == other


@pytest.fixture
def model(tmp_path: Path) -> Path:
    saved(tmp_path / "model", trained_on(a_dataset(tmp_path / "dataset.parquet", rows=3000)))
    return tmp_path / "model"


def test_the_card_says_who_where_when_on_what(model: Path, tmp_path: Path) -> None:
    export(model, tmp_path / "models", "fraud", "1", command="fanzha-training export")

    card = (tmp_path / "models" / "fraud" / "1" / "card.md").read_text("utf-8")
    record = json.loads((model / "training.json").read_text("utf-8"))
    for line in (
        "| by | A. Trainer |",
        "| where | a test: ",
        "| from | 2026-11-20T00:00:00Z |",
        "| until | 2026-11-20T00:00:00Z |",
        f"`{record['data']['fingerprint']}`",
        "| transfers | 3,000, 2026-",
        "xgboost-cpu ",
        "| seed | 7 |",
        "every labelled transfer",
    ):
        assert line in card


@pytest.mark.parametrize("field", ["by", "where", "began", "ended", "machine", "libraries"])
def test_no_card_without_who_where_and_when(model: Path, tmp_path: Path, field: str) -> None:
    file = model / PROVENANCE_FILE
    stored = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(stored | {field: ""}), "utf-8")

    with pytest.raises(SetupError, match=f"leaves {field} empty"):
        export(model, tmp_path / "models", "fraud", "1", command="")

    file.write_text(json.dumps({key: stored[key] for key in stored if key != field}), "utf-8")
    with pytest.raises(SetupError, match="does not say who trained the model"):
        read_provenance(model)
    file.unlink()
    with pytest.raises(SetupError, match="does not say who trained the model"):
        read_provenance(model)


def test_times_are_those_of_the_training() -> None:
    times = iter([NOON, NOON + timedelta(minutes=90)])
    recorder = Recorder("A", None, lambda: next(times))

    made = recorder.ended(3)

    assert (made.began, made.ended) == ("2026-11-20T12:00:00Z", "2026-11-20T13:30:00Z")
    assert made.processes == 3
    assert made.where


def test_without_a_name_the_account_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "operator7")

    made = Recorder(None, None, lambda: NOON).ended()

    assert (made.by, made.by_says) == ("operator7", "operating system")


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "x" * 101])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(SetupError, match="--by is"):
        Recorder(name, None, lambda: NOON)
