"""Outcomes of many transfers as columns: what stands of each, and when it came to stand.

What an outcome means is said in `fanzha.domain.outcomes` alone. Most transfers have one outcome,
which is looked up in tables made from there; those with several, or with one taken back, are judged
one by one by the service's own rules.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from fanzha.domain.outcomes import (
    Question,
    Statement,
    is_entitled,
    said,
    standing,
    turns,
)
from fanzha.domain.vocabulary import Answer, FraudType, OutcomeSource, OutcomeType, Strength

Ints = npt.NDArray[np.int64]

OUTCOME_COLUMNS: Final = pl.Schema(
    {
        "row": pl.Int64,
        "outcome_id": pl.String,
        "outcome": pl.Int8,
        "source": pl.Int8,
        "fraud_type": pl.Int8,
        "report_time_ms": pl.Int64,
        "withdrawn_time_ms": pl.Int64,
    }
)
"""Outcomes as all ways of building a data set hold them: `row` is the transfer's, codes are numbers
of the vocabularies, times are milliseconds since 1970 UTC; null where nothing was taken back."""

REPORT_COLUMNS: Final = pl.Schema(
    {
        "row": pl.Int64,
        "question": pl.Int8,
        "names": pl.Boolean,
        "known_ms": pl.Int64,
        "fraud_type": pl.Int8,
    }
)


@dataclass(frozen=True, slots=True)
class Stands:
    """What stands on one question, one entry for each transfer that something is said of."""

    row: Ints
    answer: npt.NDArray[np.int8]
    strength: npt.NDArray[np.int8]
    since_ms: Ints
    fraud_type: npt.NDArray[np.int8]

    def where(self, chosen: npt.NDArray[Any]) -> "Stands":
        """Return those that a mask or an array of places names."""
        return Stands(
            self.row[chosen],
            self.answer[chosen],
            self.strength[chosen],
            self.since_ms[chosen],
            self.fraud_type[chosen],
        )


def stands_of(outcomes: pl.DataFrame, question: Question, as_of_ms: int) -> Stands:
    """Return what stands as of a time, for transfers of which anything stands; sorted by row."""
    alone, several = _split(outcomes.filter(pl.col("report_time_ms") <= as_of_ms))
    answer, strength = _said(alone, question)
    spoken = answer != Answer.UNSPECIFIED
    rows = [
        (row, stand.answer, stand.strength, stand.since_ms, stand.fraud_type)
        for row, statements in _one_by_one(several)
        if (stand := standing(statements, as_of_ms).of(question)).answer != Answer.UNSPECIFIED
    ]
    more = np.array(rows, np.int64).reshape(-1, 5)
    columns = (
        alone["row"].to_numpy()[spoken],
        answer[spoken],
        strength[spoken],
        alone["report_time_ms"].to_numpy()[spoken],
        alone["fraud_type"].to_numpy()[spoken],
    )
    row, answers, strengths, since, fraud = (
        np.concatenate([one, more[:, place].astype(one.dtype)]) for place, one in enumerate(columns)
    )
    order = np.argsort(row, kind="stable")
    return Stands(row, answers, strengths, since, fraud).where(order)


def reports_of(outcomes: pl.DataFrame) -> pl.DataFrame:
    """Return when accounts came to be named, and when no longer, with REPORT_COLUMNS by time.

    An account is named once by a transfer, however many outcomes say so: as the victim's by an
    answer to PAYER_DECEIVED, as a mule's by one to PAYEE_MULE.
    """
    alone, several = _split(outcomes)
    parts = []
    for question in Question:
        named = alone.filter(pl.Series(_said(alone, question)[0] == Answer.YES, dtype=pl.Boolean))
        parts.append(
            named.select(
                "row",
                pl.lit(int(question), pl.Int8).alias("question"),
                pl.lit(value=True).alias("names"),
                pl.col("report_time_ms").alias("known_ms"),
                "fraud_type",
            )
        )
    judged = [
        (row, int(turn.question), turn.names, turn.time_ms, int(turn.fraud_type))
        for row, statements in _one_by_one(several)
        for turn in turns(statements)
    ]
    parts.append(pl.DataFrame(judged, REPORT_COLUMNS, orient="row"))
    return pl.concat(parts).cast(REPORT_COLUMNS).sort("known_ms", "row", "question")


def tally(outcomes: pl.DataFrame, as_of_ms: int) -> dict[str, int]:
    """Count what is the matter with outcomes that were known by a time.

    They are contradicted (transfers of which both yes and no are claimed or decided), withdrawn, or
    stated by somebody who is not entitled.
    """
    known = outcomes.filter(pl.col("report_time_ms") <= as_of_ms)
    holding = known.filter(~(pl.col("withdrawn_time_ms") <= as_of_ms).fill_null(value=False))
    answer, strength = _said(holding, Question.PAYER_DECEIVED)
    firm = strength >= Strength.CLAIM
    row = holding["row"].to_numpy()
    both = np.intersect1d(row[firm & (answer == Answer.YES)], row[firm & (answer == Answer.NO)])
    return {
        "outcomes_contradicted": len(both),
        "outcomes_withdrawn": len(known) - len(holding),
        "outcomes_not_entitled": int((~_looked_up(known, _ENTITLED)).sum()),
    }


def _by_type_and_source(
    value: Callable[[OutcomeType, OutcomeSource], int], kind: type[np.generic]
) -> npt.NDArray[Any]:
    """Return a value for each type and source, of shape (types, sources)."""
    return np.array([[value(what, by) for by in OutcomeSource] for what in OutcomeType], kind)


def _answers(question: Question) -> npt.NDArray[Any]:
    return _by_type_and_source(lambda what, by: said(what, by, question)[0], np.int8)


def _strengths(question: Question) -> npt.NDArray[Any]:
    return _by_type_and_source(lambda what, by: said(what, by, question)[1], np.int8)


_ENTITLED: Final = _by_type_and_source(is_entitled, np.bool_)
_ANSWERS: Final = [_answers(question) for question in Question]
_STRENGTHS: Final = [_strengths(question) for question in Question]


def _looked_up(outcomes: pl.DataFrame, table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = table[outcomes["outcome"].to_numpy(), outcomes["source"].to_numpy()]
    return found


def _said(
    outcomes: pl.DataFrame, question: Question
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """Return answers and strengths of outcomes by themselves."""
    return _looked_up(outcomes, _ANSWERS[question]), _looked_up(outcomes, _STRENGTHS[question])


def _split(outcomes: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return outcomes that are the only one of their transfer and were kept, and all others."""
    alone = pl.col("row").is_unique() & pl.col("withdrawn_time_ms").is_null()
    marked = outcomes.with_columns(alone=alone)
    return marked.filter("alone"), marked.filter(~pl.col("alone"))


def _one_by_one(outcomes: pl.DataFrame) -> Iterator[tuple[int, tuple[Statement, ...]]]:
    """Yield the statements of each transfer."""
    rows = outcomes.sort("row").select(list(OUTCOME_COLUMNS)).iter_rows()
    for row, group in groupby(rows, key=lambda values: values[0]):
        yield (
            row,
            tuple(
                Statement(
                    outcome_id,
                    OutcomeType(kind),
                    OutcomeSource(source),
                    FraudType(fraud),
                    report_ms,
                    withdrawn_ms,
                )
                for _, outcome_id, kind, source, fraud, report_ms, withdrawn_ms in group
            ),
        )
