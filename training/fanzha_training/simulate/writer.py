"""Writes a simulated world into a folder: all of it, or nothing."""

import hashlib
import json
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from fanzha.domain.errors import SetupError
from fanzha_training.atomic import replaced_file
from fanzha_training.simulate.parameters import TRUE_PER_MILLION
from fanzha_training.simulate.run import Simulation
from fanzha_training.table import OUTCOMES_FILE, TRANSFERS_FILE, WORLD_FILE

_ELSEWHERE: Final = "choose another folder with --out"


def check_writable(folder: Path) -> None:
    """Make the folder if need be, and see that files can be written there, before the long work.

    Raises:
        SetupError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SetupError(
            f"{folder} cannot be written to ({error.strerror or error}); {_ELSEWHERE}, or make "
            "room and allow writing there"
        ) from error


def write(simulation: Simulation, folder: Path) -> dict[str, Any]:
    """Write transfers.parquet, outcomes.parquet and world.json; return what world.json says.

    Nothing takes its name before everything is written. The tables are byte-equal for equal
    parameters (and the same pyarrow); world.json comes last, so a folder that has one is complete.

    Raises:
        SetupError: the folder cannot be written to.
    """
    tables = {TRANSFERS_FILE: simulation.transfers, OUTCOMES_FILE: simulation.outcomes}
    with ExitStack() as files:
        # Files are put in place in the reverse order of these lines.
        world_draft = files.enter_context(replaced_file(folder / WORLD_FILE, _ELSEWHERE))
        drafts = {
            name: files.enter_context(replaced_file(folder / name, _ELSEWHERE)) for name in tables
        }
        for name, table in tables.items():
            pq.write_table(table, drafts[name], compression="zstd")
        world = _describe(simulation, {name: _sha256(drafts[name]) for name in tables})
        text = json.dumps(world, ensure_ascii=False, indent=2)
        world_draft.write_text(text + "\n", encoding="utf-8")
        # An older world.json must not stand beside new tables, not even for a moment.
        (folder / WORLD_FILE).unlink(missing_ok=True)
    return world


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _describe(simulation: Simulation, digests: dict[str, str]) -> dict[str, Any]:
    parameters = simulation.parameters
    return {
        "parameters": {
            "customers": parameters.customers,
            "days": parameters.days,
            "seed": parameters.seed,
            "start": parameters.start.isoformat(),
            "time_zone": "Asia/Shanghai",
            "fraud_per_million": parameters.fraud_per_million,
            "true_fraud_per_million": TRUE_PER_MILLION,
            "over_sampling": parameters.over_sampling,
            "fraud_mix": dict(parameters.fraud_mix),
        },
        "counts": counts(simulation),
        "sha256": digests,
        "pyarrow": pa.__version__,
    }


def counts(simulation: Simulation) -> dict[str, Any]:
    """Return the figures by which a world is known."""
    transfers = simulation.transfers
    fraud = transfers.filter(transfers["is_fraud"])
    rows = transfers.num_rows
    episodes = {(row["fraud_type"], row["episode_id"]) for row in fraud.select(
        ["fraud_type", "episode_id"]).to_pylist()}  # fmt: skip
    customer_days = simulation.parameters.customers * simulation.parameters.days
    return {
        "transfers": rows,
        "transfers_per_customer_day": round(rows / customer_days, 3),
        "accounts": len(simulation.world.book),
        "given_up_for_want_of_money": simulation.given_up,
        "fraud_payments": fraud.num_rows,
        "fraud_per_million": round(1e6 * fraud.num_rows / rows, 1),
        "over_sampling": round(simulation.parameters.over_sampling, 3),
        "fraud_amount_minor": sum(fraud["amount_minor"].to_pylist()),
        "fraud_payments_by_type": _tally(fraud["fraud_type"].to_pylist()),
        "fraud_episodes_by_type": _tally([fraud_type for fraud_type, _ in episodes]),
        "mule_movements": sum(transfers["is_mule_flow"].to_pylist()),
        "transfers_by_channel": _tally(transfers["channel"].to_pylist()),
        "transfers_by_execution": _tally(transfers["execution"].to_pylist()),
        "outcomes": simulation.outcomes.num_rows,
        "outcomes_by_type": _tally(simulation.outcomes["outcome"].to_pylist()),
    }


def _tally(words: list[Any]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))
