"""Time in whole milliseconds: spans, windows, and the bank's local clock."""

from collections.abc import Iterable
from datetime import date, timedelta

from tests.oracle.records import Event, Request

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def in_the_last(span_ms: int, request: Request, time_ms: int) -> bool:
    """From t - span on, and before t."""
    return request.time_ms - span_ms <= time_ms < request.time_ms


def last(span_ms: int, request: Request, events: Iterable[Event]) -> list[Event]:
    """Return the events of the window before the transfer."""
    return [event for event in events if in_the_last(span_ms, request, event.time_ms)]


def local_ms(time_ms: int, utc_offset_s: int) -> int:
    """Return what the bank's clock shows, in milliseconds since 1970-01-01 00:00 on it."""
    return time_ms + utc_offset_s * 1000


def local_hour(time_ms: int, utc_offset_s: int) -> int:
    """Return the number of the local hour since 1970-01-01."""
    return local_ms(time_ms, utc_offset_s) // HOUR_MS


def local_day(time_ms: int, utc_offset_s: int) -> int:
    """Return the number of the local day since 1970-01-01."""
    return local_ms(time_ms, utc_offset_s) // DAY_MS


def today(request: Request) -> int:
    """Return the number of the transfer's local day."""
    return local_day(request.time_ms, request.utc_offset_s)


def date_of(day: int) -> date:
    """Return the date of a numbered day."""
    return date(1970, 1, 1) + timedelta(days=day)
