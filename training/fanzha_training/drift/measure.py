"""Measures drift: every check of every day, and what they mean together."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import chain

import numpy as np
import polars as pl

from fanzha.domain.vocabulary import DecisionKind
from fanzha_training.building.archive_source import read_archive
from fanzha_training.dataset import DAY_MS
from fanzha_training.drift.archive_days import (
    DayOfDecisions,
    Mask,
    check_archive,
    read_day,
    span_ms,
)
from fanzha_training.drift.calibration_checks import CalibrationDrift, calibration_drifts
from fanzha_training.drift.check import Check, State, judged
from fanzha_training.drift.feature_checks import feature_drifts
from fanzha_training.drift.found import Day, Drift, ModelOfDay
from fanzha_training.drift.limits import Limits
from fanzha_training.drift.matured import Window, matured
from fanzha_training.drift.models import Found, NoReference, OneModel
from fanzha_training.drift.options import Options
from fanzha_training.drift.score_checks import score_drift
from fanzha_training.drift.skew_days import SkewOfDay, skew_of_days
from fanzha_training.skew import compare

Say = Callable[[str], None]


def measure(options: Options, say: Say) -> Drift:
    """Measure the drift of some days of an archive.

    Vectors of one day are in memory at a time; the skew check reads the whole archive.

    Raises:
        SetupError: the archive or a reference is damaged.

    """
    check_archive(options.archive)
    days = {}
    ids: dict[date, pl.Series] = {}
    for place in range((options.last_day - options.first_day).days + 1):
        day = options.first_day + timedelta(place)
        say(f"reading {day}")
        read = read_day(options.archive, day, options.zone)
        days[day] = _empty(day) if read is None else _of_day(read, options)
        if read is not None:
            ids[day] = read.frame["decision_id"]
    skew: dict[date, SkewOfDay] = {}
    if options.skew and any(len(day) for day in ids.values()):
        say("computing the vectors again")
        skew = skew_of_days(compare(read_archive(options.archive)), ids, options.limits)
    say("labels that have matured")
    return Drift(
        days=[replace(day, skew=skew.get(day.day)) for day in days.values()],
        skew_checked=options.skew,
        calibration=_calibration(options),
    )


def _empty(day: date) -> Day:
    text = "no decision is archived; was fanzha archive run, and did the service decide?"
    check = Check("decisions", "", State.WARN, 0.0, None, 0.0, None, None, text)
    return Day(day, 0, 0, 0, {}, {}, [], None, [check])


def _of_day(read: DayOfDecisions, options: Options) -> Day:
    frame, whole = read.frame, ~read.degraded
    lacking = {part: int(mask.sum()) for part, mask in read.lacking.items()}
    kinds = frame["decision"].fill_null(0).to_numpy()
    return Day(
        day=read.day,
        decisions=len(frame),
        unusable=read.unusable,
        degraded=int((~whole).sum()),
        lacking=lacking,
        decided={kind.name.lower(): int((kinds == kind).sum()) for kind in DecisionKind if kind},
        models=_models(read, whole, options),
        skew=None,
        checks=_own_checks(read, lacking, options.limits),
    )


def _own_checks(read: DayOfDecisions, lacking: dict[str, int], limits: Limits) -> list[Check]:
    checks = [_degraded(part, count, len(read.frame), limits) for part, count in lacking.items()]
    if read.unusable:
        text = f"{read.unusable:,} decisions have features of another version; not compared"
        checks.append(
            Check("unusable", "", State.WARN, float(read.unusable), 0.0, 0.0, None, None, text)
        )
    return checks


def _degraded(part: str, count: int, decisions: int, limits: Limits) -> Check:
    share, pair = count / max(decisions, 1), limits.degraded
    text = f"{count:,} of {decisions:,} decisions without {part.replace('_', ' ')}"
    state = judged(share, pair)
    return Check("degraded", part, state, share, None, 0.0, pair.warn, pair.alarm, text)


def _models(read: DayOfDecisions, whole: Mask, options: Options) -> list[ModelOfDay]:
    served = read.frame["model_version"].to_numpy()
    against = options.against
    if isinstance(against, OneModel):
        scored = served == against.label
        return [_compared(against.label, against.reference, read, whole, scored, options)]
    models = []
    for label in np.unique(served[whole]):
        found = against.of(str(label))
        chosen = whole & (served == label)
        models.append(_compared(str(label), found, read, chosen, chosen, options))
    return models


def _compared(
    label: str,
    found: Found,
    read: DayOfDecisions,
    chosen: Mask,
    scored: Mask,
    options: Options,
) -> ModelOfDay:
    rows, limits = int(chosen.sum()), options.limits
    if isinstance(found, NoReference):
        text = f"not compared: {found.reason}"
        check = Check("decisions", "", State.NO_REFERENCE, rows, None, 0.0, None, None, text)
        return ModelOfDay(label, rows, None, [], None, [check])
    if rows < limits.rows_min:
        text = f"not compared: {rows:,} decisions, of {limits.rows_min:,} needed"
        check = Check("decisions", "", State.TOO_FEW, rows, None, 0.0, None, None, text)
        return ModelOfDay(label, rows, found, [], None, [check])
    features = feature_drifts(read.vectors[chosen], found, limits)
    score = None
    if int((chosen & scored).sum()) >= limits.rows_min:
        score = score_drift(
            read.frame.filter(pl.Series(chosen & scored)), found, options.lines, limits
        )
    checks = list(chain.from_iterable(feature.checks for feature in features))
    return ModelOfDay(
        label, rows, found, features, score, [*checks, *(score.checks if score else ())]
    )


def _calibration(options: Options) -> list[CalibrationDrift]:
    _, as_of_ms = span_ms(options.last_day, options.zone)
    delay = timedelta(days=options.label_delay_days)
    # Days that were over a whole label delay before the last day's end.
    last = options.last_day - timedelta(days=-(-delay // timedelta(days=1)))
    first = last - timedelta(days=options.limits.calibration_days - 1)
    window = Window(
        from_ms=span_ms(first, options.zone)[0],
        until_ms=span_ms(last, options.zone)[1],
        as_of_ms=as_of_ms,
        delay_ms=round(options.label_delay_days * DAY_MS),
    )
    found = calibration_drifts(matured(options.archive, window), first, last, options.limits)
    if isinstance(options.against, OneModel):
        return [each for each in found if each.model == options.against.label]
    return found
