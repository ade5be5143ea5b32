import json
from pathlib import Path

import pytest
from tests.training.worlds import the_world
from typer.testing import CliRunner

from fanzha_training.__main__ import app
from fanzha_training.simulate.describe.page import DESCRIPTION_FILE, describe
from fanzha_training.simulate.parameters import TRUE_PER_MILLION, Parameters
from fanzha_training.simulate.run import simulate
from fanzha_training.simulate.scripts import SCRIPTS
from fanzha_training.simulate.size import too_small


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("described") / DESCRIPTION_FILE
    describe(the_world(), file)
    return file.read_text(encoding="utf-8")


def test_the_page_needs_nothing_else(page: str) -> None:
    assert page.count("<img alt=") >= 15
    assert page.count("src='data:image/png;base64,") == page.count("<img ")
    assert "http" not in page


def test_every_plot_has_its_figures_beside_it(page: str) -> None:
    for name in SCRIPTS:
        assert f"<td>{name.replace('_', ' ')}</td>" in page
    assert "layer 3, bought" in page
    assert "customer insisted" in page
    assert "first payment to a person, 5,000 yuan or more" in page


def test_the_page_says_how_much_fraud_was_over_sampled(page: str) -> None:
    assert "125 times the true rate" in page
    assert f"<td>true rate per million</td><td>{TRUE_PER_MILLION:g}</td>" in page


def test_special_days_are_left_out_by_weekday_and_said(page: str) -> None:
    assert "Without holidays and shopping days: 2026-06-18 (shopping, 18 Jun)." in page


def test_words_are_explained_where_they_appear(page: str) -> None:
    for start in ("Given up for want of money:", "Quiet:", "Layer 1 ", "* From the first to the"):
        assert start in page
    assert page.count("the whiskers reach from 5 to 95 %") >= 5
    assert "Coached: " in page


def test_at_the_true_rate_it_says_what_few_episodes_can_tell(tmp_path: Path) -> None:
    describe(simulate(Parameters(customers=500, days=20)), tmp_path / DESCRIPTION_FILE)

    page = (tmp_path / DESCRIPTION_FILE).read_text(encoding="utf-8")
    assert "Types without an episode here: " in page
    assert "--fraud-per-million 2000, or more customers" in page
    assert "<th>at the true rate</th>" not in page


def test_a_world_without_fraud_is_described_as_well(tmp_path: Path) -> None:
    world = simulate(Parameters(customers=100, days=1, fraud_per_million=0))
    describe(world, tmp_path / DESCRIPTION_FILE)

    assert "0 in 0 campaigns" in (tmp_path / DESCRIPTION_FILE).read_text(encoding="utf-8")


def test_a_world_too_small_for_its_rate_is_warned_of(tmp_path: Path) -> None:
    words = ("simulate", "--out", str(tmp_path), "--customers", "300", "--days", "20", "--json")
    result = CliRunner().invoke(app, words)

    assert result.exit_code == 0, result.output
    warning = json.loads(result.stdout.splitlines()[-1])["warning"]
    assert warning.startswith("this world is too small for the rate asked for: 80 per million")
    assert f"warning: {warning}" in result.stderr
    assert not too_small(the_world())


def test_the_command_writes_it_beside_the_tables(tmp_path: Path) -> None:
    words = ("simulate", "--out", str(tmp_path), "--customers", "100", "--days", "2", "--describe")
    result = CliRunner().invoke(app, words)

    assert result.exit_code == 0, result.output
    assert (tmp_path / DESCRIPTION_FILE).exists()
