"""WatchlistService: raw identifiers in, tokens and entries on."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator

import grpc

from fanzha.domain.errors import FieldFault, InvalidFieldsError
from fanzha.domain.evidence import WatchlistEntry
from fanzha.domain.record import ListImportRecord
from fanzha.domain.vocabulary import WatchlistGrade, WatchlistKind
from fanzha.pipeline.ports import Clock
from fanzha.transport.convert import Door
from fanzha.transport.guard import Guard
from fanzha.transport.identity import IDENTIFIER, PHONE, Tokens
from fanzha.v1 import watchlists_pb2 as watchlists
from fanzha.v1 import watchlists_pb2_grpc

_IMPORT = "/fanzha.v1.WatchlistService/ImportEntries"
_NAME = re.compile(r"[\w.@ -]{1,64}\Z")
_FAULTS_MAX = 50
"""So many fit into gRPC's trailing metadata; the last one says how many more there are."""
ENTRIES_MAX = 1_000

Entries = Iterable[tuple[bytes, WatchlistEntry]]
ImportEntries = Callable[[ListImportRecord, Entries], tuple[int, str]]


class WatchlistServicer(watchlists_pb2_grpc.WatchlistServiceServicer):
    """Changes watchlists."""

    def __init__(
        self, guard: Guard, tokens: Tokens, clock: Clock, import_entries: ImportEntries
    ) -> None:
        self._guard = guard
        self._tokens = tokens
        self._clock = clock
        self._import_entries = import_entries

    def ImportEntries(  # noqa: N802 - named by the proto
        self,
        request_iterator: Iterator[watchlists.ImportEntriesRequest],
        context: grpc.ServicerContext,
    ) -> watchlists.ImportEntriesResponse:
        """Bring entries into effect as one change."""
        with self._guard.call(_IMPORT, context):
            header = self._header(next(request_iterator, None))
            reader = _EntryReader(self._tokens, self._clock.now_ms(), header)
            # All entries are read and judged before the first is written.
            entries = [entry for message in request_iterator for entry in reader.entries(message)]
            if not reader.count:
                reader.door.fault("entries", "at least one entry must follow the header")
            if reader.door.faults:
                raise InvalidFieldsError(_some_of(reader.door.faults))
            count, version = self._import_entries(header, entries)
            return watchlists.ImportEntriesResponse(imported_count=count, lists_version=version)

    def _header(self, first: watchlists.ImportEntriesRequest | None) -> ListImportRecord:
        if first is None or first.WhichOneof("part") != "header":
            raise InvalidFieldsError((FieldFault("header", "must be the first message"),))
        header = first.header
        faults = [
            FieldFault(f"header.{field}", "must name a person, at most 64 letters")
            for field in ("proposed_by", "approved_by")
            if not _NAME.match(getattr(header, field)) or not _person(getattr(header, field))
        ]
        if _person(header.proposed_by) == _person(header.approved_by):
            faults.append(FieldFault("header.approved_by", "must be another person"))
        if len(header.comment) > 256:
            faults.append(FieldFault("header.comment", "must be at most 256 characters"))
        if faults:
            raise InvalidFieldsError(tuple(faults))
        return ListImportRecord(
            import_id="",
            proposed_by=header.proposed_by,
            approved_by=header.approved_by,
            comment=header.comment,
            entries=(),
            record_time_ms=self._clock.now_ms(),
        )


def _person(name: str) -> str:
    """Return a name without what spelling may vary: width, case, blanks, punctuation."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in plain if character.isalnum())


def _some_of(faults: list[FieldFault]) -> tuple[FieldFault, ...]:
    if len(faults) <= _FAULTS_MAX:
        return tuple(faults)
    more = FieldFault("entries", f"{len(faults) - _FAULTS_MAX} more faults are not listed here")
    return (*faults[:_FAULTS_MAX], more)


class _EntryReader:
    """Reads entries and notes every fault with the entry's place in the import."""

    def __init__(self, tokens: Tokens, now_ms: int, header: ListImportRecord) -> None:
        self.door = Door(tokens)
        self.count = 0
        self._now_ms = now_ms
        self._header = header
        self._tokenise = {
            WatchlistKind.ACCOUNT: (tokens.account, IDENTIFIER),
            WatchlistKind.VERIFIED_BILLER: (tokens.account, IDENTIFIER),
            WatchlistKind.PERSON: (tokens.person, IDENTIFIER),
            WatchlistKind.PHONE: (tokens.phone, PHONE),
            WatchlistKind.DEVICE: (tokens.device, IDENTIFIER),
        }

    def entries(
        self, message: watchlists.ImportEntriesRequest
    ) -> Iterator[tuple[bytes, WatchlistEntry]]:
        """Yield the valid entries of one message."""
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
        self._check_texts(entry, grade, field)
        since, until = self._validity(entry, field)
        if len(door.faults) > before:
            return None
        return token, WatchlistEntry(
            kind=kind,
            grade=grade,
            source=entry.source,
            case_number=entry.case_number,
            legal_basis=entry.legal_basis,
            valid_from_ms=since,
            valid_until_ms=until,
            proposed_by=self._header.proposed_by,
            approved_by=self._header.approved_by,
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
