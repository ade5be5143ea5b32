"""Health of the parts: what changed is told, once."""

import pytest

from fanzha.transport.part_health import PartHealth


class Parts:
    def __init__(self) -> None:
        self.well = {"history": True, "model": True}
        self.told: list[tuple[str, bool]] = []
        self.health = PartHealth(
            {
                name: (lambda name=name: "" if self.well[name] else "Redis r:1: refused")
                for name in self.well
            },
            lambda name, is_well: self.told.append((name, is_well)),
            look_s=0.01,
        )


@pytest.fixture
def parts() -> Parts:
    return Parts()


def test_every_part_is_told_at_first(parts: Parts) -> None:
    parts.well["model"] = False

    parts.health.look()

    assert parts.told == [("fanzha.history", True), ("fanzha.model", False)]


def test_then_only_what_changed(parts: Parts) -> None:
    parts.health.look()
    parts.told.clear()

    parts.health.look()
    parts.well["history"] = False
    parts.health.look()
    parts.health.look()
    parts.well["history"] = True
    parts.health.look()

    assert parts.told == [("fanzha.history", False), ("fanzha.history", True)]


def test_the_log_says_what_is_missing_and_why(
    parts: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    parts.health.look()
    parts.well["history"] = False
    with caplog.at_level("INFO"):
        parts.health.look()
        parts.well["history"] = True
        parts.health.look()

    assert [record.getMessage() for record in caplog.records] == [
        "part missing, and answers say so: history (Redis r:1: refused)",
        "part whole again: history",
    ]


def test_it_ends_when_it_is_closed(parts: Parts) -> None:
    parts.health.start()

    parts.health.close()

    assert not parts.health._thread.is_alive()
