"""The gravest entries of watchlists; the facts bring them ready."""

from tests.oracle.records import Request
from tests.oracle.value import by_name


def payer_list_grade(request: Request) -> int | None:
    return request.payer_list_grade


def payee_list_grade(request: Request) -> int | None:
    return request.payee_list_grade


def contact_list_grade(request: Request) -> int | None:
    return request.contact_list_grade


MEANINGS = by_name(payer_list_grade, payee_list_grade, contact_list_grade)
