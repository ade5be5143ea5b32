"""All features in the order of the vector. A model names the hash of this list, or is refused."""

import hashlib
from typing import Final

from fanzha.features import (
    amount,
    calendar,
    customer,
    escalation,
    inflow,
    links,
    lists,
    pair,
    session,
    totals,
    usual,
    velocity,
)
from fanzha.features.feature import Feature
from fanzha.features.flow import flow_features
from fanzha.features.reports import report_features

REQUEST_FEATURES: Final = (
    *amount.FEATURES,
    *session.FEATURES,
    *customer.FEATURES,
    *calendar.FEATURES,
    *lists.FEATURES,
)
PAYER_FEATURES: Final = (
    *velocity.FEATURES,
    *usual.FEATURES,
    *escalation.FEATURES,
    *pair.FEATURES,
    *inflow.FEATURES,
    *totals.PAYER_FEATURES,
    *flow_features("payer"),
    *report_features("payer"),
)
PAYEE_FEATURES: Final = (
    *totals.PAYEE_FEATURES,
    *flow_features("payee"),
    *report_features("payee"),
)

FEATURES: Final[tuple[Feature, ...]] = (
    *REQUEST_FEATURES,
    *PAYER_FEATURES,
    *PAYEE_FEATURES,
    *links.FEATURES,
)
FEATURE_NAMES: Final = tuple(feature.name for feature in FEATURES)
FEATURE_INDEX: Final = {name: index for index, name in enumerate(FEATURE_NAMES)}


def manifest_hash() -> str:
    """Return a hash, 16 hexadecimal digits, of the names, families, units and meanings in order."""
    text = "\n".join(f"{x.name}|{x.family}|{x.unit}|{x.meaning}|{x.unknown}" for x in FEATURES)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
