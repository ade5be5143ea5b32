"""Builds a data set from a table of transfers, cut by time: what was known just before each one."""

import json
from pathlib import Path

from fanzha_training.building.data_set import Source, build_dataset
from fanzha_training.building.numbered_transfers import (
    NumberedTransfers,
    Spread,
    one_after_another,
)
from fanzha_training.building.options import BuildOptions, Say
from fanzha_training.building.table_source import read_table
from fanzha_training.building.table_subjects import SUBJECT_COLUMNS, subjects_of
from fanzha_training.table import WORLD_FILE


def build_from_table(
    folder: Path,
    out: Path,
    options: BuildOptions,
    say: Say,
    spread: Spread = one_after_another,
) -> dict[str, object]:
    """Build a data set from `transfers.parquet` and `outcomes.parquet`; return a summary.

    Raises:
        SetupError: the table cannot be used, or the data set cannot be written.

    """
    say("reading the table")
    table = read_table(folder, options.currency)
    transfers = table.transfers
    subjects = subjects_of(transfers)
    numbered = NumberedTransfers(
        transfers.drop("row", "currency", *SUBJECT_COLUMNS), subjects, table.outcomes, options.zone
    )
    simulated = options.simulated
    if simulated is None:
        simulated = (folder / WORLD_FILE).exists()
    source = Source("table", _commands(folder, options), simulated, dict(table.repaired))
    return build_dataset(numbered, source, out, options, say, spread)


def _commands(folder: Path, options: BuildOptions) -> str:
    """Return the command that made the data set, after the one that made a simulated table."""
    world = folder / WORLD_FILE
    if not world.exists():
        return options.command
    # As everywhere in kept commands: where a folder lies on one machine helps nobody on another.
    where = folder.name if folder.is_absolute() else str(folder)
    made = json.loads(world.read_text(encoding="utf-8"))["parameters"]
    mix = ",".join(f"{script}={weight:g}" for script, weight in made["fraud_mix"].items())
    simulate = (
        f"fanzha-training simulate --out {where} --customers {made['customers']} "
        f"--days {made['days']} --seed {made['seed']} --start {made['start']} "
        f"--fraud-per-million {made['fraud_per_million']:g} --fraud-mix {mix}"
    )
    return f"{simulate}\n{options.command}"
