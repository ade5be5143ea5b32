"""What was found, as JSON: the same content as the page, under keys that stay."""

from dataclasses import asdict
from datetime import date
from typing import Any

from fanzha_training.drift.feature_checks import FeatureDrift
from fanzha_training.drift.found import Day, Drift, ModelOfDay
from fanzha_training.drift.options import Options


def summary_of(drift: Drift, options: Options) -> dict[str, Any]:
    """Return everything, in plain values; `findings` are what is not ok, gravest first."""
    return {
        "state": drift.state.value,
        "archive": options.archive.name,
        "first_day": options.first_day.isoformat(),
        "last_day": options.last_day.isoformat(),
        "zone": options.zone.key,
        "label_delay_days": options.label_delay_days,
        "skew_checked": drift.skew_checked,
        "states": drift.counts(),
        "findings": [
            {"model": each.model, "worst_day": each.day.isoformat(), "days": each.days}
            | _plain(asdict(each.check))
            for each in drift.findings()
        ],
        "days": [_day(day) for day in drift.days],
        "calibration": [_plain(asdict(each)) for each in drift.calibration],
        "limits": options.limits.model_dump(),
    }


def _day(day: Day) -> dict[str, Any]:
    return {
        "day": day.day.isoformat(),
        "decisions": day.decisions,
        "unusable": day.unusable,
        "degraded": day.degraded,
        "lacking": day.lacking,
        "decided": day.decided,
        "models": [_model(model) for model in day.models],
        "skew": None if day.skew is None else _plain(asdict(day.skew)),
        "checks": [_plain(asdict(check)) for check in day.checks],
    }


def _model(model: ModelOfDay) -> dict[str, Any]:
    reference = model.reference
    return {
        "model": model.model,
        "decisions": model.decisions,
        "reference_rows": None if reference is None else reference.learned.rows,
        "features": {feature.feature: _feature(feature) for feature in model.features},
        "score": None if model.score is None else _plain(asdict(model.score)),
        # Those of features and of the score stand with them.
        "checks": [_plain(asdict(check)) for check in model.checks if check.check == "decisions"],
    }


def _feature(feature: FeatureDrift) -> dict[str, Any]:
    plain: dict[str, Any] = _plain(asdict(feature))
    # What is not ok stands among the findings.
    del plain["feature"], plain["checks"]
    return {"state": feature.state.value, **plain}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a dataclass holds
    """Return days as text and floats to nine digits, which is more than anything here is worth."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, date):
        return value.isoformat()
    return float(f"{value:.9g}") if isinstance(value, float) else value
