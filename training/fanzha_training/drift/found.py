"""What was found: days, models, checks."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from fanzha_training.drift.calibration_checks import CalibrationDrift
from fanzha_training.drift.check import Check, State, rank, worst
from fanzha_training.drift.feature_checks import FeatureDrift
from fanzha_training.drift.reference import Reference
from fanzha_training.drift.score_checks import ScoreDrift
from fanzha_training.drift.skew_days import SkewOfDay

NO_MODEL: Final = ""
"""What decisions name as their model that no model scored."""


@dataclass(frozen=True, slots=True)
class ModelOfDay:
    """Decisions of one model on one day, compared with one reference."""

    model: str
    decisions: int
    """Without degraded ones, which are not compared."""
    reference: Reference | None
    features: list[FeatureDrift]
    """Empty where nothing was compared."""
    score: ScoreDrift | None
    checks: list[Check]
    """Of the features, the score, and whether they could be compared."""


@dataclass(frozen=True, slots=True)
class Day:
    """One local day."""

    day: date
    decisions: int
    unusable: int
    """Decisions with features of another version."""
    degraded: int
    lacking: dict[str, int]
    """Degraded decisions by what they lack; one may lack several parts."""
    decided: dict[str, int]
    """Decisions by kind, as answered."""
    models: list[ModelOfDay]
    skew: SkewOfDay | None
    checks: list[Check]
    """Of the day itself; not those of its models and its skew."""

    def all_checks(self) -> list[tuple[str, Check]]:
        """Return every check with the model that it is about, empty for none."""
        own = [*self.checks, *(self.skew.checks if self.skew else ())]
        of_models = ((model.model, check) for model in self.models for check in model.checks)
        return [*((NO_MODEL, check) for check in own), *of_models]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not ok, maybe on several days."""

    model: str
    """Empty where it is about no model."""
    day: date
    """Its worst day."""
    check: Check
    """As on that day."""
    days: int
    """Days on which it is not ok."""


@dataclass(frozen=True, slots=True)
class Drift:
    """All that was found."""

    days: list[Day]
    """In order, none left out; at least one."""
    skew_checked: bool
    calibration: list[CalibrationDrift]
    """Of the window of matured days that ends with the last day, by model."""

    def all_checks(self) -> list[tuple[date, str, Check]]:
        """Return every check with its day and its model; calibration is of the last day."""
        of_days = [
            (day.day, model, check) for day in self.days for model, check in day.all_checks()
        ]
        last = self.days[-1].day
        return [*of_days, *((last, each.model, each.check) for each in self.calibration)]

    def findings(self) -> list["Finding"]:
        """Return what is not ok, gravest first, days of one cause together."""
        causes: dict[tuple[str, str, str], list[tuple[date, Check]]] = {}
        for day, model, check in self.all_checks():
            if check.state is not State.OK:
                cause = model, check.check, check.subject
                causes.setdefault(cause, []).append((day, check))
        found = [
            Finding(model, *max(days, key=lambda each: rank(each[1])), len(days))
            for (model, _, _), days in causes.items()
        ]
        return sorted(found, key=lambda each: rank(each.check), reverse=True)

    def counts(self) -> dict[str, int]:
        """Return how many checks are in each state."""
        states = [check.state for _, _, check in self.all_checks()]
        return {state.value: states.count(state) for state in State}

    @property
    def state(self) -> State:
        """State of the gravest check."""
        return worst(check.state for _, _, check in self.all_checks())
