"""Copies the state from one Redis into an empty one, under new tokens.

Every kind of key is named here with what is to be done with it. A kind that is not named stops the
copy: taken over as it is, it could carry old tokens along.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from fanzha.adapters.codec import decode, encode
from fanzha.adapters.reads import ANSWER_HEAD
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.domain.errors import SetupError
from fanzha.domain.evidence import WatchlistEntry
from fanzha.features.layout import COUNTERPARTY, LINK_COLUMNS, PAIR_COLUMNS, RING_COLUMNS
from fanzha.rekey import records
from fanzha.secrets.chain import HALF, Successor

_KEY: Final = re.compile(rb"(\{(?:b\d{1,3}|lists)\}:)([a-z_]+)(?::(.*))?\Z", re.DOTALL)
_BATCH: Final = 256
_NOBODY: Final = bytes(16)
_DIGEST: Final = 16
_RING_WIDTH: Final = RING_COLUMNS * HALF
_DROPPED: Final = frozenset({b"lineage", b"lease", b"token_key"})
"""They speak of the process that is copied from, and of its key."""
_AS_IT_IS: Final = frozenset(
    {
        *(b"recorded", b"execution", b"outcomes", b"archived", b"applied", b"received"),
        *(b"imports", b"counter", b"commits", b"proposals", b"proposal", b"proposal_counter"),
    }
)

Entry = tuple[bytes, WatchlistEntry]
Source = Any
"""redis-py's client, whose annotations say too little of what it returns."""
Requests = Mapping[str, bytes]
"""Decision id to the digest that names its request under the new tokens."""


