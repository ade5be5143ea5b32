"""Draws what was found as one HTML file that needs nothing else, gravest first."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Final

from fanzha_training.drift import plots
from fanzha_training.drift.check import State, worst
from fanzha_training.drift.found import Drift
from fanzha_training.drift.options import Options
from fanzha_training.html_page import image, note, table, write_page

_STYLE: Final = (
    "<style>.s{color:#fff;border-radius:.3em;padding:.1em .6em;white-space:nowrap}"
    + "".join(f".s-{state.value}{{background:{color}}}" for state, color in plots.COLORS.items())
    + "td.s-cell{text-align:center;padding:.2em .4em}td.text,.wide th{text-align:left}"
    "th{white-space:nowrap}.wide{font-size:13px}td:first-child,td.day{white-space:nowrap}.scroll{overflow-x:auto}</style>"
)
_WORDS: Final = {
    State.OK: "ok",
    State.TOO_FEW: "too few",
    State.NO_REFERENCE: "no reference",
    State.WARN: "warning",
    State.ALARM: "alarm",
}
_KINDS: Final = {
    "skew": "vectors computed again",
    "decisions": "enough decisions",
    "degraded": "evidence complete",
    "feature_psi": "features: distribution (PSI)",
    "missing": "features: missing values",
    "outside": "features: never seen in training",
    "score_psi": "points: distribution (PSI)",
    "mean_points": "points: mean",
    "alerts": "alert rates",
    "calibration": "calibration on matured labels",
    "gaps": "archive without gaps",
    "unusable": "features of this version",
}
_FINDINGS_SHOWN: Final = 30


def write_drift_page(file: Path, drift: Drift, options: Options) -> None:
    """Write the page in one step.

    Raises:
        SetupError: the file cannot be written.

    """
    days = f"{options.first_day} to {options.last_day}"
    if options.first_day == options.last_day:
        days = str(options.last_day)
    decisions = sum(day.decisions for day in drift.days)
    skew = "" if drift.skew_checked else " Vectors were not computed again (--no-skew)."
    body = [
        _STYLE,
        f"<h1>Drift, {escape(days)} {_badge(drift.state)}</h1>",
        f"<p>{decisions:,} decisions, days in {escape(options.zone.key)}.{skew}</p>",
        _lights(drift),
        *_findings(drift),
        *_of_models(drift),
        *_calibration(drift),
        *_decisions(drift),
    ]
    write_page(file, f"Drift, {days}", body)


def _badge(state: State, text: str = "") -> str:
    return f"<span class='s s-{state.value}'>{escape(text or _WORDS[state])}</span>"


def _lights(drift: Drift) -> str:
    """Return a table of lights: kinds of checks, the gravest first, by day."""
    told = drift.all_checks()
    days = [day.day for day in drift.days]
    rows = []
    for kind, words in _KINDS.items():
        of_kind = [(day, check.state) for day, _, check in told if check.check == kind]
        if of_kind:
            rows.append((worst(state for _, state in of_kind), words, of_kind))
    order = list(State)
    rows.sort(key=lambda row: -order.index(row[0]))
    head = "".join(f"<th>{day:%m-%d}</th>" for day in days)
    lines = []
    for _, words, of_kind in rows:
        cells = "".join(
            f"<td class='s-cell'>{_light([state for at, state in of_kind if at == day])}</td>"
            for day in days
        )
        lines.append(f"<tr><td>{escape(words)}</td>{cells}</tr>")
    lights = f"<table><tr><th></th>{head}</tr>{''.join(lines)}</table>"
    words = "Numbers count the features, decisions or parts that are in the state shown."
    return f"<div class='scroll'>{lights}</div>{note(words)}"


def _light(states: Sequence[State]) -> str:
    if not states:
        return ""
    gravest = worst(states)
    several = len(states) > 1 and gravest in (State.WARN, State.ALARM)
    return _badge(gravest, str(states.count(gravest)) if several else "")


def _findings(drift: Drift) -> Iterator[str]:
    found = drift.findings()
    if not found:
        yield "<p>Every check is ok.</p>"
        return
    lines = []
    for each in found[:_FINDINGS_SHOWN]:
        check = each.check
        text = check.text + (f" (worst of {each.days} days)" if each.days > 1 else "")
        kind = _KINDS.get(check.check, check.check)
        cells = (kind, check.subject, text, each.model)
        rest = "".join(f"<td class='text'>{escape(cell)}</td>" for cell in cells)
        rest += f"<td class='day'>{each.day:%m-%d}</td>"
        lines.append(f"<tr><td>{_badge(check.state)}</td>{rest}</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("", "check", "of", "found", "model", "day"))
    yield f"<h2>Found</h2><table class='wide'><tr>{head}</tr>{''.join(lines)}</table>"
    if len(found) > _FINDINGS_SHOWN:
        yield note(f"{len(found) - _FINDINGS_SHOWN} more stand in the JSON file beside this page.")


def _of_models(drift: Drift) -> Iterator[str]:
    for label in sorted({model.model for day in drift.days for model in day.models}):
        days = [
            (day.day, model)
            for day in drift.days
            for model in day.models
            if model.model == label and model.features
        ]
        if not days:
            continue
        title = f"Features, {label}"
        yield image(
            title, plots.heat_map(days), "Population stability index, worst features first.",
            "0.1 and 0.25 are the conventional limits; judged is what exceeds chance.",
        )  # fmt: skip
        yield image(
            f"Worst features, {label}", plots.worst_features(days),
            "Grey is the reference; each feature on its worst day. Features of the date itself",
            "(weekday, month_day) are left out.",
        )  # fmt: skip
        if any(model.score for _, model in days):
            yield image(f"Points, {label}", plots.points(days), "Grey is the reference.")
            yield image(
                f"Alert rates, {label}", plots.alerts(days),
                "With 95 % intervals; dashed is the share of the calibration days.",
            )  # fmt: skip


def _calibration(drift: Drift) -> Iterator[str]:
    if not drift.calibration:
        return
    first = drift.calibration[0]
    rows = [
        [
            each.model,
            f"{each.labelled:,}",
            f"{each.frauds_expected:,.1f}",
            f"{each.frauds_observed:,} ({each.observed_low:,.0f} to {each.observed_high:,.0f})",
            "–"
            if each.expected_calibration_error is None
            else f"{each.expected_calibration_error:.2g}",
            _WORDS[each.check.state],
        ]
        for each in drift.calibration
    ]
    head = ["model", "labelled", "frauds expected", "frauds reported", "calibration error", ""]
    yield f"<h2>Calibration</h2>{table(head, rows)}"
    yield note(
        f"Decisions of {first.first_day} to {first.last_day}, whose labels have matured;",
        "intervals at 95 %.",
    )
    if any(each.bins for each in drift.calibration):
        yield image("Reliability", plots.reliability(drift.calibration))


def _decisions(drift: Drift) -> Iterator[str]:
    kinds = list(dict.fromkeys(kind for day in drift.days for kind in day.decided))
    parts = list(dict.fromkeys(part for day in drift.days for part in day.lacking))
    head = ["day", "decisions", *kinds, *(f"without {part.replace('_', ' ')}" for part in parts)]
    rows = [
        [
            str(day.day),
            f"{day.decisions:,}",
            *(f"{day.decided.get(kind, 0) / max(day.decisions, 1):.2%}" for kind in kinds),
            *(f"{day.lacking.get(part, 0):,}" for part in parts),
        ]
        for day in drift.days
    ]
    yield f"<h2>Decisions</h2>{table(head, rows)}"
    if drift.skew_checked:
        lines = [
            [str(day.day), f"{day.skew.compared:,}", f"{day.skew.differing:,}",
             f"{day.skew.after_gap:,}", ", ".join(day.skew.features) or "–"]
            for day in drift.days
            if day.skew is not None
        ]  # fmt: skip
        head = ["day", "compared", "differing", "after a gap", "features that differ"]
        yield f"<h2>Vectors computed again</h2>{table(head, lines)}"
