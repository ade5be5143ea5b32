"""The one definition of every feature: service and training call these same compiled functions.

The vector has three parts, each computed from the request and at most one account's state, so that
training can walk through one account at a time: request, payer, payee.
"""

import numpy as np
import numpy.typing as npt

from fanzha.domain.evidence import AccountState
from fanzha.features import (
    amount,
    calendar,
    customer,
    flow,
    lists,
    pair,
    reports,
    session,
    velocity,
)
from fanzha.features.compiled import compiled
from fanzha.features.layout import RING_COLUMNS
from fanzha.features.manifest import FEATURES, PAYER_FEATURES, REQUEST_FEATURES

_SESSION = len(amount.FEATURES)
_CUSTOMER = _SESSION + len(session.FEATURES)
_CALENDAR = _CUSTOMER + len(customer.FEATURES)
_LISTS = _CALENDAR + len(calendar.FEATURES)
PAYER_START = len(REQUEST_FEATURES)
_PAIR = PAYER_START + len(velocity.FEATURES)
_PAYER_FLOW = _PAIR + len(pair.FEATURES)
_FLOW_COUNT = len(flow.flow_features("payer"))
_PAYER_REPORTS = _PAYER_FLOW + _FLOW_COUNT
PAYEE_START = PAYER_START + len(PAYER_FEATURES)
_PAYEE_REPORTS = PAYEE_START + _FLOW_COUNT
END = len(FEATURES)


@compiled()
def request_part(facts, vector):
    """Write the request's part into a vector float32[END] from facts int64[:]."""
    amount.compute(facts, vector[:_SESSION])
    session.compute(facts, vector[_SESSION:_CUSTOMER])
    customer.compute(facts, vector[_CUSTOMER:_CALENDAR])
    calendar.compute(facts, vector[_CALENDAR:_LISTS])
    lists.compute(facts, vector[_LISTS:PAYER_START])


@compiled()
def payer_part(facts, out_ring, in_ring, pair_record, report_ring, vector):
    """Write the payer's part; rings int64[:, 5], pair int64[0 or 4]."""
    vector[PAYER_START:PAYEE_START] = np.nan
    velocity.compute(facts, out_ring, vector[PAYER_START:_PAIR])
    pair.compute(facts, out_ring, in_ring, pair_record, vector[_PAIR:_PAYER_FLOW])
    flow.compute(facts, out_ring, in_ring, vector[_PAYER_FLOW:_PAYER_REPORTS])
    reports.compute(facts, report_ring, vector[_PAYER_REPORTS:PAYEE_START])


@compiled()
def payee_part(facts, out_ring, in_ring, report_ring, vector):
    """Write the payee's part; rings int64[:, 5]."""
    vector[PAYEE_START:] = np.nan
    flow.compute(facts, out_ring, in_ring, vector[PAYEE_START:_PAYEE_REPORTS])
    reports.compute(facts, report_ring, vector[_PAYEE_REPORTS:])


_RING = "Array(int64, 2, 'C', readonly=True)"
_ROW = "Array(int64, 1, 'C', readonly=True)"


@compiled(
    f"void(int64[::1], boolean, {_RING}, {_RING}, {_ROW}, {_RING},"
    f" boolean, {_RING}, {_RING}, {_RING}, float32[::1])"
)
def _compute(
    facts,
    payer_known,
    payer_out,
    payer_in,
    payer_pair,
    payer_reports,
    payee_known,
    payee_out,
    payee_in,
    payee_reports,
    vector,
):
    vector[:] = np.nan
    request_part(facts, vector)
    if payer_known:
        payer_part(facts, payer_out, payer_in, payer_pair, payer_reports, vector)
    if payee_known:
        payee_part(facts, payee_out, payee_in, payee_reports, vector)


def _ring(packed: bytes) -> npt.NDArray[np.int64]:
    return np.frombuffer(packed, np.int64).reshape(-1, RING_COLUMNS)


_EMPTY_RING = _ring(b"")
_EMPTY_PAIR = np.frombuffer(b"", np.int64)


def feature_vector(
    facts: npt.NDArray[np.int64], payer: AccountState | None, payee: AccountState | None
) -> npt.NDArray[np.float32]:
    """Return the features of one transfer, float32 of shape (len(FEATURES),), NaN where unknown.

    Args:
        facts: from `fanzha.features.facts.request_facts`.
        payer: state of the payer's account, None when it could not be read.
        payee: state of the payee's account, None when it could not be read or there is no payee.

    """
    vector = np.empty(END, np.float32)
    if payer is None:
        payer_arrays = (_EMPTY_RING, _EMPTY_RING, _EMPTY_PAIR, _EMPTY_RING)
    else:
        pair_record = np.frombuffer(payer.pair, np.int64)
        payer_arrays = (
            _ring(payer.out_ring),
            _ring(payer.in_ring),
            pair_record,
            _ring(payer.reports),
        )
    if payee is None:
        payee_arrays = (_EMPTY_RING, _EMPTY_RING, _EMPTY_RING)
    else:
        payee_arrays = (_ring(payee.out_ring), _ring(payee.in_ring), _ring(payee.reports))
    _compute(facts, payer is not None, *payer_arrays, payee is not None, *payee_arrays, vector)
    return vector
