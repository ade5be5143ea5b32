"""Decides whether a candidate may take the champion's place, on days that neither has learned from.

Every check states both figures and its limit. Without a champion only the candidate's own checks
are made.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fanzha.domain.errors import SetupError
from fanzha.domain.model import ModelManifest
from fanzha.features.manifest import manifest_hash
from fanzha_training.dataset import Dataset
from fanzha_training.evaluate import evaluate, later_than, scored_by
from fanzha_training.golden import TOLERANCE, check_parity, load_golden
from fanzha_training.metrics import at_budget
from fanzha_training.onnx_graph import open_graph
from fanzha_training.published import GRAPH_FILE, read_manifest
from fanzha_training.scorer import Scorer, load_scorer


@dataclass(frozen=True, slots=True)
class Margins:
    """How much worse than the champion a candidate may be; all are absolute differences."""

    value_detection: float = 0.02
    average_precision: float = 0.02
    calibration: float = 0.002
    frauds_min: int = 10
    """With fewer frauds the comparison would be chance."""
    budgets_per_1000: tuple[float, ...] = (1.0, 5.0)
    """Alerts for each 1,000 transfers at which value detection is compared. Where fraud is
    over-sampled, a budget below the fraud rate leaves the choice among frauds to chance."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the gate."""

    name: str
    passed: bool
    candidate: float | str
    champion: float | str | None
    limit: str


def gate(
    candidate: Path, champion: Path | None, dataset: Dataset, margins: Margins
) -> dict[str, Any]:
    """Compare two exported models and return the report.

    The report names the candidate's graph by its hash, so that it cannot be used for another file.
    `at_budgets` says for each of the margins' budgets what `candidate` and `champion` find there.

    Args:
        candidate: folder of the candidate.
        champion: folder of the champion; None when there is none yet.
        dataset: data with transfers later than both training cuts.
        margins: how much worse the candidate may be.

    Raises:
        SetupError: a model is damaged, has other features, or there are no later transfers.

    """
    manifest = read_manifest(candidate)
    if manifest.feature_hash != manifest_hash():
        checks = [
            Check("feature hash", False, manifest.feature_hash, manifest_hash(), "must be equal")
        ]
        return _report(candidate, None, dataset, checks, {})
    new = load_scorer(candidate)
    if champion is not None and (theirs := read_manifest(champion)).feature_hash != manifest_hash():
        # A new version of the features ends the old model's time: it cannot score these vectors.
        return _without_comparison(candidate, theirs, new, dataset, margins)
    old = load_scorer(champion) if champion is not None else None
    if old is not None and old.label == new.label:
        raise SetupError(f"{new.label} is the champion already; name another candidate")
    cut_ms = max(new.cut_ms, old.cut_ms) if old is not None else new.cut_ms
    later = later_than(dataset, cut_ms)
    figures = evaluate(new, later)
    against = evaluate(old, later) if old is not None else None
    budgets = _at_budgets(new, old, later.data, margins)
    checks = [
        Check("feature hash", True, manifest.feature_hash, manifest_hash(), "must be equal"),
        _parity(candidate),
        Check(
            "frauds in the window",
            figures["frauds"] >= margins.frauds_min,
            figures["frauds"],
            None,
            f"at least {margins.frauds_min}",
        ),
        *(
            [
                *_value_detection(budgets, margins),
                *_comparisons(figures, against, margins),
            ]
            if old is not None and against is not None
            else [_lift(figures)]
        ),
    ]
    label = old.label if old is not None else None
    report = {"figures": {"candidate": figures, "champion": against}, "at_budgets": budgets}
    return _report(candidate, label, dataset, checks, report)


def _without_comparison(
    candidate: Path, champion: ModelManifest, new: Scorer, dataset: Dataset, margins: Margins
) -> dict[str, Any]:
    later = later_than(dataset, new.cut_ms)
    figures = evaluate(new, later)
    checks = [
        Check(
            "champion has other features",
            True,
            manifest_hash(),
            champion.feature_hash,
            "not comparable; the candidate's own checks decide",
        ),
        _parity(candidate),
        Check(
            "frauds in the window",
            figures["frauds"] >= margins.frauds_min,
            figures["frauds"],
            None,
            f"at least {margins.frauds_min}",
        ),
        _lift(figures),
    ]
    more = {
        "figures": {"candidate": figures, "champion": None},
        "at_budgets": _at_budgets(new, None, later.data, margins),
    }
    return _report(candidate, champion.label, dataset, checks, more)


def _report(
    candidate: Path,
    champion: str | None,
    dataset: Dataset,
    checks: list[Check],
    more: dict[str, Any],
) -> dict[str, Any]:
    manifest = read_manifest(candidate)
    return {
        "candidate": manifest.label,
        "champion": champion,
        "passed": all(check.passed for check in checks),
        "checks": [asdict(check) for check in checks],
        "graph_sha256": manifest.files_sha256[GRAPH_FILE],
        "data_fingerprint": dataset.fingerprint(),
        **more,
    }


def _parity(folder: Path) -> Check:
    golden = load_golden(folder)
    session = open_graph((folder / GRAPH_FILE).read_bytes(), folder / GRAPH_FILE)
    try:
        worst = check_parity(session, golden.vectors, golden.margins)
    except SetupError as error:
        return Check("parity with XGBoost", False, str(error), None, f"at most {TOLERANCE:g}")
    return Check("parity with XGBoost", True, worst, None, f"at most {TOLERANCE:g}")


def _at_budgets(
    new: Scorer, old: Scorer | None, data: Dataset, margins: Margins
) -> dict[str, dict[str, Any]]:
    by_new = scored_by(new, data)
    by_old = scored_by(old, data) if old is not None else None
    return {
        f"{budget:g}": {
            "candidate": at_budget(by_new, budget),
            "champion": at_budget(by_old, budget) if by_old is not None else None,
        }
        for budget in margins.budgets_per_1000
    }


def _value_detection(budgets: dict[str, dict[str, Any]], margins: Margins) -> list[Check]:
    rate = "value_detection_rate"
    return [
        _not_below(
            f"value detection at {budget} per 1,000",
            found["candidate"][rate],
            found["champion"][rate],
            margins.value_detection,
        )
        for budget, found in budgets.items()
    ]


def _comparisons(new: dict[str, Any], old: dict[str, Any], margins: Margins) -> list[Check]:
    checks = [
        _not_below(
            "average precision",
            new["average_precision"],
            old["average_precision"],
            margins.average_precision,
        )
    ]
    error = "expected_calibration_error"
    candidate, champion = new["calibration"][error], old["calibration"][error]
    checks.append(
        Check(
            "expected calibration error",
            candidate <= champion + margins.calibration,
            candidate,
            champion,
            f"champion's plus at most {margins.calibration:g}",
        )
    )
    return checks


def _not_below(name: str, new: float, old: float, margin: float) -> Check:
    return Check(name, new >= old - margin, new, old, f"champion's less at most {margin:g}")


def _lift(figures: dict[str, Any]) -> Check:
    """Return the check of a first model: it must beat chance clearly."""
    floor = 2 * figures["calibration"]["observed_rate"]
    found = figures["average_precision"]
    return Check(
        "average precision", found > floor, found, None, f"above {floor:.3g}, twice the fraud rate"
    )
