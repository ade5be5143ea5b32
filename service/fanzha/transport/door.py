"""The door: reads raw fields, tokens in place of identifiers, and collects every fault there."""

from datetime import date
from enum import IntEnum
from re import Pattern
from typing import Any, Final, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from fanzha.domain.errors import FieldFault
from fanzha.domain.ids import TIME_MS_MAX
from fanzha.domain.transfer import Party, Session
from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    PartyType,
)
from fanzha.transport.identity import (
    IDENTIFIER,
    PHONE,
    Tokens,
    masked,
    none_tells,
    redacted,
    telling,
    tells,
)
from fanzha.v1 import transfer_pb2 as wire

E = TypeVar("E", bound=IntEnum)

_EPOCH = date(1970, 1, 1).toordinal()
REMARK_MAX = 256
_NAME_MAX = 256
"""Longer than any name that is kept."""


class _Members(dict[type[IntEnum], dict[int, Any]]):
    """Members of vocabularies by their numbers: to call an enum takes ten times as long."""

    def __missing__(self, kind: type[IntEnum]) -> dict[int, Any]:
        """Note down a vocabulary when it is first asked for."""
        self[kind] = found = {member.value: member for member in kind}
        return found


_MEMBERS: Final = _Members()


class Door:
    """Reads one request: collects every fault that shows only in the raw fields."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.faults: list[FieldFault] = []

    def fault(self, field: str, description: str) -> None:
        """Note one fault."""
        self.faults.append(FieldFault(field, description))

    def choice(self, kind: type[E], value: int, field: str) -> E:
        """Return the member of an enum; an unknown number is a fault."""
        member: E | None = _MEMBERS[kind].get(value)
        if member is None:
            self.fault(field, f"{value} is not a value of {kind.__name__} that this service knows")
            return kind(0)
        return member

    def token(self, raw: str, field: str, *, form: Pattern[str], longest: int) -> bool:
        """Say whether a raw identifier may be tokenised: given, and well formed."""
        if not raw:
            return False
        if len(raw) > longest or not form.match(raw):
            self.fault(
                field,
                f"must be at most {longest} characters of "
                + ("[0-9+ -]" if form is PHONE else "[A-Za-z0-9._:-]"),
            )
            return False
        return True

    def time_ms(self, stamp: Timestamp, field: str) -> int:
        """Return a time in milliseconds since 1970 UTC; 0 when it is absurd, with a fault."""
        ms = stamp.seconds * 1000 + stamp.nanos // 1_000_000
        if 0 < ms < TIME_MS_MAX and 0 <= stamp.nanos < 1_000_000_000:
            return ms
        self.fault(field, "must be a time from 1970 to 2099 with nanos 0 to 999999999")
        return 0

    def day(self, value: wire.Date, field: str) -> int | None:
        """Return a date in days since 1970-01-01."""
        if not 1900 <= value.year <= 2100:
            self.fault(field, "year must be 1900 to 2100")
            return None
        try:
            return date(value.year, value.month, value.day).toordinal() - _EPOCH
        except ValueError:
            self.fault(field, f"{value.year}-{value.month}-{value.day} is no date")
            return None

    def party(self, party: wire.Party, field: str) -> Party:
        """Return one side with tokens for its identifiers."""
        tokens, known = self._tokens, self.token
        raw_account, raw_person, raw_phone = party.account, party.person, party.phone
        account, person, phone = b"", None, None
        if known(raw_account, f"{field}.account", form=IDENTIFIER, longest=64):
            account = tokens.account(raw_account)
        if raw_person and known(raw_person, f"{field}.person", form=IDENTIFIER, longest=64):
            person = tokens.person(raw_person)
        if raw_phone and known(raw_phone, f"{field}.phone", form=PHONE, longest=32):
            phone = tokens.phone(raw_phone)
        open_day, is_recorded = None, None
        open_channel: int = Channel.UNSPECIFIED
        if party.HasField("opening"):
            opening = party.opening
            if opening.HasField("open_date"):
                open_day = self.day(opening.open_date, f"{field}.opening.open_date")
            open_channel = opening.channel
            if opening.HasField("dual_recording_done"):
                is_recorded = opening.dual_recording_done
        return Party(
            account=account,
            account_ref=party.account_ref,
            account_masked=masked(raw_account) if account else "",
            person=person,
            phone=phone,
            type=self.choice(PartyType, party.type, f"{field}.type"),
            segment=self.choice(CustomerSegment, party.segment, f"{field}.segment"),
            open_day=open_day,
            open_channel=self.choice(Channel, open_channel, f"{field}.opening.channel"),
            dual_recording_done=is_recorded,
            anti_fraud_app=party.anti_fraud_app if party.HasField("anti_fraud_app") else None,
        )

    def session(self, session: wire.Session, field: str) -> Session:
        """Return the session with a token for its device."""
        device = None
        if self.token(session.device_id, f"{field}.device_id", form=IDENTIFIER, longest=128):
            device = self._tokens.device(session.device_id)
        has = session.HasField
        return Session(
            device=device,
            call_in_progress=session.call_in_progress if has("call_in_progress") else None,
            screen_shared=session.screen_shared if has("screen_shared") else None,
            remote_control=session.remote_control if has("remote_control") else None,
            new_device=session.new_device if has("new_device") else None,
            new_e_channel=session.new_e_channel if has("new_e_channel") else None,
            limit_just_raised=session.limit_just_raised if has("limit_just_raised") else None,
        )

    def keep_out(self, identifiers: tuple[str, ...], named: dict[str, str]) -> None:
        """Note a fault where a name that is kept as it is holds one of the raw identifiers."""
        told = telling(identifiers)
        if none_tells(named.values(), told):
            return
        for field, value in named.items():
            # A longer one is refused for its length; to search it would cost more than it.
            if len(value) <= _NAME_MAX and tells(value, told):
                self.fault(
                    field, "must hold no account, phone, ID or device number, nor a mail address"
                )

    def remark(self, text: str, field: str, identifiers: tuple[str, ...] = ()) -> str:
        """Return free text with identifiers redacted, those that came with it and what looks so.

        Too long a text is a fault.
        """
        if len(text) > REMARK_MAX:
            self.fault(field, f"must be at most {REMARK_MAX} characters")
            return ""
        return redacted(text, identifiers) if text else ""
