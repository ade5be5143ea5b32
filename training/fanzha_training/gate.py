"""Decides whether a candidate may take the champion's place, on days that neither has learned from.

Every check states both figures and its limit. Without a champion, or with one of other features,
only the candidate's own checks are made.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fanzha.domain.errors import SetupError
from fanzha.features.manifest import manifest_hash
from fanzha.registry.model_folder import ModelFolder, read_model_folder
from fanzha_training.dataset import Dataset
from fanzha_training.evaluate import evaluate, later_than, scored_by
from fanzha_training.gate_checks import Check, Demands, feature_hash, own_checks
from fanzha_training.gate_heads import HeadMargins, head_checks
from fanzha_training.metrics import at_budget
from fanzha_training.published import read_manifest
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


def gate(
    candidate: Path, champion: Path | None, dataset: Dataset, margins: Margins, demands: Demands
) -> dict[str, Any]:
    """Compare two exported models and return the report.

    The report names both models by the hash of their manifests, so that it cannot be used for other
    files. `at_budgets` says for each of the margins' budgets what `candidate` and `champion` find
    there, `figures` what they are worth altogether, in one and the same window.

    Args:
        candidate: folder of the candidate.
        champion: folder of the champion; None when there is none yet.
        dataset: data with transfers later than both training cuts.
        margins: how much worse the candidate may be.
        demands: what it has to meet in any case.

    Raises:
        SetupError: a model is damaged, or there are no later transfers.

    """
    model = read_model_folder(candidate)
    theirs = read_model_folder(champion) if champion is not None else None
    if theirs is not None and theirs.label == model.label:
        raise SetupError(f"{model.label} is the champion already; name another candidate")
    features = feature_hash(read_manifest(candidate).feature_hash)
    if not features.passed:
        return _report(model, theirs, dataset, margins, [features], {})
    new = load_scorer(candidate)
    # A new version of the features ends the old model's time: it cannot score these vectors.
    outdated = champion is not None and read_manifest(champion).feature_hash != manifest_hash()
    old = load_scorer(champion) if champion is not None and not outdated else None
    cut_ms = new.cut_ms if old is None else max(new.cut_ms, old.cut_ms)
    later = later_than(dataset, cut_ms)
    figures = evaluate(new, later)
    against = evaluate(old, later) if old is not None else None
    budgets = _at_budgets(new, old, later.data, margins)
    more_checks, heads = head_checks(
        candidate,
        champion if old is not None else None,
        dataset,
        cut_ms,
        HeadMargins(margins.average_precision, margins.calibration),
    )
    checks = [
        features,
        *own_checks(model, dataset, demands),
        _frauds(figures, margins),
        *([_other_features(champion)] if champion is not None and outdated else []),
        *(
            [*_value_detection(budgets, margins), *_comparisons(figures, against, margins)]
            if against is not None
            else [_lift(figures)]
        ),
        *more_checks,
    ]
    more = {
        "figures": {"candidate": figures, "champion": against},
        "at_budgets": budgets,
        "heads": heads,
    }
    return _report(model, theirs, dataset, margins, checks, more)


def _report(
    candidate: ModelFolder,
    champion: ModelFolder | None,
    dataset: Dataset,
    margins: Margins,
    checks: list[Check],
    more: dict[str, Any],
) -> dict[str, Any]:
    return {
        "candidate": candidate.label,
        "champion": champion.label if champion is not None else None,
        "passed": all(check.passed for check in checks),
        "checks": [asdict(check) for check in checks],
        "margins": asdict(margins),
        "manifest_sha256": candidate.manifest_sha256,
        "champion_manifest_sha256": champion.manifest_sha256 if champion is not None else None,
        "data_fingerprint": dataset.fingerprint(),
        **more,
    }


def _other_features(champion: Path) -> Check:
    return Check(
        "champion has other features",
        True,
        manifest_hash(),
        read_manifest(champion).feature_hash,
        "not comparable; the candidate's own checks decide",
    )


def _frauds(figures: dict[str, Any], margins: Margins) -> Check:
    return Check(
        "frauds in the window",
        figures["frauds"] >= margins.frauds_min,
        figures["frauds"],
        None,
        f"at least {margins.frauds_min}",
    )


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
