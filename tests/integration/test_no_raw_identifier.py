"""Traffic full of marked identifiers, through everything: none is found behind the door."""

import base64
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis
from google.protobuf.json_format import MessageToJson
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.builders import a_request, a_time, requests, yuan
from tests.conftest import ROOT, Service
from tests.leaks import Leak, forms_of, in_files, in_redis, leaks, values_of

from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc, watchlists_pb2_grpc
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire
from fanzha.v1 import watchlists_pb2 as watchlists

ACCOUNTS = ("6225881234567890", "6217004466228801357", "MARKED-ACC.77:31-Qx")
PHONES = ("13987654321", "18611223344")
PERSONS = ("110101199003071239", "44030619851224731X")
DEVICES = ("device-marked-7f3a9c", "terminal:marked:0042")
MAILS = ("marked.person@example.com",)
MARKS = (*ACCOUNTS, *PHONES, *PERSONS, *DEVICES, *MAILS)


class Talk:
    """Everything that a service is told, and all that it says to anybody."""

    def __init__(self, service: Service) -> None:
        channel = service.channel
        self.scoring: Any = scoring_pb2_grpc.ScoringServiceStub(channel)
        self.outcomes: Any = outcomes_pb2_grpc.OutcomeServiceStub(channel)
        self.lists: Any = watchlists_pb2_grpc.WatchlistServiceStub(channel)
        self.channel = channel
        self.said: list[tuple[str, bytes]] = []
        self.refusals = 0

    def call(self, name: str, rpc: Callable[[Any], Any], request: Any) -> Any:
        """Call, and keep the answer, or the error with all its details."""
        try:
            answer = rpc(request)
        except grpc.RpcError as error:
            self.refusals += 1
            words: Any = error
            details = [words.code().name, words.details(), repr(words.trailing_metadata())]
            self.said.append((f"error of {name}", "\n".join(map(str, details)).encode()))
            return None
        text = MessageToJson(answer, ensure_ascii=False).encode()
        self.said.append((f"answer of {name}", text + answer.SerializeToString()))
        return answer

    def score(self, request: scoring.ScoreTransferRequest) -> Any:
        return self.call("ScoreTransfer", self.scoring.ScoreTransfer, request)


def transfers() -> Iterator[scoring.ScoreTransferRequest]:
    """Valid requests whose every identifying field, and free text, is marked."""
    for payer, payee, phone, person, device in itertools.product(
        ACCOUNTS, ACCOUNTS[::-1], PHONES[:1], PERSONS, DEVICES
    ):
        if payer == payee:
            continue
        other = PERSONS[1] if person == PERSONS[0] else PERSONS[0]
        request = a_request(
            payer=payer,
            payee=payee,
            amount=4_321.0,
            remark=f"给{phone} 的货款 {payee[:16]} {person} {MAILS[0]} {PHONES[1][:3]} "
            f"{PHONES[1][3:7]} {PHONES[1][7:]} {device} {payer}",
            session=wire.Session(device_id=device, call_in_progress=True, remote_control=True),
        )
        request.transfer.payer.phone = f"+86 {phone}"
        request.transfer.payee.phone = PHONES[1]
        request.transfer.payer.person = person
        request.transfer.payee.person = other.lower()
        yield request


def malformed() -> Iterator[scoring.ScoreTransferRequest]:
    """Requests that are refused, each with a marked identifier where it provokes an error."""
    for mark in MARKS:
        yield a_request(request_id=f"r-{mark}", payer=mark)
        yield a_request(payer=f"{mark} ", payee=f"账号{mark}")
        yield a_request(payer=mark * 9)
        spelled = a_request(payer=ACCOUNTS[0], session=wire.Session(device_id=f"{mark}/{mark}"))
        spelled.transfer.payer.phone = mark + "x"
        spelled.transfer.payer.person = mark + "?"
        yield spelled
        for field in ("transfer_id", "branch_id", "terminal_id"):
            device = mark if mark in DEVICES else DEVICES[0]
            named = a_request(payer=ACCOUNTS[1], session=wire.Session(device_id=device))
            named.transfer.payer.phone, named.transfer.payee.phone = PHONES
            named.transfer.payer.person, named.transfer.payee.person = PERSONS
            named.transfer.payee.account = mark if mark in ACCOUNTS else ACCOUNTS[0]
            setattr(named.transfer, field, f"x{mark}x")
            yield named
        currency = a_request(payer=ACCOUNTS[0])
        currency.transfer.amount.currency_code = mark
        yield currency
        yield a_request(payer=ACCOUNTS[0], remark=mark * 40)
        yield a_request(payer=ACCOUNTS[0], amount=-1, session=wire.Session(device_id=mark))


