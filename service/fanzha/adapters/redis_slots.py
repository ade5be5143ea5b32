"""Which key a command is about, and in which of a Cluster's slots it lies."""

import binascii

from fanzha.adapters import keys
from fanzha.adapters.redis_wire import Command
from fanzha.domain.ids import BUCKETS

SLOTS = 16_384
_WITH_KEY_COUNT = ("EVALSHA", "EVAL", "FCALL")
_WITHOUT_KEYS = frozenset(
    ("CLUSTER", "CONFIG", "DBSIZE", "ECHO", "FLUSHALL", "INFO", "PING", "ROLE", "SCRIPT", "TIME")
)


def key_of(command: Command) -> bytes | None:
    """Return the first key of a command; None when it has none and any server may answer it."""
    name = command[0]
    if name in _WITH_KEY_COUNT:
        place = 3 if command[2] else 0
    else:
        place = 0 if name in _WITHOUT_KEYS or len(command) == 1 else 1
    if not place:
        return None
    key = command[place]
    return key if isinstance(key, bytes) else str(key).encode()


def slot_of(key: bytes) -> int:
    """Return the slot of a key, by its hash tag where it has one."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return binascii.crc_hqx(key, 0) % SLOTS


SLOT_OF_BUCKET = tuple(slot_of(keys.tag(bucket)) for bucket in range(BUCKETS))
_SLOT_OF_TAG = {keys.tag(bucket)[:-1]: slot for bucket, slot in enumerate(SLOT_OF_BUCKET)}


def slot_of_command(command: Command) -> int | None:
    """Return the slot that a command belongs to, None for one without keys."""
    key = key_of(command)
    if key is None:
        return None
    slot = _SLOT_OF_TAG.get(key[: key.find(b"}") + 1])
    return slot_of(key) if slot is None else slot


_BUCKET_OF_TAG = {keys.tag(bucket)[:-1]: bucket for bucket in range(BUCKETS)}


def bucket_of_command(command: Command) -> int | None:
    """Return the bucket of a command's first key, None when it lies in none."""
    key = key_of(command)
    return None if key is None else _BUCKET_OF_TAG.get(key[: key.find(b"}") + 1])
