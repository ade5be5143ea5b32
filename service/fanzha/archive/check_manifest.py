"""Checks the manifests of closed days: each against the log, and their files against both."""

from collections.abc import Mapping

from fanzha.archive.entries import (
    FIRST,
    Commit,
    FileEntry,
    encoded,
    hash_of,
    manifest_name,
    to_sign,
)
from fanzha.archive.found_faults import Findings
from fanzha.archive.log import MANIFESTS
from fanzha.archive.storage import Storage
from fanzha.archive.writer import Head
from fanzha.domain.errors import NotTrustedError
from fanzha.signing.keys import TrustedKeys, is_signed


class ManifestCheck:
    """Takes the manifests in the order of the log."""

    def __init__(self, storage: Storage, keys: TrustedKeys, findings: Findings) -> None:
        self._storage = storage
        self._keys = keys
        self._findings = findings
        self._hash = FIRST
        self._number = 0
        self._names: dict[str, str] = {}
        """Name of each manifest's file, to the hash that it has to have."""
        self._supplements: dict[str, int] = {}

    def take(
        self,
        path: str,
        commit: Commit,
        files: Mapping[str, FileEntry],
        heads: Mapping[int, Head],
        log_hash: str,
    ) -> None:
        """Check the manifest that a commit holds.

        Args:
            path: of the commit.
            commit: with a manifest.
            files: of the manifest's day that count there.
            heads: where the chains had come to.
            log_hash: of the commit before.
        """
        manifest = commit.manifest
        if manifest is None:
            return
        self._findings.manifests += 1
        wrong = []
        if (manifest.number, manifest.previous) != (self._number + 1, self._hash):
            wrong.append("it does not follow the manifest before it")
        if (manifest.log_number, manifest.log_hash) != (commit.number - 1, log_hash):
            wrong.append("it was made at another place of the log")
        if manifest.supplement != self._supplements.get(manifest.day, -1) + 1:
            wrong.append("its supplements are not numbered one after the other")
        stated = {x.path: (x.bytes, x.sha256, x.rows, x.kinds) for x in manifest.files}
        there = {x.path: (x.bytes, x.sha256, x.rows, x.kinds) for x in files.values()}
        if stated != there or manifest.rows != sum(x.rows for x in files.values()):
            wrong.append("its files and rows are not those that the log has of the day")
        chains = {str(bucket): (head.position, head.hash) for bucket, head in heads.items()}
        if {bucket: tuple(head) for bucket, head in manifest.heads.items()} != {
            bucket: head for bucket, head in chains.items() if head[0] or bucket in manifest.heads
        }:
            wrong.append("its ends of chains are not those of the log")
        wrong += self._signature_faults(commit)
        for what in wrong:
            self._findings.fault(
                f"{path} ({manifest.day})",
                f"the manifest of {manifest.day}: {what}",
                "it does not vouch for the day",
            )
        self._hash, self._number = hash_of(encoded(manifest)), manifest.number
        self._supplements[manifest.day] = manifest.supplement
        self._names[manifest_name(manifest)] = self._hash

    def _signature_faults(self, commit: Commit) -> list[str]:
        manifest = commit.manifest
        if manifest is None:
            return []
        if not is_signed(manifest.key, to_sign(manifest), manifest.signature):
            return ["its signature does not fit what it says"]
        try:
            self._keys.signer(manifest.name, manifest.key, commit.number)
        except NotTrustedError as error:
            return [f"it is signed by somebody who is not trusted: {error}"]
        return []

    def finish(self) -> None:
        """Compare the files of manifests with what the log holds."""
        names = self._storage.names(MANIFESTS)
        for name, wanted in self._names.items():
            path = f"{MANIFESTS}/{name}"
            if name not in names:
                self._findings.fault(
                    path,
                    "this manifest is missing",
                    "it was removed, or its archiver was cut off before writing it; the log holds "
                    "it, and fanzha audit close writes it again",
                )
            elif hash_of(self._storage.read(path)) != wanted:
                self._findings.fault(
                    path,
                    "this manifest is not the one that the log holds",
                    "it was changed; fanzha audit close writes it again from the log",
                )
        for name in names:
            if name not in self._names and not name.startswith("."):
                self._findings.fault(
                    f"{MANIFESTS}/{name}",
                    "no commit knows this manifest",
                    "the commit was removed, or somebody put it there",
                )
