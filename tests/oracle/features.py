"""Every feature by name, in the manifest's order: what it is of a transfer and what was known."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.history import Account, Link
from tests.oracle.meanings import (
    amount,
    calendar,
    customer,
    escalation,
    flow,
    inflow,
    links,
    lists,
    pair,
    reports,
    session,
    totals,
    usual,
    velocity,
)
from tests.oracle.records import Request
from tests.oracle.value import Value

from fanzha.domain.vocabulary import Channel

LINKS = ("device", "payer_phone", "payer_person", "payee_phone", "payee_person")


@dataclass(frozen=True)
class Case:
    """A transfer and what was remembered when it was asked for.

    An account is None when its history could not be read; so is a link, or when it was not given.
    """

    request: Request
    payer: Account | None = None
    payee: Account | None = None
    links: dict[str, Link | None] = field(default_factory=dict)


Meaning = Callable[[Case], Value]
Part = Callable[..., Any]


def _of_request(meanings: dict[str, Part]) -> dict[str, Meaning]:
    return {name: _request_part(meaning) for name, meaning in meanings.items()}


def _request_part(meaning: Part) -> Meaning:
    return lambda case: meaning(case.request)


def _of_payer(meanings: dict[str, Part], prefix: str = "") -> dict[str, Meaning]:
    return {prefix + name: _payer_part(meaning) for name, meaning in meanings.items()}


def _payer_part(meaning: Part) -> Meaning:
    return lambda case: None if case.payer is None else meaning(case.request, case.payer)


def _of_payee(meanings: dict[str, Part]) -> dict[str, Meaning]:
    return {f"payee_{name}": _payee_part(meaning) for name, meaning in meanings.items()}


def _payee_part(meaning: Part) -> Meaning:
    def of(case: Case) -> Value:
        if case.payee is None or case.request.payee_id is None:
            return None
        value: Value = meaning(case.request, case.payee)
        return value

    return of


def _of_link(link: str) -> dict[str, Meaning]:
    return {f"{link}_{name}": _link_part(link, part) for name, part in links.MEANINGS.items()}


def _link_part(link: str, meaning: Part) -> Meaning:
    def of(case: Case) -> Value:
        request, seen = case.request, case.links.get(link)
        own_device = request.channel in {Channel.MOBILE, Channel.ONLINE}
        if seen is None or (link == "device" and not own_device):
            return None
        own = request.payee_id if link.startswith("payee_") else request.payer_id
        value: Value = meaning(request, seen, own)
        return value

    return of


FEATURES: dict[str, Meaning] = {
    **_of_request(amount.MEANINGS),
    **_of_request(session.MEANINGS),
    **_of_request(customer.MEANINGS),
    **_of_request(calendar.MEANINGS),
    **_of_request(lists.MEANINGS),
    **_of_payer(velocity.MEANINGS),
    **_of_payer(usual.MEANINGS),
    **_of_payer(escalation.MEANINGS),
    **_of_payer(pair.MEANINGS),
    **_of_payer(inflow.MEANINGS),
    **_of_payer(totals.PAYER_MEANINGS),
    **_of_payer(flow.MEANINGS, "payer_"),
    **_of_payer(reports.MEANINGS, "payer_"),
    **_of_payee(totals.PAYEE_MEANINGS),
    **_of_payee(flow.MEANINGS),
    **_of_payee(reports.MEANINGS),
    **_of_link("device"),
    **_of_link("payer_phone"),
    **_of_link("payer_person"),
    **_of_link("payee_phone"),
    **_of_link("payee_person"),
}


def values(case: Case) -> dict[str, Value]:
    """Return all features of one transfer."""
    return {name: meaning(case) for name, meaning in FEATURES.items()}
