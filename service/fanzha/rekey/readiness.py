"""What has to be true before a re-keying begins: nobody writes, and nothing is left to move."""

from pathlib import Path
from typing import Any

from fanzha.adapters import keys
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.adapters.spool import DECISION, SUFFIX, read_frames
from fanzha.domain.errors import SetupError
from fanzha.domain.ids import BUCKETS
from fanzha.secrets.chain import Successor
from fanzha.secrets.token_key import TokenKey

_UNDER_WAY = b"a re-keying that has not ended"


def successors(old: TokenKey, new: TokenKey) -> list[Successor]:
    """Return what makes new tokens of old ones.

    Raises:
        SetupError: the new chain does not go on from the old one.
    """
    if new.keys[: len(old.keys)] != old.keys or len(new.keys) == len(old.keys):
        raise SetupError(
            "the new token key does not go on from the old one; fanzha token-key extend makes one "
            "that does"
        )
    return [Successor(key) for key in new.keys[len(old.keys) :]]


def check_source(source: Any, old: TokenKey) -> None:  # noqa: ANN401 - redis-py's client
    """Check that a Redis is at rest, drained, and of the old key.

    Raises:
        SetupError: it is not; says what to do first.
    """
    held = source.get(keys.TOKEN_KEY)
    if held is not None and held.decode() != old.fingerprint:
        raise SetupError(
            f"the tokens in the Redis to copy from were made with the key {held.decode()}, not "
            f"with {old.fingerprint}; give the key that its workers have"
        )
    own = source.client_id()
    others = [client for client in source.client_list() if int(client["id"]) != own]
    if others:
        raise SetupError(
            f"{len(others)} other client(s) are connected to the Redis to copy from; stop every "
            "worker, archiver and exporter first"
        )
    waiting = sum(source.xlen(keys.journal(bucket)) for bucket in range(BUCKETS))
    if waiting:
        raise SetupError(f"{waiting:,} records are not archived yet; run fanzha archive first")


def check_spools(folders: list[Path]) -> None:
    """Check that no spool holds a decision.

    Raises:
        SetupError: one does.
    """
    for folder in folders:
        for segment in sorted(folder.glob(f"*{SUFFIX}")):
            if any(frame[:1] == DECISION for frame in read_frames(segment)):
                raise SetupError(
                    f"{segment} holds decisions; run fanzha archive with --spool {folder} first, "
                    "and start a worker there once more if they are not in Redis yet"
                )


def begin(target: RedisLink) -> None:
    """Mark an empty Redis as one that no worker may use yet.

    Raises:
        SetupError: it is not empty.
    """
    (held,) = target.run([("DBSIZE",)])
    if int(held):
        raise SetupError(
            f"the Redis to copy into holds {int(held):,} keys; give an empty one (a copy that was "
            "cut off: empty it, and begin again)"
        )
    target.run([("SET", keys.TOKEN_KEY, _UNDER_WAY)])


def finish(target: RedisLink, new: TokenKey) -> None:
    """Name the new key: from now on its workers may use the copy."""
    done: Command = ("SET", keys.TOKEN_KEY, new.fingerprint)
    target.run([done])
