"""Speed, measured: `make bench` prints a table, and the figures as JSON in its last line.

No test asserts a time. Figures are medians over rounds on one core, with their least and most;
what can be is told as a ratio to its own floor, measured in the same rounds.
"""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tests.bench import feature_build, one_row
from tests.bench.machine import describe, pin_to_one_core

ROOT = Path(__file__).parents[2]
HANDBOOK = ROOT.parent / "shared" / "data" / "handbook" / "transactions.parquet"


def main() -> None:
    """Measure everything."""
    console = Console(stderr=True)
    figures: dict[str, Any] = {}
    with console.status("one row: kernel and ONNX"):
        figures["machine"] = describe(pin_to_one_core())
        champion = json.loads((ROOT / "models" / "registry.json").read_text("utf-8"))["champion"]
        figures["one_row"] = one_row.measure(ROOT / "models" / champion)
    if HANDBOOK.exists():
        with console.status("many rows: the handbook set, through its mapping"):
            figures["feature_build"] = feature_build.measure(HANDBOOK)
    else:
        console.print(f"skipped: feature_build, because {HANDBOOK.name} is not beside the project")
    _show(figures)
    print(json.dumps(figures))  # noqa: T201 - for scripts


def _show(figures: dict[str, Any]) -> None:
    table = Table("figure", "median", "least", "most")
    one, many = figures["one_row"], figures.get("feature_build", {})
    for name, values in one["microseconds"].items():
        table.add_row(f"{name}, µs a row", *(f"{value:.2f}" for value in values.values()))
    ratio = one["kernel_onnx_over_identity"]
    table.add_row("kernel_onnx_over_identity", *(f"{value:.2f}" for value in ratio.values()))
    for name, values in many.items():
        if isinstance(values, dict):
            table.add_row(name, *(f"{value:,.0f}" for value in values.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
