"""What was found, as metrics: a text file for the textfile collector of Prometheus's node exporter.

Every figure is a gauge of a past day, so all are written anew each time; no sample is kept.
"""

from datetime import date, datetime
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from fanzha_training.atomic import replaced_file
from fanzha_training.drift.calibration_checks import CalibrationDrift
from fanzha_training.drift.check import State
from fanzha_training.drift.found import Day, Drift, ModelOfDay

METRICS: Final = {
    "fanzha_drift_run_timestamp_seconds": ((), "When drift was last measured, Unix time."),
    "fanzha_drift_checks": (
        ("day", "model", "check", "state"),
        "Checks of one kind that are in a state: ok, too_few, no_reference, warn, alarm.",
    ),
    "fanzha_drift_decisions": (("day", "model"), "Decisions that were compared, or too few to be."),
    "fanzha_drift_decided_ratio": (
        ("day", "decision"), "Share of the day's decisions answered allow, confirm, pause, block.",
    ),
    "fanzha_drift_degraded_ratio": (
        ("day", "part"), "Share of the day's decisions made without a part of the evidence.",
    ),
    "fanzha_drift_feature_psi": (
        ("day", "model", "feature"), "Population stability index of a feature, noise included.",
    ),
    "fanzha_drift_feature_psi_noise": (
        ("day", "model", "feature"), "What the index of a feature may be by chance.",
    ),
    "fanzha_drift_feature_missing_ratio": (
        ("day", "model", "feature"), "Share of a feature's values that are missing.",
    ),
    "fanzha_drift_feature_missing_reference_ratio": (
        ("day", "model", "feature"), "The same share in training.",
    ),
    "fanzha_drift_feature_outside_ratio": (
        ("day", "model", "feature"), "Share of a feature's values that training never saw.",
    ),
    "fanzha_drift_score_psi": (("day", "model"), "Population stability index of the points."),
    "fanzha_drift_score_mean_points": (("day", "model"), "Mean points, 0 to 1000."),
    "fanzha_drift_score_mean_reference_points": (
        ("day", "model"), "Mean points of the calibration days, 0 to 1000.",
    ),
    "fanzha_drift_alert_ratio": (
        ("day", "model", "decision"), "Share of decisions with points enough to confirm, to pause.",
    ),
    "fanzha_drift_alert_reference_ratio": (
        ("day", "model", "decision"), "The same share on the calibration days.",
    ),
    "fanzha_drift_skew_compared_vectors": (("day",), "Served vectors that were computed again."),
    "fanzha_drift_skew_differing_vectors": (
        ("day",), "Of them, vectors that differ in a bit. None is expected.",
    ),
    "fanzha_drift_skew_gap_decisions": (
        ("day",), "Decisions that cannot be computed again, because the archive has a gap.",
    ),
    "fanzha_drift_calibration_expected_frauds": (
        ("day", "model"), "Sum of probabilities in the matured window that ends before the day.",
    ),
    "fanzha_drift_calibration_observed_frauds": (
        ("day", "model"), "Frauds reported of the decisions in that window.",
    ),
}  # fmt: skip
"""Every metric with its labels and its help."""


def write_metrics(file: Path, drift: Drift, now: datetime) -> None:
    """Replace a metrics file in one step.

    Args:
        file: where; the node exporter reads names that end in .prom.
        drift: what was found.
        now: when it was measured.

    Raises:
        SetupError: the file cannot be written.

    """
    registry = CollectorRegistry()
    gauges = {
        name: Gauge(name, text, labels, registry=registry)
        for name, (labels, text) in METRICS.items()
    }
    gauges["fanzha_drift_run_timestamp_seconds"].set(now.timestamp())
    for day in drift.days:
        _day(gauges, day)
    for each in drift.calibration:
        _calibration(gauges, drift.days[-1].day, each)
    _states(gauges["fanzha_drift_checks"], drift)
    with replaced_file(file, "name another file with --metrics") as draft:
        draft.write_bytes(generate_latest(registry))


Gauges = dict[str, Gauge]


def _day(gauges: Gauges, day: Day) -> None:
    name = day.day.isoformat()
    for decision, count in day.decided.items():
        share = count / max(day.decisions, 1)
        gauges["fanzha_drift_decided_ratio"].labels(name, decision).set(share)
    for part, count in day.lacking.items():
        share = count / max(day.decisions, 1)
        gauges["fanzha_drift_degraded_ratio"].labels(name, part).set(share)
    for model in day.models:
        _model(gauges, name, model)
    if day.skew is not None:
        gauges["fanzha_drift_skew_compared_vectors"].labels(name).set(day.skew.compared)
        gauges["fanzha_drift_skew_differing_vectors"].labels(name).set(day.skew.differing)
        gauges["fanzha_drift_skew_gap_decisions"].labels(name).set(day.skew.after_gap)


def _model(gauges: Gauges, day: str, model: ModelOfDay) -> None:
    gauges["fanzha_drift_decisions"].labels(day, model.model).set(model.decisions)
    for feature in model.features:
        where = day, model.model, feature.feature
        figures: dict[str, float] = {
            "missing_ratio": feature.missing,
            "missing_reference_ratio": feature.missing_reference,
            "outside_ratio": feature.outside,
        }
        if feature.psi is not None:
            figures |= {"psi": feature.psi, "psi_noise": feature.psi_noise}
        for name, figure in figures.items():
            gauges[f"fanzha_drift_feature_{name}"].labels(*where).set(figure)
    if model.score is None:
        return
    score = {
        "psi": model.score.psi,
        "mean_points": model.score.mean_points,
        "mean_reference_points": model.score.mean_points_reference,
    }
    for name, figure in score.items():
        gauges[f"fanzha_drift_score_{name}"].labels(day, model.model).set(figure)
    for alert in model.score.alerts:
        where = day, model.model, alert.decision
        gauges["fanzha_drift_alert_ratio"].labels(*where).set(alert.rate)
        gauges["fanzha_drift_alert_reference_ratio"].labels(*where).set(alert.reference)


def _calibration(gauges: Gauges, day: date, found: CalibrationDrift) -> None:
    where = day.isoformat(), found.model
    gauges["fanzha_drift_calibration_expected_frauds"].labels(*where).set(found.frauds_expected)
    gauges["fanzha_drift_calibration_observed_frauds"].labels(*where).set(found.frauds_observed)


def _states(gauge: Gauge, drift: Drift) -> None:
    for day, model, check in drift.all_checks():
        for state in State:
            counted = gauge.labels(day.isoformat(), model, check.check, state.value)
            counted.inc(check.state is state)
