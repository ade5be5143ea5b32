"""Speed, measured: `make bench` prints a table, and the figures as JSON in its last line.

No test asserts a time. Figures are medians over rounds on one core, with their least and most;
what can be is told as a ratio to its own floor, measured in the same rounds.
"""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tests.bench import explanation, feature_build, one_decision, one_row, plain_python
from tests.bench.machine import Spread, describe, pin_to_one_core
from tests.model_folders import champion_folder

ROOT = Path(__file__).parents[2]
HANDBOOK = ROOT.parent / "shared" / "data" / "handbook" / "transactions.parquet"


def main() -> None:
    """Measure everything."""
    console = Console(stderr=True)
    machine = describe(pin_to_one_core())
    with console.status("one row: kernel and ONNX beside an empty graph"):
        figures: dict[str, Spread] = one_row.measure(champion_folder(ROOT / "models"))
    with console.status("one decision: facts to answer, beside an empty graph and program"):
        figures |= one_decision.measure(champion_folder(ROOT / "models"))
    with console.status("reasons: contributions of the champion, and of 500 trees of depth 8"):
        figures |= explanation.measure(champion_folder(ROOT / "models"))
    with console.status("plain Python: convert, validate, record, convert; beside protobuf"):
        figures |= plain_python.measure()
    if HANDBOOK.exists():
        with console.status("many rows: the handbook set, through its mapping"):
            figures |= feature_build.measure(HANDBOOK)
    else:
        console.print("skipped: feature_build_transfers_per_s; the handbook set is not here")
    _show(figures)
    medians: dict[str, Any] = {name: spread["median"] for name, spread in figures.items()}
    print(json.dumps({**medians, "spread": figures, "machine": machine}))  # noqa: T201 - for scripts


def _show(figures: dict[str, Spread]) -> None:
    table = Table("figure", "median", "least", "most")
    for name, spread in figures.items():
        form = "{:,.0f}" if spread["median"] > 1000 else "{:.2f}"
        table.add_row(name, *(form.format(value) for value in spread.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
