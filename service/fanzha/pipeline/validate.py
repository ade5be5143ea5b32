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


class _Faults:
    """Collects faults; the first one of a field stands for it."""

    def __init__(self, faults: tuple[FieldFault, ...]) -> None:
        self.all = list(faults)
        self._named = {fault.field for fault in faults}

    def check(self, field: str, rule: str, *, valid: bool) -> None:
        if not valid and field not in self._named:
            self._named.add(field)
            self.all.append(FieldFault(field, rule))


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
    faults = _Faults(draft.faults)
    faults.check("request_id", ID_RULE, valid=ID.match(transfer.request_id) is not None)
    faults.check("transfer.transfer_id", ID_RULE, valid=ID.match(transfer.transfer_id) is not None)
    faults.check("transfer.kind", "must be given", valid=transfer.kind != TransferKind.UNSPECIFIED)
    faults.check("transfer.channel", "must be given", valid=transfer.channel != Channel.UNSPECIFIED)
    faults.check(
        "transfer.create_time",
        "must be given, from 7 days before to 10 minutes after the service's clock",
        valid=now_ms - PAST_MS_MAX <= transfer.create_time_ms <= now_ms + FUTURE_MS_MAX,
    )
    _check_amounts(draft, rules, faults)
    _check_parties(transfer, faults)
    faults.check(
        "transfer.branch_id", PLACE_RULE, valid=PLACE.match(transfer.branch_id) is not None
    )
    faults.check(
        "transfer.terminal_id", PLACE_RULE, valid=PLACE.match(transfer.terminal_id) is not None
    )
    if faults.all:
        raise InvalidFieldsError(tuple(faults.all))
    return transfer


def _check_amounts(draft: TransferDraft, rules: Rules, faults: _Faults) -> None:
    transfer, base = draft.transfer, rules.base_currency
    faults.check(
        "transfer.amount.currency_code",
        "must be an ISO 4217 code in use, three upper-case letters",
        valid=transfer.currency in CURRENCIES,
    )
    faults.check(
        "transfer.amount.minor_units",
        f"must be 1 to {AMOUNT_MINOR_MAX}",
        valid=0 < transfer.amount_minor <= AMOUNT_MINOR_MAX,
    )
    if draft.base_amount_currency:
        faults.check(
            "transfer.base_amount.currency_code",
            f"must be {base}, the base currency of this deployment",
            valid=draft.base_amount_currency == base,
        )
        faults.check(
            "transfer.base_amount.minor_units",
            f"must be 1 to {AMOUNT_MINOR_MAX}, and equal to amount when both are in {base}",
            valid=0 < transfer.base_amount_minor <= AMOUNT_MINOR_MAX
            and (transfer.currency != base or transfer.base_amount_minor == transfer.amount_minor),
        )
    else:
        faults.check(
            "transfer.base_amount",
            f"must be given in {base} when amount is in another currency",
            valid=transfer.currency == base or transfer.currency not in CURRENCIES,
        )
    if transfer.balance_before_minor is not None:
        faults.check(
            "transfer.balance_before.currency_code",
            f"must be {base}, the base currency of this deployment",
            valid=draft.balance_currency == base,
        )
        faults.check(
            "transfer.balance_before.minor_units",
            f"must be 0 to {AMOUNT_MINOR_MAX}",
            valid=0 <= transfer.balance_before_minor <= AMOUNT_MINOR_MAX,
        )


def _check_parties(transfer: Transfer, faults: _Faults) -> None:
    payer, payee = transfer.payer, transfer.payee
    faults.check("transfer.payer.account", "must be given", valid=payer.account != b"")
    _check_party(payer, "transfer.payer", transfer, faults)
    if payee is None or not payee.account:
        faults.check(
            "transfer.payee.account",
            "must be given for a TRANSFER, a LOAN_PAYOUT and a DEPOSIT_BREAK",
            valid=transfer.kind not in KINDS_WITH_PAYEE,
        )
    else:
        faults.check(
            "transfer.payee.account",
            "must not be the payer's account",
            valid=payee.account != payer.account,
        )
    if payee is not None:
        _check_party(payee, "transfer.payee", transfer, faults)


def _check_party(party: Party, field: str, transfer: Transfer, faults: _Faults) -> None:
    faults.check(f"{field}.account_ref", _REF_RULE, valid=_REF.match(party.account_ref) is not None)
    if party.open_day is not None:
        # One day of grace: the date is the bank's local one, the time is UTC.
        faults.check(
            f"{field}.opening.open_date",
            "must not lie after the transfer's day",
            valid=party.open_day <= transfer.create_time_ms // _DAY_MS + 1,
        )
