"""New tokens in journal entries and records: everywhere that one stands, and nowhere else."""

from dataclasses import replace
from struct import Struct
from typing import Final

from fanzha.adapters.codec import decode, decode_record, encode
from fanzha.archive import schema
from fanzha.domain.record import DecisionRecord, ListImportRecord
from fanzha.domain.transfer import Party, Transfer
from fanzha.features.facts import PAYEE_ID, PAYER_ID, UNKNOWN
from fanzha.secrets.chain import HALF, Successor

Fields = dict[bytes, bytes]

_COUNTERPARTY_AT: Final = 24
"""Where a change of 40 bytes holds the first 8 bytes of another account's token."""
_NUMBER: Final = Struct("<q")
TOKEN: Final = 16


def entry(fields: Fields, new: Successor) -> Fields:
    """Return a journal entry with new tokens.

    Args:
        fields: k kind, a subject, c change, b record, and what holds no token.
        new: makes them.

    Raises:
        msgspec.DecodeError: its record cannot be read.
    """
    changed = dict(fields)
    if subject := fields.get(b"a"):
        changed[b"a"] = new.token(subject)
    if change := fields.get(b"c"):
        changed[b"c"] = change_of(change, new)
    if links := fields.get(b"l"):
        changed[b"l"] = tokens(links, new)
    kind, body = fields[b"k"].decode(), fields.get(b"b")
    if body is None:
        return changed
    if kind in schema.DECISION_KINDS:
        changed[b"b"] = encode(_decision(decode_record(body), new))
    elif kind == schema.KIND_LIST_IMPORT:
        note = decode(body, ListImportRecord)
        entries = tuple((new.token(token), found) for token, found in note.entries)
        changed[b"b"] = encode(replace(note, entries=entries))
    elif kind not in _WITHOUT_TOKENS:
        raise UnknownKindError(kind)
    return changed


_WITHOUT_TOKENS: Final = frozenset(
    {
        schema.KIND_EXECUTION,
        schema.KIND_OUTCOME,
        schema.KIND_WITHDRAWAL,
        schema.KIND_LIST_COMMIT,
        schema.KIND_MODEL_CHANGE,
        schema.KIND_LIST_PROPOSAL,
        schema.KIND_LIST_VERDICT,
        schema.KIND_STATE_REBUILD,
        schema.KIND_RECONCILIATION,
    }
)
"""Kinds whose record names decisions, models or imports alone."""


class UnknownKindError(Exception):
    """A kind of entry that nobody said where it holds tokens; copied, it could keep old ones."""


def change_of(change: bytes, new: Successor) -> bytes:
    """Return a change of 40 bytes with the new number of the other account; of none, none."""
    if not change:
        return change
    end = _COUNTERPARTY_AT + HALF
    return change[:_COUNTERPARTY_AT] + new.half(change[_COUNTERPARTY_AT:end]) + change[end:]


def numbers(packed: bytes, width: int, at: int, new: Successor) -> bytes:
    """Return packed rows with new numbers of accounts.

    Args:
        packed: the rows.
        width: bytes of a row.
        at: where a row holds the first 8 bytes of a token.
        new: makes the new ones.
    """
    if len(packed) % width:
        raise ValueError(f"{len(packed)} bytes are no rows of {width}")
    rows = (packed[start : start + width] for start in range(0, len(packed), width))
    return b"".join(row[:at] + new.half(row[at : at + HALF]) + row[at + HALF :] for row in rows)


def tokens(packed: bytes, new: Successor) -> bytes:
    """Return packed tokens of 16 bytes each as new ones."""
    return b"".join(new.token(packed[at : at + TOKEN]) for at in range(0, len(packed), TOKEN))


def _decision(record: DecisionRecord, new: Successor) -> DecisionRecord:
    return replace(
        record,
        transfer=_transfer(record.transfer, new),
        facts=_facts(record.facts, new),
        payer_change=change_of(record.payer_change, new),
        payee_change=change_of(record.payee_change, new),
        payer_sightings=_sightings(record.payer_sightings, new),
        payee_sightings=_sightings(record.payee_sightings, new),
    )


def _transfer(transfer: Transfer, new: Successor) -> Transfer:
    device = transfer.session.device
    return replace(
        transfer,
        request_digest=new.body(transfer.request_digest),
        payer=_party(transfer.payer, new),
        payee=None if transfer.payee is None else _party(transfer.payee, new),
        session=replace(transfer.session, device=_maybe(device, new)),
    )


def _party(party: Party, new: Successor) -> Party:
    return replace(
        party,
        account=new.token(party.account),
        person=_maybe(party.person, new),
        phone=_maybe(party.phone, new),
    )


def _maybe(token: bytes | None, new: Successor) -> bytes | None:
    return None if token is None else new.token(token)


def _facts(facts: bytes, new: Successor) -> bytes:
    changed = bytearray(facts)
    for place in (PAYER_ID, PAYEE_ID):
        (number,) = _NUMBER.unpack_from(changed, place * HALF)
        if number != UNKNOWN:
            _NUMBER.pack_into(changed, place * HALF, new.number(number))
    return bytes(changed)


def _sightings(
    sightings: tuple[tuple[bytes, bytes], ...], new: Successor
) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((new.token(link), change_of(change, new)) for link, change in sightings)