class Copy:
    """One copy, of what one server holds."""

    def __init__(
        self, source: Source, target: RedisLink, new: Successor, requests: Requests
    ) -> None:
        """Prepare.

        Args:
            source: one server; it is read, and nothing else; nobody may write to it meanwhile.
            target: what `readiness.begin` has marked.
            new: makes the new tokens.
            requests: from the archive: a request's key cannot be made of its old one.
        """
        self._source = source
        self._target = target
        self._new = new
        self._requests = requests
        self._changes: dict[bytes, Callable[[Any], Any]] = {
            b"account": self._account,
            b"link": self._link,
            # Its entries lie under their token, and hold none.
            b"list": lambda held: held,
        }
        self.copied = 0
        self.forgotten_requests = 0
        """Request ids whose decision is not in the archive; sent again, they are decided anew."""

    def run(self, progress: Callable[[int], None]) -> None:
        """Copy everything.

        Raises:
            SetupError: a key is of no known kind.
            StoreUnavailableError: the target went away.
        """
        for batch in _batches(self._source.scan_iter(count=_BATCH)):
            commands = [command for key in batch for command in self._copied(key)]
            if commands:
                self._target.run(commands)
            self.copied += len(batch)
            progress(self.copied)

    def _copied(self, key: bytes) -> list[Command]:
        found = _KEY.match(key)
        tag, name, rest = found.groups() if found else (b"", b"", b"")
        if name in _DROPPED:
            return []
        if name == b"epoch":
            return self._epoch(key)
        if name == b"proposed":
            return self._written(key, key, self._proposed)
        if name in _AS_IT_IS:
            return self._written(key, key, lambda value: value)
        if name in (b"account", b"link", b"list"):
            new_key = b"%b%b:%b" % (tag, name, self._new.token(_token(rest)).hex().encode())
            return self._written(key, new_key, self._changes[name])
        if name == b"decision":
            return self._written(key, key, self._answer)
        if name == b"request":
            return self._request(key, tag)
        if name in (b"journal", b"outbox"):
            return self._stream(key, name)
        raise SetupError(
            f"{key!r} in Redis is of a kind that re-keying does not know; what is copied from is as "
            "it was"
        )

    def _written(self, old: bytes, key: bytes, change: Callable[[Any], Any]) -> list[Command]:
        """Return the commands that write a key's changed value, and its life."""
        kind, life_ms = self._source.type(old), self._source.pttl(old)
        if kind == b"string":
            value = self._source.get(old)
            commands: list[Command] = [] if value is None else [("SET", key, change(value))]
        elif kind == b"hash":
            flat = [part for pair in change(self._source.hgetall(old)).items() for part in pair]
            commands = [("HSET", key, *part) for part in _batches(flat)]
        elif kind == b"zset":
            scored = self._source.zrange(old, 0, -1, withscores=True)
            commands = [("ZADD", key, score, member) for member, score in change(scored)]
        elif kind == b"none":
            return []  # Its life ended meanwhile.
        else:
            raise SetupError(f"{old!r} in Redis is a {kind.decode()}, which re-keying cannot copy")
        return [*commands, ("PEXPIRE", key, life_ms)] if life_ms > 0 and commands else commands

    def _epoch(self, key: bytes) -> list[Command]:
        """Keep the later base: the copy's own, unless its clock is behind."""
        (held,) = self._target.run([("GET", key)])
        base = self._source.get(key)
        return [("SET", key, base)] if base is not None and int(base) > int(held or 0) else []

    def _proposed(self, held: dict[bytes, bytes]) -> dict[bytes, bytes]:
        return {
            field: encode(
                [(self._new.token(token), found) for token, found in decode(value, list[Entry])]
            )
            for field, value in held.items()
        }

    def _account(self, held: dict[bytes, bytes]) -> dict[bytes, bytes]:
        new, changed = self._new, dict(held)
        for field, value in held.items():
            if field in (b"out", b"in", b"reports"):
                changed[field] = records.numbers(value, _RING_WIDTH, COUNTERPARTY * HALF, new)
            elif field == b"pairs":
                changed[field] = records.numbers(value, PAIR_COLUMNS * HALF, 0, new)
            elif field == b"links":
                changed[field] = records.tokens(value, new)
            elif field not in (b"seq", b"hours", b"days", b"mule"):
                raise _unknown(field)
        return changed

    def _link(self, held: dict[bytes, bytes]) -> dict[bytes, bytes]:
        changed = {}
        for field, value in held.items():
            if field == b"seen":
                changed[field] = records.numbers(value, LINK_COLUMNS * HALF, 0, self._new)
            elif field[:1] == b"v" and len(field) == 1 + HALF:
                changed[b"v" + self._new.half(field[1:])] = value
            elif field == b"seq":
                changed[field] = value
            else:
                raise _unknown(field)
        return changed

    def _answer(self, value: bytes) -> bytes:
        payer, payee, change = ANSWER_HEAD.unpack_from(value)
        head = ANSWER_HEAD.pack(
            self._new.token(payer),
            payee if payee == _NOBODY else self._new.token(payee),
            records.change_of(change, self._new),
        )
        return head + value[ANSWER_HEAD.size :]

    def _request(self, key: bytes, tag: bytes) -> list[Command]:
        value = self._source.get(key)
        digest = None if value is None else self._requests.get(value[16:42].decode())
        if digest is None:
            self.forgotten_requests += value is not None
            return []
        new_key = b"%brequest:%b" % (tag, digest.hex().encode())
        return self._written(
            key, new_key, lambda held: self._new.body(held[:_DIGEST]) + held[_DIGEST:]
        )

    def _stream(self, key: bytes, name: bytes) -> list[Command]:
        """Return the commands that write a stream with the same ids, and its newest id."""
        commands: list[Command] = []
        for stream_id, fields in self._source.xrange(key):
            how = records.entry if name == b"journal" else _message
            flat = [part for pair in how(fields, self._new).items() for part in pair]
            commands.append(("XADD", key, stream_id, *flat))
        newest = self._source.xinfo_stream(key)["last-generated-id"]
        if not commands and newest != b"0-0":
            commands = [("XADD", key, newest, "k", "none"), ("XTRIM", key, "MAXLEN", 0)]
        elif commands:
            commands.append(("XSETID", key, newest))
        return commands


def _message(fields: dict[bytes, bytes], new: Successor) -> dict[bytes, bytes]:
    """Return a message of an outbox with new tokens."""
    changed = {}
    for name, value in fields.items():
        if name == b"t":
            changed[name] = new.token(value)
        elif name == b"c":
            changed[name] = records.change_of(value, new)
        elif name == b"l":
            changed[name] = records.tokens(value, new)
        elif name == b"o":
            changed[name] = value
        else:
            raise _unknown(name)
    return changed


def _token(rest: bytes) -> bytes:
    return bytes.fromhex(rest.decode())


def _unknown(field: bytes) -> SetupError:
    return SetupError(
        f"re-keying does not know what {field!r} holds; what is copied from is as it was"
    )


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    source = iter(items)
    while batch := list(islice(source, _BATCH)):
        yield batch
