"""Records to bytes and back: msgpack, by the types of `fanzha.domain`."""

from typing import TypeVar

import msgspec

from fanzha.domain.decision import Decision
from fanzha.domain.evidence import WatchlistEntry
from fanzha.domain.record import DecisionRecord

T = TypeVar("T")

_ENCODER = msgspec.msgpack.Encoder()
_DECISION = msgspec.msgpack.Decoder(Decision)
_RECORD = msgspec.msgpack.Decoder(DecisionRecord)
_ENTRY = msgspec.msgpack.Decoder(WatchlistEntry)


class _unreadable:  # noqa: N801 - reads as a statement
    """Turn text that is no UTF-8 into the error that all else gives; msgspec lets it through."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, UnicodeDecodeError):
            raise msgspec.DecodeError(f"it holds text that is no UTF-8: {error.reason}") from error


class Codec:
    """Meets the pipeline's port."""

    def encode(self, record: object) -> bytes:
        """Return the bytes of a record or of a part of one."""
        return encode(record)


def encode(record: object) -> bytes:
    """Return the bytes of a record or of a part of one."""
    return _ENCODER.encode(record)


def decode_decision(body: bytes) -> Decision:
    """Return a decision from its bytes. Raises msgspec.DecodeError when they are not one."""
    with _unreadable():
        return _DECISION.decode(body)


def decode_record(body: bytes) -> DecisionRecord:
    """Return a decision's record from its bytes. Raises msgspec.DecodeError."""
    with _unreadable():
        return _RECORD.decode(body)


def decode_entry(body: bytes) -> WatchlistEntry:
    """Return a list entry from its bytes. Raises msgspec.DecodeError."""
    with _unreadable():
        return _ENTRY.decode(body)


def decode(body: bytes, kind: type[T]) -> T:
    """Return a record of any type from its bytes. Raises msgspec.DecodeError."""
    with _unreadable():
        return msgspec.msgpack.decode(body, type=kind)
