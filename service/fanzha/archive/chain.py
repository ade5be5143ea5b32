"""Digests of rows and the hash chain of each bucket.

The digest of a segment is a SHA-256 over its kinds, in order of their names: of each the name, the
number of rows, and a SHA-256 over its rows in the order of the journal. So, when the rows of a kind
expire, the digest can still be computed from those that stay and from the tombstone.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from fanzha.archive.entries import Segment

ROW: Final = (
    "record_id",
    "stream_id",
    "record_time_ms",
    "account",
    "seq",
    "previous_seq",
    "change",
    "change_columns",
    "learned_links",
    "body",
)
"""The columns of a row that its digest is over, where they are not null; all others follow from
them. So a column can be added, and the digests of rows that lack it stay what they are."""

_ENCODER: Final = msgspec.msgpack.Encoder()

Kinds = dict[str, tuple[int, str]]
"""Kind to the number of its rows and their SHA-256."""


class SegmentDigest:
    """Takes the rows of one bucket in one file, in the order of the journal."""

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[Any, list[int]]] = {}

    def add(self, kind: str, values: Iterable[object]) -> None:
        """Take one row: its kind, and its columns in the order of `ROW`."""
        held = self._kinds.get(kind)
        if held is None:
            held = self._kinds[kind] = (hashlib.sha256(), [0])
        said = [x for named in zip(ROW, values, strict=True) if named[1] is not None for x in named]
        held[0].update(_ENCODER.encode(said))
        held[1][0] += 1

    @property
    def kinds(self) -> Kinds:
        """Rows and digest of each kind so far."""
        return {kind: (count[0], sha.hexdigest()) for kind, (sha, count) in self._kinds.items()}


def digest_of(kinds: Mapping[str, tuple[int, str]]) -> str:
    """Return the digest of a segment from those of its kinds."""
    lines = "".join(f"{kind} {rows} {sha}\n" for kind, (rows, sha) in sorted(kinds.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def link_hash(segment: Segment) -> str:
    """Return the hash of a link, which all links after it rest on."""
    said = (
        segment.previous, segment.bucket, segment.position, segment.first, segment.last,
        segment.rows, segment.digest, segment.after or "-",
    )  # fmt: skip
    return hashlib.sha256(" ".join(map(str, said)).encode()).hexdigest()
