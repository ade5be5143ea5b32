"""Proposed changes of the lists: they wait in Redis, in effect nowhere, until somebody decides.

The entries lie in one hash of groups that Redis itself drops when the proposal expires. Who decides
first is settled by one write; what an approval began is finished by the next, under the same name.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from fanzha.adapters import keys
from fanzha.adapters.codec import decode, encode
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.adapters.redis_lists import chunks, import_entries
from fanzha.domain.errors import (
    ProposalClosedError,
    ProposalNotFoundError,
    StoreUnavailableError,
)
from fanzha.domain.evidence import WatchlistEntry
from fanzha.domain.record import (
    Actor,
    ListCount,
    ListImportRecord,
    ListProposal,
    ListProposalRecord,
    ListVerdictRecord,
)
from fanzha.domain.vocabulary import ListProposalState

Entry = tuple[bytes, WatchlistEntry]

PROPOSAL_KIND: Final = "list_proposal"
VERDICT_KIND: Final = "list_verdict"
"""Kinds of the journal entries, as the archive names them."""
_JOURNAL_BUCKET: Final = 0
_UPLOAD_MS: Final = 10 * 60_000
"""Entries whose proposal was cut off are gone after so long."""
_APPLY_MS: Final = 24 * 3_600_000
"""What was approved can be finished for so long."""
_REMEMBERED_MS: Final = 30 * 24 * 3_600_000
_SHOWN_MAX: Final = 500


class RedisProposals:
    """Meets the pipeline's port."""

    def __init__(
        self,
        link: RedisLink,
        life_ms: int,
        now_ms: Callable[[], int],
        on_change: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            link: connection to Redis.
            life_ms: a proposal that nobody decides expires after so long, in milliseconds.
            now_ms: milliseconds since 1970 UTC, by the machine's clock.
            on_change: called when the lists have changed, before that is confirmed.
        """
        self._link = link
        self._life_ms = life_ms
        self._now_ms = now_ms
        self._on_change = on_change

    def propose(self, proposer: Actor, comment: str, entries: Iterable[Entry]) -> ListProposal:
        """Keep entries as a proposal."""
        number = int(self._link.run([("INCR", keys.LIST_PROPOSAL_COUNTER)])[0])
        # Redis may forget the number, and give it again: who approves a proposal that a colleague
        # spoke of must not approve another one.
        proposal_id = f"proposal-{number:06d}-{secrets.randbelow(10**6):06d}"
        place = keys.list_proposed(proposal_id)
        counts: Counter[tuple[Any, Any]] = Counter()
        try:
            for index, chunk in enumerate(chunks(entries)):
                counts.update((entry.kind, entry.grade) for _, entry in chunk)
                # By its place, so that what is sent twice is there once.
                write: Command = ("HSET", place, index, encode(chunk))
                self._link.run([write, ("PEXPIRE", place, _UPLOAD_MS)])
            now_ms = self._now_ms()
            record = ListProposalRecord(
                proposal_id=proposal_id,
                proposer=proposer,
                comment=comment,
                counts=tuple(ListCount(*key, count) for key, count in sorted(counts.items())),
                record_time_ms=now_ms,
                expire_time_ms=now_ms + self._life_ms,
            )
            self._keep(record, number)
        except BaseException:
            with suppress(StoreUnavailableError):
                self._link.run([("UNLINK", place)])
            raise
        return ListProposal(record, ListProposalState.PENDING)

    def _keep(self, record: ListProposalRecord, number: int) -> None:
        place = keys.list_proposal(record.proposal_id)
        body = encode(record)
        self._link.run(
            [
                ("PEXPIRE", keys.list_proposed(record.proposal_id), self._life_ms),
                _note(PROPOSAL_KIND, body),
                ("HSET", place, "record", body),
                ("PEXPIRE", place, self._life_ms + _REMEMBERED_MS),
                ("ZADD", keys.LIST_PROPOSALS, number, record.proposal_id),
                ("ZREMRANGEBYRANK", keys.LIST_PROPOSALS, 0, -_SHOWN_MAX - 1),
            ]
        )

    def find(self, proposal_id: str) -> ListProposal:
        """Return a proposal."""
        found = self._read([proposal_id])
        if not found:
            raise ProposalNotFoundError(proposal_id)
        return found[0]

    def newest(self) -> list[ListProposal]:
        """Return the newest 500 proposals."""
        command: Command = ("ZREVRANGE", keys.LIST_PROPOSALS, 0, _SHOWN_MAX - 1)
        return self._read([name.decode() for name in self._link.run([command])[0]])

    def approve(self, proposal_id: str, approver: Actor) -> tuple[int, str]:
        """Bring a proposal into effect, or finish what an approval began."""
        verdict = ListVerdictRecord(proposal_id, True, approver, "", self._now_ms())
        found = self._decide(verdict)
        verdict = found.verdict or verdict
        if found.state == ListProposalState.APPROVED and verdict.by.name == approver.name:
            # A client that did not get its answer asks again.
            return sum(part.count for part in found.record.counts), found.lists_version
        if found.state != ListProposalState.APPLYING:
            raise ProposalClosedError(proposal_id, found.state.name.lower())
        header = ListImportRecord(
            import_id=proposal_id,
            proposed_by=found.record.proposer.name,
            approved_by=verdict.by.name,
            comment=found.record.comment,
            entries=(),
            record_time_ms=verdict.record_time_ms,
            proposal_id=proposal_id,
            proposer=found.record.proposer,
            approver=verdict.by,
        )
        self._journal(verdict)
        entries = self._entries(proposal_id, verdict.by.name)
        count, version = import_entries(self._link, header, entries)
        place = keys.list_proposal(proposal_id)
        self._link.run([("HSET", place, "version", version)])
        self._link.run([("UNLINK", keys.list_proposed(proposal_id))])
        self._on_change()
        return count, version

    def reject(self, proposal_id: str, by: Actor, comment: str) -> ListProposal:
        """Reject a proposal or take it back; the same again changes nothing."""
        found = self._decide(ListVerdictRecord(proposal_id, False, by, comment, self._now_ms()))
        if found.state != ListProposalState.REJECTED:
            raise ProposalClosedError(proposal_id, found.state.name.lower())
        if found.verdict is not None:
            self._journal(found.verdict)
        self._link.run([("UNLINK", keys.list_proposed(proposal_id))])
        return found

    def _journal(self, verdict: ListVerdictRecord) -> None:
        """Journal the verdict that counts, again where it was cut off; the archive keeps one."""
        self._link.run([_note(VERDICT_KIND, encode(verdict))])

    def _decide(self, verdict: ListVerdictRecord) -> ListProposal:
        """Let a verdict count if it is the first; return the proposal as it stands then."""
        name = verdict.proposal_id
        found = self.find(name)
        if found.state != ListProposalState.PENDING:
            return found
        place, body = keys.list_proposal(name), encode(verdict)
        stays, is_first = self._link.run(
            [
                ("PEXPIRE", keys.list_proposed(name), _APPLY_MS),
                ("HSETNX", place, "verdict", body),
            ]
        )
        if not stays and is_first:
            # It expired just now, and a verdict on nothing would only mislead.
            self._link.run([("HDEL", place, "verdict")])
        return self.find(name)

    def _entries(self, proposal_id: str, approved_by: str) -> Iterator[Entry]:
        place = keys.list_proposed(proposal_id)
        for index in range(int(self._link.run([("HLEN", place)])[0])):
            body = self._link.run([("HGET", place, index)])[0]
            if body is None:
                # Redis dropped them meanwhile, and half a change must not take effect.
                raise ProposalClosedError(proposal_id, "expired")
            for token, entry in decode(body, list[Entry]):
                yield token, replace(entry, approved_by=approved_by)

    def _read(self, names: list[str]) -> list[ListProposal]:
        commands: list[Command] = []
        for name in names:
            commands.append(("HMGET", keys.list_proposal(name), "record", "verdict", "version"))
            commands.append(("EXISTS", keys.list_proposed(name)))
        replies = self._link.run(commands) if commands else []
        return [
            _proposal(*parts, waits=bool(waits))
            for parts, waits in zip(replies[::2], replies[1::2], strict=True)
            if parts[0] is not None
        ]


def _note(kind: str, body: bytes) -> Command:
    return ("XADD", keys.journal(_JOURNAL_BUCKET), "*", "k", kind, "b", body)


def _proposal(
    record: bytes, verdict: bytes | None, version: bytes | None, *, waits: bool
) -> ListProposal:
    said = decode(verdict, ListVerdictRecord) if verdict is not None else None
    if said is not None and not said.is_approved:
        state = ListProposalState.REJECTED
    elif version is not None:
        state = ListProposalState.APPROVED
    elif not waits:
        state = ListProposalState.EXPIRED
    else:
        state = ListProposalState.PENDING if said is None else ListProposalState.APPLYING
    made = version.decode() if version is not None else ""
    return ListProposal(decode(record, ListProposalRecord), state, said, made)
