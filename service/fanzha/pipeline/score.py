"""Turns evidence into features and features into a score."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.domain.decision import HeadScore, Score
from fanzha.domain.evidence import Evidence
from fanzha.domain.points import DECADES_BELOW_EVEN, POINTS_MAX, POINTS_PER_DECADE
from fanzha.domain.scored import Scored
from fanzha.domain.transfer import Transfer
from fanzha.features.facts import packed_facts
from fanzha.features.kernel import packed_case, vectors_of
from fanzha.pipeline.ports import Model

_QUARTER_MS: Final = 900_000
_LOG_TEN: Final = math.log(10)


def score(
    transfer: Transfer, evidence: Evidence, model: Model | None, zone: tzinfo
) -> tuple[Scored, npt.NDArray[np.float32]]:
    """Do as `score_all` for one transfer."""
    return score_all([(transfer, evidence)], model, zone)[0]


def score_all(
    cases: Sequence[tuple[Transfer, Evidence]], model: Model | None, zone: tzinfo
) -> list[tuple[Scored, npt.NDArray[np.float32]]]:
    """Return what the kernel and the model say of each case, and its features.

    What is said of a case does not depend on the others, to the last bit.

    Args:
        cases: valid transfers and what is known; missing parts give NaN features.
        model: the champion, None when there is none.
        zone: the bank's time zone.

    Returns:
        For each case its score and its features, float32 of shape (features,).
    """
    if not cases:
        return []
    facts = [_facts(transfer, evidence, zone) for transfer, evidence in cases]
    vectors = vectors_of(
        [_case(each, evidence) for each, (_, evidence) in zip(facts, cases, strict=True)]
    )
    says = [None] * len(cases) if model is None else scores_of(model, vectors)
    return [
        (
            Scored(fact, features.tobytes(), None if one is None else _usable(one, transfer)),
            features,
        )
        for fact, features, one, (transfer, _) in zip(facts, vectors, says, cases, strict=True)
    ]


def scores_of(model: Model, vectors: npt.NDArray[np.float32]) -> Sequence[Score | None]:
    """Return what a model says of vectors, float32 of shape (rows, features)."""
    return [model.score(vectors[0])] if len(vectors) == 1 else model.scores(vectors)


def _facts(transfer: Transfer, evidence: Evidence, zone: tzinfo) -> bytes:
    return packed_facts(
        transfer,
        evidence.list_hits,
        utc_offset_s(transfer.create_time_ms, zone),
        has_all_lists=evidence.has_all_lists,
    )


def _case(facts: bytes, evidence: Evidence) -> bytes:
    return packed_case(facts, evidence.payer, evidence.payee, evidence.links)


def _usable(says: Score, transfer: Transfer) -> Score | None:
    """Return what the model says without what is no number, and nothing of a payee there is not."""
    if not math.isfinite(says.margin):
        return None
    payee, payer = says.payee_mule, says.payer_mule
    if payee is not None and not (has_payee(transfer) and math.isfinite(payee.margin)):
        says = replace(says, payee_mule=None)
    if payer is not None and not math.isfinite(payer.margin):
        says = replace(says, payer_mule=None)
    return says


def has_payee(transfer: Transfer) -> bool:
    """Say whether money goes to an account; cash and gold go to none."""
    return transfer.payee is not None and transfer.payee.account != b""


def utc_offset_s(time_ms: int, zone: tzinfo) -> int:
    """Return a zone's offset from UTC at a time, in seconds."""
    offset = _offset_of_quarter(time_ms // _QUARTER_MS, zone)
    return _offset_at(time_ms, zone) if offset is None else offset


@lru_cache(maxsize=4096)
def _offset_of_quarter(quarter: int, zone: tzinfo) -> int | None:
    """Return the offset in a quarter of an hour since 1970 UTC, None where it changes within."""
    first, last = quarter * _QUARTER_MS, (quarter + 1) * _QUARTER_MS - 1
    offset = _offset_at(first, zone)
    return offset if offset == _offset_at(last, zone) else None


def _offset_at(time_ms: int, zone: tzinfo) -> int:
    offset = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def head_score(margin: float, slope: float, intercept: float) -> HeadScore:
    """Return the score of a raw margin, calibrated in float64.

    probability = sigmoid(slope × margin + intercept); points = 125 × (log10(odds) + 6), 0 to 1000:
    every 125 points are ten times the odds, 500 is 1 to 100, 750 is even.
    """
    log_odds = slope * margin + intercept
    if log_odds >= 0:
        probability = 1.0 / (1.0 + math.exp(-log_odds))
    else:
        grown = math.exp(max(log_odds, -700.0))
        probability = grown / (1.0 + grown)
    points = POINTS_PER_DECADE * (log_odds / _LOG_TEN + DECADES_BELOW_EVEN)
    shown = round(min(float(POINTS_MAX), max(0.0, points)))
    return HeadScore(margin, probability, shown)
