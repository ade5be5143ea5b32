"""Looks for marked identifiers in everything that a service leaves behind."""

import base64
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import redis

from fanzha.adapters.spool_frames import SUFFIX, read_frames


@dataclass(frozen=True, slots=True)
class Leak:
    """A marked identifier was found where none may be."""

    where: str
    marked: str
    form: str


def forms_of(marked: str) -> dict[str, bytes]:
    """Return the ways in which an identifier may lie in bytes."""
    raw = marked.encode()
    forms = {
        "plain": raw,
        "upper case": marked.upper().encode(),
        "lower case": marked.lower().encode(),
        "reversed": raw[::-1],
        "hexadecimal": raw.hex().encode(),
        "upper hexadecimal": raw.hex().upper().encode(),
        "utf-16 le": marked.encode("utf-16-le"),
        "utf-16 be": marked.encode("utf-16-be"),
        "escaped": marked.encode("unicode_escape"),
        "full width": "".join(chr(ord(sign) + 0xFEE0) for sign in marked).encode(),
    }
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + raw)
        # The ends depend on the neighbours.
        whole = encoded[4 if shift else 0 : len(encoded) - 4]
        forms[f"base64 at {shift}"] = whole
        forms[f"url base64 at {shift}"] = whole.translate(bytes.maketrans(b"+/", b"-_"))
    if marked.isdigit() and len(marked) % 2 == 0:
        forms["packed digits"] = bytes.fromhex(marked)
    return forms


def leaks(places: Iterable[tuple[str, bytes]], marks: Iterable[str]) -> list[Leak]:
    """Return every marked identifier that is found in any form."""
    wanted = [(mark, form, found) for mark in marks for form, found in forms_of(mark).items()]
    return [
        Leak(where, mark, form)
        for where, content in places
        for mark, form, found in wanted
        if found in content
    ]


def in_redis(url: str) -> Iterator[tuple[str, bytes]]:
    """Yield every key with its whole value; DUMP would compress it."""
    client = redis.Redis.from_url(url)
    try:
        for key in client.scan_iter(count=1000):
            kind = client.type(key)
            value = _READ[kind](client, key)
            yield f"redis {key!r}", key + b"\0" + b"\0".join(_flat(value))
        for part in ("server", "clients", "keyspace"):
            yield f"redis info {part}", repr(client.info(part)).encode()
        slow = client.slowlog_get(128)
        yield "redis slowlog", b"\0".join(_flat([list(each.values()) for each in slow]))
    finally:
        client.close()


_READ: dict[bytes, Any] = {
    b"string": lambda client, key: client.get(key),
    b"hash": lambda client, key: client.hgetall(key),
    b"list": lambda client, key: client.lrange(key, 0, -1),
    b"set": lambda client, key: list(client.smembers(key)),
    b"zset": lambda client, key: client.zrange(key, 0, -1),
    b"stream": lambda client, key: client.xrange(key),
}


def _flat(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _flat(each)
    else:
        yield value if isinstance(value, bytes) else str(value).encode()


def in_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file as it lies there, and decompressed what is compressed or framed."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        yield str(path), content
        if path.suffix == ".parquet":
            yield f"{path} (values)", values_of(pq.read_table(path))
            yield f"{path} (metadata)", repr(pq.read_metadata(path).to_dict()).encode()
        if path.suffix == SUFFIX:
            yield f"{path} (frames)", b"\0".join(read_frames(path))


def values_of(table: pa.Table) -> bytes:
    """Return all values of a table, uncompressed, dictionaries written out."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
