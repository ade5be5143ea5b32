"""What is said of settings that cannot be used, or that nobody reads."""

import logging
from pathlib import Path

import pytest

from fanzha.domain.errors import SetupError
from fanzha.settings import read_settings, warn_of_unread


def test_half_of_tls_names_what_lacks_as_it_is_given() -> None:
    with pytest.raises(SetupError) as refused:
        read_settings(tls_cert=Path("server.pem"), roles=Path("roles.yaml"))

    assert str(refused.value) == (
        "settings that cannot be used:\n"
        "  TLS needs FANZHA_TLS_CERT, FANZHA_TLS_KEY, FANZHA_TLS_CLIENT_CA and FANZHA_ROLES, or "
        "the options of serve; not given: FANZHA_TLS_KEY (--tls-key), FANZHA_TLS_CLIENT_CA "
        "(--tls-client-ca)"
    )


def test_a_fault_is_said_without_words_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANZHA_TIME_ZONE", "Asia/Peking")
    monkeypatch.setenv("FANZHA_IDEMPOTENCY_MEMORY_S", "1")

    with pytest.raises(SetupError) as refused:
        read_settings()
    assert "Value error" not in str(refused.value)
    assert "FANZHA_TIME_ZONE" in str(refused.value)

    monkeypatch.delenv("FANZHA_TIME_ZONE")
    with pytest.raises(SetupError, match=r"\n  FANZHA_IDEMPOTENCY_MEMORY_S must be at least"):
        read_settings()


def test_a_variable_that_nobody_reads_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("FANZHA_BUDGT_MS", "FANZHA_PORT", "FANZHA_BUDGET_MS", "FANZHA_KERNEL_CACHE"):
        monkeypatch.setenv(name, "40")

    with caplog.at_level(logging.WARNING):
        warn_of_unread()

    (record,) = caplog.records
    assert record.getMessage() == (
        "nobody reads FANZHA_BUDGT_MS (FANZHA_BUDGET_MS is a setting), FANZHA_PORT; "
        "docs/reference/settings.md lists the settings"
    )


@pytest.mark.parametrize("pin", ["auto", "off", "0,2", "4-7"])
def test_where_workers_run(pin: str) -> None:
    assert read_settings(pin=pin).pin == pin


def test_cores_that_are_no_list() -> None:
    with pytest.raises(SetupError, match=r"FANZHA_PIN .*is no list of cores, such as 0,2 or 0-3"):
        read_settings(pin="all")
