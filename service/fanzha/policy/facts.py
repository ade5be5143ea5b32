"""All facts that rules may name."""

from typing import Final

from fanzha.domain.model import Head
from fanzha.features.manifest import FEATURE_INDEX
from fanzha.policy.fact import UNKNOWN_NUMBER, Fact, FactFamily, Sources, flag_fact, number_fact
from fanzha.policy.feature_facts import FEATURE_FACTS
from fanzha.policy.list_facts import LIST_FACTS

_SAME_OWNER: Final = FEATURE_INDEX["payee_same_owner"]
_SAME_BANK: Final = FEATURE_INDEX["payee_same_bank"]
_OUT_SUM_24H: Final = FEATURE_INDEX["out_sum_24h"]


def _own_same_bank(sources: Sources) -> bool:
    return sources.vector[_SAME_OWNER] == 1.0 and sources.vector[_SAME_BANK] == 1.0


def _out_total_24h(sources: Sources) -> float:
    paid = sources.vector[_OUT_SUM_24H]
    amount = float(sources.transfer.base_amount_minor)
    # NaN is the one value that is not itself.
    return amount + paid if paid == paid else amount  # noqa: PLR0124


def _lists_unread(sources: Sources) -> bool:
    evidence = sources.evidence
    return evidence.list_hits is None or not evidence.has_all_lists


def _payee_unread(sources: Sources) -> bool:
    payee = sources.transfer.payee
    return sources.evidence.payee is None and payee is not None and payee.account != b""


def _points(sources: Sources) -> float:
    return UNKNOWN_NUMBER if sources.score is None else float(sources.score.points)


def _payee_mule_points(sources: Sources) -> float:
    found = None if sources.score is None else sources.score.payee_mule
    return UNKNOWN_NUMBER if found is None else float(found.points)


def _payer_mule_points(sources: Sources) -> float:
    found = None if sources.score is None else sources.score.payer_mule
    return UNKNOWN_NUMBER if found is None else float(found.points)


def _probability(sources: Sources) -> float:
    return UNKNOWN_NUMBER if sources.score is None else sources.score.probability


FACTS: Final[tuple[Fact, ...]] = (
    *LIST_FACTS,
    number_fact(
        "amount_minor",
        FactFamily.AMOUNT,
        lambda sources: float(sources.transfer.base_amount_minor),
        meaning="Base amount asked for (minor units)",
        unknown="never",
        ordinary=10_000.0,
    ),
    number_fact(
        "out_total_24h_minor",
        FactFamily.AMOUNT,
        _out_total_24h,
        meaning="Paid in the last 24 hours and the amount asked for; the amount alone when the "
        "payer's history could not be read (minor units)",
        unknown="never",
        ordinary=10_000.0,
    ),
    flag_fact(
        "payee_own_same_bank",
        FactFamily.CUSTOMER,
        _own_same_bank,
        meaning="The payee's account is known to be the payer's own at this bank.",
        unknown="not said",
    ),
    number_fact(
        "score_points",
        FactFamily.SCORE,
        _points,
        meaning="The model's score that the payer is deceived, 0 to 1000 (points)",
        unknown="no model could score",
        ordinary=0.0,
    ),
    number_fact(
        "payee_mule_points",
        FactFamily.SCORE,
        _payee_mule_points,
        meaning="The model's score that the payee's account is a mule's, 0 to 1000 (points)",
        unknown="no model could tell, or no payee",
        ordinary=0.0,
    ),
    number_fact(
        "payer_mule_points",
        FactFamily.SCORE,
        _payer_mule_points,
        meaning="The model's score that the payer's account is a mule's, 0 to 1000 (points)",
        unknown="no model could tell",
        ordinary=0.0,
    ),
    number_fact(
        "score_probability",
        FactFamily.SCORE,
        _probability,
        meaning="The model's probability that the payer is deceived, 0 to 1 (ratio)",
        unknown="no model could score",
        ordinary=0.0,
    ),
    flag_fact(
        "lists_unread",
        FactFamily.OUTAGE,
        _lists_unread,
        meaning="Watchlists could not be read, or not for every part of the transfer.",
        unknown="never",
    ),
    flag_fact(
        "payer_history_unread",
        FactFamily.OUTAGE,
        lambda sources: sources.evidence.payer is None,
        meaning="The payer's history could not be read.",
        unknown="never",
    ),
    flag_fact(
        "payee_history_unread",
        FactFamily.OUTAGE,
        _payee_unread,
        meaning="The payee's history could not be read.",
        unknown="never",
    ),
    flag_fact(
        "unscored",
        FactFamily.OUTAGE,
        lambda sources: sources.score is None,
        meaning="No model could score.",
        unknown="never",
    ),
    *FEATURE_FACTS,
)
FACT_BY_NAME: Final = {fact.name: fact for fact in FACTS}

HEAD_OF_FACT: Final = {
    "score_points": Head.VICTIM,
    "score_probability": Head.VICTIM,
    "payee_mule_points": Head.PAYEE_MULE,
    "payer_mule_points": Head.PAYER_MULE,
}
"""Which of the model's questions a fact answers."""
