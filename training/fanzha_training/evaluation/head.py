"""Evaluates one head of one model: all its figures, ready for JSON."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from fanzha.domain.model import Head
from fanzha_training.calibrate import Calibration
from fanzha_training.dataset import Dataset
from fanzha_training.evaluation import curves
from fanzha_training.evaluation.assumptions import Assumptions
from fanzha_training.evaluation.bootstrap import drawn
from fanzha_training.evaluation.figures import SAVINGS, Estimates, Plan, measured
from fanzha_training.evaluation.groups import Groups, groups_of, overall_of
from fanzha_training.evaluation.measure import (
    Draw,
    alerted_frauds,
    draw_of,
    prefixes_within,
)
from fanzha_training.evaluation.sample import Floats, Sample, sample_of
from fanzha_training.evaluation.thresholds import (
    GRID,
    PolicyLimits,
    cost_lines,
    thresholds_of,
)
from fanzha_training.metrics import BUDGETS_PER_1000, Scored

RATES: Final = (
    "value_detection_rate", "case_recall", "recall", "money_saved", "money_saved_expected",
    "false_per_true", "false_per_true_money",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says of one head's transfers."""

    label: str
    """The model's, for people."""
    calibration: Calibration
    scored: Scored


@dataclass(frozen=True, slots=True)
class HeadResult:
    """One head's evaluation."""

    figures: dict[str, Any]
    """As JSON; see `docs/reference/evaluation.md`."""
    estimates: Estimates
    """For comparing two models draw by draw."""


def evaluate_head(
    answers: Answers,
    data: Dataset,
    *,
    head: Head,
    base_rate: float | None,
    limits: PolicyLimits | None,
    assumptions: Assumptions,
    days: float,
    tell: Callable[[int, int], None],
) -> HeadResult:
    """Return the evaluation of one head.

    Args:
        answers: the head's margins, calibration, and probabilities at `base_rate`.
        data: transfers with the head's labels (`Dataset.for_head`), all labelled, of both kinds.
        head: the question; it says whose account a case is, and whether money can be saved.
        base_rate: true share of positive labels, None for the data's own.
        limits: thresholds of the policy that decides by this head's score; None: none does.
        assumptions: cases, intervals and costs.
        days: how long the data took.
        tell: is told how many draws of how many are done.

    """
    sample = sample_of(
        answers.scored,
        data,
        answers.calibration,
        head=head,
        gap_days=assumptions.gap_days,
        base_rate=base_rate,
    )
    dimensions = ("channel", "segment", *(["fraud_type"] if head is Head.VICTIM else []))
    plan = Plan(
        groups=groups_of(sample, dimensions),
        overall=overall_of(sample),
        thresholds=thresholds_of(sample, limits, assumptions.stop_rate),
        cuts=curves.bin_cuts(sample),
        stop_rate=assumptions.stop_rate,
    )
    estimates = _estimates(sample, plan, assumptions, tell)
    names = tuple(name for name in RATES if head is Head.VICTIM or name not in SAVINGS)
    figures = _figures(answers, sample, plan, estimates, names, assumptions)
    figures["thresholds"] = _thresholds(sample, plan, estimates, names, assumptions, days)
    return HeadResult(figures, estimates)


def _estimates(
    sample: Sample, plan: Plan, assumptions: Assumptions, tell: Callable[[int, int], None]
) -> Estimates:
    # As float64: products of whole numbers are slow.
    frauds, legitimate = (
        np.bincount(sample.account[kind], minlength=sample.accounts).astype(np.float64)
        for kind in (sample.fraud, ~sample.fraud)
    )

    def measure(times: Floats) -> dict[str, Floats]:
        return measured(sample, plan, times)

    draws = drawn(
        measure,
        sample.accounts,
        has_both=lambda times: bool(times @ frauds > 0 and times @ legitimate > 0),
        resamples=int(assumptions.resamples)
        if _is_sure(sample.cases.starts.sum(), assumptions)
        else 0,
        seed=int(assumptions.seed),
        tell=tell,
    )
    return Estimates(measure(np.ones(sample.accounts)), draws)


def _is_sure(cases: float, assumptions: Assumptions) -> bool:
    return cases >= assumptions.cases_min


