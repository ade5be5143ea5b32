"""The one definition of every feature: service and training call these same compiled functions.

The vector has parts, each computed from the request and at most one subject's state, so that
training can walk through one subject at a time: request, payer, payee, and one for each link.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.domain.evidence import NO_LINKS, AccountState, LinkState
from fanzha.features import (
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
from fanzha.features.compiled import compiled
from fanzha.features.facts import FACTS
from fanzha.features.layout import LINK_COLUMNS, RING_COLUMNS
from fanzha.features.manifest import FEATURES, PAYEE_FEATURES, PAYER_FEATURES, REQUEST_FEATURES

_SESSION = len(amount.FEATURES)
_CUSTOMER = _SESSION + len(session.FEATURES)
_CALENDAR = _CUSTOMER + len(customer.FEATURES)
_LISTS = _CALENDAR + len(calendar.FEATURES)
PAYER_START = len(REQUEST_FEATURES)
_USUAL = PAYER_START + len(velocity.FEATURES)
_ESCALATION = _USUAL + len(usual.FEATURES)
_PAIR = _ESCALATION + len(escalation.FEATURES)
_INFLOW = _PAIR + len(pair.FEATURES)
_PAYER_TOTALS = _INFLOW + len(inflow.FEATURES)
_PAYER_FLOW = _PAYER_TOTALS + len(totals.PAYER_FEATURES)
_FLOW_COUNT = len(flow.flow_features("payer"))
_PAYER_REPORTS = _PAYER_FLOW + _FLOW_COUNT
PAYEE_START = PAYER_START + len(PAYER_FEATURES)
_PAYEE_FLOW = PAYEE_START + len(totals.PAYEE_FEATURES)
_PAYEE_REPORTS = _PAYEE_FLOW + _FLOW_COUNT
LINKS_START = PAYEE_START + len(PAYEE_FEATURES)
END = len(FEATURES)

_LINK_WIDTH = links.WIDTH
_LINK_COUNT = len(links.LINKS)


@compiled()
def request_part(facts, vector):
    """Write the request's part into a vector float32[END] from facts int64[:]."""
    amount.compute(facts, vector[:_SESSION])
    session.compute(facts, vector[_SESSION:_CUSTOMER])
    customer.compute(facts, vector[_CUSTOMER:_CALENDAR])
    calendar.compute(facts, vector[_CALENDAR:_LISTS])
    lists.compute(facts, vector[_LISTS:PAYER_START])


@compiled()
def payer_part(facts, out_ring, in_ring, pair_record, report_ring, hours, days, vector):
    """Write the payer's part; rings and totals int64[:, 5], pair int64[0 or 4]."""
    vector[PAYER_START:PAYEE_START] = np.nan
    velocity.compute(facts, out_ring, vector[PAYER_START:_USUAL])
    usual.compute(facts, out_ring, vector[_USUAL:_ESCALATION])
    escalation.compute(facts, out_ring, vector[_ESCALATION:_PAIR])
    pair.compute(facts, out_ring, in_ring, pair_record, vector[_PAIR:_INFLOW])
    inflow.compute(facts, in_ring, vector[_INFLOW:_PAYER_TOTALS])
    totals.compute_payer(facts, hours, days, vector[_PAYER_TOTALS:_PAYER_FLOW])
    flow.compute(facts, out_ring, in_ring, vector[_PAYER_FLOW:_PAYER_REPORTS])
    reports.compute(facts, in_ring, report_ring, vector[_PAYER_REPORTS:PAYEE_START])


@compiled()
def payee_part(facts, out_ring, in_ring, report_ring, days, vector):
    """Write the payee's part; rings and totals int64[:, 5]."""
    vector[PAYEE_START:LINKS_START] = np.nan
    totals.compute_payee(facts, days, vector[PAYEE_START:_PAYEE_FLOW])
    flow.compute(facts, out_ring, in_ring, vector[_PAYEE_FLOW:_PAYEE_REPORTS])
    reports.compute(facts, in_ring, report_ring, vector[_PAYEE_REPORTS:LINKS_START])


@compiled()
def link_part(facts, seen, link, vector):
    """Write one link's part; link memory int64[:, 3], number of the link in `links.LINKS`."""
    start = LINKS_START + link * _LINK_WIDTH
    vector[start : start + _LINK_WIDTH] = np.nan
    links.compute(facts, seen, link, vector[start : start + _LINK_WIDTH])


_PAYER_PARTS, _PAYEE_PARTS = 6, 4
_PARTS = _PAYER_PARTS + _PAYEE_PARTS + _LINK_COUNT
_LENGTHS = 1
"""Place of the parts' lengths behind the mask of what is known."""
_CASE_FACTS = _LENGTHS + _PARTS
_HEADER = Struct(f"<{_CASE_FACTS}q")
_PAYER_KNOWN, _PAYEE_KNOWN, _FIRST_LINK_KNOWN = 1, 2, 4
_FACT_COUNT = len(FACTS)


