"""What counts among the list entries that were found."""

from dataclasses import replace

from tests.decision_inputs import a_transfer

from fanzha.domain.evidence import ListSubject, WatchlistEntry
from fanzha.domain.vocabulary import WatchlistGrade, WatchlistKind
from fanzha.pipeline.gather import evidence_of
from fanzha.pipeline.ports import Findings

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
INVOLVED = WatchlistEntry(
    kind=WatchlistKind.ACCOUNT,
    grade=WatchlistGrade.INVOLVED,
    source="police",
    case_number="",
    legal_basis="反电信网络诈骗法 art. 20",
    valid_from_ms=NOW_MS - HOUR_MS,
    valid_until_ms=NOW_MS + HOUR_MS,
    proposed_by="chen",
    approved_by="wu",
)
WATCHED = replace(INVOLVED, grade=WatchlistGrade.WATCH)


def grades(*entries: WatchlistEntry) -> list[WatchlistGrade]:
    found = tuple((ListSubject.PAYEE_ACCOUNT, entry) for entry in entries)
    findings = Findings(None, None, found, "lists-000001", None)
    evidence = evidence_of(a_transfer(), findings, NOW_MS, HOUR_MS)
    assert evidence.list_hits is not None
    return [hit.entry.grade for hit in evidence.list_hits]


def test_the_newest_entry_in_force_counts() -> None:
    assert grades(INVOLVED, WATCHED) == [WatchlistGrade.WATCH]


def test_a_newer_entry_that_is_not_in_force_hides_nothing() -> None:
    tomorrow = replace(WATCHED, valid_from_ms=NOW_MS + HOUR_MS, valid_until_ms=NOW_MS + 2 * HOUR_MS)
    expired = replace(WATCHED, valid_until_ms=NOW_MS)

    assert grades(INVOLVED, tomorrow, expired) == [WatchlistGrade.INVOLVED]


def test_validity_ends_exclusively_and_begins_inclusively() -> None:
    assert grades(replace(INVOLVED, valid_until_ms=NOW_MS)) == []
    assert grades(replace(INVOLVED, valid_from_ms=NOW_MS)) == [WatchlistGrade.INVOLVED]
