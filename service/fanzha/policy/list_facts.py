"""Facts that rest on list entries: hard evidence, entries on people, and essential payments."""

from collections.abc import Callable
from typing import Final

from fanzha.domain.evidence import Evidence, ListSubject
from fanzha.domain.vocabulary import WatchlistGrade, WatchlistKind
from fanzha.policy.fact import Fact, FactFamily, flag_fact

_CONTACTS: Final = (
    (ListSubject.PAYER_PHONE, WatchlistKind.PHONE),
    (ListSubject.PAYEE_PHONE, WatchlistKind.PHONE),
    (ListSubject.DEVICE, WatchlistKind.DEVICE),
)


def _has_involved(evidence: Evidence, subject: ListSubject, kind: WatchlistKind) -> bool:
    if not evidence.list_hits:
        return False
    return any(
        hit.subject == subject
        and hit.entry.kind == kind
        and hit.entry.grade == WatchlistGrade.INVOLVED
        for hit in evidence.list_hits
    )


def is_payer_involved(evidence: Evidence) -> bool:
    """Say whether the payer's account is on the list of involved accounts (涉案账户)."""
    return _has_involved(evidence, ListSubject.PAYER_ACCOUNT, WatchlistKind.ACCOUNT)


def is_payee_involved(evidence: Evidence) -> bool:
    """Say whether the payee's account is on the list of involved accounts (涉案账户)."""
    return _has_involved(evidence, ListSubject.PAYEE_ACCOUNT, WatchlistKind.ACCOUNT)


def is_payer_person_involved(evidence: Evidence) -> bool:
    """Say whether the payer is the holder of an involved account elsewhere."""
    return _has_involved(evidence, ListSubject.PAYER_PERSON, WatchlistKind.PERSON)


def is_payee_person_involved(evidence: Evidence) -> bool:
    """Say whether the payee is the holder of an involved account elsewhere."""
    return _has_involved(evidence, ListSubject.PAYEE_PERSON, WatchlistKind.PERSON)


def is_contact_involved(evidence: Evidence) -> bool:
    """Say whether a phone or the device of the transfer was used in a case."""
    return any(_has_involved(evidence, subject, kind) for subject, kind in _CONTACTS)


def is_essential(evidence: Evidence) -> bool:
    """Say whether the payee's account is in the verified biller registry.

    Rests on the registry alone: never on the type of party that the caller names.
    """
    if not evidence.list_hits:
        return False
    return any(
        hit.subject == ListSubject.PAYEE_ACCOUNT and hit.entry.kind == WatchlistKind.VERIFIED_BILLER
        for hit in evidence.list_hits
    )


def _list_fact(
    name: str, family: FactFamily, says: Callable[[Evidence], bool], meaning: str
) -> Fact:
    return flag_fact(
        name,
        family,
        lambda sources: says(sources.evidence),
        meaning=meaning,
        unknown="lists could not be read",
    )


LIST_FACTS: Final = (
    _list_fact(
        "payer_involved", FactFamily.HARD, is_payer_involved, "The payer's account is involved."
    ),
    _list_fact(
        "payee_involved", FactFamily.HARD, is_payee_involved, "The payee's account is involved."
    ),
    _list_fact(
        "payer_person_involved",
        FactFamily.LISTS,
        is_payer_person_involved,
        "The payer holds an involved account elsewhere.",
    ),
    _list_fact(
        "payee_person_involved",
        FactFamily.LISTS,
        is_payee_person_involved,
        "The payee holds an involved account elsewhere.",
    ),
    _list_fact(
        "contact_involved",
        FactFamily.LISTS,
        is_contact_involved,
        "A phone or the device of the transfer was used in a case.",
    ),
    _list_fact(
        "essential",
        FactFamily.LISTS,
        is_essential,
        "The payee is in the verified biller registry (税款、社保、水电煤气、医疗).",
    ),
)
"""Only entries on the accounts themselves are hard: the law's list is one of accounts, and a
person's other accounts are to be verified again, not stopped (银发〔2016〕261号)."""
