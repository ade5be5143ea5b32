"""Facts that are features of the vector, under the features' own names."""

from enum import IntEnum
from typing import Final

from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    NameMatch,
    PartyType,
    TransferKind,
    TransferSpeed,
)
from fanzha.features.manifest import FEATURE_INDEX, FEATURES
from fanzha.policy.fact import Fact, FactFamily, coded_fact, number_fact

_FAMILIES: Final = {
    "amount": FactFamily.AMOUNT,
    "session": FactFamily.SESSION,
    "customer": FactFamily.CUSTOMER,
    "calendar": FactFamily.CALENDAR,
    "lists": FactFamily.LISTS,
    "velocity": FactFamily.PAYER_HISTORY,
    "pair": FactFamily.PAIR,
    "payer_mule": FactFamily.PAYER_MULE,
    "payee_mule": FactFamily.PAYEE_MULE,
    "known_fraud": FactFamily.KNOWN_FRAUD,
    "escalation": FactFamily.PAYER_HISTORY,
    "inflow": FactFamily.PAYER_HISTORY,
    "payer_totals": FactFamily.PAYER_HISTORY,
    "payee_totals": FactFamily.PAYEE_MULE,
    "links": FactFamily.LINKS,
}
_CODES: Final[dict[str, tuple[FactFamily, type[IntEnum], str]]] = {
    "kind": (FactFamily.CHANNEL, TransferKind, "TRANSFER"),
    "channel": (FactFamily.CHANNEL, Channel, "MOBILE"),
    "speed": (FactFamily.CHANNEL, TransferSpeed, "REAL_TIME"),
    "payer_type": (FactFamily.PARTY, PartyType, "PERSON"),
    "payer_segment": (FactFamily.PARTY, CustomerSegment, "WORKER"),
    "payee_type": (FactFamily.PARTY, PartyType, "PERSON"),
    "payee_open_channel": (FactFamily.CUSTOMER, Channel, "COUNTER"),
    "payee_name_match": (FactFamily.CUSTOMER, NameMatch, "MATCH"),
}
# Ordinary values that are not zero: an account of ten years, a payee known for one, small money.
_ORDINARY: Final[dict[str, float]] = {
    "amount_trailing_zeros": 2.0,
    "balance_share": 0.02,
    "balance_left_minor": 1_000_000.0,
    "payer_account_age_days": 3650.0,
    "payee_account_age_days": 3650.0,
    "hour": 14.0,
    "weekday": 2.0,
    "month_day": 15.0,
    "out_count_7d": 5.0,
    "out_count_30d": 20.0,
    "out_payees_7d": 3.0,
    "out_sum_7d": 100_000.0,
    "out_mean_30d": 20_000.0,
    "amount_over_max_30d": 0.2,
    "amount_over_mean_30d": 0.5,
    "minutes_since_out": 1440.0,
    "amount_over_least_24h": 1.0,
    "drained_24h": 0.02,
    "minutes_since_inflow": 1440.0,
    "out_count_today": 1.0,
    "out_sum_today": 20_000.0,
    "out_count_31d": 20.0,
    "out_sum_31d": 400_000.0,
    "out_days_31d": 15.0,
    "in_sum_31d": 800_000.0,
    "payee_in_count_today": 1.0,
    "payee_in_sum_today": 20_000.0,
    "payee_in_sum_31d": 800_000.0,
    "payee_in_days_31d": 15.0,
    "payee_pass_through_31d": 0.5,
    "pair_times_paid": 12.0,
    "pair_days_since_first": 365.0,
    "pair_days_since_last": 30.0,
    "payer_pass_through_24h": 0.1,
    "payer_minutes_in_to_out_24h": 1440.0,
    "payer_small_then_large_24h": 1.0,
    "payer_quiet_days": 1.0,
    "payer_days_since_report": 3650.0,
    "payee_pass_through_24h": 0.1,
    "payee_minutes_in_to_out_24h": 1440.0,
    "payee_small_then_large_24h": 1.0,
    "payee_quiet_days": 1.0,
    "payee_days_since_report": 3650.0,
}


_ELSEWHERE: Final = frozenset({"amount_minor"})
"""Facts read from the transfer itself, because float32 rounds large amounts."""


def _number(name: str) -> Fact:
    index = FEATURE_INDEX[name]
    feature = FEATURES[index]
    return number_fact(
        name,
        _FAMILIES[feature.family],
        lambda sources: sources.vector[index],
        meaning=f"{feature.meaning} ({feature.unit})",
        unknown=feature.unknown,
        ordinary=_ORDINARY.get(name, 0.0),
        feature=name,
    )


def _flag(name: str) -> Fact:
    index = FEATURE_INDEX[name]
    feature = FEATURES[index]
    return coded_fact(
        name,
        _FAMILIES[feature.family],
        {1.0: True},
        index,
        meaning=feature.meaning,
        unknown=feature.unknown,
        ordinary=False,
        feature=name,
    )


def _known_code(name: str, feature_name: str, code: float, meaning: str) -> Fact:
    """Return a customer's fact that is true when a feature is known to have the code."""
    index = FEATURE_INDEX[feature_name]
    return coded_fact(
        name,
        FactFamily.CUSTOMER,
        {float(code): True},
        index,
        meaning=meaning,
        unknown=FEATURES[index].unknown,
        ordinary=False,
        feature=feature_name,
    )


def _code(name: str) -> Fact:
    family, enum, ordinary = _CODES[name]
    index = FEATURE_INDEX[name]
    feature = FEATURES[index]
    names = {float(member): member.name for member in enum if member}
    return coded_fact(
        name,
        family,
        names,
        index,
        meaning=f"{feature.meaning} One of {', '.join(names.values())}.",
        unknown=feature.unknown,
        ordinary=ordinary,
        feature=name,
    )


FEATURE_FACTS: Final[tuple[Fact, ...]] = (
    *(_code(name) for name in _CODES),
    *(_flag(feature.name) for feature in FEATURES if feature.unit == "flag"),
    _known_code(
        "payee_dual_recording_missing",
        "payee_dual_recording_done",
        0.0,
        "双录 is known not to have been done when the payee's account was opened.",
    ),
    _known_code(
        "payee_name_mismatch",
        "payee_name_match",
        NameMatch.NO_MATCH,
        "The payee's name is known not to be the holder's.",
    ),
    _known_code(
        "payee_virtual_asset_merchant",
        "payee_type",
        PartyType.VIRTUAL_ASSET_MERCHANT,
        "The payee is known to be a merchant of virtual assets.",
    ),
    *(
        _number(feature.name)
        for feature in FEATURES
        if feature.unit != "flag" and feature.name not in _ELSEWHERE | set(_CODES)
    ),
)
