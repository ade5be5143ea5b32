"""The demo's result in figures: one JSON object, and the same for people."""

from typing import Any

from rich.console import Console
from rich.table import Table

from fanzha_loadtest.demo.stages import Told
from fanzha_loadtest.tally import percentiles


def summary_of(told: Told, seconds: float) -> dict[str, Any]:
    """Return the summary; keys and meanings as the README names them.

    Args:
        told: what came of the demo.
        seconds: how long all of it took.

    """
    tally, count = told.tally, told.count
    p50_ms, p99_ms = percentiles(tally.latencies_ms)
    return {
        "transfers": len(tally.answers),
        "decisions": tally.levels(),
        "executions_reported": len(tally.executed),
        "outcomes_recorded": tally.outcomes_recorded,
        "journal_records": told.journal_records,
        "archive_rows": count.rows,
        "list_entries": told.listed,
        "vector_differences": told.retrained.dataset["vector_differences"],
        "retrained_model_version": told.retrained.version,
        "gate_passed": told.retrained.gate_passed,
        "active_model_version": told.active_model,
        "answers_by_model": tally.by_model(),
        "latency_ms": {"p50": round(p50_ms, 3), "p99": round(p99_ms, 3)},
        "transfers_per_second": round(len(tally.answers) / told.play_s, 1),
        "retries": tally.retries,
        "degraded": dict(tally.degraded),
        "lost_records": count.lost_records,
        "seconds": round(seconds, 1),
    }


def print_summary(console: Console, summary: dict[str, Any], told: Told, report: str) -> None:
    """Print the summary for people."""
    table = Table(title="Fanzha demo", show_header=False, title_justify="left")
    for name, value in summary.items():
        table.add_row(name.replace("_", " "), _text(value))
    console.print(table)
    verdict = (
        f"The gate was passed: {told.active_model} took over from "
        f"{told.champion_before or 'no model'} without a restart."
        if told.retrained.gate_passed
        else f"The gate was NOT passed: {told.champion_before or 'no model'} goes on deciding."
    )
    for line in (verdict, f"Report: {report}"):
        console.print(line, highlight=False, soft_wrap=True)


def _text(value: Any) -> str:  # noqa: ANN401 - any value of JSON
    if isinstance(value, dict):
        return (
            ", ".join(f"{name or 'none'} {_text(part)}" for name, part in value.items()) or "none"
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
