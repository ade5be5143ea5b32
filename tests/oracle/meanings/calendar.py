"""The bank's local clock and calendar at the transfer."""

from fractions import Fraction

from tests.oracle.records import Request
from tests.oracle.time import DAY_MS, MINUTE_MS, date_of, local_ms, today
from tests.oracle.value import by_name


def hour(request: Request) -> Fraction:
    minutes = local_ms(request.time_ms, request.utc_offset_s) % DAY_MS // MINUTE_MS
    return Fraction(minutes, 60)


def weekday(request: Request) -> int:
    return date_of(today(request)).weekday()


def month_day(request: Request) -> int:
    return date_of(today(request)).day


MEANINGS = by_name(hour, weekday, month_day)
