"""All faults at once: the same, in the same order, as when every rule is a row of a table."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.decision_inputs import NOW_MS, a_transfer

from fanzha.domain.currency import CURRENCIES
from fanzha.domain.errors import FieldFault, InvalidFieldsError
from fanzha.domain.transfer import AMOUNT_MINOR_MAX, Party, Transfer, TransferDraft
from fanzha.domain.vocabulary import KINDS_WITH_PAYEE, Channel, TransferKind
from fanzha.pipeline.validate import (
    FUTURE_MS_MAX,
    ID,
    ID_RULE,
    PAST_MS_MAX,
    PLACE,
    PLACE_RULE,
    Rules,
    validate,
)

DAY_MS = 86_400_000
REF_RULE = "must be at most 64 characters of [A-Za-z0-9._:-]"
Row = tuple[str, str, bool]


def rows(draft: TransferDraft, base: str, now_ms: int) -> Iterator[Row]:
    """Yield each rule: its field, its words, and whether it is kept."""
    transfer = draft.transfer
    yield "request_id", ID_RULE, ID.match(transfer.request_id) is not None
    yield "transfer.transfer_id", ID_RULE, ID.match(transfer.transfer_id) is not None
    yield "transfer.kind", "must be given", transfer.kind != 0
    yield "transfer.channel", "must be given", transfer.channel != 0
    yield (
        "transfer.create_time",
        "must be given, from 7 days before to 10 minutes after the service's clock",
        now_ms - PAST_MS_MAX <= transfer.create_time_ms <= now_ms + FUTURE_MS_MAX,
    )
    yield from rows_of_amounts(draft, base)
    yield from rows_of_parties(transfer)
    yield "transfer.branch_id", PLACE_RULE, PLACE.match(transfer.branch_id) is not None
    yield "transfer.terminal_id", PLACE_RULE, PLACE.match(transfer.terminal_id) is not None


def rows_of_amounts(draft: TransferDraft, base: str) -> Iterator[Row]:
    transfer = draft.transfer
    of_base = f"must be {base}, the base currency of this deployment"
    field = "transfer.amount"
    yield (
        f"{field}.currency_code",
        "must be an ISO 4217 code in use, three upper-case letters",
        transfer.currency in CURRENCIES,
    )
    is_amount = 0 < transfer.amount_minor <= AMOUNT_MINOR_MAX
    yield f"{field}.minor_units", f"must be 1 to {AMOUNT_MINOR_MAX}", is_amount
    field = "transfer.base_amount"
    if draft.base_amount_currency:
        yield f"{field}.currency_code", of_base, draft.base_amount_currency == base
        yield (
            f"{field}.minor_units",
            f"must be 1 to {AMOUNT_MINOR_MAX}, and equal to amount when both are in {base}",
            0 < transfer.base_amount_minor <= AMOUNT_MINOR_MAX
            and (transfer.currency != base or transfer.base_amount_minor == transfer.amount_minor),
        )
    else:
        yield (
            field,
            f"must be given in {base} when amount is in another currency",
            transfer.currency == base or transfer.currency not in CURRENCIES,
        )
    if (balance := transfer.balance_before_minor) is not None:
        field = "transfer.balance_before"
        yield f"{field}.currency_code", of_base, draft.balance_currency == base
        rule = f"must be 0 to {AMOUNT_MINOR_MAX}"
        yield f"{field}.minor_units", rule, 0 <= balance <= AMOUNT_MINOR_MAX


def rows_of_parties(transfer: Transfer) -> Iterator[Row]:
    payer, payee = transfer.payer, transfer.payee
    yield "transfer.payer.account", "must be given", payer.account != b""
    yield from rows_of_party(payer, "transfer.payer", transfer)
    if payee is None or not payee.account:
        yield (
            "transfer.payee.account",
            "must be given for a TRANSFER, a LOAN_PAYOUT and a DEPOSIT_BREAK",
            transfer.kind not in KINDS_WITH_PAYEE,
        )
    else:
        is_other = payee.account != payer.account
        yield "transfer.payee.account", "must not be the payer's account", is_other
    if payee is not None:
        yield from rows_of_party(payee, "transfer.payee", transfer)


def rows_of_party(party: Party, field: str, transfer: Transfer) -> Iterator[Row]:
    is_ref = len(party.account_ref) <= 64 and "!" not in party.account_ref
    yield f"{field}.account_ref", REF_RULE, is_ref
    if party.open_day is not None:
        yield (
            f"{field}.opening.open_date",
            "must not lie after the transfer's day",
            party.open_day <= transfer.create_time_ms // DAY_MS + 1,
        )


def faults_by_table(draft: TransferDraft, base: str, now_ms: int) -> tuple[FieldFault, ...]:
    """Return the door's faults, and the first of each field that has none yet."""
    found = list(draft.faults)
    for field, rule, is_kept in rows(draft, base, now_ms):
        if not is_kept and field not in {fault.field for fault in found}:
            found.append(FieldFault(field, rule))
    return tuple(found)


NAMES = st.sampled_from(["", "a", "A.b:c_d-9", "a" * 32, "a" * 33, "a" * 64, "a" * 65, "a!", "é"])
AMOUNTS = st.sampled_from([-1, 0, 1, 10_000, AMOUNT_MINOR_MAX, AMOUNT_MINOR_MAX + 1])
CODES = st.sampled_from(["", "CNY", "USD", "cny", "XXX"])
DAY = NOW_MS // DAY_MS
FIRST_MS, LAST_MS = NOW_MS - PAST_MS_MAX, NOW_MS + FUTURE_MS_MAX
PARTIES = st.builds(
    Party,
    account=st.sampled_from([b"", b"p" * 16, b"q" * 16]),
    account_ref=st.sampled_from(["", "ref", "r" * 64, "r" * 65, "r!"]),
    open_day=st.sampled_from([None, 0, DAY, DAY + 1, DAY + 2]),
)
CHANGES = {
    "request_id": NAMES,
    "transfer_id": NAMES,
    "kind": st.sampled_from(TransferKind),
    "channel": st.sampled_from(Channel),
    "create_time_ms": st.sampled_from([0, NOW_MS, FIRST_MS, FIRST_MS - 1, LAST_MS, LAST_MS + 1]),
    "currency": CODES,
    "amount_minor": AMOUNTS,
    "base_amount_minor": AMOUNTS,
    "payer": PARTIES,
    "payee": st.none() | PARTIES,
    "balance_before_minor": st.none() | AMOUNTS,
    "branch_id": NAMES,
    "terminal_id": NAMES,
}
FAULTS = st.lists(
    st.builds(
        FieldFault,
        st.sampled_from(["request_id", "transfer.payer.account", "transfer.kind", "other"]),
        st.sampled_from(["said at the door", "said twice"]),
    ),
    max_size=3,
)


@given(
    changes=st.fixed_dictionaries({}, optional=CHANGES),
    base_code=CODES,
    balance_code=CODES,
    doors=FAULTS,
    base=st.sampled_from(["CNY", "USD"]),
)
def test_the_same_faults_in_the_same_order(
    changes: dict[str, object],
    base_code: str,
    balance_code: str,
    doors: list[FieldFault],
    base: str,
) -> None:
    transfer = replace(a_transfer(), **changes)  # type: ignore[arg-type]
    draft = TransferDraft(transfer, base_code, balance_code, tuple(doors))
    faults = faults_by_table(draft, base, NOW_MS)

    with pytest.raises(InvalidFieldsError) if faults else nullcontext() as raised:
        assert validate(draft, Rules(base), NOW_MS) is transfer

    assert raised is None or raised.value.faults == faults
