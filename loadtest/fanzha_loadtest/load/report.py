"""Writes a run's report: one HTML file that needs nothing else, with all plots inside."""

import math
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from fanzha_loadtest import pictures
from fanzha_loadtest.load.figures import as_json, whole
from fanzha_loadtest.load.machine import describe_machine
from fanzha_loadtest.load.play import Run
from fanzha_loadtest.load.result import Result
from fanzha_loadtest.profile.profile import Profile
from fanzha_loadtest.traffic.habits import CHANNELS


def write_report(
    path: Path, file: Path, profile: Profile, run: Run, result: Result, where: str
) -> None:
    """Write the page.

    Args:
        path: of the page.
        file: of the profile.
        profile: what was played.
        run: what came of it.
        result: how it was judged.
        where: what the service was, for readers.

    Raises:
        OSError: the page cannot be written.

    """
    counted = as_json(*whole(run.played))
    phases = [(one.phase, as_json(one.load, one.seen)) for one in run.played]
    template = resources.files("fanzha_loadtest.load").joinpath("report.html.j2")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["figure"] = _figure
    page = environment.from_string(template.read_text("utf-8")).render(
        name=file.stem,
        profile=profile,
        where=where,
        now=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=describe_machine(),
        result=result,
        counted=counted,
        phases=phases,
        run=run,
        pictures=_pictures(run),
        channels=CHANNELS,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, "utf-8")


def _pictures(run: Run) -> dict[str, str]:
    measured = [one for one in run.played if one.load.answered]
    if not measured:
        return {}
    curves = [(one.phase.name, one.load.histogram) for one in measured]
    load, seen = whole(run.played)
    rows = [
        (
            channel,
            {word: count for (name, word, _), count in _merged(seen.decisions) if name == channel},
        )
        for channel in CHANNELS
    ]
    names = [one.phase.name for one in measured]
    return {
        "percentiles": pictures.percentile_curves([*curves, ("all that counts", load.histogram)]),
        "decisions": pictures.stacked_shares(rows),
        "rates": pictures.bars_beside(
            names,
            [
                ("due", [one.load.offered_s for one in measured], "#b9b9b9"),
                ("answered", [one.load.goodput_s for one in measured], "#3b78c2"),
            ],
            "calls a second",
        ),
    }


def _merged(
    decisions: dict[tuple[str, str, bool], int],
) -> list[tuple[tuple[str, str, bool], int]]:
    """Return counts of honest and of victims' payments as one."""
    merged: dict[tuple[str, str, bool], int] = {}
    for (channel, word, _), count in decisions.items():
        merged[channel, word, False] = merged.get((channel, word, False), 0) + count
    return list(merged.items())


def _figure(value: float) -> str:
    if math.isnan(value):
        return "not measured"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"
