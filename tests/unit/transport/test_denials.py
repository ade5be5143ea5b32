"""Denied calls are counted each, logged once a minute, and fill no memory."""

import logging

import pytest

from fanzha.transport.denials import Denial, Denials


def test_each_is_counted_and_few_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    denials = Denials(lambda: now[0])
    denial = Denial("/a/B", "x", "role missing")
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            denials.note(denial)
        now[0] = 61
        denials.note(denial)

    assert denials.counts() == {denial: 101}
    assert [record.getMessage() for record in caplog.records] == [
        "denied: x to /a/B: role missing (1 so far)",
        "denied: x to /a/B: role missing (101 so far)",
    ]


def test_a_name_forges_no_line(caplog: pytest.LogCaptureFixture) -> None:
    denials = Denials(lambda: 0.0)
    with caplog.at_level(logging.WARNING):
        name = "CN=张伟\nERROR all is lost\u2028" + "x" * 60_000
        denials.note(Denial("/a/B", name, "role missing"))

    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("denied: CN=张伟\\x0aERROR all is lost\\x2028xxx")
    assert len(said.splitlines()) == 1
    assert len(said) < 400


def test_many_names_fill_no_memory() -> None:
    denials = Denials(lambda: 0.0)
    for number in range(10_000):
        denials.note(Denial("/a/B", f"n-{number}", "role missing"))

    counts = denials.counts()
    assert len(counts) < 4_200
    assert sum(counts.values()) == 10_000
