"""The one definition of every feature: service and training call these same compiled functions.

The vector has parts, each computed from the request and at most one subject's state, so that
training can walk through one subject at a time: request, payer, payee, and one for each link.
"""

from collections.abc import Sequence

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


_RING = "Array(int64, 2, 'C', readonly=True)"
_ROW = "Array(int64, 1, 'C', readonly=True)"


@compiled(
    f"void(int64[::1], boolean, {_RING}, {_RING}, {_ROW}, {_RING}, {_RING}, {_RING},"
    f" boolean, {_RING}, {_RING}, {_RING}, {_RING}, {_RING}, {_ROW}, float32[::1])"
)
def _compute(
    facts,
    payer_known,
    payer_out,
    payer_in,
    payer_pair,
    payer_reports,
    payer_hours,
    payer_days,
    payee_known,
    payee_out,
    payee_in,
    payee_reports,
    payee_days,
    seen,
    seen_counts,
    vector,
):
    vector[:] = np.nan
    request_part(facts, vector)
    if payer_known:
        payer_part(
            facts, payer_out, payer_in, payer_pair, payer_reports, payer_hours, payer_days, vector
        )
    if payee_known:
        payee_part(facts, payee_out, payee_in, payee_reports, payee_days, vector)
    start = 0
    for link in range(_LINK_COUNT):
        count = seen_counts[link]
        if count >= 0:
            link_part(facts, seen[start : start + count], link, vector)
            start += count


def _ring(packed: bytes) -> npt.NDArray[np.int64]:
    return np.frombuffer(packed, np.int64).reshape(-1, RING_COLUMNS)


_EMPTY_RING = _ring(b"")
_EMPTY_PAIR = np.frombuffer(b"", np.int64)
_LINK_BYTES = 8 * LINK_COLUMNS


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
    vector = np.empty(END, np.float32)
    if payer is None:
        payer_arrays = (_EMPTY_RING, _EMPTY_RING, _EMPTY_PAIR, *(_EMPTY_RING,) * 3)
    else:
        payer_arrays = (
            _ring(payer.out_ring),
            _ring(payer.in_ring),
            np.frombuffer(payer.pair, np.int64),
            _ring(payer.reports),
            _ring(payer.hours),
            _ring(payer.days),
        )
    if payee is None:
        payee_arrays = (_EMPTY_RING,) * 4
    else:
        payee_arrays = (
            _ring(payee.out_ring),
            _ring(payee.in_ring),
            _ring(payee.reports),
            _ring(payee.days),
        )
    seen = np.frombuffer(b"".join([x.seen for x in link_states if x is not None]), np.int64)
    counts = np.array(
        [-1 if x is None else len(x.seen) // _LINK_BYTES for x in link_states], np.int64
    )
    _compute(
        facts,
        payer is not None,
        *payer_arrays,
        payee is not None,
        *payee_arrays,
        seen.reshape(-1, LINK_COLUMNS),
        counts,
        vector,
    )
    return vector
