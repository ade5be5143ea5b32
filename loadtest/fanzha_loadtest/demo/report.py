"""Writes the demo's report: one HTML file that needs nothing else, with all plots inside."""

import json
import math
from importlib import resources
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined

from fanzha_loadtest.demo import plots
from fanzha_loadtest.demo.screen import LEVEL_NAMES, local_time, yuan
from fanzha_loadtest.demo.stages import Told
from fanzha_loadtest.tally import LEVELS, Answer

REPORT_FILE: Final = "index.html"
SUMMARY_FILE: Final = "summary.json"
_RISKY_SHOWN: Final = 20
_Z_95: Final = 1.96


class ReportError(Exception):
    """The report cannot be written: names the folder and the remedy."""


def prepare_folder(folder: Path) -> None:
    """Make the folder, and see that it can be written to before minutes of work.

    Raises:
        ReportError: it cannot.

    """
    probe = folder / f".{SUMMARY_FILE}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ReportError(
            f"{folder} cannot be written to ({error.strerror}); choose another folder with --out"
        ) from error


def write_report(
    folder: Path, told: Told, summary: dict[str, Any], stages: list[tuple[str, float]]
) -> Path:
    """Write the report and the summary into a prepared folder; return the report's path."""
    answers = told.tally.answers
    latency = summary["latency_ms"]
    gate = told.retrained.gate
    pictures = {
        "by_hour": plots.decisions_by_hour(answers),
        "latencies": plots.latencies(told.tally.latencies_ms, latency["p50"], latency["p99"]),
        "scores": plots.scores(answers),
        "models": plots.old_against_new(gate) if "figures" in gate else None,
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters.update(local_time=local_time, yuan=yuan, figure=_figure)
    template = resources.files(__package__).joinpath("report.html.j2").read_text(encoding="utf-8")
    page = environment.from_string(template).render(
        summary=summary,
        told=told,
        stages=stages,
        pictures=pictures,
        protection=_protection(answers),
        evidence=_evidence(gate) if "figures" in gate else None,
        level_names=LEVEL_NAMES,
        risky=list(told.tally.risky)[-_RISKY_SHOWN:][::-1],
    )
    file = folder / REPORT_FILE
    file.write_text(page, encoding="utf-8")
    (folder / SUMMARY_FILE).write_text(
        json.dumps(summary, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
    )
    return file


def _protection(answers: list[Answer]) -> list[dict[str, Any]]:
    """Return, for each level, how many payments were asked for and how much money still left."""
    rows = []
    for level in LEVELS:
        here = [answer for answer in answers if answer.level == level]
        victims = [answer for answer in here if answer.is_fraud]
        rows.append(
            {
                "level": level,
                "transfers": len(here),
                "victims": len(victims),
                "victims_minor": sum(answer.amount_minor for answer in victims),
                "left_minor": sum(a.amount_minor for a in victims if a.money_left),
                "others": sum(1 for a in here if not a.is_fraud and not a.is_mule_flow),
                "mules": sum(1 for a in here if a.is_mule_flow),
            }
        )
    return rows


def _evidence(gate: dict[str, Any]) -> dict[str, Any]:
    """Return on how much the gate's figures stand, and within what they may be chance."""
    figures, budgets = gate["figures"]["candidate"], gate["at_budgets"]
    frauds = figures["frauds"]
    first, found = next(iter(budgets.items()))
    hits = round(found["candidate"]["recall"] * frauds)
    low, high = _interval(hits, frauds)
    return {
        "transfers": figures["transfers"],
        "frauds": frauds,
        "budgets": " and ".join(budgets),
        "first": first,
        "hits": hits,
        "one_fraud": 1 / frauds,
        "low": low,
        "high": high,
    }


def _interval(hits: int, of: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    share, z2 = hits / of, _Z_95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z_95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def _figure(value: float | str | None) -> str:
    """Return a figure of the gate as a table shows it."""
    if value is None:
        return "—"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
