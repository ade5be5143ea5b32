"""Builds a data set from a table of transfers, cut by time: what was known just before each one."""

import json
from pathlib import Path

import numpy as np
import polars as pl

from fanzha.features.fold import fold
from fanzha_training.building import BuildOptions, Say, label_columns, label_counts
from fanzha_training.dataset import DatasetMeta, vector_column, write_dataset
from fanzha_training.labels import Outcomes, label_transfers
from fanzha_training.table import WORLD_FILE
from fanzha_training.table_history import table_facts, table_steps
from fanzha_training.table_source import read_table
from fanzha_training.table_subjects import subjects_of


def build_from_table(folder: Path, out: Path, options: BuildOptions, say: Say) -> dict[str, object]:
    """Build a data set from `transfers.parquet` and `outcomes.parquet`; return a summary.

    Raises:
        SetupError: the table cannot be used, or the data set cannot be written.

    """
    say("reading the table")
    table = read_table(folder, options.currency)
    transfers, outcomes, repaired = table.transfers, table.outcomes, dict(table.repaired)
    as_of_ms = options.as_of_ms
    if as_of_ms is None:
        newest = transfers["time_ms"].max(), outcomes["report_time_ms"].max()
        as_of_ms = max(value for value in newest if isinstance(value, int))
    # Sorted by time, so that the rows kept are still numbered from 0.
    known = transfers.filter(pl.col("time_ms") <= as_of_ms)
    repaired["rows_after_as_of"] = len(transfers) - len(known)
    # Later reports touch neither these vectors nor, by the time given below, these labels.
    reported = outcomes.filter(pl.col("row") < len(known))

    say("computing the vectors")
    subjects = subjects_of(known)
    facts = table_facts(known, subjects, options.utc_offset_s)
    vectors = fold(facts, table_steps(known, reported, subjects, options.utc_offset_s))

    say("labelling")
    labels = label_transfers(
        known["time_ms"].to_numpy(),
        Outcomes(
            row=reported["row"].to_numpy(),
            type=reported["outcome"].to_numpy(),
            fraud_type=reported["fraud_type"].to_numpy(),
            report_ms=reported["report_time_ms"].to_numpy(),
        ),
        unresolved=np.zeros(len(known), np.bool_),
        as_of_ms=as_of_ms,
        delay_ms=options.label_delay_ms,
    )
    simulated = options.simulated
    if simulated is None:
        simulated = (folder / WORLD_FILE).exists()

    say("writing the data set")
    columns = {
        "request_id": known["request_id"].to_arrow(),
        "time_ms": known["time_ms"].to_numpy(),
        "channel": known["channel"].to_numpy(),
        "segment": known["payer_segment"].to_numpy(),
        "amount_minor": known["amount_minor"].to_numpy(),
        "vector": vector_column(vectors),
        **label_columns(labels),
    }
    meta = DatasetMeta(
        "table", simulated, _commands(folder, options), as_of_ms, options.label_delay_days
    )  # fmt: skip
    write_dataset(out, columns, meta)
    return {
        "source": "table",
        "simulated": simulated,
        "rows": len(known),
        "as_of_ms": as_of_ms,
        **label_counts(labels),
        **{name: count for name, count in repaired.items() if count},
    }


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
