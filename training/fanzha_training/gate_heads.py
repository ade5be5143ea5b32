"""Checks of the gate on what a model answers beside the victims' score: mules, types of fraud."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from fanzha.domain.errors import SetupError
from fanzha.domain.model import Head
from fanzha_training.dataset import Dataset
from fanzha_training.evaluate import evaluate, later_than
from fanzha_training.gate_checks import Check
from fanzha_training.scorer import Scorer, TypeScorer, load_scorers, load_type_scorer
from fanzha_training.type_metrics import type_metrics

MULES: Final = (Head.PAYEE_MULE, Head.PAYER_MULE)
_ACCOUNTS_MIN: Final = 100
"""Of fewer mules' accounts nothing is compared: their transfers come in bunches, and a handful of
accounts would decide."""
_TYPED_MIN: Final = 30
"""With fewer frauds of a known type the comparison would be chance."""
_SURE: Final = 0.5
_TYPES_MARGIN: Final = 0.1


@dataclass(frozen=True, slots=True)
class HeadMargins:
    """How much worse than the champion's a head for mules may be; absolute differences."""

    average_precision: float
    calibration: float


def head_checks(
    candidate: Path, champion: Path | None, dataset: Dataset, cut_ms: int, margins: HeadMargins
) -> tuple[list[Check], dict[str, Any]]:
    """Return the checks of the other heads and of the types, and the figures that they stand on.

    What the champion answers the candidate must answer too. What only the candidate answers must
    beat chance clearly.

    Args:
        candidate: folder of the candidate.
        champion: folder of the champion; None without one of the same features.
        dataset: data with transfers later than the cut.
        cut_ms: later than everything that both models learned from.
        margins: how much worse the candidate may be.

    """
    new = load_scorers(candidate)
    old = load_scorers(champion) if champion is not None else {}
    checks: list[Check] = []
    figures: dict[str, Any] = {}
    for head in MULES:
        if head in old and head not in new:
            limit = "what the champion answers must be answered"
            checks.append(Check(f"{head.value}: is answered", False, "no", "yes", limit))
        elif head in new:
            found, compared = _compared(head, new[head], old.get(head), dataset, cut_ms, margins)
            checks += found
            figures[head.value] = compared
    types = _types(
        load_type_scorer(candidate),
        load_type_scorer(champion) if champion is not None else None,
        later_than(dataset, cut_ms).data,
    )
    return checks + types, figures


def _compared(
    head: Head,
    new: Scorer,
    old: Scorer | None,
    dataset: Dataset,
    cut_ms: int,
    margins: HeadMargins,
) -> tuple[list[Check], dict[str, Any] | None]:
    try:
        later = later_than(dataset.for_head(head), cut_ms)
    except SetupError:
        return [_unmeasured(head, 0)], None
    account = later.data.payee if head is Head.PAYEE_MULE else later.data.payer
    accounts = len(np.unique(account[later.data.label == 1]))
    if accounts < _ACCOUNTS_MIN:
        return [_unmeasured(head, accounts)], None
    mine = evaluate(new, later)
    theirs = evaluate(old, later) if old is not None else None
    precision = mine["average_precision"]
    if theirs is None:
        floor = 2 * mine["calibration"]["observed_rate"]
        limit = f"above {floor:.3g}, twice the rate of mules' transfers"
        checks = [
            Check(f"{head.value}: average precision", precision > floor, precision, None, limit)
        ]
    else:
        before = theirs["average_precision"]
        error, limit_error = (
            figures["calibration"]["expected_calibration_error"] for figures in (mine, theirs)
        )
        checks = [
            Check(
                f"{head.value}: average precision",
                precision >= before - margins.average_precision,
                precision,
                before,
                f"champion's less at most {margins.average_precision:g}",
            ),
            Check(
                f"{head.value}: expected calibration error",
                error <= limit_error + margins.calibration,
                error,
                limit_error,
                f"champion's plus at most {margins.calibration:g}",
            ),
        ]
    return checks, {"candidate": mine, "champion": theirs}


def _unmeasured(head: Head, accounts: int) -> Check:
    """Return a check that says that nothing could be told, which is no fault of the candidate."""
    return Check(
        f"{head.value}: not measured",
        True,
        accounts,
        None,
        f"fewer than {_ACCOUNTS_MIN} accounts of known mules in the window",
    )


def _types(new: TypeScorer | None, old: TypeScorer | None, later: Dataset) -> list[Check]:
    name = "types of fraud told right"
    if new is None:
        limit = "what the champion answers must be answered"
        return [] if old is None else [Check(name, False, "not told", "told", limit)]
    mine = type_metrics(new, later, _SURE)
    if old is None or mine["frauds"] < _TYPED_MIN:
        return []
    theirs = type_metrics(old, later, _SURE)
    return [
        Check(
            name,
            mine["right"] >= theirs["right"] - _TYPES_MARGIN,
            mine["right"],
            theirs["right"],
            f"champion's less at most {_TYPES_MARGIN:g}",
        )
    ]
