"""Confirmed frauds that are known of an account, payer's or payee's."""

from fractions import Fraction

from tests.oracle.history import Account
from tests.oracle.records import Event, Report, Request
from tests.oracle.time import DAY_MS, in_the_last, last
from tests.oracle.value import by_name, ratio


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


def mule_reports_7d(request: Request, account: Account) -> int:
    return sum(
        in_the_last(7 * DAY_MS, request, report.known_ms)
        for report in _naming_mule(request, account)
    )


def days_since_first_mule_report_30d(request: Request, account: Account) -> Fraction | None:
    known = [
        report.known_ms
        for report in _naming_mule(request, account)
        if in_the_last(30 * DAY_MS, request, report.known_ms)
    ]
    return Fraction(request.time_ms - min(known), DAY_MS) if known else None


def in_reported_share_7d(request: Request, account: Account) -> Fraction | None:
    return _reported_share(14 * DAY_MS, request, account)


def in_reported_share_30d(request: Request, account: Account) -> Fraction | None:
    return _reported_share(37 * DAY_MS, request, account)


def in_unreported_since(request: Request, account: Account) -> int | None:
    happened = [report.happened_ms for report in _naming_mule(request, account)]
    if not happened:
        return None
    return sum(event.time_ms > max(happened) for event in _had_time(request, account))


def in_reported_run(request: Request, account: Account) -> int | None:
    reported = {report.event_id for report in _naming_mule(request, account)}
    if not reported:
        return None
    # The newest arrival first; what came before the last fraud is passed over.
    fates = [event.event_id in reported for event in _had_time(request, account)]
    if True not in fates:
        return 0
    since = fates[fates.index(True) :]
    return since.index(False) if False in since else len(since)


def _reported_share(span_ms: int, request: Request, account: Account) -> Fraction | None:
    received = last(span_ms, request, _had_time(request, account))
    reported = {report.event_id for report in _naming_mule(request, account)}
    return ratio(sum(event.event_id in reported for event in received), len(received))


def _had_time(request: Request, account: Account) -> list[Event]:
    """Return what was received more than 7 days ago."""
    return [event for event in account.receipts() if event.time_ms < request.time_ms - 7 * DAY_MS]


def _naming_mule(request: Request, account: Account) -> list[Report]:
    return [report for report in _known(request, account) if report.names_mule]


def _known(request: Request, account: Account) -> list[Report]:
    return [report for report in account.reports if report.known_ms < request.time_ms]


MEANINGS = by_name(
    mule_reports,
    mule_reports_30d,
    victim_reports,
    days_since_report,
    mule_reports_7d,
    days_since_first_mule_report_30d,
    in_reported_share_7d,
    in_reported_share_30d,
    in_unreported_since,
    in_reported_run,
)
"""Their features are named after the side, payer or payee."""
