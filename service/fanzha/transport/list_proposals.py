"""A proposed change of the lists as it is shown."""

from fanzha.domain.record import Actor, ListProposal
from fanzha.transport.convert import to_stamp
from fanzha.v1 import watchlists_pb2 as wire


def to_wire(proposal: ListProposal) -> wire.ListProposal:
    """Return a proposal as the proto shows it."""
    record, verdict = proposal.record, proposal.verdict
    return wire.ListProposal(
        proposal_id=record.proposal_id,
        proposer=_actor(record.proposer),
        comment=record.comment,
        counts=[
            wire.ListProposalCount(
                kind=int(part.kind),  # type: ignore[arg-type]
                grade=int(part.grade),  # type: ignore[arg-type]
                entry_count=part.count,
            )
            for part in record.counts
        ],
        state=int(proposal.state),  # type: ignore[arg-type]
        propose_time=to_stamp(record.record_time_ms),
        expire_time=to_stamp(record.expire_time_ms),
        decider=_actor(verdict.by) if verdict is not None else None,
        decide_time=to_stamp(verdict.record_time_ms) if verdict is not None else None,
        decide_comment=verdict.comment if verdict is not None else "",
        lists_version=proposal.lists_version,
    )


def _actor(actor: Actor) -> wire.ListActor:
    return wire.ListActor(
        name=actor.name,
        identity=actor.identity,
        certificate_fingerprint=actor.fingerprint,
        front=actor.front,
    )
