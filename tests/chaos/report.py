"""Writes what came out: a table in Markdown, and everything in JSON."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos.run import Result

_SUMMARY = (
    "answered", "lost", "contradicted", "degraded", "longest_gap_ms", "reconciled",
    "same_answer_twice", "skew_differences",
)  # fmt: skip
_COLUMNS = (
    ("answered", "answered"),
    ("answered_during", "in the fault"),
    ("acknowledged", "reports"),
    ("lost", "lost"),
    ("contradicted", "contra-<br>dicted"),
    ("reconciled", "recon-<br>ciled"),
    ("same_answer_twice", "same<br>twice"),
    ("degraded_share_during", "degraded<br>in the fault"),
    ("longest_gap_ms", "longest<br>gap, ms"),
    ("longest_client_gap_ms", "of one<br>client, ms"),
    ("p99_ms", "p99, ms"),
    ("p99_ms_during", "in the<br>fault"),
    ("recovered_after_ms", "whole<br>after, ms"),
    ("skew_differences", "skew"),
    ("audit_faults", "audit"),
)
_SHOWN_MAX = 10


def summary(results: list[Result]) -> dict[str, Any]:
    """Return what the last line says: by fault, its figures in short."""
    said: dict[str, Any] = {}
    for result in results:
        if result.skipped:
            said[result.fault] = {"skipped": result.skipped}
            continue
        figures = {name: result.figures.get(name) for name in _SUMMARY}
        violated = {name: len(found) for name, found in result.violations.items()}
        said[result.fault] = figures | ({"violations": violated} if violated else {})
    return said


def write_report(folder: Path, results: list[Result], load: str) -> Path:
    """Write report.md and report.json into a folder; return the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = [asdict(result) for result in results]
    (folder / "report.json").write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    file = folder / "report.md"
    file.write_text("\n".join(_lines(results, load)) + "\n")
    return file


def _lines(results: list[Result], load: str) -> list[str]:
    played = [result for result in results if not result.skipped]
    lines = ["# Chaos", "", load, ""]
    lines += ["| fault | " + " | ".join(title for _, title in _COLUMNS) + " |"]
    lines += ["|---|" + "---:|" * len(_COLUMNS)]
    for result in played:
        cells = [_cell(name, result.figures.get(name)) for name, _ in _COLUMNS]
        mark = "" if result.is_good else " ✗"
        lines.append(f"| {result.fault}{mark} | " + " | ".join(cells) + " |")
    for result in results:
        lines += ["", f"## {result.fault}", "", f"{result.says[0].upper()}{result.says[1:]}."]
        if result.skipped:
            lines += ["", f"Not played: {result.skipped}."]
            continue
        lines += ["", *_details(result)]
    return lines


def _details(result: Result) -> list[str]:
    figures = result.figures
    lines = [
        f"- held for {figures['fault_ms']:,} ms; quiet {figures['quiet_after_ms']:,} ms later",
        f"- archived: {figures['archived_rows']:,} records",
        f"- marked in the fault: {_counts(figures['degraded_parts_during'])}",
        f"- calls that failed and were sent again: {_counts(figures['failures'])}",
        f"- reports that came before their decisions: {figures['reports_too_early']:,}",
        f"- vectors compared: {figures['skew_compared']:,}; not: {figures['skew_after_gap']:,}",
    ]
    for name, found in result.violations.items():
        lines.append(f"- **violated: {name}** ({len(found)})")
        lines += [f"  - {text}" for text in found[:_SHOWN_MAX]]
    return lines


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in found.items()) or "none"


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "never"
    if name == "degraded_share_during":
        return f"{value:.0%}"
    return f"{value:,}"
