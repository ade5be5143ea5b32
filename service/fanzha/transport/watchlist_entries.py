"""Entries of watchlists as they come in: judged one by one, raw identifiers made tokens."""

from collections.abc import Iterable, Iterator

from fanzha.domain.errors import FieldFault, InvalidFieldsError
from fanzha.domain.evidence import WatchlistEntry
from fanzha.domain.vocabulary import WatchlistGrade, WatchlistKind
from fanzha.transport.door import Door
from fanzha.transport.identity import IDENTIFIER, PHONE, Tokens, redacted
from fanzha.v1 import watchlists_pb2 as watchlists

ENTRIES_MAX = 1_000
"""Of one message."""
IMPORT_MAX = 2_000_000
"""Of one import or proposal: what waits lies in Redis' memory, up to 600 bytes an entry."""
_FAULTS_MAX = 50
"""So many fit into gRPC's trailing metadata; the last one says how many more there are."""
_FAULTS_KEPT = 1_000
"""After so many the rest is not even read."""

Message = watchlists.ImportEntriesRequest | watchlists.ProposeImportRequest


class EntryReader:
    """Reads entries and notes every fault with the entry's place in the import."""

    def __init__(
        self,
        tokens: Tokens,
        now_ms: int,
        proposed_by: str,
        approved_by: str,
        most: int = IMPORT_MAX,
    ) -> None:
        """Prepare.

        Args:
            tokens: what tokens are made with.
            now_ms: entries that end before are refused; milliseconds since 1970 UTC.
            proposed_by: who asks for the entries.
            approved_by: who approved them; empty as long as nobody has.
            most: more entries are refused.
        """
        self.door = Door(tokens)
        self.count = 0
        self._most = most
        self._now_ms = now_ms
        self._proposed_by = proposed_by
        self._approved_by = approved_by
        self._tokenise = {
            WatchlistKind.ACCOUNT: (tokens.account, IDENTIFIER),
            WatchlistKind.VERIFIED_BILLER: (tokens.account, IDENTIFIER),
            WatchlistKind.PERSON: (tokens.person, IDENTIFIER),
            WatchlistKind.PHONE: (tokens.phone, PHONE),
            WatchlistKind.DEVICE: (tokens.device, IDENTIFIER),
        }

    def read(self, messages: Iterable[Message]) -> Iterator[tuple[bytes, WatchlistEntry]]:
        """Yield the valid entries of all messages after the header.

        Raises:
            InvalidFieldsError: at the end, when there was none, or one that is not valid.
        """
        for message in messages:
            yield from self._entries(message)
            if self.count > self._most:
                more = f"must be at most {self._most:,} at once; send the others apart"
                self.door.fault("entries", more)
                break
            if len(self.door.faults) > _FAULTS_KEPT:
                break
        if not self.count:
            self.door.fault("entries", "at least one entry must follow the header")
        if self.door.faults:
            raise InvalidFieldsError(_some_of(self.door.faults))

    def _entries(self, message: Message) -> Iterator[tuple[bytes, WatchlistEntry]]:
        if message.WhichOneof("part") != "entries":
            self.door.fault("entries", "every message after the first must carry entries")
            return
        if len(message.entries.entries) > ENTRIES_MAX:
            self.door.fault("entries", f"must be at most {ENTRIES_MAX} a message")
            return
        for entry in message.entries.entries:
            read = self._entry(entry, f"entries[{self.count}]")
            self.count += 1
            if read is not None:
                yield read

    def _entry(
        self, entry: watchlists.WatchlistEntry, field: str
    ) -> tuple[bytes, WatchlistEntry] | None:
        door, before = self.door, len(self.door.faults)
        kind = door.choice(WatchlistKind, entry.kind, f"{field}.kind")
        grade = door.choice(WatchlistGrade, entry.grade, f"{field}.grade")
        token = b""
        if kind == WatchlistKind.UNSPECIFIED:
            door.fault(f"{field}.kind", "must be given")
        else:
            tokenise, form = self._tokenise[kind]
            longest = 32 if kind == WatchlistKind.PHONE else 64
            if kind == WatchlistKind.DEVICE:
                longest = 128
            if not entry.identifier:
                door.fault(f"{field}.identifier", "must be given")
            elif door.token(entry.identifier, f"{field}.identifier", form=form, longest=longest):
                token = tokenise(entry.identifier)
        if grade == WatchlistGrade.UNSPECIFIED and kind != WatchlistKind.VERIFIED_BILLER:
            door.fault(f"{field}.grade", "must be given")
        door.keep_out((entry.identifier,), {f"{field}.case_number": entry.case_number})
        self._check_texts(entry, grade, field)
        since, until = self._validity(entry, field)
        if len(door.faults) > before:
            return None
        return token, WatchlistEntry(
            kind=kind,
            grade=grade,
            source=redacted(entry.source, (entry.identifier,)),
            case_number=entry.case_number,
            legal_basis=redacted(entry.legal_basis, (entry.identifier,)),
            valid_from_ms=since,
            valid_until_ms=until,
            proposed_by=self._proposed_by,
            approved_by=self._approved_by,
        )

    def _check_texts(
        self, entry: watchlists.WatchlistEntry, grade: WatchlistGrade, field: str
    ) -> None:
        if not 1 <= len(entry.source) <= 64:
            self.door.fault(f"{field}.source", "must be 1 to 64 characters")
        if len(entry.case_number) > 64:
            self.door.fault(f"{field}.case_number", "must be at most 64 characters")
        if len(entry.legal_basis) > 256:
            self.door.fault(f"{field}.legal_basis", "must be at most 256 characters")
        if grade == WatchlistGrade.INVOLVED and not entry.legal_basis:
            self.door.fault(f"{field}.legal_basis", "must be given for INVOLVED: it may block")

    def _validity(self, entry: watchlists.WatchlistEntry, field: str) -> tuple[int, int]:
        since = self._now_ms
        if entry.HasField("valid_from_time"):
            since = self.door.time_ms(entry.valid_from_time, f"{field}.valid_from_time")
        if not entry.HasField("valid_until_time"):
            self.door.fault(f"{field}.valid_until_time", "must be given: entries expire")
            return since, 0
        until = self.door.time_ms(entry.valid_until_time, f"{field}.valid_until_time")
        if until and until <= self._now_ms:
            self.door.fault(f"{field}.valid_until_time", "must be in the future")
        elif until and until <= since:
            self.door.fault(f"{field}.valid_until_time", "must be later than valid_from_time")
        return since, until


def _some_of(faults: list[FieldFault]) -> tuple[FieldFault, ...]:
    if len(faults) <= _FAULTS_MAX:
        return tuple(faults)
    more = FieldFault("entries", f"{len(faults) - _FAULTS_MAX} more faults are not listed here")
    return (*faults[:_FAULTS_MAX], more)
