"""Copies the state from one Redis into an empty one, under new tokens.

Every kind of key is named here with what is to be done with it. A kind that is not named stops the
copy: taken over as it is, it could carry old tokens along.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from fanzha.adapters.codec import decode, encode
from fanzha.adapters.hard_lists import renamed
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
_UNCHANGED: Final = "what is copied from is as it was"
_RING_WIDTH: Final = RING_COLUMNS * HALF
_DROPPED: Final = frozenset({b"lineage", b"lease", b"archivers", b"token_key"})
"""They speak of processes at work, and of the key that is copied from."""
_AS_IT_IS: Final = frozenset(
    {
        *(b"recorded", b"reconciled", b"execution", b"outcomes", b"archived"),
        *(b"applied", b"received"),
        *(b"imports", b"counter", b"commits", b"proposals", b"proposal", b"proposal_counter"),
        b"history",
    }
)

Change = Callable[[Any], Any]
"""A key's value to its copy."""
Handler = Callable[[bytes, bytes, bytes], list[Command]]
"""A key, its hash tag, and what comes after its kind, to the commands that write its copy."""
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
        self._kinds: dict[bytes, Handler] = {
            b"account": self._named(b"account", self._account),
            b"link": self._named(b"link", self._link),
            # List entries lie under their token, and hold none.
            b"list": self._named(b"list", lambda held: held),
            b"decision": self._kept(self._answer),
            b"proposed": self._kept(self._proposed),
            b"hard": self._kept(self._hard),
            b"request": self._request,
            b"journal": self._stream,
            b"outbox": self._stream,
            b"epoch": self._epoch,
        }
        self._kinds |= dict.fromkeys(_AS_IT_IS, self._as_it_is)
        self._kinds |= dict.fromkeys(_DROPPED, lambda _key, _tag, _rest: [])
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
        """Return the commands that write a key's copy."""
        found = _KEY.match(key)
        tag, name, rest = found.groups() if found else (b"", b"", b"")
        how = self._kinds.get(name)
        if how is None:
            raise SetupError(
                f"{key!r} in Redis is of a kind that re-keying does not know; {_UNCHANGED}"
            )
        return how(key, tag, rest)

    def _as_it_is(self, key: bytes, _tag: bytes, _rest: bytes) -> list[Command]:
        return self._written(key, key, lambda value: value)

    def _named(self, name: bytes, change: Change) -> Handler:
        """Return what copies keys that a token names."""

        def copied(key: bytes, tag: bytes, rest: bytes) -> list[Command]:
            token = self._new.token(bytes.fromhex(rest.decode()))
            return self._written(key, b"%b%b:%b" % (tag, name, token.hex().encode()), change)

        return copied

    def _kept(self, change: Change) -> Handler:
        """Return what copies keys that no token names."""
        return lambda key, _tag, _rest: self._written(key, key, change)

    def _written(self, old: bytes, key: bytes, change: Change) -> list[Command]:
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

    def _epoch(self, key: bytes, _tag: bytes, _rest: bytes) -> list[Command]:
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

    def _hard(self, held: dict[bytes, bytes]) -> dict[bytes, bytes]:
        return {field: renamed(rows, self._new.token) for field, rows in held.items()}

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

    def _request(self, key: bytes, tag: bytes, _rest: bytes) -> list[Command]:
        value = self._source.get(key)
        digest = None if value is None else self._requests.get(value[16:42].decode())
        if digest is None:
            self.forgotten_requests += value is not None
            return []
        new_key = b"%brequest:%b" % (tag, digest.hex().encode())
        return self._written(
            key, new_key, lambda held: self._new.body(held[:_DIGEST]) + held[_DIGEST:]
        )

    def _stream(self, key: bytes, _tag: bytes, _rest: bytes) -> list[Command]:
        """Return the commands that write a stream with the same ids, and its newest id."""
        commands: list[Command] = []
        for stream_id, fields in self._source.xrange(key):
            how = records.entry if key.endswith(b":journal") else _message
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


def _unknown(field: bytes) -> SetupError:
    return SetupError(
        f"re-keying does not know what {field!r} holds; what is copied from is as it was"
    )


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    source = iter(items)
    while batch := list(islice(source, _BATCH)):
        yield batch