@compiled()
def _payer_of(packed, facts, lengths, start, vector):
    """Write the payer's part from the six parts that begin at a place; return where they end."""
    in_at = start + lengths[0] // 8
    pair_at = in_at + lengths[1] // 8
    reports_at = pair_at + lengths[2] // 8
    hours_at = reports_at + lengths[3] // 8
    days_at = hours_at + lengths[4] // 8
    end = days_at + lengths[5] // 8
    payer_part(
        facts,
        packed[start:in_at].reshape(-1, RING_COLUMNS),
        packed[in_at:pair_at].reshape(-1, RING_COLUMNS),
        packed[pair_at:reports_at],
        packed[reports_at:hours_at].reshape(-1, RING_COLUMNS),
        packed[hours_at:days_at].reshape(-1, RING_COLUMNS),
        packed[days_at:end].reshape(-1, RING_COLUMNS),
        vector,
    )
    return end


@compiled()
def _payee_of(packed, facts, lengths, start, vector):
    """Write the payee's part from the four parts that begin at a place; return where they end."""
    in_at = start + lengths[0] // 8
    reports_at = in_at + lengths[1] // 8
    days_at = reports_at + lengths[2] // 8
    end = days_at + lengths[3] // 8
    payee_part(
        facts,
        packed[start:in_at].reshape(-1, RING_COLUMNS),
        packed[in_at:reports_at].reshape(-1, RING_COLUMNS),
        packed[reports_at:days_at].reshape(-1, RING_COLUMNS),
        packed[days_at:end].reshape(-1, RING_COLUMNS),
        vector,
    )
    return end


@compiled("void(Array(int64, 1, 'C', readonly=True), float32[:, ::1])")
def _compute(packed, vectors):
    """Write a vector float32[END] for each of the packed cases, which lie behind each other."""
    start = 0
    for row in range(vectors.shape[0]):
        vector = vectors[row]
        vector[:] = np.nan
        known = packed[start]
        lengths = packed[start + _LENGTHS : start + _CASE_FACTS]
        facts = packed[start + _CASE_FACTS : start + _CASE_FACTS + _FACT_COUNT]
        start += _CASE_FACTS + _FACT_COUNT
        request_part(facts, vector)
        if known & _PAYER_KNOWN:
            start = _payer_of(packed, facts, lengths, start, vector)
        if known & _PAYEE_KNOWN:
            start = _payee_of(packed, facts, lengths[_PAYER_PARTS:], start, vector)
        for link in range(_LINK_COUNT):
            end = start + lengths[_PAYER_PARTS + _PAYEE_PARTS + link] // 8
            if known & (_FIRST_LINK_KNOWN << link):
                link_part(facts, packed[start:end].reshape(-1, LINK_COLUMNS), link, vector)
            start = end


_UNREAD_ACCOUNT: Final = AccountState()


def packed_case(
    facts: bytes,
    payer: AccountState | None,
    payee: AccountState | None,
    link_states: Sequence[LinkState | None] = NO_LINKS,
) -> bytes:
    """Return all that one vector is computed from, as one run of bytes.

    So the kernel takes one array, however many parts there are, and any number of cases at once:
    handing over sixteen arrays took longer than all features.

    Args:
        facts: from `fanzha.features.facts.packed_facts`.
        payer: state of the payer's account, None when it could not be read.
        payee: state of the payee's account, None when it could not be read or there is no payee.
        link_states: one for each of `links.LINKS`, None when it is not given or could not be read.

    """
    known = 0
    if payer is None:
        payer = _UNREAD_ACCOUNT
    else:
        known = _PAYER_KNOWN
    if payee is None:
        payee = _UNREAD_ACCOUNT
    else:
        known |= _PAYEE_KNOWN
    seen = []
    for place, link in enumerate(link_states):
        if link is None:
            seen.append(b"")
        else:
            known |= _FIRST_LINK_KNOWN << place
            seen.append(link.seen)
    parts = (
        payer.out_ring, payer.in_ring, payer.pair, payer.reports, payer.hours, payer.days,
        payee.out_ring, payee.in_ring, payee.reports, payee.days,
        *seen,
    )  # fmt: skip
    return b"".join((_HEADER.pack(known, *map(len, parts)), facts, *parts))


def vectors_of(cases: Sequence[bytes]) -> npt.NDArray[np.float32]:
    """Return the features of packed cases, float32 of shape (cases, len(FEATURES)), NaN: unknown.

    Args:
        cases: from `packed_case`.

    Raises:
        ValueError: a state is no whole number of records.

    """
    vectors = np.empty((len(cases), END), np.float32)
    packed = cases[0] if len(cases) == 1 else b"".join(cases)
    _compute(np.frombuffer(packed, np.int64), vectors)
    return vectors


def feature_vector(
    facts: npt.NDArray[np.int64],
    payer: AccountState | None,
    payee: AccountState | None,
    link_states: Sequence[LinkState | None] = NO_LINKS,
) -> npt.NDArray[np.float32]:
    """Return the features of one transfer, float32 of shape (len(FEATURES),), NaN where unknown.

    Args:
        facts: from `fanzha.features.facts.request_facts`.
        payer: state of the payer's account, None when it could not be read.
        payee: state of the payee's account, None when it could not be read or there is no payee.
        link_states: one for each of `links.LINKS`, None when it is not given or could not be read.

    """
    vector: npt.NDArray[np.float32] = vectors_of(
        [packed_case(facts.tobytes(), payer, payee, link_states)]
    )[0]
    return vector
