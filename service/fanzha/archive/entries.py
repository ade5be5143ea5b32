"""What a commit of the archive's log says, and the bytes that stand for it.

A commit is one JSON document whose bytes follow from what it says: fields in this order, without
spaces. So its hash and its signature can be computed again, and a changed byte cannot hide.
"""

import hashlib
from typing import Final

import msgspec

ADD: Final = "add"
"""Files were added, with the chains of their buckets."""
ADOPT: Final = "adopt"
"""Files from before there was a log were taken in, as they lay there."""
CLOSE: Final = "close"
"""A day was closed: the commit holds its manifest."""
EXPIRE: Final = "expire"
"""Rows or files were removed because their time was over: the commit is their tombstone."""

FIRST: Final = "0" * 64
"""What stands where the hash of something before it would: there is nothing."""


class Segment(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rows of one bucket in one file, as a link of the bucket's chain."""

    bucket: int
    position: int
    """Number of the link in its bucket's chain, from 1."""
    first: str
    """Smallest and largest id of the journal's entries."""
    last: str
    rows: int
    digest: str
    """SHA-256 over the rows; see `fanzha.archive.chain`."""
    previous: str
    """Hash of the link before; zeros for the first."""
    hash: str
    after: str | None = None
    """The archiver read on from this entry although the chain had come further, because Redis had
    forgotten how far it was; None: it went on where the link before ends."""


class FileEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file of the archive."""

    path: str
    bytes: int
    sha256: str
    rows: int
    kinds: dict[str, int]
    """Rows of each kind."""
    segments: list[Segment]
    decided: tuple[int, int] | None = None
    """Earliest and latest time in the ids of the decisions that it holds the records of, ms."""
    judged: tuple[int, int] | None = None
    """The same of the decisions that its outcomes and withdrawals speak of."""


class GoneSegment(msgspec.Struct, frozen=True):
    """What a bucket's link was made of before rows of it were removed: rows and digest by kind."""

    bucket: int
    position: int
    kinds: dict[str, tuple[int, str]]


class Gone(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that was removed, or in whose place stands one with fewer rows."""

    path: str
    sha256: str
    rows: dict[str, int]
    """Rows that went, of each kind."""
    rules: dict[str, str]
    """The rule by which each kind went."""
    segments: list[GoneSegment]
    replaced_by: FileEntry | None = None


class Approval(msgspec.Struct, frozen=True):
    """One person's signature under what is to be removed."""

    name: str
    key: str
    signature: str


class Expiry(msgspec.Struct, frozen=True):
    """The tombstone: what was removed, by which rules, and who answers for it."""

    as_of: str
    """The UTC day by which the rules were applied."""
    rules: dict[str, str]
    are_default: bool
    gone: list[Gone]
    approvals: list[Approval]


class ManifestFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file of a closed day."""

    path: str
    bytes: int
    sha256: str
    rows: int
    kinds: dict[str, int]
    commit: int
    decided: tuple[int, int] | None = None
    judged: tuple[int, int] | None = None


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that the archive holds of one UTC day, and how far the chains had come."""

    number: int
    """Manifests are numbered from 1."""
    previous: str
    """SHA-256 of the manifest before, zeros for the first."""
    day: str
    supplement: int
    """0 for the first of its day; later ones say what came late, or went."""
    close_time_ms: int
    log_number: int
    """The newest commit at that time, and its hash."""
    log_hash: str
    rows: int
    files: list[ManifestFile]
    heads: dict[str, tuple[int, str]]
    """Bucket to position and hash of the newest link of its chain."""
    name: str
    key: str
    signature: str = ""


class Commit(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of the log."""

    number: int
    previous: str
    """SHA-256 of the commit before, zeros for the first."""
    kind: str
    write_time_ms: int
    name: str
    """Who wrote it, and the public key that the signature is by."""
    key: str
    files: list[FileEntry] = []
    passed: dict[str, str] = {}
    """Bucket to the journal's entry up to which all was archived already, where it comes after
    those of `files`."""
    expiry: Expiry | None = None
    manifest: Manifest | None = None
    signature: str = ""


class SeenSegment(msgspec.Struct, frozen=True):
    """What a reader needs of a link."""

    bucket: int
    last: str


class SeenFile(msgspec.Struct, frozen=True):
    """What a reader needs of a file."""

    path: str
    sha256: str
    rows: int
    segments: list[SeenSegment]
    decided: tuple[int, int] | None = None
    judged: tuple[int, int] | None = None


class SeenGone(msgspec.Struct, frozen=True):
    """What a reader needs of a file that went."""

    path: str
    replaced_by: SeenFile | None = None


class SeenExpiry(msgspec.Struct, frozen=True):
    """What a reader needs of a tombstone."""

    gone: list[SeenGone]


class SeenCommit(msgspec.Struct, frozen=True):
    """What a reader needs of a commit: a fourth of the work of taking it in whole."""

    number: int
    files: list[SeenFile] = []
    expiry: SeenExpiry | None = None


_SEEN: Final = msgspec.json.Decoder(SeenCommit)
_COMMIT: Final = msgspec.json.Decoder(Commit)
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


def encoded(entry: msgspec.Struct) -> bytes:
    """Return the bytes that stand for an entry."""
    return _ENCODER.encode(entry)


def to_sign(entry: msgspec.Struct) -> bytes:
    """Return what an entry's signature is over: its bytes without the signature."""
    return encoded(msgspec.structs.replace(entry, signature=""))


def hash_of(content: bytes) -> str:
    """Return SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def decode_commit(content: bytes) -> Commit:
    """Return a commit from its bytes. Raises msgspec.MsgspecError, ValueError."""
    return _COMMIT.decode(content)


def see_commit(content: bytes) -> SeenCommit:
    """Return what a reader needs of a commit. Raises msgspec.MsgspecError, ValueError."""
    return _SEEN.decode(content)


def manifest_name(manifest: Manifest) -> str:
    """Return the name of a manifest's file."""
    number = f".{manifest.supplement}" if manifest.supplement else ""
    return f"{manifest.day}{number}.json"
