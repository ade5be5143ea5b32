"""From when on a difference is worth a warning or an alarm; a bank may write its own."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from fanzha.checked_yaml import load_checked
from fanzha.features.manifest import FEATURE_NAMES
from fanzha.file_shape import Shape

Share = Annotated[float, Field(gt=0, le=1)]
Ratio = Annotated[float, Field(gt=1)]
Reason = Annotated[str, Field(min_length=1, max_length=200)]
Positive = Annotated[float, Field(gt=0)]


class _Pair(Shape):
    """Two limits, the one of the warning below the other."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        warn, alarm = (getattr(self, name) for name in ("warn", "alarm"))
        if warn > alarm:
            raise ValueError(f"must have warn ({warn:g}) at most as large as alarm ({alarm:g})")
        return self


class IndexLimits(_Pair):
    """Of a population stability index, 0.1 and 0.25 by convention."""

    warn: Positive = 0.1
    alarm: Positive = 0.25


class ShareLimits(_Pair):
    """Of a share, or of a difference of shares, 0 to 1."""

    warn: Share
    alarm: Share


class RatioLimits(_Pair):
    """Of how many times as much or as little there is, above 1."""

    warn: Ratio
    alarm: Ratio


class PointLimits(_Pair):
    """Of a difference of mean points; 125 points are ten times the odds."""

    warn: Positive
    alarm: Positive


class Limits(Shape):
    """All limits, each with its default. One differing vector is an alarm, whatever they say."""

    rows_min: Annotated[int, Field(ge=2)] = Field(
        default=500, description="decisions of one model on one day with fewer are not compared"
    )
    chance: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.001, description="chance of one day to exceed the bound of noise, per kind"
    )
    feature_psi: IndexLimits = Field(
        default=IndexLimits(), description="PSI of a feature, beyond the bound of noise"
    )
    missing: ShareLimits = Field(
        default=ShareLimits(warn=0.02, alarm=0.1),
        description="change of a feature's share of missing values, beyond the bound of noise",
    )
    outside: ShareLimits = Field(
        default=ShareLimits(warn=0.01, alarm=0.05),
        description="share of a feature's values that training never saw, beyond the bound",
    )
    score_psi: IndexLimits = Field(
        default=IndexLimits(), description="PSI of the points, beyond the bound of noise"
    )
    mean_points: PointLimits = Field(
        default=PointLimits(warn=15, alarm=40),
        description="change of the mean points, beyond the bound of noise",
    )
    alerts: RatioLimits = Field(
        default=RatioLimits(warn=1.5, alarm=2),
        description="how many times as many or as few alerts, both intervals taken at their ends",
    )
    calibration: RatioLimits = Field(
        default=RatioLimits(warn=1.25, alarm=2),
        description="frauds observed to frauds expected, the interval taken at its nearer end",
    )
    calibration_days: Annotated[int, Field(ge=1, le=366)] = Field(
        default=28, description="days of matured labels that calibration is judged by"
    )
    frauds_min: Annotated[int, Field(ge=1)] = Field(
        default=10, description="with fewer frauds, observed and expected, calibration is not told"
    )
    degraded: ShareLimits = Field(
        default=ShareLimits(warn=0.01, alarm=0.05),
        description="share of decisions without history, lists or score",
    )
    accepted: dict[str, Reason] = Field(
        default={}, description="features that are known to drift, and why: warnings at most"
    )
    gaps: ShareLimits = Field(
        default=ShareLimits(warn=0.01, alarm=0.2),
        description="share of decisions whose history the archive does not hold completely",
    )

    @model_validator(mode="after")
    def _accepts_features(self) -> Self:
        unknown = sorted(set(self.accepted) - set(FEATURE_NAMES))
        if unknown:
            raise ValueError(f"must accept features by name; there is none called {unknown[0]}")
        return self


def load_limits(file: Path | None) -> Limits:
    """Read a file of limits; those that it leaves out, or all without a file, are the defaults.

    Raises:
        FileRefusedError: the file cannot be read or has faults; names all of them.

    """
    return Limits() if file is None else load_checked(file, Limits)
