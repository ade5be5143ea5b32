"""Watchlists change by two certificates: one proposes, another approves, and then it counts."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
import redis
from tests.builders import a_request
from tests.conftest import Service
from tests.integration.test_lists_import import a_csv, an_entry
from tests.tls import Pki, channel, entry

from fanzha.adapters.codec import decode
from fanzha.domain.record import ListImportRecord, ListProposalRecord, ListVerdictRecord
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import scoring_pb2_grpc, watchlists_pb2_grpc
from fanzha.v1 import watchlists_pb2 as wire

PEOPLE = {
    "zhang.wei": ("risk-ops", "approver"),
    "li.na": ("risk-ops", "approver"),
    "wang.fang": ("approver",),
    "root": ("admin",),
    "core": ("scorer",),
}


class Bank:
    """A service with TLS, and the people who change its lists."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.pki = Pki(folder / "pki")
        self._stack = stack
        self._channels: dict[str, grpc.Channel] = {}
        clients = [entry(name, *roles) for name, roles in PEOPLE.items()]
        # A second certificate of one who has one already.
        clients[0]["certificates"].append("spiffe://bank.test/zhang.laptop")
        self.pki.roles(clients)
        (folder / "data").mkdir()
        self.service = Service(folder / "data", *self.pki.options)
        stack.callback(self.service.stop)

    def channel(self, name: str) -> grpc.Channel:
        if name not in self._channels:
            issued = self.pki.client(name)
            opened = channel(self.service.address, self.pki.authority, issued)
            self._channels[name] = self._stack.enter_context(opened)
        return self._channels[name]

    def lists(self, name: str) -> Any:
        return watchlists_pb2_grpc.WatchlistServiceStub(self.channel(name))

    def propose(self, name: str, *identifiers: str, comment: str = "") -> Any:
        def messages() -> Iterator[wire.ProposeImportRequest]:
            yield wire.ProposeImportRequest(header=wire.ProposalHeader(comment=comment))
            for identifier in identifiers:
                yield wire.ProposeImportRequest(
                    entries=wire.WatchlistEntries(entries=[an_involved(identifier)])
                )

        return self.lists(name).ProposeImport(messages(), timeout=60).proposal

    def approve(self, name: str, proposal_id: str) -> Any:
        request = wire.ApproveImportRequest(proposal_id=proposal_id)
        return self.lists(name).ApproveImport(request, timeout=60)

    def reject(self, name: str, proposal_id: str, comment: str = "") -> Any:
        request = wire.RejectImportRequest(proposal_id=proposal_id, comment=comment)
        return self.lists(name).RejectImport(request, timeout=60).proposal

    def state(self, proposal_id: str) -> Any:
        found = self.lists("li.na").ListProposals(wire.ListProposalsRequest(), timeout=60)
        return next(p for p in found.proposals if p.proposal_id == proposal_id)

    def decide(self, payee: str) -> scoring.ScoreTransferResponse:
        stub: Any = scoring_pb2_grpc.ScoringServiceStub(self.channel("core"))
        answer: scoring.ScoreTransferResponse = stub.ScoreTransfer(
            a_request(payee=payee), timeout=60
        )
        return answer

    def journaled(self, kind: str, record: type[Any]) -> list[Any]:
        client = redis.Redis.from_url(self.service.redis_url)
        rows: Any = client.xrange("{b0}:journal")
        client.close()
        return [decode(row[b"b"], record) for _, row in rows if row[b"k"] == kind.encode()]


def an_involved(identifier: str) -> wire.WatchlistEntry:
    made = wire.WatchlistEntry(
        kind=wire.WATCHLIST_KIND_ACCOUNT,
        identifier=identifier,
        grade=wire.WATCHLIST_GRADE_INVOLVED,
        source="police",
        legal_basis="反电信网络诈骗法第二十条",
    )
    made.valid_until_time.FromJsonString("2099-01-01T00:00:00Z")
    return made


@pytest.fixture(scope="module")
def bank() -> Iterator[Bank]:
    with tempfile.TemporaryDirectory(prefix="fz-") as folder, ExitStack() as stack:
        yield Bank(Path(folder), stack)


