"""Entries of watchlists as they come in."""

from collections.abc import Iterator

import pytest

from fanzha.domain.errors import InvalidFieldsError
from fanzha.transport.identity import Tokens
from fanzha.transport.watchlist_entries import EntryReader
from fanzha.v1 import watchlists_pb2 as wire


def messages(sent: list[int]) -> Iterator[wire.ProposeImportRequest]:
    """Yield ten entries a message, without end."""
    while True:
        entry = wire.WatchlistEntry(
            kind=wire.WATCHLIST_KIND_ACCOUNT,
            identifier=str(len(sent)),
            grade=wire.WATCHLIST_GRADE_WATCH,
            source="desk",
        )
        entry.valid_until_time.FromJsonString("2099-01-01T00:00:00Z")
        sent.append(10)
        yield wire.ProposeImportRequest(entries=wire.WatchlistEntries(entries=[entry] * 10))


def test_an_import_without_end_is_refused_and_not_read_on() -> None:
    """What waits for its second person lies in the memory that decisions need."""
    sent: list[int] = []
    reader = EntryReader(Tokens(bytes(32)), 1_790_000_000_000, "chen", "", most=50)

    with pytest.raises(InvalidFieldsError, match="at most 50 at once"):
        list(reader.read(messages(sent)))

    assert sum(sent) == 60
