"""What a service's log leaves out, and that it says so."""

import logging
from collections.abc import Iterator

import pytest

from fanzha.log_output import PERIOD_S, SPARSE, WRITTEN_MAX, Repeats


class Lines(logging.Handler):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


class Time:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def log() -> logging.Logger:
    return logging.getLogger("fanzha.of_a_test")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def lines(log: logging.Logger, time: Time) -> Iterator[list[str]]:
    handler = Lines()
    handler.addFilter(Repeats(time))
    log.addHandler(handler)
    yield handler.texts
    log.removeHandler(handler)


def away(log: logging.Logger, number: int) -> None:
    log.warning("Redis is away: %d", number)


def test_one_statement_is_written_so_often_and_others_as_before(
    log: logging.Logger, lines: list[str]
) -> None:
    for number in range(1_000):
        away(log, number)
    log.error("something else")

    assert lines == [*(f"Redis is away: {n}" for n in range(WRITTEN_MAX)), "something else"]


def test_the_next_period_tells_how_many_were_left_out(
    log: logging.Logger, lines: list[str], time: Time
) -> None:
    for number in range(WRITTEN_MAX + 1_234):
        away(log, number)
    time.now_s += PERIOD_S
    lines.clear()
    away(log, 7)
    away(log, 8)

    assert lines == ["Redis is away: 7 (and 1,234 more of these since)", "Redis is away: 8"]


def test_a_statement_that_limits_itself_is_always_written(
    log: logging.Logger, lines: list[str]
) -> None:
    for number in range(3 * WRITTEN_MAX):
        log.warning("denied: client %d", number, extra=SPARSE)

    assert lines == [f"denied: client {number}" for number in range(3 * WRITTEN_MAX)]


def test_what_is_rare_is_always_written(log: logging.Logger, lines: list[str], time: Time) -> None:
    for number in range(3 * WRITTEN_MAX):
        away(log, number)
        time.now_s += PERIOD_S / WRITTEN_MAX

    assert len(lines) == 3 * WRITTEN_MAX
    assert not any("more of these" in line for line in lines)
