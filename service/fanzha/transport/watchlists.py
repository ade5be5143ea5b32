"""WatchlistService: raw identifiers in, tokens and entries on."""

import re
from collections.abc import Callable, Iterable, Iterator

import grpc

from fanzha.access.four_eyes import check_four_eyes
from fanzha.access.roles import plain_name
from fanzha.domain.errors import FieldFault, InvalidFieldsError
from fanzha.domain.evidence import WatchlistEntry
from fanzha.domain.record import ListImportRecord
from fanzha.domain.vocabulary import ListProposalState
from fanzha.pipeline.ports import Clock, ListProposals
from fanzha.transport.guard import Guard
from fanzha.transport.identity import Tokens, redacted
from fanzha.transport.list_proposals import to_wire
from fanzha.transport.watchlist_entries import EntryReader
from fanzha.v1 import watchlists_pb2 as watchlists
from fanzha.v1 import watchlists_pb2_grpc

_SERVICE = "/fanzha.v1.WatchlistService/"
_NAME = re.compile(r"[\w.@ -]{1,64}\Z")
_COMMENT_MAX = 256

Entries = Iterable[tuple[bytes, WatchlistEntry]]
ImportEntries = Callable[[ListImportRecord, Entries], tuple[int, str]]


class WatchlistServicer(watchlists_pb2_grpc.WatchlistServiceServicer):
    """Changes watchlists."""

    def __init__(
        self,
        guard: Guard,
        tokens: Tokens,
        clock: Clock,
        import_entries: ImportEntries,
        proposals: ListProposals,
    ) -> None:
        self._guard = guard
        self._tokens = tokens
        self._clock = clock
        self._import_entries = import_entries
        self._proposals = proposals

    def ImportEntries(  # noqa: N802 - named by the proto
        self,
        request_iterator: Iterator[watchlists.ImportEntriesRequest],
        context: grpc.ServicerContext,
    ) -> watchlists.ImportEntriesResponse:
        """Bring entries into effect as one change, on the word of two names."""
        with self._guard.stream(_SERVICE + "ImportEntries", context):
            header = self._header(next(request_iterator, None))
            reader = EntryReader(
                self._tokens, self._clock.now_ms(), header.proposed_by, header.approved_by
            )
            # All entries are read and judged before the first is written.
            count, version = self._import_entries(header, list(reader.read(request_iterator)))
            return watchlists.ImportEntriesResponse(imported_count=count, lists_version=version)

    def ProposeImport(  # noqa: N802 - named by the proto
        self,
        request_iterator: Iterator[watchlists.ProposeImportRequest],
        context: grpc.ServicerContext,
    ) -> watchlists.ProposeImportResponse:
        """Keep entries until somebody else approves them."""
        method = _SERVICE + "ProposeImport"
        with self._guard.stream(method, context) as caller:
            messages = self._guard.while_allowed(method, context, request_iterator)
            first = next(messages, None)
            if first is None or first.WhichOneof("part") != "header":
                raise InvalidFieldsError((FieldFault("header", "must be the first message"),))
            comment = _comment(first.header.comment, "header.comment")
            reader = EntryReader(self._tokens, self._clock.now_ms(), caller.name, "")
            kept = self._proposals.propose(caller.actor, comment, reader.read(messages))
            return watchlists.ProposeImportResponse(proposal=to_wire(kept))

    def ApproveImport(  # noqa: N802 - named by the proto
        self, request: watchlists.ApproveImportRequest, context: grpc.ServicerContext
    ) -> watchlists.ApproveImportResponse:
        """Bring somebody else's proposal into effect."""
        caller = self._guard.let_in(context)
        proposal = self._proposals.find(_id(request.proposal_id))
        approver = caller.actor
        check_four_eyes(request.proposal_id, proposal.record.proposer, approver)
        count, version = self._proposals.approve(request.proposal_id, approver)
        return watchlists.ApproveImportResponse(imported_count=count, lists_version=version)

    def RejectImport(  # noqa: N802 - named by the proto
        self, request: watchlists.RejectImportRequest, context: grpc.ServicerContext
    ) -> watchlists.RejectImportResponse:
        """Reject a proposal, or take back one's own."""
        caller = self._guard.let_in(context)
        comment = _comment(request.comment, "comment")
        rejected = self._proposals.reject(_id(request.proposal_id), caller.actor, comment)
        return watchlists.RejectImportResponse(proposal=to_wire(rejected))

    def ListProposals(  # noqa: N802 - named by the proto
        self, request: watchlists.ListProposalsRequest, context: grpc.ServicerContext
    ) -> watchlists.ListProposalsResponse:
        """Show proposals, the newest first."""
        self._guard.let_in(context)
        waiting = (ListProposalState.PENDING, ListProposalState.APPLYING)
        return watchlists.ListProposalsResponse(
            proposals=[
                to_wire(proposal)
                for proposal in self._proposals.newest()
                if not request.pending_only or proposal.state in waiting
            ]
        )

    def _header(self, first: watchlists.ImportEntriesRequest | None) -> ListImportRecord:
        if first is None or first.WhichOneof("part") != "header":
            raise InvalidFieldsError((FieldFault("header", "must be the first message"),))
        header = first.header
        faults = [
            FieldFault(f"header.{field}", "must name a person, at most 64 letters")
            for field in ("proposed_by", "approved_by")
            if not _NAME.match(getattr(header, field)) or not plain_name(getattr(header, field))
        ]
        if not faults and plain_name(header.proposed_by) == plain_name(header.approved_by):
            faults.append(FieldFault("header.approved_by", "must be another person"))
        if len(header.comment) > _COMMENT_MAX:
            faults.append(FieldFault("header.comment", "must be at most 256 characters"))
        if faults:
            raise InvalidFieldsError(tuple(faults))
        return ListImportRecord(
            import_id="",
            proposed_by=header.proposed_by,
            approved_by=header.approved_by,
            comment=redacted(header.comment),
            entries=(),
            record_time_ms=self._clock.now_ms(),
        )


def _id(proposal_id: str) -> str:
    if not re.fullmatch(r"proposal-[0-9]{1,18}(-[0-9]{6})?", proposal_id):
        raise InvalidFieldsError(
            (FieldFault("proposal_id", "must be given, such as proposal-000017-482913"),)
        )
    return proposal_id


def _comment(comment: str, field: str) -> str:
    """Return free text with identifiers redacted."""
    if len(comment) > _COMMENT_MAX:
        raise InvalidFieldsError((FieldFault(field, "must be at most 256 characters"),))
    return redacted(comment)
