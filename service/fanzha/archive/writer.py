"""Writes the archive's log: each commit under the next number, once, signed.

Whoever loses the race for a number reads what the winner wrote and decides anew whether its own
commit still holds. So an archiver that slept, or was cut off from the network, changes nothing.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from fanzha.archive.chain import link_hash
from fanzha.archive.entries import (
    ADOPT,
    FIRST,
    Commit,
    FileEntry,
    Manifest,
    Segment,
    decode_commit,
    encoded,
    hash_of,
    manifest_name,
    to_sign,
)
from fanzha.archive.log import ArchiveLog, commit_path, day_of_path
from fanzha.archive.part import order_of
from fanzha.archive.storage import Place
from fanzha.domain.errors import FanzhaError
from fanzha.signing.keys import Signer


class OvertakenError(FanzhaError):
    """Another archiver moved what this one was about to move."""


def newest_of(segments: Iterable[Segment]) -> dict[int, str]:
    """Return for each bucket the largest id of the journal's entries among the links of a commit.

    A round may spread a bucket's entries over the files of two days, in turns.
    """
    newest: dict[int, str] = {}
    for segment in segments:
        newest[segment.bucket] = max(newest.get(segment.bucket, "0-0"), segment.last, key=order_of)
    return newest


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a bucket's chain."""

    position: int = 0
    hash: str = FIRST
    last: str | None = None
    """Largest id of the journal's entries that the newest commit of the chain moved."""


NOTHING = Head()


class LogWriter(ArchiveLog):
    """The log of an archive, by one who adds to it. For one thread."""

    def __init__(self, place: Place, signer: Signer, now_ms: Callable[[], int]) -> None:
        super().__init__(place)
        self.now_ms = now_ms
        self.signer = signer
        self.heads: dict[int, Head] = {}
        self.manifests: dict[str, Manifest] = {}
        """Day to its newest manifest; the newest of all comes last."""
        self.manifest_names: dict[str, int] = {}
        """Name of each manifest's file to the commit that holds it, in their order."""
        self.manifest_hash = FIRST
        self.touched: dict[str, int] = {}
        """Day to when a commit last changed what is on record of it, since its last manifest."""
        self.numbers: dict[str, int] = {}
        """File to the commit that named it."""
        self.entries: dict[str, FileEntry] = {}
        """Path to the entry of each file that counts, without its segments."""
        self.adopted: set[int] = set()
        """Buckets whose newest link was taken in as it lay there: nobody can say where it ended."""
        self.gone: set[str] = set()
        """Files that expired, or in whose place smaller ones stand."""

    def refresh(self) -> None:
        """Read on to the newest commit.

        Raises:
            SetupError: a commit is missing or damaged.
            OSError: the archive cannot be read.
        """
        with self._lock:
            self._refresh()

    def append(self, kind: str, said: Callable[[], dict[str, Any]]) -> Commit:
        """Add a commit under the next number that is free.

        Args:
            kind: of `fanzha.archive.entries`.
            said: gives what it says, for the log as it then is; asked again when another commit
                came first. What it raises ends the attempt.

        Raises:
            OSError: the archive cannot be written.
        """
        while True:
            number, previous = self.head
            draft = Commit(
                number=number + 1,
                previous=previous,
                kind=kind,
                write_time_ms=self.now_ms(),
                name=self.signer.name,
                key=self.signer.key,
                **said(),
            )
            commit = msgspec.structs.replace(draft, signature=self.signer.sign(to_sign(draft)))
            content = encoded(commit)
            path = commit_path(commit.number)
            # The answer to a first try may have been lost, and the second find the first one's.
            if self.storage.put_if_absent(path, content) or self.storage.read(path) == content:
                self.refresh()
                return commit
            self.refresh()

    def _link(self, segments: Iterable[Segment], after: dict[int, str | None]) -> list[Segment]:
        linked = []
        for segment in segments:
            head = self.heads.get(segment.bucket, NOTHING)
            new = msgspec.structs.replace(
                segment,
                position=head.position + 1,
                previous=head.hash,
                after=after.get(segment.bucket),
            )
            linked.append(msgspec.structs.replace(new, hash=link_hash(new)))
        return linked

    def link_files(
        self, files: Iterable[FileEntry], after: dict[int, str | None]
    ) -> list[FileEntry]:
        """Return the files of one commit with their segments linked to the buckets' chains.

        Args:
            files: in the order in which the chains are to hold them.
            after: bucket to the entry that the archiver read on from, where the chain ends
                elsewhere.
        """
        heads, linked = self.heads, []
        self.heads = dict(heads)
        try:
            for file in files:
                segments = self._link(file.segments, after)
                self._extend(segments)
                # The second file of a round goes on from the first.
                after = {b: x for b, x in after.items() if b not in {s.bucket for s in segments}}
                linked.append(msgspec.structs.replace(file, segments=segments))
        finally:
            self.heads = heads
        return linked

    def _extend(self, segments: Iterable[Segment]) -> None:
        for segment in segments:
            self.heads[segment.bucket] = Head(segment.position, segment.hash, segment.last)

    def _take(self, number: int, content: bytes) -> str | None:
        commit = decode_commit(content)
        fault = self._see(number, commit)
        if fault is None:
            self._follow(number, commit)
        return fault

    def _follow(self, number: int, commit: Commit) -> None:
        segments = [segment for file in commit.files for segment in file.segments]
        self._extend(segments)
        self.adopted -= {s.bucket for s in segments} | {int(name) for name in commit.passed}
        if commit.kind == ADOPT:
            self.adopted |= {segment.bucket for segment in segments}
        last = newest_of(segments)
        for bucket, stream_id in last.items():
            self.heads[bucket] = dataclasses.replace(self.heads[bucket], last=stream_id)
        for name, stream_id in commit.passed.items():
            head = self.heads.get(int(name), NOTHING)
            self.heads[int(name)] = dataclasses.replace(head, last=stream_id)
        for file in commit.files:
            self._touch(file.path, commit)
            self.entries[file.path] = msgspec.structs.replace(file, segments=[])
        if commit.expiry is not None:
            for gone in commit.expiry.gone:
                self._touch(gone.path, commit)
                self.entries.pop(gone.path, None)
                self.gone.add(gone.path)
                if (new := gone.replaced_by) is not None:
                    self._touch(new.path, commit)
                    self.entries[new.path] = msgspec.structs.replace(new, segments=[])
        if (manifest := commit.manifest) is not None:
            self.manifests.pop(manifest.day, None)
            self.manifests[manifest.day] = manifest
            self.manifest_names[manifest_name(manifest)] = number
            self.manifest_hash = hash_of(encoded(manifest))
            self.touched.pop(manifest.day, None)

    def _touch(self, path: str, commit: Commit) -> None:
        self.touched[day_of_path(path)] = commit.write_time_ms
        self.numbers.setdefault(path, commit.number)
