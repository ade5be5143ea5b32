"""Pass lines: what a load has to show, and whether it did."""

import math
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(gt=0, le=120_000)]


class PassLines(BaseModel):
    """Each is a limit, at most or at least; none given: nothing is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    p50_ms_max: Milliseconds | None = Field(default=None, description="median latency, open loop")
    p99_ms_max: Milliseconds | None = Field(default=None, description="99th percentile, open loop")
    p999_ms_max: Milliseconds | None = Field(
        default=None, description="99.9th percentile, open loop"
    )
    max_ms_max: Milliseconds | None = Field(default=None, description="slowest answer, open loop")
    answered_share_min: Share | None = Field(
        default=None, description="calls answered, of those due"
    )
    refused_share_max: Share | None = Field(
        default=None, description="calls refused for want of room"
    )
    error_share_max: Share | None = Field(default=None, description="calls that failed otherwise")
    unhinted_max: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="refusals that did not say when to try again"
    )
    degraded_share_max: Share | None = Field(
        default=None, description="answers that lacked a part of the evidence"
    )
    contradicted_max: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="repeated requests that got another answer"
    )
    found_share_min: Share | None = Field(
        default=None,
        description="decisions that GetDecision found again as they were, of those asked for",
    )
    followed_share_min: Share | None = Field(
        default=None, description="executions and outcomes that were taken, of those sent"
    )
    fraud_stopped_share_min: Share | None = Field(
        default=None, description="victims' payments that were not simply allowed"
    )
    honest_stopped_share_max: Share | None = Field(
        default=None, description="honest payments that were not simply allowed"
    )
    blocked_share_max: Share | None = Field(default=None, description="payments refused for good")
    unknown_decisions_max: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="answers with a decision that this client does not know"
    )
    users_error_share_max: Share | None = Field(
        default=None, description="users' tasks that failed for good, retries included"
    )
    users_tasks_min: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="tasks that the users ended"
    )

    @property
    def given(self) -> dict[str, float]:
        """The lines that are drawn, by name."""
        return {name: float(limit) for name, limit in self if limit is not None}


NEED_USERS: Final = frozenset({"users_error_share_max", "users_tasks_min"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line, and how the load came out."""

    line: str
    """Where it stands: "all" or a phase, and its name."""
    meaning: str
    limit: float
    at_least: bool
    measured: float
    """NaN: nothing was measured."""

    @property
    def passed(self) -> bool:
        """Whether it was kept; what was not measured was not kept."""
        if math.isnan(self.measured):
            return False
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


def judge(where: str, lines: PassLines, figures: dict[str, float]) -> list[Verdict]:
    """Hold figures against lines.

    Args:
        where: name of the phase, or "all".
        lines: with names that end in _max (at most) or _min (at least).
        figures: by the name of the line without its ending; what is absent was not measured.

    """
    verdicts = []
    for name, limit in lines.given.items():
        figure, _, ending = name.rpartition("_")
        meaning = type(lines).model_fields[name].description or ""
        measured = figures.get(figure, math.nan)
        verdicts.append(Verdict(f"{where}: {name}", meaning, limit, ending == "min", measured))
    return verdicts
