"""Confirmed frauds that are known of an account, payer's or payee's."""

from fractions import Fraction

from tests.oracle.history import Account
from tests.oracle.records import Report, Request
from tests.oracle.time import DAY_MS, in_the_last
from tests.oracle.value import by_name


def mule_reports(request: Request, account: Account) -> int:
    return sum(report.names_mule for report in _known(request, account))


def mule_reports_30d(request: Request, account: Account) -> int:
    return sum(
        report.names_mule and in_the_last(30 * DAY_MS, request, report.known_ms)
        for report in _known(request, account)
    )


def victim_reports(request: Request, account: Account) -> int:
    return sum(not report.names_mule for report in _known(request, account))


def days_since_report(request: Request, account: Account) -> Fraction | None:
    known = [report.known_ms for report in _known(request, account)]
    return Fraction(request.time_ms - max(known), DAY_MS) if known else None


def _known(request: Request, account: Account) -> list[Report]:
    return [report for report in account.reports if report.known_ms < request.time_ms]


MEANINGS = by_name(mule_reports, mule_reports_30d, victim_reports, days_since_report)
"""Their features are named after the side, payer or payee."""
