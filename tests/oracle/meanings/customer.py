"""Who pays whom, as the bank knows them."""

from tests.oracle.records import Request
from tests.oracle.time import today
from tests.oracle.value import by_name


def payer_type(request: Request) -> int | None:
    return request.payer_type


def payer_segment(request: Request) -> int | None:
    return request.payer_segment


def payer_account_age_days(request: Request) -> int | None:
    opened = request.payer_open_day
    return None if opened is None else today(request) - opened


def payer_anti_fraud_app(request: Request) -> int | None:
    return request.payer_anti_fraud_app


def payee_type(request: Request) -> int | None:
    return request.payee_type


def payee_account_age_days(request: Request) -> int | None:
    opened = request.payee_open_day
    return None if opened is None else today(request) - opened


def payee_open_channel(request: Request) -> int | None:
    return request.payee_open_channel


def payee_dual_recording_done(request: Request) -> int | None:
    return request.payee_dual_recording_done


def payee_same_owner(request: Request) -> int | None:
    return request.payee_same_owner


def payee_same_bank(request: Request) -> int | None:
    return request.payee_same_bank


def payee_name_match(request: Request) -> int | None:
    return request.payee_name_match


MEANINGS = by_name(
    payer_type,
    payer_segment,
    payer_account_age_days,
    payer_anti_fraud_app,
    payee_type,
    payee_account_age_days,
    payee_open_channel,
    payee_dual_recording_done,
    payee_same_owner,
    payee_same_bank,
    payee_name_match,
)
