"""Writes the demo's report: one HTML file that needs nothing else, with all plots inside."""

import json
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
    figures = told.retrained.gate.get("figures")
    pictures = {
        "by_hour": plots.decisions_by_hour(answers),
        "latencies": plots.latencies(told.tally.latencies_ms, latency["p50"], latency["p99"]),
        "scores": plots.scores(answers),
        "models": plots.old_against_new(figures) if figures else None,
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


def _figure(value: float | str | None) -> str:
    """Return a figure of the gate as a table shows it."""
    if value is None:
        return "—"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
