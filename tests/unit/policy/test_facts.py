"""Facts say what is known; what is not known makes no condition hold."""

import math

import numpy as np
import pytest
from tests.decision_inputs import (
    PAYEE_INVOLVED,
    VERIFIED_BILLER,
    a_score,
    a_transfer,
    a_vector,
    an_entry,
    an_evidence,
)

from fanzha.domain.evidence import Evidence, ListHit, ListSubject
from fanzha.domain.vocabulary import (
    Channel,
    NameMatch,
    WatchlistGrade,
    WatchlistKind,
)
from fanzha.features.manifest import FEATURES
from fanzha.policy.atoms import Atom, compile_atom
from fanzha.policy.fact import FactValue, Sources
from fanzha.policy.facts import FACT_BY_NAME, FACTS


def read(
    name: str,
    *hits: ListHit,
    evidence: Evidence | None = None,
    points: int | None = None,
    **features: float,
) -> FactValue:
    sources = Sources(
        a_transfer(),
        evidence or an_evidence(*hits),
        None if points is None else a_score(points),
        a_vector(**features).tolist(),
    )
    return FACT_BY_NAME[name].read(sources)


def test_every_feature_is_a_fact() -> None:
    assert {feature.name for feature in FEATURES} <= set(FACT_BY_NAME)
    assert len(FACT_BY_NAME) == len(FACTS)


@pytest.mark.parametrize("fact", [x for x in FACTS if x.feature], ids=lambda fact: fact.name)
def test_a_feature_that_is_unknown_is_an_unknown_fact(fact: object) -> None:
    value = read(fact.name)

    assert value == fact.unknown_value or (math.isnan(value) and math.isnan(fact.unknown_value))


@pytest.mark.parametrize(
    ("name", "features", "value"),
    [
        ("channel", {"channel": Channel.ATM}, "ATM"),
        ("payee_type", {"payee_type": 99}, ""),
        ("screen_shared", {"screen_shared": 1}, True),
        ("screen_shared", {"screen_shared": 0}, False),
        ("payee_dual_recording_missing", {"payee_dual_recording_done": 0}, True),
        ("payee_dual_recording_missing", {}, False),
        ("payee_name_mismatch", {"payee_name_match": NameMatch.NO_MATCH}, True),
        ("payee_name_mismatch", {"payee_name_match": NameMatch.UNAVAILABLE}, False),
        ("payee_own_same_bank", {"payee_same_owner": 1, "payee_same_bank": 1}, True),
        ("payee_own_same_bank", {"payee_same_owner": 1}, False),
        ("out_total_24h_minor", {"out_sum_24h": 500}, 10_500.0),
        ("out_total_24h_minor", {}, 10_000.0),
    ],
)
def test_facts_of_the_transfer(name: str, features: dict[str, float], value: FactValue) -> None:
    assert read(name, **features) == value


@pytest.mark.parametrize(
    ("hit", "true_facts"),
    [
        (PAYEE_INVOLVED, {"payee_involved"}),
        (VERIFIED_BILLER, {"essential"}),
        (
            ListHit(ListSubject.PAYER_PERSON, an_entry(WatchlistKind.PERSON)),
            {"payer_person_involved"},
        ),
        (ListHit(ListSubject.DEVICE, an_entry(WatchlistKind.DEVICE)), {"contact_involved"}),
        (ListHit(ListSubject.PAYEE_ACCOUNT, an_entry(grade=WatchlistGrade.SUSPICIOUS)), set()),
        (ListHit(ListSubject.PAYER_ACCOUNT, an_entry(WatchlistKind.VERIFIED_BILLER)), set()),
    ],
)
def test_facts_of_list_entries(hit: ListHit, true_facts: set[str]) -> None:
    names = (
        "payer_involved",
        "payee_involved",
        "payer_person_involved",
        "payee_person_involved",
        "contact_involved",
        "essential",
    )

    assert {name for name in names if read(name, hit)} == true_facts
    assert not any(read(name, evidence=Evidence(None, None, None, "")) for name in names)


def test_outages_are_facts() -> None:
    blind = Evidence(None, None, None, "")
    names = ("lists_unread", "payer_history_unread", "payee_history_unread", "unscored")

    assert [read(name, evidence=blind) for name in names] == [True] * 4
    assert [read(name, points=1) for name in names] == [False] * 4


def test_amounts_are_exact_beyond_float32() -> None:
    transfer = a_transfer(amount_minor=10**15 - 1)
    sources = Sources(transfer, an_evidence(), None, a_vector().tolist())

    assert FACT_BY_NAME["amount_minor"].read(sources) == 10**15 - 1


@pytest.mark.parametrize(
    ("source", "is_evidence"),
    [
        ("screen_shared", True),
        ("!screen_shared", False),
        ("payee_account_age_days <= 30.0", True),
        ("payee_account_age_days >= 0.0", False),
        ("pair_times_paid != 1.0", False),
        ("score_points >= 400.0", True),
        ("score_points < 1001.0", False),
        ("payee_type == 'BILLER'", False),
        ("hour < 5.0", False),
    ],
)
def test_only_what_speaks_of_fraud_is_evidence(source: str, *, is_evidence: bool) -> None:
    atom = compile_atom(source)

    assert isinstance(atom, Atom)
    assert atom.is_evidence is is_evidence


def test_names_in_text_literals_are_no_facts() -> None:
    atom = compile_atom("payee_type == 'screen_shared'")

    assert isinstance(atom, Atom)
    assert [fact.name for fact in atom.facts] == ["payee_type"]


def test_infinite_features_are_compared_like_numbers() -> None:
    assert read("amount_over_max_30d", amount_over_max_30d=np.inf) == math.inf
