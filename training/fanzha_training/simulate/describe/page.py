"""Puts the page together that describes a world."""

from pathlib import Path
from typing import Final

import polars as pl

from fanzha_training.html_page import image, note, table, write_page
from fanzha_training.simulate.describe import life, look_alikes, mules, scams, words
from fanzha_training.simulate.describe.scene import FRAUD, MULE, Scene, scene_of
from fanzha_training.simulate.parameters import TRUE_PER_MILLION
from fanzha_training.simulate.run import Simulation
from fanzha_training.simulate.size import too_small

DESCRIPTION_FILE: Final = "world.html"


def describe(simulation: Simulation, file: Path) -> None:
    """Write the page; the file is replaced in one step.

    Raises:
        SetupError: the file cannot be written.
    """
    scene = scene_of(simulation)
    body = [*_world(scene), *_daily_life(scene)]
    body += ["<h2>Fraud</h2>", note(scams.ground(scene))]
    if len(scene.episodes):
        body += [*_fraud(scene), *_laundering(scene)]
    body += _known(scene)
    write_page(file, "A simulated world", body)


def _world(scene: Scene) -> list[str]:
    simulation = scene.simulation
    parameters = simulation.parameters
    rows = len(scene.transfers)
    payments = len(scene.of(FRAUD))
    campaigns = scene.episodes["campaign"].n_unique()
    warning = too_small(simulation)
    return [
        "<h1>A simulated world</h1>",
        (
            "<p>No customer, account or fraud in it is real. Its shapes follow police and bank "
            "reports; the numbers beside them are estimates.</p>"
        ),
        table(
            ("", "value"),
            (
                ("customers", f"{parameters.customers:,}"),
                ("days", f"{parameters.days:,} from {parameters.start.isoformat()}"),
                ("seed", str(parameters.seed)),
                ("transfers", f"{rows:,}"),
                ("accounts, here and elsewhere", f"{len(simulation.world.book):,}"),
                ("payments of victims", f"{payments:,}"),
                ("payments of victims per million", f"{1e6 * payments / rows:,.0f}"),
                ("true rate per million", f"{TRUE_PER_MILLION:g}"),
                ("over-sampling", f"{parameters.over_sampling:.3g} times the true rate"),
                ("episodes", f"{len(scene.episodes):,} in {campaigns:,} campaigns"),
                ("movements of mules", f"{len(scene.of(MULE)):,}"),
                ("planned, but given up for want of money", f"{simulation.given_up:,}"),
            ),
        ),
        note(f"Warning: {warning}." if warning else ""),
        note(words.GIVEN_UP),
    ]


def _daily_life(scene: Scene) -> list[str]:
    head = look_alikes.head(scene)
    return [
        image("Transfers a day; days without work are shaded", life.per_day(scene)),
        image("Transfers by weekday", life.per_weekday(scene), life.left_out(scene)),
        image("Transfers by hour", life.per_hour(scene)),
        image("Amounts of honest people by kind", life.amounts_by(scene, "kind"), words.BOX),
        image("Amounts of honest people by channel", life.amounts_by(scene, "channel"), words.BOX),
        table(("", "transfers", "of victims", "of mules", "median yuan"), _kinds(scene)),
        image("Balances", life.balances(scene)),
        image("Ages by segment, and of victims", life.ages(scene)),
        table(
            ("segment", "customers", "median age", "transfers a day", "median yuan"),
            life.segments(scene),
        ),
        table(("age", "customers", "victims"), life.age_bands(scene)),
        image("Owners who share a device", life.owners_per_device(scene)),
        "<h2>Honest payments with the marks of fraud</h2>",
        table(head, look_alikes.look_alikes(scene)),
        note(words.MARKS, words.TRUE_RATE if "at the true rate" in head else ""),
    ]


def _kinds(scene: Scene) -> list[list[str]]:
    rows = []
    for column in ("kind", "channel"):
        figures = (
            scene.transfers.group_by(column)
            .agg(
                pl.len(),
                fraud=(pl.col("party") == FRAUD).sum(),
                mules=(pl.col("party") == MULE).sum(),
                median=pl.col("yuan").median(),
            )
            .sort("len", column, descending=[True, False])
        )
        rows += [
            [f"{column}: {name.replace('_', ' ')}", *(f"{value:,.0f}" for value in values)]
            for name, *values in figures.iter_rows()
        ]
    return rows


def _fraud(scene: Scene) -> list[str]:
    return [
        image("Fraud by type", scams.frequency(scene)),
        table(scams.BY_TYPE_HEAD, scams.by_type(scene)),
        note(words.HOURS),
        image("Amounts of victims' payments", scams.amounts(scene), words.BOX),
        image("Escalation within an episode", scams.escalation(scene), words.ESCALATION),
        image("What victims did after a warning", scams.responses(scene), words.RESPONSES),
        image("When fraud is reported", scams.delays(scene), words.BOX),
        table(scams.KNOWN_HEAD, scams.known_by_type(scene)),
        note(words.QUIET),
    ]


def _laundering(scene: Scene) -> list[str]:
    return [
        image("How fast money moves on", mules.passing_on(scene), words.LAYERS),
        image("How long accounts serve a ring", mules.life_spans(scene), words.ACCOUNTS, words.BOX),
        table(
            ("accounts", "number", "median payers", "median yuan in", "passed on", "median days"),
            mules.by_kind(scene),
        ),
        image("First-time payers in a day", mules.fan_in(scene)),
    ]


def _known(scene: Scene) -> list[str]:
    return [
        "<h2>What becomes known</h2>",
        table(("outcome", "said by", "of transfers of", "number"), scams.outcomes(scene)),
    ]
