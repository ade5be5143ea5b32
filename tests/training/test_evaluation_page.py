"""The files that `fanzha-training evaluate` leaves: a page for people, JSON for programs."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.training.test_commands import run

from fanzha_training.evaluation.wording import signed, told
from fanzha_training.simulate.parameters import Parameters
from fanzha_training.simulate.run import simulate
from fanzha_training.simulate.writer import write

WORLD = Parameters(customers=400, days=30, seed=5, fraud_per_million=20_000)
OPTIONS = ("--assume", "resamples=60", "--assume", "cases_min=5")


class Page(HTMLParser):
    """Collects what a page shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world, a model of it at a true rate of 80 per million, and a weaker one."""
    folder = tmp_path_factory.mktemp("evaluation")
    write(simulate(WORLD), folder / "world")
    run("build", "--table", folder / "world", "--out", folder / "d.parquet", "--label-delay-days",
        "3")  # fmt: skip
    for name, trees in (("model", 60), ("weak", 2)):
        run("train", "--dataset", folder / "d.parquet", "--out", folder / name, "--trees", trees,
            "--learning-rate", "0.2", "--base-rate", "0.00008", "--test-share", "0.4")  # fmt: skip
    return folder


def evaluated(folder: Path, *options: object) -> dict[str, Any]:
    return run("evaluate", "--dataset", folder / "d.parquet", "--model", folder / "model",
               "--out", folder / "out", *OPTIONS, *options)  # fmt: skip


def numbers_of(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for part in value for number in numbers_of(part)]
    return [float(value)] if isinstance(value, int | float) else []


def test_the_json_holds_every_figure_and_names_what_was_assumed(folder: Path) -> None:
    document = evaluated(folder)

    assert json.loads((folder / "out" / "report.json").read_text()) == document
    victim = document["heads"]["victim"]
    assert victim["base_rate"] == document["base_rate"] == 0.00008
    assert victim["rate_in_data"] > 0.005
    assert document["assumptions"]["cases_min"] == 5
    assert document["data"]["simulated"]
    figures = victim["model"]
    assert set(figures["budgets"]) == {"0.2", "0.5", "1", "5"}
    assert set(figures["groups"]) == {"channel", "segment", "fraud_type"}
    for name in ("value_detection_rate", "case_recall", "money_saved", "money_saved_expected"):
        at = figures["budgets"]["5"][name]
        assert 0 <= at["low"] < at["value"] < at["high"] <= 1
    assert document["headline"]["case_recall"] == figures["budgets"]["1"]["case_recall"]
    assert sum(line["frauds"] for line in figures["calibration"]["bins"]) == figures["frauds"]
    assert sum(line["share"] for line in figures["calibration"]["bins"]) == pytest.approx(1)
    for dimension in figures["groups"].values():
        assert sum(entry["frauds"] for entry in dimension.values()) == figures["frauds"]
        assert sum(entry["cases"] for entry in dimension.values()) == figures["cases"]
    assert len(numbers_of(document)) > 1000


def test_the_page_stands_alone_and_begins_with_the_headline(folder: Path) -> None:
    document = evaluated(folder)

    page = Page((folder / "out" / "report.html").read_text())

    assert "script" not in page.tags
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert len(page.sources) >= 6
    words = " ".join(page.words)
    headline = told("case_recall", document["headline"]["case_recall"]).partition(" (")[0]
    assert headline in words
    assert words.index("value detection rate") < words.index("By channel")
    assert re.search(r"80\s+per million, the true rate", words)
    assert "too few" in words
    assert "no figure here says anything about a real bank" in words
    # The area under the ROC curve is told once, at the end.
    assert words.count("ROC") == 1
    assert words.index("ROC") > words.index("Assumptions")


def test_the_main_figures_go_to_the_models_card(folder: Path) -> None:
    document = evaluated(folder)
    kept = json.loads((folder / "model" / "evaluation.json").read_text())

    run("export", "--model", folder / "model", "--version", "1", "--models", folder / "models")

    assert kept["budgets"] == document["budgets"]
    assert "heads" not in kept
    card = (folder / "models" / "fraud" / "1" / "card.md").read_text()
    assert "(all at a fraud rate of 8e-05)" in card


def test_two_models_stand_side_by_side(folder: Path) -> None:
    kept = folder / "weak" / "evaluation.json"
    document = evaluated(folder, "--against", folder / "weak")

    victim = document["heads"]["victim"]
    difference = victim["difference"]["5"]["case_recall"]
    values = [victim[which]["budgets"]["5"]["case_recall"]["value"]
              for which in ("model", "against")]  # fmt: skip
    assert difference["value"] == pytest.approx(values[0] - values[1])
    assert document["against"]["model"] == victim["against"]["model"] == "weak"
    assert not kept.exists()
    assert "Evaluation of model against weak" in (folder / "out" / "report.html").read_text()


def test_a_base_rate_of_the_command_holds_for_all_figures(folder: Path) -> None:
    document = evaluated(folder, "--base-rate", "0.001")

    figures = document["heads"]["victim"]["model"]
    assert figures["calibration"]["observed_rate"] == pytest.approx(0.001)
    assert document["calibration"]["observed_rate"] == pytest.approx(0.001)
    assert figures["calibration"]["mean_predicted"] == pytest.approx(0.001, rel=0.7)


def test_data_that_hold_the_true_rate_of_fraud_hold_that_of_mules_too(folder: Path) -> None:
    in_data = evaluated(folder)["heads"]["victim"]["rate_in_data"]

    heads = evaluated(folder, "--base-rate", in_data)["heads"]

    mules = [section for name, section in heads.items() if name != "victim"]
    assert mules
    for section in mules:
        assert section["base_rate"] in (None, pytest.approx(section["rate_in_data"]))


def test_figures_are_written_with_their_intervals() -> None:
    share = {"value": 0.3868, "low": 0.3, "high": 0.521}

    assert told("recall", share).replace("\u00a0", " ") == "38.7 % (30.0 to 52.1)"
    assert told("recall", share | {"low": None, "high": None}).endswith("38.7\u00a0%")
    assert told("recall", None) == "–"
    ratio = {"value": 123.4, "low": 7.25, "high": None}
    assert told("false_per_true", ratio).replace("\u00a0", " ") == "123 (7.2 up)"
    assert signed({"value": -0.05, "low": -0.1, "high": 0.02}).replace("\u00a0", " ") == (
        "-5.0 (-10.0 to +2.0)"
    )