def refusal(call: Any, *given: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as refused:
        call(*given)
    error: Any = refused.value
    return error.code(), error.details()


def test_a_proposal_counts_once_somebody_else_approves_it(bank: Bank) -> None:
    proposal = bank.propose("zhang.wei", "621800-1", "621800-2", comment="case A-1")
    waiting = bank.decide("621800-1")
    shown = bank.state(proposal.proposal_id)

    done = bank.approve("wang.fang", proposal.proposal_id)
    after = bank.decide("621800-1")
    decided = bank.state(proposal.proposal_id)

    assert waiting.decision != scoring.DECISION_BLOCK
    assert shown.state == wire.LIST_PROPOSAL_STATE_PENDING
    assert (shown.proposer.name, shown.comment) == ("zhang.wei", "case A-1")
    assert [(part.kind, part.grade, part.entry_count) for part in shown.counts] == [
        (wire.WATCHLIST_KIND_ACCOUNT, wire.WATCHLIST_GRADE_INVOLVED, 2)
    ]
    assert done.imported_count == 2
    assert after.decision == scoring.DECISION_BLOCK
    assert after.versions.lists_version == done.lists_version == decided.lists_version
    assert decided.state == wire.LIST_PROPOSAL_STATE_APPROVED
    assert decided.decider.name == "wang.fang"
    assert decided.decider.identity == "spiffe://bank.test/wang.fang"


def test_the_journal_says_who_by_which_certificate(bank: Bank) -> None:
    proposal = bank.propose("zhang.wei", "621800-3")
    bank.approve("li.na", proposal.proposal_id)

    proposed = bank.journaled("list_proposal", ListProposalRecord)[-1]
    verdict = bank.journaled("list_verdict", ListVerdictRecord)[-1]
    commit = bank.journaled("list_commit", ListImportRecord)[-1]
    entries = bank.journaled("list_import", ListImportRecord)[-1].entries

    assert proposed.proposer.name == "zhang.wei"
    assert proposed.proposer.roles == ("approver", "risk-ops")
    assert proposed.proposer.identity == "spiffe://bank.test/zhang.wei"
    assert len(proposed.proposer.fingerprint) == 64
    assert (verdict.by.name, verdict.is_approved) == ("li.na", True)
    assert verdict.by.fingerprint not in ("", proposed.proposer.fingerprint)
    assert commit.proposal_id == proposal.proposal_id
    assert (commit.proposer, commit.approver) == (proposed.proposer, verdict.by)
    assert [(e.proposed_by, e.approved_by) for _, e in entries] == [("zhang.wei", "li.na")]


@pytest.mark.parametrize(
    ("proposer", "approver"),
    [("zhang.wei", "zhang.wei"), ("zhang.wei", "zhang.laptop"), ("root", "root")],
)
def test_nobody_approves_what_the_same_person_proposed(
    bank: Bank, proposer: str, approver: str
) -> None:
    proposal = bank.propose(proposer, "621800-4")

    code, details = refusal(bank.approve, approver, proposal.proposal_id)

    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert f"was proposed by {proposer}" in details
    log = (bank.service.data_dir / "serve.log").read_text()
    assert f"denied: {proposer} to /fanzha.v1.WatchlistService/ApproveImport: same person" in log
    assert bank.state(proposal.proposal_id).state == wire.LIST_PROPOSAL_STATE_PENDING
    assert bank.decide("621800-4").decision != scoring.DECISION_BLOCK


def test_who_may_only_approve_proposes_nothing(bank: Bank) -> None:
    code, details = refusal(bank.propose, "wang.fang", "621800-5")

    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert "risk-ops" in details


def test_no_comment_keeps_an_identifier(bank: Bank) -> None:
    proposal = bank.propose("zhang.wei", "621800-10", comment="see 6222020200112233445")
    rejected = bank.reject("zhang.wei", proposal.proposal_id, "was 6222020200112233445")

    assert (rejected.comment, rejected.decide_comment) == ("see [redacted]", "was [redacted]")


@pytest.mark.parametrize("by", ["wang.fang", "zhang.wei"])
def test_a_rejected_proposal_never_counts(bank: Bank, by: str) -> None:
    proposal = bank.propose("zhang.wei", "621800-6")

    rejected = bank.reject(by, proposal.proposal_id, "not ours")
    code, details = refusal(bank.approve, "li.na", proposal.proposal_id)

    assert rejected.state == wire.LIST_PROPOSAL_STATE_REJECTED
    assert (rejected.decider.name, rejected.decide_comment) == (by, "not ours")
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "rejected" in details
    assert bank.decide("621800-6").decision != scoring.DECISION_BLOCK


def test_the_first_approval_counts_and_asking_again_gives_the_same_answer(bank: Bank) -> None:
    proposal = bank.propose("zhang.wei", "621800-7")

    first = bank.approve("li.na", proposal.proposal_id)
    again = bank.approve("li.na", proposal.proposal_id)
    code, _ = refusal(bank.approve, "wang.fang", proposal.proposal_id)
    late, _ = refusal(bank.reject, "wang.fang", proposal.proposal_id)

    assert again == first
    assert code is late is grpc.StatusCode.FAILED_PRECONDITION


def test_one_bad_entry_leaves_no_proposal(bank: Bank) -> None:
    before = len(bank.lists("li.na").ListProposals(wire.ListProposalsRequest()).proposals)

    code, details = refusal(bank.propose, "zhang.wei", "621800-8", "not an account")
    client = redis.Redis.from_url(bank.service.redis_url)
    left: Any = client.keys("{lists}:proposed:*")
    waiting = {
        f"{{lists}}:proposed:{p.proposal_id}".encode()
        for p in bank.lists("li.na").ListProposals(wire.ListProposalsRequest()).proposals
    }
    client.close()

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "entries[1].identifier" in details
    assert len(bank.lists("li.na").ListProposals(wire.ListProposalsRequest()).proposals) == before
    assert set(left) <= waiting


@pytest.mark.parametrize(
    "name", ["", "import-000001", "proposal-", "proposal-1} x", "proposal-1-2"]
)
def test_a_proposal_is_named_as_proposals_are(bank: Bank, name: str) -> None:
    code, details = refusal(bank.approve, "wang.fang", name)

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "proposal_id" in details


def test_a_proposal_that_is_not_there(bank: Bank) -> None:
    code, _ = refusal(bank.approve, "wang.fang", "proposal-999999")

    assert code is grpc.StatusCode.NOT_FOUND


def test_names_in_words_are_no_longer_enough(bank: Bank) -> None:
    header = wire.ImportHeader(proposed_by="zhang.wei", approved_by="li.na")

    code, _ = refusal(
        bank.lists("root").ImportEntries, iter([wire.ImportEntriesRequest(header=header)])
    )

    assert code is grpc.StatusCode.PERMISSION_DENIED


def test_the_command_line_does_both_steps(bank: Bank, tmp_path: Path) -> None:
    file = a_csv(tmp_path, *[an_entry(f"621801-{number}") for number in range(2_500)])

    proposed = said(bank, "zhang.wei", "propose", str(file), "--comment", "weekly", "--json")
    proposal_id = json.loads(proposed.stdout)["proposal_id"]
    waiting = said(bank, "li.na", "proposals")
    alone = said(bank, "zhang.wei", "approve", proposal_id)
    done = said(bank, "li.na", "approve", proposal_id, "--json")
    everything = said(bank, "li.na", "proposals", "--all")

    assert json.loads(proposed.stdout)["entries"] == 2_500
    assert f"{proposal_id}  pending  by zhang.wei" in waiting.stdout
    assert "2,500 account involved" in waiting.stdout
    assert alone.returncode == 1
    assert "another person must" in alone.stderr
    assert json.loads(done.stdout)["imported"] == 2_500
    assert f"{proposal_id}  approved  by zhang.wei" in everything.stdout
    assert bank.decide("621801-2499").decision == scoring.DECISION_BLOCK
    assert "621801" not in proposed.stdout + waiting.stdout + done.stdout + everything.stdout


def test_the_command_line_rejects(bank: Bank, tmp_path: Path) -> None:
    file = a_csv(tmp_path, an_entry("621802-1"))
    proposed = said(bank, "zhang.wei", "propose", str(file), "--json")
    proposal_id = json.loads(proposed.stdout)["proposal_id"]

    rejected = said(bank, "wang.fang", "reject", proposal_id, "--comment", "no")
    proposed = said(bank, "zhang.wei", "propose", str(file), "--json")
    other = said(bank, "zhang.wei", "reject", json.loads(proposed.stdout)["proposal_id"], "--json")

    assert rejected.returncode == 0, rejected.stderr
    assert "nothing of it took effect" in rejected.stdout
    assert json.loads(other.stdout)["state"] == "rejected"


def test_the_command_line_names_the_rows_that_the_service_refuses(
    bank: Bank, tmp_path: Path
) -> None:
    file = a_csv(tmp_path, an_entry("621802-2"))

    done = said(bank, "wang.fang", "propose", str(file))

    assert done.returncode == 1
    assert "the service refused the proposal (PERMISSION_DENIED)" in done.stderr


def said(bank: Bank, who: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fanzha", "lists", *words]
    command += ["--address", bank.service.address, *bank.pki.client_files(who)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