def spellings() -> Iterator[scoring.ScoreTransferRequest]:
    """Identifiers spelled otherwise in names that are kept: refused all the same."""
    for told in (
        f"r {ACCOUNTS[0][:4]}-{ACCOUNTS[0][4:]}",
        "r" + "".join(chr(ord(c) + 0xFEE0) for c in ACCOUNTS[0]),
        f"r{DEVICES[0].upper()}",
        f"r{PERSONS[1].lower()}",
    ):
        request = a_request(payer=ACCOUNTS[0], session=wire.Session(device_id=DEVICES[0]))
        request.transfer.payer.person = PERSONS[1]
        request.transfer.payer.account_ref = told
        yield request


def entries() -> Iterator[watchlists.WatchlistEntry]:
    kinds = (
        (watchlists.WATCHLIST_KIND_ACCOUNT, ACCOUNTS[1]),
        (watchlists.WATCHLIST_KIND_PHONE, PHONES[1]),
        (watchlists.WATCHLIST_KIND_PERSON, PERSONS[1]),
        (watchlists.WATCHLIST_KIND_DEVICE, DEVICES[1]),
    )
    for kind, mark in kinds:
        yield watchlists.WatchlistEntry(
            kind=kind,
            identifier=mark,
            grade=watchlists.WATCHLIST_GRADE_WATCH,
            source=f"police {PHONES[0]}",
            case_number="A-2026-1",
            legal_basis=f"冻结 {ACCOUNTS[0]} 持卡人证件 {PERSONS[0]} {mark}",
            valid_until_time=a_time(4_000_000_000_000),
        )


def import_lists(talk: Talk, *given: watchlists.WatchlistEntry, by: str = "zhang.wei") -> Any:
    header = watchlists.ImportHeader(
        proposed_by=by, approved_by="li.na", comment=f"涉案 {ACCOUNTS[0]} 电话 {PHONES[0]}"
    )
    messages = [
        watchlists.ImportEntriesRequest(header=header),
        watchlists.ImportEntriesRequest(entries=watchlists.WatchlistEntries(entries=given)),
    ]
    return talk.call("ImportEntries", talk.lists.ImportEntries, iter(messages))


def propose_lists(talk: Talk) -> None:
    """Proposals of the same entries: one waits, one is rejected; their comments are marked."""
    header = watchlists.ProposalHeader(comment=f"涉案 {ACCOUNTS[0]} {MAILS[0]} {PERSONS[0]}")
    for verdict in (False, True):
        messages = [
            watchlists.ProposeImportRequest(header=header),
            watchlists.ProposeImportRequest(
                entries=watchlists.WatchlistEntries(entries=list(entries()))
            ),
        ]
        made = talk.call("ProposeImport", talk.lists.ProposeImport, iter(messages))
        assert made is not None
        if verdict:
            rejected = watchlists.RejectImportRequest(
                proposal_id=made.proposal.proposal_id, comment=f"错号 {ACCOUNTS[1]} {PHONES[1]}"
            )
            assert talk.call("RejectImport", talk.lists.RejectImport, rejected) is not None
    for mark in MARKS:
        approved = watchlists.ApproveImportRequest(proposal_id=f"proposal-{mark[:3]}")
        talk.call("ApproveImport", talk.lists.ApproveImport, approved)
    listed = watchlists.ListProposalsRequest()
    assert len(talk.call("ListProposals", talk.lists.ListProposals, listed).proposals) == 2


def aftermath(talk: Talk, decision_id: str) -> None:
    """Executions, outcomes and withdrawals, right and wrong, with marks wherever text goes."""
    report = outcomes.ReportExecutionRequest(
        decision_id=decision_id, status=outcomes.EXECUTION_STATUS_POSTED, execute_time=a_time()
    )
    talk.call("ReportExecution", talk.outcomes.ReportExecution, report)
    outcome = outcomes.Outcome(
        outcome_id="o-1",
        decision_id=decision_id,
        type=outcomes.OUTCOME_TYPE_CONFIRMED_FRAUD,
        fraud_type=wire.FRAUD_TYPE_FAKE_LOAN,
        source=outcomes.OUTCOME_SOURCE_BANK_REVIEW,
        loss=yuan(10),
        report_time=a_time(),
    )
    request = outcomes.RecordOutcomeRequest(outcome=outcome)
    talk.call("RecordOutcome", talk.outcomes.RecordOutcome, request)
    back = outcomes.WithdrawOutcomeRequest(
        decision_id=decision_id,
        outcome_id="o-1",
        source=outcomes.OUTCOME_SOURCE_BANK_REVIEW,
        reason=f"客户 {PERSONS[0]} 来电 {PHONES[0]}，账户 {ACCOUNTS[1]}，{MAILS[0]}",
        report_time=a_time(),
    )
    talk.call("WithdrawOutcome", talk.outcomes.WithdrawOutcome, back)
    for mark in MARKS:
        wrong = outcomes.Outcome(outcome_id="o-2", decision_id=f"x{mark[:3]}", loss=yuan(1))
        wrong.loss.currency_code = "ABC"
        talk.call(
            "RecordOutcomes",
            talk.outcomes.RecordOutcomes,
            iter([outcomes.RecordOutcomesRequest(outcome=wrong)]),
        )


