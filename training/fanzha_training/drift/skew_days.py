"""The skew check, day by day: served vectors against those that the archived changes give."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from fanzha.features.manifest import FEATURE_NAMES
from fanzha_training.drift.check import Check, State, judged
from fanzha_training.drift.limits import Limits
from fanzha_training.skew import Comparison

_EXAMPLES: Final = 10


@dataclass(frozen=True, slots=True)
class SkewOfDay:
    """What the recomputed vectors of one day say."""

    compared: int
    differing: int
    after_gap: int
    """Decisions that cannot be recomputed, because the archive lacks changes before them."""
    features: dict[str, int]
    """Differing decisions by feature."""
    examples: tuple[str, ...]
    """Ids of the first decisions that differ."""
    checks: tuple[Check, ...]


def skew_of_days(
    found: Comparison, ids_by_day: dict[date, pl.Series], limits: Limits
) -> dict[date, SkewOfDay]:
    """Return the skew of each day, of its decisions as their ids name them."""
    names = found.archive.decisions.frame.select("decision_id").with_row_index("row")
    return {
        day: _of_rows(
            found, names.filter(pl.col("decision_id").is_in(ids.implode()))["row"], limits
        )
        for day, ids in ids_by_day.items()
    }


def _of_rows(found: Comparison, rows: pl.Series, limits: Limits) -> SkewOfDay:
    at = rows.to_numpy().astype(np.int64)
    whole, differs = found.replay.whole[at], found.differs[at]
    by_feature = differs.sum(axis=0)
    differing = at[differs.any(axis=1)]
    compared, gaps = int(whole.sum()), int((~whole).sum())
    return SkewOfDay(
        compared=compared,
        differing=len(differing),
        after_gap=gaps,
        features={FEATURE_NAMES[at]: int(by_feature[at]) for at in np.flatnonzero(by_feature)},
        examples=tuple(found.decision_id(row) for row in differing[:_EXAMPLES]),
        checks=(_skew(len(differing), compared, by_feature), _gaps(gaps, len(at), limits)),
    )


def _skew(differing: int, compared: int, by_feature: Sequence[int]) -> Check:
    text = f"{differing:,} of {compared:,} vectors differ when they are computed again"
    most = int(np.argmax(by_feature))
    if differing:
        text += f", most often in {FEATURE_NAMES[most]}"
    state = State.ALARM if differing else State.OK
    return Check("skew", "", state, float(differing), 0.0, 0.0, 0.0, 0.0, text)


def _gaps(gaps: int, decisions: int, limits: Limits) -> Check:
    share = gaps / decisions if decisions else 0.0
    pair = limits.gaps
    text = f"{gaps:,} of {decisions:,} decisions follow a gap in the archive"
    state = judged(share, pair)
    return Check("gaps", "", state, share, 0.0, 0.0, pair.warn, pair.alarm, text)
