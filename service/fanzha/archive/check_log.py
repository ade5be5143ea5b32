"""Checks the log of an archive: every commit, every chain, every manifest."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

import msgspec

from fanzha.adapters.clock import SystemClock
from fanzha.archive.chain import digest_of, link_hash
from fanzha.archive.check_manifest import ManifestCheck
from fanzha.archive.entries import (
    ADD,
    ADOPT,
    CLOSE,
    EXPIRE,
    FIRST,
    Commit,
    FileEntry,
    Gone,
    GoneSegment,
    Segment,
    decode_commit,
    encoded,
    hash_of,
    to_sign,
)
from fanzha.archive.expiry_rules import check_expiry
from fanzha.archive.found_faults import Findings
from fanzha.archive.log import LOG, commit_path, day_of_path
from fanzha.archive.part import order_of
from fanzha.archive.storage import Storage
from fanzha.archive.writer import NOTHING, Head, newest_of
from fanzha.domain.errors import NotTrustedError
from fanzha.signing.keys import TrustedKeys, is_signed

_CLOCK: Final = SystemClock()
_NAME: Final = re.compile(r"(\d{12})\.json")
_PART: Final = re.compile(r"day=\d{4}-\d\d-\d\d/part-[^/\0]+\.parquet")
_NOT_WATCHED: Final = (
    "what it said cannot be relied on: put back the commit from a copy of the archive; until then "
    "readers refuse the archive"
)


@dataclass(slots=True)
class Stated:
    """A file that counts, and what the log says of it."""

    entry: FileEntry
    commit: int
    is_adopted: bool = False
    before: dict[tuple[int, int], GoneSegment] = field(default_factory=dict)
    """Links whose rows are here in part: what they were made of."""
    links: dict[int, Segment] = field(default_factory=dict)
    """Bucket to the link as it was first written."""

    @property
    def day(self) -> str:
        """The UTC day of its rows."""
        return day_of_path(self.entry.path)


class LogCheck:
    """Follows the log from its first commit on; afterwards it knows what has to be there."""

    def __init__(self, storage: Storage, keys: TrustedKeys, findings: Findings) -> None:
        self.storage = storage
        self.findings = findings
        self.files: dict[str, Stated] = {}
        self.gone: dict[str, Gone] = {}
        self.heads: dict[int, Head] = {}
        self.hashes: dict[int, str] = {}
        self._keys = keys
        self._hash: str | None = FIRST
        """Hash of the commit before; None: it is missing or damaged."""
        self._is_broken = False
        self._adopted: set[int] = set()
        """Buckets whose newest link was taken in as it lay there: nobody can say where it ended."""
        self._later: list[int] = []
        """Buckets whose chains begin after entries that Redis had been trimmed of already."""
        self.manifests = ManifestCheck(storage, keys, findings)

    def run(self) -> None:
        """Check all commits and manifests. Raises OSError when the archive cannot be read."""
        names = self.storage.names(LOG)
        numbers = sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))
        for name in names:
            if not _NAME.fullmatch(name) and not name.startswith("."):
                self.findings.fault(
                    f"{LOG}/{name}", "no commit has such a name", "somebody put it there"
                )
        there = set(numbers)
        for number in range(1, (numbers[-1] if numbers else 0) + 1):
            if number in there:
                self._check(number)
            else:
                self._lose(number, "this commit is missing", _NOT_WATCHED)
        if self._later:
            self.findings.note(
                f"the chains of {len(self._later)} bucket(s) begin after entries that Redis had "
                "been trimmed of before: they are in another archive"
            )
        self.findings.head = f"{max(self.hashes, default=0)}:{self._hash or FIRST}"
        self.manifests.finish()

    def _lose(self, number: int, what: str, means: str) -> None:
        self.findings.fault(commit_path(number), what, means)
        self._hash, self._is_broken = None, True

    def _check(self, number: int) -> None:
        path = commit_path(number)
        content = self.storage.read(path)
        try:
            commit = decode_commit(content)
            is_exact = encoded(commit) == content
        except (msgspec.MsgspecError, ValueError, TypeError) as error:
            self._lose(number, f"this commit cannot be read: {error}", _NOT_WATCHED)
            return
        self.findings.commits += 1
        fault = self._fault_of(number, commit, is_exact=is_exact)
        if fault is not None:
            # What it says is still used, so that faults of files are found with their names.
            self._is_broken = True
            self.findings.fault(path, *fault)
        if commit.previous != self._hash and self._hash is not None:
            self.findings.fault(
                path,
                f"it follows another commit {number - 1} than the one that is there",
                "one of the two was exchanged, or the log was continued from an older copy",
            )
        self._hash = self.hashes[number] = hash_of(content)
        try:
            self._take(path, commit)
        except ValueError as error:
            if fault is None:
                fault = f"it says what cannot be: {error}", "whoever signed it was at fault"
                self.findings.fault(path, *fault)
        self._is_broken = fault is not None

    def _fault_of(self, number: int, commit: Commit, *, is_exact: bool) -> tuple[str, str] | None:
        if commit.number != number:
            return (
                f"it says that it is commit {commit.number}",
                "it was put in the place of another one",
            )
        if not is_exact or not is_signed(commit.key, to_sign(commit), commit.signature):
            return (
                "its signature does not fit what it says",
                "it was changed after it was signed: put it back from a copy of the archive",
            )
        try:
            self._keys.signer(commit.name, commit.key, number)
        except NotTrustedError as error:
            return (
                f"it is signed by somebody who is not trusted: {error}",
                "whoever may not write the archive did, or the trusted folder lacks a key",
            )
        if commit.kind not in (ADD, ADOPT, CLOSE, EXPIRE):
            return (f"it is of the unknown kind {commit.kind!r}", "another version wrote it")
        return None

    def _take(self, path: str, commit: Commit) -> None:
        broken: dict[str, list[Segment]] = defaultdict(list)
        for file in commit.files:
            self._take_file(path, commit, file)
            for segment in file.segments:
                for fault in self._link(commit, segment):
                    broken[fault].append(segment)
        self._take_ends(commit)
        for fault, segments in broken.items():
            buckets = ", ".join(str(segment.bucket) for segment in segments[:5])
            more = f" and {len(segments) - 5} more" if len(segments) > 5 else ""
            self.findings.fault(
                path,
                f"{fault}: bucket {buckets}{more}",
                "records between are missing, or the commit is not the one that belongs here",
            )
        if commit.manifest is not None:
            day = commit.manifest.day
            self.manifests.take(
                path,
                commit,
                {x.entry.path: x.entry for x in self.files.values() if x.day == day},
                self.heads,
                self.hashes.get(commit.number - 1, FIRST),
            )
        if commit.expiry is not None:
            check_expiry(path, commit, self._keys, self.findings, _CLOCK.now_ms())
            for gone in commit.expiry.gone:
                self._expire(path, commit.number, gone)

    def _take_ends(self, commit: Commit) -> None:
        """Take in where a commit leaves the chains."""
        segments = [segment for file in commit.files for segment in file.segments]
        self._adopted -= {x.bucket for x in segments} | {int(name) for name in commit.passed}
        if commit.kind == ADOPT:
            self._adopted |= {segment.bucket for segment in segments}
            self.findings.note(
                f"commit {commit.number} took in {len(commit.files)} file(s) as they lay there: "
                "what they held before, nobody can say"
            )
        for bucket, last in newest_of(segments).items():
            head = self.heads[bucket]
            self.heads[bucket] = Head(head.position, head.hash, last)
        for name, last in commit.passed.items():
            head = self.heads.get(int(name), NOTHING)
            self.heads[int(name)] = Head(head.position, head.hash, last)

    def _take_file(self, path: str, commit: Commit, file: FileEntry) -> None:
        if not _PART.fullmatch(file.path):
            raise ValueError(f"{file.path!r} is no file of an archive")
        if file.path in self.files or file.path in self.gone:
            self.findings.fault(
                path, f"it names {file.path}, which an earlier commit named", "a file is there once"
            )
        counts = {sum(file.kinds.values()), sum(x.rows for x in file.segments), file.rows}
        if len(counts) > 1:
            self.findings.fault(
                path,
                f"its counts of rows of {file.path} do not add up",
                "the archiver that wrote it was at fault",
            )
        links = {segment.bucket: segment for segment in file.segments}
        stated = Stated(file, commit.number, commit.kind == ADOPT, links=links)
        self.files[file.path] = stated

    def _link(self, commit: Commit, segment: Segment) -> list[str]:
        """Take a link into its chain; return what is wrong with it."""
        head = self.heads.get(segment.bucket, NOTHING)
        faults = []
        follows = segment.position == head.position + 1 and segment.previous == head.hash
        if not follows and not self._is_broken:
            faults.append("chains do not go on from the link before")
        if link_hash(segment) != segment.hash:
            faults.append("links have another hash than what they say")
        if head.last is not None and commit.kind != ADOPT:
            after = segment.after or head.last
            if order_of(segment.first) <= order_of(after):
                faults.append("journal entries come before those of the link before")
            if segment.bucket in self._adopted:
                pass
            elif order_of(after) > order_of(head.last):
                faults.append("journal entries after those of the link before are missing")
            elif order_of(after) < order_of(head.last):
                self.findings.note(
                    f"commit {commit.number}: Redis had forgotten that bucket {segment.bucket} was "
                    f"archived up to {head.last}; what came twice was left out"
                )
        elif segment.after is not None and commit.kind != ADOPT:
            self._later.append(segment.bucket)
        self.heads[segment.bucket] = Head(segment.position, segment.hash, head.last)
        return faults

    def _expire(self, path: str, number: int, gone: Gone) -> None:
        stated = self.files.pop(gone.path, None)
        if stated is None:
            self.findings.fault(
                path, f"it removes {gone.path}, which does not count", "it is there by mistake"
            )
            return
        self.gone[gone.path] = gone
        for segment in gone.segments:
            link = stated.links.get(segment.bucket)
            if link is None or digest_of(segment.kinds) != link.digest:
                self.findings.fault(
                    path,
                    f"what it says of the rows of {gone.path} in bucket {segment.bucket} is not "
                    "what was archived",
                    "other rows went than it says",
                )
        new = gone.replaced_by
        if new is not None:
            before = {(x.bucket, x.position): x for x in gone.segments}
            self.files[new.path] = Stated(new, number, stated.is_adopted, before, stated.links)