def tell_everything(talk: Talk) -> list[str]:
    """Send every kind of message, and return the ids of the decisions."""
    assert import_lists(talk, *entries()) is not None
    import_lists(talk, *(w for w in entries() if not setattr(w, "source", "")))
    import_lists(talk, *(w for w in entries() if not setattr(w, "case_number", w.identifier)))
    propose_lists(talk)
    decided = [talk.score(request).decision_id for request in transfers()]
    batch = requests([*itertools.islice(transfers(), 4), *itertools.islice(malformed(), 12)])
    talk.call("ScoreBatch", talk.scoring.ScoreBatch, batch)
    before = talk.refusals
    count = sum(talk.score(request) is None for request in [*malformed(), *spellings()])
    assert talk.refusals - before == count == len([*malformed(), *spellings()])
    reused = a_request("reused", payer=ACCOUNTS[0])
    talk.score(reused)
    reused.transfer.amount.minor_units += 1
    talk.score(reused)
    aftermath(talk, decided[0])
    for method in ("ScoreTransfer", "GetDecision"):
        raw = talk.channel.unary_unary(f"/fanzha.v1.ScoringService/{method}")
        talk.call("garbage", lambda garbage, raw=raw: raw(garbage), "".join(MARKS).encode())
    return decided


@pytest.fixture(scope="module")
def traffic() -> Iterator[tuple[Service, Talk, list[str]]]:
    """A service that was told every mark, in every way, and what it said."""
    with tempfile.TemporaryDirectory(prefix="fz-") as folder:
        service = Service(Path(folder))
        try:
            talk = Talk(service)
            decided = tell_everything(talk)
            yield service, talk, decided
        finally:
            if service.process.poll() is None:
                service.stop()


def test_what_was_told_is_on_record_and_answered_to_others_without_a_mark(
    traffic: tuple[Service, Talk, list[str]],
) -> None:
    service, talk, decided = traffic
    with grpc.insecure_channel(service.address) as channel:
        scores: Any = scoring_pb2_grpc.ScoringServiceStub(channel)
        health = health_pb2_grpc.HealthStub(channel)
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        for decision_id in decided:
            asked = scoring.GetDecisionRequest(decision_id=decision_id)
            assert talk.call("GetDecision", scores.GetDecision, asked) is not None
        listed = outcomes.ListOutcomesRequest(decision_id=decided[0])
        assert talk.call("ListOutcomes", talk.outcomes.ListOutcomes, listed) is not None
        asked_health = health_pb2.HealthCheckRequest(service="fanzha.v1.ScoringService")
        talk.call("Health", health.Check, asked_health)
        files = reflection_pb2.ServerReflectionRequest(
            file_containing_symbol="fanzha.v1.ScoringService"
        )
        for answer in reflection.ServerReflectionInfo(iter([files])):
            talk.said.append(("reflection", answer.SerializeToString()))

    assert len(talk.said) > 100
    assert leaks(talk.said, MARKS) == []


