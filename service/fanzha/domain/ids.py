"""Names of decisions, and the buckets that all state is spread over.

A decision id is 26 characters of Crockford base32 over 16 bytes: 6 bytes of time (milliseconds
since 1970 UTC), 1 byte of bucket, 9 random bytes. It sorts by time and says in which bucket, and so
in which Redis slot and which day of the archive, the decision lies.
"""

from datetime import UTC, date, datetime

BUCKETS = 256

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
"""Two characters by the 10 bits that they stand for."""
_SHIFTS = tuple(range(120, -1, -10))
_CHARACTERS = frozenset(_ALPHABET)
_DIGITS = bytes(
    b"0123456789abcdefghijklmnopqrstuv"[_ALPHABET.index(chr(code))] if chr(code) in _ALPHABET
    else ord("!")
    for code in range(256)
)  # fmt: skip
"""To the digits of base 32 that `int` reads; what is none of the alphabet becomes none of them."""
_ID_LENGTH = 26
_RANDOM_BYTES = 9
TIME_MS_MAX = 4_102_444_800_000
"""2100-01-01T00:00:00Z: later times are absurd, in requests and in ids."""


def bucket_of(token: bytes) -> int:
    """Return the bucket, 0 to 255, of a 16-byte token: its last byte, uniform by construction."""
    return token[-1]


def new_decision_id(time_ms: int, bucket: int, randomness: bytes) -> str:
    """Return a new decision id.

    Args:
        time_ms: milliseconds since 1970 UTC, 0 to 2**48 - 1.
        bucket: bucket of the payer, 0 to 255.
        randomness: 9 random bytes.

    """
    raw = (time_ms << 80) | (bucket << 72) | int.from_bytes(randomness[:_RANDOM_BYTES])
    return "".join([_PAIRS[raw >> shift & 1023] for shift in _SHIFTS])


def _raw(decision_id: str) -> int:
    """Return the bits of an id or of a part of one. Raises ValueError where it is none."""
    return int(decision_id.encode().translate(_DIGITS), 32)


def is_decision_id(text: str) -> bool:
    """Say whether the text has the form of a decision id."""
    return (
        len(text) == _ID_LENGTH
        and text[0] in "01234567"
        and _CHARACTERS.issuperset(text)
        and _raw(text) >> 80 < TIME_MS_MAX
    )


def bucket_of_decision(decision_id: str) -> int:
    """Return the bucket, 0 to 255, that a well-formed decision id carries."""
    return (_raw(decision_id) >> 72) & 0xFF


def time_ms_of_decision(decision_id: str) -> int:
    """Return the time of decision, milliseconds since 1970 UTC, that the id carries."""
    # The first ten characters hold the six bytes of time, and nothing else.
    return _raw(decision_id[:10])


def day_of_decision(decision_id: str) -> date:
    """Return the UTC day of the decision, by which the archive is partitioned."""
    return datetime.fromtimestamp(time_ms_of_decision(decision_id) / 1000, UTC).date()


def event_id_of_decision(decision_id: str) -> int:
    """Return the event's id in rings: the id's last 8 random bytes as a signed 64-bit integer."""
    # The last 13 characters hold 65 bits.
    last = _raw(decision_id[-13:]) & (2**64 - 1)
    return last - 2**64 if last >> 63 else last


def counterparty_of(token: bytes) -> int:
    """Return the first 8 bytes of a token as a signed 64-bit little-endian integer.

    Signed, because the kernel's arrays are int64. 0 stands for "no counterparty".
    """
    return int.from_bytes(token[:8], "little", signed=True)
