"""Re-keying: the same account meets its own history again, under tokens that the old key misses."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pyarrow.dataset as ds
import pytest
import redis
from tests.builders import a_request, a_time
from tests.conftest import Service
from tests.leaks import in_files, in_redis
from tests.recomputed import recompute_vectors
from tests.redis_processes import ClusterSet

from fanzha.adapters.codec import decode_record
from fanzha.adapters.embedded_redis import EmbeddedRedis
from fanzha.features.facts import PAYEE_ID, PAYER_ID
from fanzha.features.manifest import FEATURE_NAMES
from fanzha.v1 import outcomes_pb2 as outcomes
from fanzha.v1 import outcomes_pb2_grpc, scoring_pb2_grpc, watchlists_pb2_grpc
from fanzha.v1 import scoring_pb2 as scoring
from fanzha.v1 import transfer_pb2 as wire
from fanzha.v1 import watchlists_pb2 as watchlists

ACCOUNTS = [f"62220202{number:011d}" for number in range(12)]
INVOLVED = "6217000099999999999"


def fanzha(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fanzha", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def told(*arguments: object) -> dict[str, Any]:
    done = fanzha(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def a_payment(rng: random.Random, **more: Any) -> scoring.ScoreTransferRequest:
    """A payment among few accounts, which share few devices, phones and persons."""
    payer, payee = rng.sample(ACCOUNTS, 2)
    request = a_request(
        payer=payer,
        payee=payee if rng.random() < 0.9 else "",
        kind=wire.TRANSFER_KIND_GOLD_PURCHASE,
        amount=rng.randint(1, 50_000),
        session=wire.Session(device_id=f"device-{rng.randrange(4)}"),
        **more,
    )
    request.transfer.payer.phone = f"100{rng.randrange(6):08}"
    request.transfer.payer.person = f"person-{payer}"
    if request.transfer.payee.account:
        request.transfer.payee.phone = f"100{rng.randrange(6):08}"
    return request


@dataclass
class Bank:
    """Two Redis, two archives, two keys."""

    folder: Path
    old: EmbeddedRedis
    new: EmbeddedRedis
    start: Callable[..., Service]

    @property
    def unwrap(self) -> tuple[object, ...]:
        return ("--kek-file", self.folder / "kek")

    def serve(self, name: str, place: str) -> Service:
        """Start a worker on the old or the new Redis."""
        data = self.folder / place
        data.mkdir(exist_ok=True)
        url = {"old": self.old, "new": self.new}[name].url
        return self.start(
            "--redis", url, "--token-key-file", str(self.folder / f"{name}.key"),
            "--archive", str(self.folder / f"{name}-archive"), data_dir=data,
        )  # fmt: skip

    def archive(self, name: str, *spools: str) -> None:
        url = {"old": self.old, "new": self.new}[name].url
        more = [part for place in spools for part in ("--spool", self.folder / place / "spool")]
        told("archive", "--redis", url, "--archive", self.folder / f"{name}-archive", *more)

    def rekey(self) -> subprocess.CompletedProcess[str]:
        return fanzha(
            "rekey", "--from", self.old.url, "--to", self.new.url,
            "--archive", self.folder / "old-archive", "--archive-out", self.folder / "new-archive",
            "--old-key", self.folder / "old.key", "--new-key", self.folder / "new.key",
            "--spool", self.folder / "worker" / "spool", *self.unwrap, "--json",
        )  # fmt: skip


@pytest.fixture(params=["blake2b", "hmac-sm3"])
def bank(
    request: pytest.FixtureRequest,
    short_dir: Path,
    start_service: Callable[..., Service],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bank]:
    kek = short_dir / "kek"
    kek.write_bytes(os.urandom(32))
    kek.chmod(0o600)
    monkeypatch.setenv("FANZHA_TOKEN_KEK_FILE", str(kek))
    old, new = (EmbeddedRedis(short_dir / name) for name in ("a", "b"))
    bank = Bank(short_dir, old, new, start_service)
    told("token-key", "new", short_dir / "old.key", *bank.unwrap)
    told(
        "token-key", "extend", short_dir / "old.key", "--out", short_dir / "new.key",
        "--algorithm", request.param, "--old-kek-file", kek, *bank.unwrap,
    )  # fmt: skip
    yield bank
    old.close()
    new.close()


def live(service: Service, rng: random.Random, transfers: int = 120) -> list[str]:
    """Pay, execute, report frauds and take some back; return the decisions' ids."""
    scores: Any = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    reports: Any = outcomes_pb2_grpc.OutcomeServiceStub(service.channel)
    decided: list[str] = []
    for _ in range(transfers):
        decided.append(scores.ScoreTransfer(a_payment(rng)).decision_id)
        if rng.random() < 0.8:
            reports.ReportExecution(
                outcomes.ReportExecutionRequest(
                    decision_id=rng.choice(decided),
                    status=outcomes.EXECUTION_STATUS_POSTED,
                    execute_time=a_time(),
                )
            )
        if rng.random() < 0.2:
            said = outcomes.Outcome(
                outcome_id=f"o-{rng.random()}",
                decision_id=rng.choice(decided),
                type=rng.choice(
                    [outcomes.OUTCOME_TYPE_CONFIRMED_FRAUD, outcomes.OUTCOME_TYPE_MULE_CONFIRMED]
                ),
                fraud_type=wire.FRAUD_TYPE_TASK_REBATE,
                source=outcomes.OUTCOME_SOURCE_POLICE,
                report_time=a_time(),
            )
            reports.RecordOutcome(outcomes.RecordOutcomeRequest(outcome=said))
    return decided


