"""All rules about what a transfer may look like. Reports every fault at once."""

import re
from dataclasses import dataclass

from fanzha.domain.currency import CURRENCIES
from fanzha.domain.errors import FieldFault, InvalidFieldsError
from fanzha.domain.transfer import AMOUNT_MINOR_MAX, Party, Transfer, TransferDraft
from fanzha.domain.vocabulary import KINDS_WITH_PAYEE, Channel, TransferKind

ID = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")
ID_RULE = "must be 1 to 64 characters of [A-Za-z0-9._:-]"
_REF = re.compile(r"[A-Za-z0-9._:-]{0,64}\Z")
_REF_RULE = "must be at most 64 characters of [A-Za-z0-9._:-]"
PLACE = re.compile(r"[A-Za-z0-9._:-]{0,32}\Z")
PLACE_RULE = "must be at most 32 characters of [A-Za-z0-9._:-]"

_DAY_MS = 86_400_000
PAST_MS_MAX = 7 * _DAY_MS
FUTURE_MS_MAX = 10 * 60_000


@dataclass(frozen=True, slots=True)
class Rules:
    """What a deployment sets about valid transfers: its ISO 4217 base currency."""

    base_currency: str = "CNY"


def validate(draft: TransferDraft, rules: Rules, now_ms: int) -> Transfer:
    """Return the draft's transfer when it is valid.

    Args:
        draft: what came through the door.
        rules: what the deployment sets.
        now_ms: the service's clock, milliseconds since 1970 UTC.

    Raises:
        InvalidFieldsError: with all faults, the door's first.
    """
    transfer = draft.transfer
    faults = list(draft.faults)
    if not ID.match(transfer.request_id):
        faults.append(FieldFault("request_id", ID_RULE))
    if not ID.match(transfer.transfer_id):
        faults.append(FieldFault("transfer.transfer_id", ID_RULE))
    if transfer.kind == TransferKind.UNSPECIFIED:
        faults.append(FieldFault("transfer.kind", "must be given"))
    if transfer.channel == Channel.UNSPECIFIED:
        faults.append(FieldFault("transfer.channel", "must be given"))
    if not now_ms - PAST_MS_MAX <= transfer.create_time_ms <= now_ms + FUTURE_MS_MAX:
        faults.append(
            FieldFault(
                "transfer.create_time",
                "must be given, from 7 days before to 10 minutes after the service's clock",
            )
        )
    _check_amounts(draft, rules, faults)
    _check_parties(transfer, faults)
    if not PLACE.match(transfer.branch_id):
        faults.append(FieldFault("transfer.branch_id", PLACE_RULE))
    if not PLACE.match(transfer.terminal_id):
        faults.append(FieldFault("transfer.terminal_id", PLACE_RULE))
    if faults:
        raise InvalidFieldsError(_first_of_each_field(draft.faults, faults))
    return transfer


def _first_of_each_field(
    doors: tuple[FieldFault, ...], faults: list[FieldFault]
) -> tuple[FieldFault, ...]:
    """Return the door's faults, and of the others the first of each field that has none yet."""
    named = {fault.field for fault in doors}
    kept = list(doors)
    for fault in faults[len(doors) :]:
        if fault.field not in named:
            named.add(fault.field)
            kept.append(fault)
    return tuple(kept)


def _check_amounts(draft: TransferDraft, rules: Rules, faults: list[FieldFault]) -> None:
    transfer, base = draft.transfer, rules.base_currency
    if transfer.currency not in CURRENCIES:
        faults.append(
            FieldFault(
                "transfer.amount.currency_code",
                "must be an ISO 4217 code in use, three upper-case letters",
            )
        )
    if not 0 < transfer.amount_minor <= AMOUNT_MINOR_MAX:
        faults.append(FieldFault("transfer.amount.minor_units", f"must be 1 to {AMOUNT_MINOR_MAX}"))
    if draft.base_amount_currency:
        _check_base_amount(draft, base, faults)
    elif transfer.currency != base and transfer.currency in CURRENCIES:
        faults.append(
            FieldFault(
                "transfer.base_amount",
                f"must be given in {base} when amount is in another currency",
            )
        )
    if transfer.balance_before_minor is not None:
        if draft.balance_currency != base:
            faults.append(
                FieldFault(
                    "transfer.balance_before.currency_code",
                    f"must be {base}, the base currency of this deployment",
                )
            )
        if not 0 <= transfer.balance_before_minor <= AMOUNT_MINOR_MAX:
            faults.append(
                FieldFault(
                    "transfer.balance_before.minor_units", f"must be 0 to {AMOUNT_MINOR_MAX}"
                )
            )


def _check_base_amount(draft: TransferDraft, base: str, faults: list[FieldFault]) -> None:
    transfer = draft.transfer
    if draft.base_amount_currency != base:
        faults.append(
            FieldFault(
                "transfer.base_amount.currency_code",
                f"must be {base}, the base currency of this deployment",
            )
        )
    is_equal = transfer.base_amount_minor == transfer.amount_minor
    if not 0 < transfer.base_amount_minor <= AMOUNT_MINOR_MAX or (
        transfer.currency == base and not is_equal
    ):
        faults.append(
            FieldFault(
                "transfer.base_amount.minor_units",
                f"must be 1 to {AMOUNT_MINOR_MAX}, and equal to amount when both are in {base}",
            )
        )


def _check_parties(transfer: Transfer, faults: list[FieldFault]) -> None:
    payer, payee = transfer.payer, transfer.payee
    if not payer.account:
        faults.append(FieldFault("transfer.payer.account", "must be given"))
    _check_party(payer, "transfer.payer", transfer, faults)
    if payee is None or not payee.account:
        if transfer.kind in KINDS_WITH_PAYEE:
            faults.append(
                FieldFault(
                    "transfer.payee.account",
                    "must be given for a TRANSFER, a LOAN_PAYOUT and a DEPOSIT_BREAK",
                )
            )
    elif payee.account == payer.account:
        faults.append(FieldFault("transfer.payee.account", "must not be the payer's account"))
    if payee is not None:
        _check_party(payee, "transfer.payee", transfer, faults)


def _check_party(party: Party, field: str, transfer: Transfer, faults: list[FieldFault]) -> None:
    if not _REF.match(party.account_ref):
        faults.append(FieldFault(f"{field}.account_ref", _REF_RULE))
    # One day of grace: the date is the bank's local one, the time is UTC.
    if party.open_day is not None and party.open_day > transfer.create_time_ms // _DAY_MS + 1:
        faults.append(
            FieldFault(f"{field}.opening.open_date", "must not lie after the transfer's day")
        )
