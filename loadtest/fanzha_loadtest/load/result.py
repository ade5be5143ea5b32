"""Judges a run: passed, failed, or void because the driver itself fell behind."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from fanzha_loadtest.driver import Load
from fanzha_loadtest.load.figures import as_json, figures_of, whole
from fanzha_loadtest.load.play import Run
from fanzha_loadtest.profile.pass_lines import Verdict, judge
from fanzha_loadtest.profile.profile import OpenLoopLimits, Profile


class Exit(IntEnum):
    """Exit codes of the command."""

    PASSED = 0
    FAILED = 1
    """A pass line was not kept."""
    VOID = 2
    """Nothing is known: the driver lagged, or something broke."""


@dataclass(frozen=True, slots=True)
class Result:
    """A run, held against its profile."""

    verdicts: list[Verdict]
    lagged: list[str]
    """Phases in which the driver fell behind its own schedule: it measured itself there."""

    @property
    def exit(self) -> Exit:
        """What the command ends with."""
        if self.lagged:
            return Exit.VOID
        return Exit.PASSED if all(one.passed for one in self.verdicts) else Exit.FAILED


def judge_run(profile: Profile, run: Run) -> Result:
    """Hold a run against all pass lines."""
    figures = figures_of(*whole(run.played))
    if run.asked:
        figures["found_share"] = run.found / run.asked
    if run.users is not None:
        figures["users_tasks"] = run.users["tasks"]
        if run.users["tasks"]:
            figures["users_error_share"] = run.users["failed"] / run.users["tasks"]
        if run.users["repeated"]:
            figures["contradicted"] = figures.get("contradicted", 0) + run.users["contradicted"]
    verdicts = judge("all", profile.pass_lines, figures)
    for one in run.played:
        verdicts += judge(one.phase.name, one.phase.pass_lines, figures_of(one.load, one.seen))
    lagged = [
        one.phase.name
        for one in run.played
        if one.phase.counts and _has_lagged(one.load, profile.open_loop)
    ]
    return Result(verdicts, lagged)


def _has_lagged(load: Load, limits: OpenLoopLimits) -> bool:
    """Return whether the driver was late too often or too long for the figures to count."""
    return (
        load.late > limits.late_share_max * load.begun or 1000 * load.lag_max_s > limits.lag_ms_max
    )


def result_as_json(run: Run, result: Result) -> dict[str, Any]:
    """Return everything that was counted and judged, as JSON."""
    return {
        "exit": result.exit.name.lower(),
        "driver_lagged_in": result.lagged,
        "all": as_json(*whole(run.played)),
        "phases": {one.phase.name: as_json(one.load, one.seen) for one in run.played},
        "get_decision": {"asked": run.asked, "found": run.found},
        "users": run.users,
        "pass_lines": [
            {
                "line": one.line,
                "limit": one.limit,
                "measured": None if one.measured != one.measured else round(one.measured, 6),
                "passed": one.passed,
            }
            for one in result.verdicts
        ],
    }
