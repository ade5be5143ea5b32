"""`fanzha lists propose | approve | reject | proposals`: two people change the watchlists."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer
from google.protobuf.timestamp_pb2 import Timestamp

from fanzha.commands.client_options import Address, ClientTls, TlsCa, TlsCert, TlsKey, connected
from fanzha.commands.list_file import Sending, check, progress_bar, refuse_bad_rows
from fanzha.commands.list_refusal import refusal
from fanzha.commands.watchlist_csv import COLUMNS, read_rows
from fanzha.domain.errors import SetupError
from fanzha.domain.vocabulary import ListProposalState, WatchlistGrade, WatchlistKind, word_of
from fanzha.v1 import watchlists_pb2 as wire
from fanzha.v1 import watchlists_pb2_grpc

_PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)

Proposal = Annotated[
    str, typer.Argument(help="Such as proposal-000017-482913; fanzha lists proposals.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def propose(
    file: Annotated[Path, typer.Argument(help=f"CSV in UTF-8 with {','.join(COLUMNS)}.")],
    address: Address,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    rejects: Annotated[
        Path | None, typer.Option(help="CSV file to write bad rows to, with reasons.")
    ] = None,
    skip_bad_rows: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--skip-bad-rows", help="Propose the other rows all the same.")
    ] = False,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag
) -> None:
    """Propose entries to add or replace; they count once somebody else approves them."""
    now = datetime.now(UTC)
    with progress_bar() as progress:
        checked = check(file, now, rejects, progress)
        refuse_bad_rows(file, checked, rejects, skip_bad_rows=skip_bad_rows)
        good = (row for row in read_rows(file, now) if not row.faults)
        sending = Sending(good, checked.good, progress)

        def messages() -> Iterator[wire.ProposeImportRequest]:
            yield wire.ProposeImportRequest(header=wire.ProposalHeader(comment=comment))
            for group in sending.groups(then="being kept"):
                yield wire.ProposeImportRequest(entries=group)

        with connected(address, ClientTls(tls_ca, tls_cert, tls_key)) as channel:
            stub = watchlists_pb2_grpc.WatchlistServiceStub(channel)
            try:
                proposal = stub.ProposeImport(messages()).proposal
            except grpc.RpcError as error:
                raise refusal(error, sending.numbers, "proposal") from error
    if as_json:
        typer.echo(json.dumps({**_plain(proposal), "rejected": checked.bad}))
        return
    typer.echo(f"proposed {_contents(proposal)}, rejected {checked.bad:,} rows: nothing counts yet")
    typer.echo(
        f"somebody else can let it take effect before {_time(proposal.expire_time)}:\n"
        f"  fanzha lists approve {proposal.proposal_id} --address {address}"
    )


def approve(
    proposal: Proposal,
    address: Address,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag
) -> None:
    """Let a proposal of somebody else take effect, as a whole."""
    with _service(address, ClientTls(tls_ca, tls_cert, tls_key)) as stub:
        done = stub.ApproveImport(wire.ApproveImportRequest(proposal_id=proposal))
    if as_json:
        summary = {"imported": done.imported_count, "lists_version": done.lists_version}
        typer.echo(json.dumps(summary))
    else:
        typer.echo(
            f"{proposal}: {done.imported_count:,} entries took effect; "
            f"the lists are now {done.lists_version}"
        )


def reject(
    proposal: Proposal,
    address: Address,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag
) -> None:
    """Reject a proposal, or take back your own."""
    with _service(address, ClientTls(tls_ca, tls_cert, tls_key)) as stub:
        asked = wire.RejectImportRequest(proposal_id=proposal, comment=comment)
        rejected = stub.RejectImport(asked).proposal
    if as_json:
        typer.echo(json.dumps(_plain(rejected)))
        return
    typer.echo(f"{proposal}: rejected; nothing of it took effect")


def proposals(
    address: Address,
    every: Annotated[bool, typer.Option("--all", help="Also those that are decided.")] = False,  # noqa: FBT002 - a flag
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag
) -> None:
    """Show the proposals that wait for their second person, the newest first."""
    with _service(address, ClientTls(tls_ca, tls_cert, tls_key)) as stub:
        found = stub.ListProposals(wire.ListProposalsRequest(pending_only=not every)).proposals
    if as_json:
        typer.echo(json.dumps([_plain(proposal) for proposal in found]))
        return
    for proposal in found:
        typer.echo(
            f"{proposal.proposal_id}  {_state(proposal)}  by {proposal.proposer.name} at "
            f"{_time(proposal.propose_time)}  {_contents(proposal)}"
            + (f"  {proposal.comment}" if proposal.comment else "")
            + (f"  decided by {proposal.decider.name}" if proposal.HasField("decider") else "")
        )
    if not found:
        typer.echo("no proposal waits" if not every else "no proposals")


@contextmanager
def _service(address: str, tls: ClientTls) -> Iterator[Any]:
    """Yield the service's stub; a refusal becomes one clear error."""
    with connected(address, tls) as channel:
        try:
            yield watchlists_pb2_grpc.WatchlistServiceStub(channel)
        except grpc.RpcError as error:
            failed: Any = error
            remedy = "; asking again is safe" if failed.code() in _PASSING else ""
            raise SetupError(
                f"the service refused ({failed.code().name}): {failed.details()}{remedy}"
            ) from error


def _plain(proposal: wire.ListProposal) -> dict[str, object]:
    return {
        "proposal_id": proposal.proposal_id,
        "state": _state(proposal),
        "proposed_by": proposal.proposer.name,
        "decided_by": proposal.decider.name,
        "entries": sum(part.entry_count for part in proposal.counts),
        "comment": proposal.comment,
        "lists_version": proposal.lists_version,
    }


def _state(proposal: wire.ListProposal) -> str:
    return word_of(ListProposalState(proposal.state))


def _contents(proposal: wire.ListProposal) -> str:
    """Name what a proposal holds: it is what the second person says yes to."""
    return ", ".join(
        f"{part.entry_count:,} {word_of(WatchlistKind(part.kind))}"
        + (f" {word_of(WatchlistGrade(part.grade))}" if part.grade else "")
        for part in proposal.counts
    )


def _time(stamp: Timestamp) -> str:
    return stamp.ToDatetime(UTC).astimezone().isoformat(sep=" ", timespec="minutes")