def list_involved(service: Service) -> None:
    entry = watchlists.WatchlistEntry(
        kind=watchlists.WATCHLIST_KIND_ACCOUNT,
        identifier=INVOLVED,
        grade=watchlists.WATCHLIST_GRADE_INVOLVED,
        source="police",
        legal_basis="反电信网络诈骗法第二十条",
        valid_until_time=a_time(4_000_000_000_000),
    )
    header = watchlists.ImportHeader(proposed_by="zhang.wei", approved_by="li.na")
    stub: Any = watchlists_pb2_grpc.WatchlistServiceStub(service.channel)
    stub.ImportEntries(
        iter(
            [
                watchlists.ImportEntriesRequest(header=header),
                watchlists.ImportEntriesRequest(
                    entries=watchlists.WatchlistEntries(entries=[entry])
                ),
            ]
        )
    )


def wait_until_relayed(url: str) -> None:
    client = redis.Redis.from_url(url)
    deadline = time.monotonic() + 30
    while any(client.xlen(f"{{b{bucket}}}:outbox") for bucket in range(256)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    client.close()


def tokens_of(url: str) -> set[bytes]:
    """Every token that names a key of a Redis."""
    client = redis.Redis.from_url(url)
    names = [key.split(b":") for key in client.scan_iter(count=1000)]
    client.close()
    kinds = (b"account", b"link", b"list")
    return {bytes.fromhex(name[2].decode()) for name in names if name[1] in kinds}


def records_of(archive: Path, ids: list[str]) -> list[Any]:
    rows = ds.dataset(archive, format="parquet", exclude_invalid_files=True).to_table().to_pylist()
    bodies = {row["decision_id"]: row["body"] for row in rows if row["kind"] == "decision"}
    return [decode_record(bodies[decision_id]) for decision_id in ids]


def go_on(bank: Bank, name: str, worker: Service, kept: "Kept") -> list[str]:
    """Ask a worker about the time before, and score the same payments; return their ids."""
    stub: Any = scoring_pb2_grpc.ScoringServiceStub(worker.channel)
    assert stub.ScoreTransfer(kept.request) == kept.answer
    asked = scoring.GetDecisionRequest(decision_id=kept.decided[0])
    assert stub.GetDecision(asked).decision.decision_id == kept.decided[0]
    changed = scoring.ScoreTransferRequest()
    changed.CopyFrom(kept.request)
    changed.transfer.amount.minor_units += 1
    with pytest.raises(grpc.RpcError) as refused:
        stub.ScoreTransfer(changed)
    assert refused.value.code() == grpc.StatusCode.ALREADY_EXISTS
    to_involved = a_request(payer=ACCOUNTS[0], payee=INVOLVED, time_ms=kept.now_ms)
    assert stub.ScoreTransfer(to_involved).decision == scoring.DECISION_BLOCK
    # A report about a decision that was made before reaches the accounts that it names.
    reports: Any = outcomes_pb2_grpc.OutcomeServiceStub(worker.channel)
    said = outcomes.Outcome(
        outcome_id="late",
        decision_id=kept.answer.decision_id,
        type=outcomes.OUTCOME_TYPE_MULE_CONFIRMED,
        source=outcomes.OUTCOME_SOURCE_POLICE,
        report_time=a_time(kept.now_ms),
    )
    assert reports.RecordOutcome(outcomes.RecordOutcomeRequest(outcome=said)).recorded
    url = {"old": bank.old, "new": bank.new}[name].url
    same, decided = random.Random(11), []
    for number in range(40):
        # The relay runs beside; both worlds see each payment when the one before has arrived.
        wait_until_relayed(url)
        payment = a_payment(same, request_id=f"{name}-{number}", time_ms=kept.now_ms + number)
        decided.append(stub.ScoreTransfer(payment).decision_id)
    wait_until_relayed(url)
    return decided


@dataclass
class Kept:
    """What was served before the re-keying."""

    decided: list[str]
    request: scoring.ScoreTransferRequest
    answer: scoring.ScoreTransferResponse
    now_ms: int


def serve_before(bank: Bank) -> Kept:
    """Live for a while on the old key, then stop and archive all of it."""
    rng = random.Random(7)
    service = bank.serve("old", "worker")
    list_involved(service)
    decided = live(service, rng)
    repeated = a_payment(rng)
    stub: Any = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    answer = stub.ScoreTransfer(repeated)
    wait_until_relayed(bank.old.url)
    service.stop()
    bank.archive("old", "worker")
    return Kept(decided, repeated, answer, time.time_ns() // 1_000_000)


def check_no_old_token(bank: Bank) -> None:
    """Not one old token is anywhere in the new Redis or the new archive, whole or in part."""
    old = tokens_of(bank.old.url)
    assert len(old) > 2 * len(ACCOUNTS)
    copies = [*in_redis(bank.new.url), *in_files(bank.folder / "new-archive")]
    for token in old:
        for form in (token[:8], token.hex()[:16].encode()):
            assert [where for where, found in copies if form in found] == []
    # The search could find them: they are in what was copied from.
    were = [*in_redis(bank.old.url), *in_files(bank.folder / "old-archive")]
    assert all(any(token[:8] in found for _, found in were) for token in old)


def test_the_same_accounts_go_on_with_equal_vectors_and_no_old_token_stays(bank: Bank) -> None:
    kept = serve_before(bank)

    done = bank.rekey()

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["records"] > len(kept.decided)
    assert summary["forgotten_requests"] == 0
    check_no_old_token(bank)
    assert fanzha("audit", "adopt", "--archive", bank.folder / "new-archive").returncode == 0
    # From here on both worlds get the same payments: the old key on the old, the new on the new.
    records, decided = {}, {}
    for name, place in (("old", "worker"), ("new", "worker-2")):
        worker = bank.serve(name, place)
        decided[name] = go_on(bank, name, worker, kept)
        worker.stop()
        bank.archive(name)
        records[name] = records_of(bank.folder / f"{name}-archive", decided[name])
    for one, other in zip(records["old"], records["new"], strict=True):
        assert one.vector == other.vector
        theirs, ours = (np.frombuffer(each.facts, "<i8").copy() for each in (one, other))
        assert theirs[PAYER_ID] != ours[PAYER_ID]
        theirs[[PAYER_ID, PAYEE_ID]] = ours[[PAYER_ID, PAYEE_ID]]
        assert (theirs == ours).all()
    # The vectors speak of a history, and training cuts from the new archive what was served.
    ids, recomputed, served = recompute_vectors(bank.folder / "new-archive")
    assert {*kept.decided, *decided["new"]} <= set(ids)
    assert recomputed.tobytes() == served.tobytes()
    newest = served[[ids.index(each) for each in decided["new"]]]
    for name in ("out_count_7d", "pair_times_paid", "payee_mule_reports", "device_accounts"):
        assert np.nanmax(newest[:, FEATURE_NAMES.index(name)]) > 1, name


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_re_keying_waits_until_all_is_at_rest_and_never_half_applies(bank: Bank) -> None:
    service = bank.serve("old", "worker")
    scores: Any = scoring_pb2_grpc.ScoringServiceStub(service.channel)
    scores.ScoreTransfer(a_request())
    assert "are connected" in refusal(bank.rekey())
    wait_until_relayed(bank.old.url)
    service.stop()
    assert "run fanzha archive first" in refusal(bank.rekey())
    bank.archive("old")
    assert "holds records" in refusal(bank.rekey())
    bank.archive("old", "worker")
    client = redis.Redis.from_url(bank.old.url)
    client.set("{b1}:unheard_of:1", "x")
    client.close()

    assert "does not know" in refusal(bank.rekey())

    # The copy that was cut off is one that no worker takes for whole.
    started = fanzha(
        "serve", "--redis", bank.new.url, "--token-key-file", bank.folder / "new.key",
        "--data-dir", bank.folder / "worker-3", "--address", "127.0.0.1:0",
    )  # fmt: skip
    assert "has not ended" in refusal(started)
    assert "FLUSHALL there" in refusal(bank.rekey())


def test_another_chain_of_keys_is_refused(bank: Bank) -> None:
    for name in ("old", "new"):
        (bank.folder / f"{name}.key").rename(bank.folder / f"{name}.kept")
    (bank.folder / "old.kept").rename(bank.folder / "old.key")
    told("token-key", "new", bank.folder / "new.key", *bank.unwrap)

    assert "does not go on from" in refusal(bank.rekey())


def test_a_cluster_is_copied_to_and_from_and_keys_follow_each_other(
    bank: Bank, tmp_path: Path
) -> None:
    kept = serve_before(bank)
    third = bank.folder / "third.key"
    kek = bank.folder / "kek"
    told(
        "token-key", "extend", bank.folder / "new.key", "--out", third,
        "--algorithm", "hmac-sm3", "--old-kek-file", kek, *bank.unwrap,
    )  # fmt: skip
    with ClusterSet(tmp_path) as cluster:
        masters = [part for node in cluster.masters for part in ("--from", node.url)]
        archives = [bank.folder / f"{name}-archive" for name in ("old", "middle", "new")]
        there = told(
            "rekey", "--from", bank.old.url, "--to", cluster.url, "--archive", archives[0],
            "--archive-out", archives[1], "--old-key", bank.folder / "old.key",
            "--new-key", bank.folder / "new.key", *bank.unwrap,
        )  # fmt: skip
        back = [
            "--to", bank.new.url, "--archive", archives[1], "--archive-out", archives[2],
            "--old-key", bank.folder / "new.key", "--new-key", third, *bank.unwrap,
        ]  # fmt: skip
        partly = fanzha("rekey", *masters[:2], *back)
        again = told("rekey", *masters, *back)

    third.rename(bank.folder / "new.key")
    worker = bank.serve("new", "worker-2")
    assert len(go_on(bank, "new", worker, kept)) == 40
    worker.stop()
    assert "--from for every master" in refusal(partly)
    assert there["records"] == again["records"] > len(kept.decided)
    assert there["token_key"].split("-") == again["token_key"].split("-")[:2]