def test_no_mark_is_in_redis_files_logs_or_the_archive(
    traffic: tuple[Service, Talk, list[str]], tmp_path: Path
) -> None:
    service, _, decided = traffic
    held = list(in_redis(service.redis_url))
    assert len(held) > 3 * len(decided)
    _save(service.redis_url)
    archive = tmp_path / "archive"
    moved = subprocess.run(
        [sys.executable, "-m", "fanzha", "archive", "--redis", service.redis_url,
         "--archive", str(archive), "--json"],
        capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    limits = Path(f"/proc/{service.process.pid}/limits").read_text()
    command_line = Path(f"/proc/{service.process.pid}/cmdline").read_bytes()
    service.stop()

    places = [
        *held,
        *in_files(service.data_dir),
        *in_files(archive),
        ("archive's output", moved.stdout + moved.stderr),
        ("command line", command_line),
    ]
    assert json.loads(moved.stdout)["rows"] > len(decided)
    assert {Path(place).suffix for place, _ in places} >= {".parquet", ".spool", ".log"}
    assert leaks(places, MARKS) == []
    # What design allows: masked forms, by which staff recognise an account.
    assert any(b"6225****7890" in content for _, content in places)
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


def test_no_mark_is_in_what_a_replay_or_a_mapping_check_leaves(tmp_path: Path) -> None:
    file, out = tmp_path / "transfers.csv", tmp_path / "out" / "decisions.parquet"
    out.parent.mkdir()
    header = "流水号,交易时间,业务,渠道,金额,付款账号,收款账号,行内,附言,涉诈"
    good = [
        f"{n},2026/11/22 13:{n:02}:09,转账,4,12.34,{payer},{payee},是,房租 {PHONES[0]} {MAILS[0]},0"
        for n, (payer, payee) in enumerate(itertools.permutations(ACCOUNTS, 2), start=1)
    ]
    bad = [
        f"90,2026/11/22 13:30:09,转账,4,{ACCOUNTS[0]}x,{ACCOUNTS[1]},{PHONES[0]}/,是,x,0",
        f"91,{PERSONS[0]},{ACCOUNTS[0]},{PHONES[1]},1,{ACCOUNTS[0]} x,{ACCOUNTS[1]},{PHONES[0]},,0",
    ]
    mapping = ROOT / "tests" / "mappings" / "good.yaml"
    places = []
    for lines in (good, [*good, *bad]):
        file.write_text("\n".join([header, *lines]), "utf-8")
        for command in (
            ["mapping", "check", mapping, "--file", file],
            ["replay-file", file, "--mapping", mapping, "--out", out, "--skip-bad-rows",
             "--models", ROOT / "models", "--json"],
        ):  # fmt: skip
            done = subprocess.run(
                [sys.executable, "-m", "fanzha", *map(str, command)],
                capture_output=True, timeout=240, check=False,
                env={**os.environ, "COLUMNS": "400"},
            )  # fmt: skip
            places.append((f"{command[0]}'s output", done.stdout + done.stderr))

    places += list(in_files(out.parent))
    assert any(name.endswith("(values)") for name, _ in places)
    assert leaks(places, MARKS) == []


def _save(url: str) -> None:
    """Have Redis write the whole of its memory, uncompressed, beside its append-only file."""
    client = redis.Redis.from_url(url)
    client.config_set("rdbcompression", "no")
    client.save()
    client.close()


class TestTheGrep:
    """A planted identifier is found in every place and form: the search can find."""

    @pytest.mark.parametrize("mark", MARKS)
    def test_finds_each_form(self, mark: str) -> None:
        for form, content in forms_of(mark).items():
            found = leaks([("planted", b"\xffabc" + content + b"def\0")], MARKS)
            assert any(leak.marked == mark for leak in found), form
        assert leaks([("clean", b"6225****7890 [redacted]")], MARKS) == []

    def test_finds_what_is_encoded_in_the_midst_of_more(self) -> None:
        for before in range(4):
            text = base64.b64encode(b"x" * before + ACCOUNTS[0].encode() + b"and more")
            assert leaks([("planted", text)], MARKS[:1])

    def test_finds_a_mark_in_redis_in_every_type(self, redis_url: str) -> None:
        client = redis.Redis.from_url(redis_url)
        mark = ACCOUNTS[0]
        client.set("string", f"x{mark}x")
        client.hset("hash", mapping={"field": "x" * 500 + mark})
        client.hset("field", mapping={mark: "1"})
        client.rpush("list", mark)
        client.sadd("set", mark)
        client.zadd("zset", {mark: 1})
        client.xadd("stream", {"b": mark})
        client.set(f"key:{mark}", 1)
        client.close()

        found = {leak.where.split("'")[1] for leak in leaks(in_redis(redis_url), [mark])}

        assert found == {
            "string", "hash", "field", "list", "set", "zset", "stream", f"key:{mark}",
        }  # fmt: skip

    def test_finds_a_mark_in_a_compressed_archive_and_a_log(self, tmp_path: Path) -> None:
        body = b"a" * 5_000 + ACCOUNTS[0].encode() + b"a" * 5_000
        table = pa.table({"body": [body] * 20, "n": list(range(20))})
        pq.write_table(table, tmp_path / "x.parquet", compression="zstd")
        (tmp_path / "serve.log").write_text(f"ERROR no account {ACCOUNTS[0]}\n")

        found = leaks(in_files(tmp_path), MARKS)

        assert ACCOUNTS[0].encode() in values_of(table)
        assert {Path(leak.where.split()[0]).name for leak in found} == {"x.parquet", "serve.log"}
        assert Leak(f"{tmp_path}/x.parquet (values)", ACCOUNTS[0], "plain") in found