def _figures(
    answers: Answers, sample: Sample, plan: Plan, estimates: Estimates,
    names: tuple[str, ...], assumptions: Assumptions,
) -> dict[str, Any]:  # fmt: skip
    draw = draw_of(sample, np.ones(sample.accounts))
    cases = int(sample.cases.starts.sum())
    return {
        "model": answers.label,
        "transfers": len(sample),
        "frauds": int(sample.fraud.sum()),
        "fraud_minor": int(sample.amount[sample.fraud].sum()),
        "cases": cases,
        "accounts": sample.accounts,
        "too_few": not _is_sure(cases, assumptions),
        "legitimate_weight": draw.weight,
        "rate_calibrated_on": answers.calibration.observed_rate,
        "budgets": _budgets(sample, draw, estimates, names),
        "groups": _groups(sample, plan.groups, draw, estimates, names, assumptions),
        "average_precision": estimates.told("average_precision").at(),
        "precision_recall": curves.precision_recall(estimates),
        "by_alerts": [
            {name: value for name, value in line.items() if name in {"alerts_per_1000", *names}}
            for line in curves.by_alerts(sample, plan)
        ],
        "calibration": curves.calibration(sample, plan, estimates),
        "score_distribution": curves.score_distribution(sample),
        "roc_auc": curves.roc_auc(sample),
    }


def _budgets(
    sample: Sample, draw: Draw, estimates: Estimates, names: tuple[str, ...]
) -> dict[str, Any]:
    prefixes = prefixes_within(sample, draw, BUDGETS_PER_1000)
    budgets = {}
    for place, (budget, prefix) in enumerate(zip(BUDGETS_PER_1000, prefixes, strict=True)):
        alerts = float(draw.false[prefix]) + float(draw.hits_within(prefix))
        budgets[f"{budget:g}"] = {
            "alerts_in_data": int(prefix),
            "false_in_data": int(prefix) - int(sample.fraud[:prefix].sum()),
            "alerts_per_1000": 1000 * alerts / draw.transfers,
            "points": int(sample.points[prefix - 1]) if prefix else None,
            "margin": float(sample.margin[prefix - 1]) if prefix else None,
            **{name: estimates.told(f"budgets.{name}").at(place, 0) for name in names},
        }
    return budgets


def _groups(
    sample: Sample, groups: Groups, draw: Draw, estimates: Estimates,
    names: tuple[str, ...], assumptions: Assumptions,
) -> dict[str, Any]:  # fmt: skip
    prefixes = prefixes_within(sample, draw, BUDGETS_PER_1000)
    ones, whole = np.ones(len(sample)), np.array([len(sample)])
    amount = sample.amount[sample.cases.row]
    frauds, money = groups.of_transfer.sum(axis=0), amount @ groups.of_transfer
    cases = sample.cases.starts @ groups.of_case
    hits = alerted_frauds(sample, prefixes) @ groups.of_transfer
    transfers = groups.false_within(whole, ones)[0]
    alerts = hits + groups.false_within(prefixes, draw.legitimate)
    all_weighted = frauds + groups.false_within(whole, draw.legitimate)[0]
    told = {name: estimates.told(f"budgets.{name}") for name in names}
    found: dict[str, Any] = {}
    for column, (dimension, word) in enumerate(groups.names[1:], start=1):
        typed = dimension == "fraud_type"
        entry: dict[str, Any] = {
            "transfers": None if typed else int(transfers[column]),
            "frauds": int(frauds[column]),
            "fraud_minor": int(money[column]),
            "cases": int(cases[column]),
            "too_few": not _is_sure(cases[column], assumptions),
            "budgets": {},
        }
        for place, budget in enumerate(BUDGETS_PER_1000):
            rate = None if typed else float(1000 * alerts[place, column] / all_weighted[column])
            entry["budgets"][f"{budget:g}"] = {"alerts_per_1000": rate} | {
                name: None if entry["too_few"] else values.at(place, column)
                for name, values in told.items()
                if not (typed and name.startswith("false_per_true"))
            }
        found.setdefault(dimension, {})[word] = entry
    return found


def _thresholds(
    sample: Sample, plan: Plan, estimates: Estimates, names: tuple[str, ...],
    assumptions: Assumptions, days: float,
) -> list[dict[str, Any]]:  # fmt: skip
    draw = draw_of(sample, np.ones(sample.accounts))
    flat = {
        name.removeprefix("thresholds."): values[:, 0]
        for name, values in estimates.value.items()
        if name.startswith("thresholds.")
    }
    alerts = plan.thresholds.false(draw)[0][:, 0] + flat["recall"] * draw.hits[-1]
    costs = (
        cost_lines(flat, alerts, draw, sample, assumptions, days)
        if set(SAVINGS) <= set(names)
        else [{"alerts_per_1000": float(1000 * count / draw.transfers)} for count in alerts]
    )
    told = {name: estimates.told(f"thresholds.{name}") for name in names}
    keys: list[dict[str, Any]] = [{"points": int(points), "decision": None} for points in GRID]
    keys += [{"points": None, "decision": name} for name in plan.thresholds.decided]
    return [
        key | costs[place] | {name: values.at(place, 0) for name, values in told.items()}
        for place, key in enumerate(keys)
    ]
