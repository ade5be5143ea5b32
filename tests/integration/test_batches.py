"""Many transfers at once against a real Redis: as one after the other, in fewer round trips."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from random import Random

import pytest
import redis
from tests.decision_inputs import NOW_MS, POLICY, PROMPTS, a_transfer
from tests.fakes import FixedModel, FrozenClock, MemorySpool, OneModel

from fanzha.adapters import keys
from fanzha.adapters.codec import Codec, decode_record
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.redis_commit import Lives
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.redis_lists import CommittedLists
from fanzha.adapters.redis_store import RedisStore
from fanzha.adapters.relay import Relay
from fanzha.domain.decision import Decision
from fanzha.domain.errors import InvalidFieldsError, RequestIdReusedError
from fanzha.domain.ids import BUCKETS
from fanzha.domain.record import DecisionRecord
from fanzha.domain.transfer import Party, Session, TransferDraft
from fanzha.pipeline.assess import Assessor, Attempt
from fanzha.pipeline.budget import Budget
from fanzha.pipeline.record import Recorder
from fanzha.pipeline.shadow import Shadows
from fanzha.pipeline.validate import Rules
from fanzha.pipeline.waves import waves

LIVES = Lives(7_200_000, 86_400_000)
EPOCH = 4 * 2**20


class Bank:
    """One worker's way from drafts to answers, in this process."""

    def __init__(self, link: RedisLink) -> None:
        lists, self.spool, numbers = CommittedLists(link), MemorySpool(), itertools.count(1)
        lists.refresh()
        store = RedisStore(link, lists, Relay(link), LIVES, OutageMemory(LIVES.window_ms))
        self.assessor = Assessor(
            clock=FrozenClock(NOW_MS + 60_000),
            randomness=lambda size: next(numbers).to_bytes(size),
            store=store,
            models=OneModel(FixedModel(300)),
            policy=POLICY,
            prompts=PROMPTS,
            recorder=Recorder(self.spool, store, Codec()),
            shadows=Shadows(1_000_000),
            rules=Rules("CNY"),
            zone=UTC,
            idempotency_window_ms=LIVES.window_ms,
            service_version="0",
        )

    def at_once(self, drafts: Sequence[TransferDraft]) -> list[Decision | Exception]:
        attempts = [Attempt(draft, budget()) for draft in drafts]
        for wave in waves([draft.transfer for draft in drafts]):
            self.assessor.begin_all([attempts[place] for place in wave])
        return [one.error or one.answer.finish() for one in attempts]  # type: ignore[union-attr]

    def one_by_one(self, drafts: Sequence[TransferDraft]) -> list[Decision | Exception]:
        answers: list[Decision | Exception] = []
        for draft in drafts:
            try:
                answers.append(self.assessor.assess(draft, budget()))
            except (InvalidFieldsError, RequestIdReusedError) as error:
                answers.append(error)
        return answers

    def records(self) -> dict[str, DecisionRecord]:
        """Return what was recorded, by request id."""
        found = [decode_record(body) for body in self.spool.bodies]
        return {record.transfer.request_id: record for record in found}


def budget() -> Budget:
    until_s = time.monotonic() + 60
    return Budget(until_s, until_s)


def a_token(number: int) -> bytes:
    return Random(number).randbytes(16)


def a_draft(number: int, payer: int, payee: int, amount: int = 5_000) -> TransferDraft:
    party = Party(a_token(payer), phone=a_token(1_000 + payer), person=a_token(2_000 + payer))
    return TransferDraft(
        replace(
            a_transfer(amount_minor=amount),
            request_id=f"r-{number}",
            request_digest=amount.to_bytes(16),
            payer=party,
            payee=Party(a_token(payee), phone=a_token(1_000 + payee)),
            session=Session(device=a_token(3_000 + payer)),
        )
    )


def emptied(client: redis.Redis) -> None:
    client.flushall()
    process = client.info("server")["run_id"]
    client.mset({keys.epoch(bucket): EPOCH for bucket in range(BUCKETS)})
    client.mset({keys.lineage(bucket): process for bucket in range(BUCKETS)})


@pytest.mark.parametrize("seed", range(3))
def test_a_batch_sees_and_says_what_one_after_the_other_does(
    redis_url: str, link: RedisLink, seed: int
) -> None:
    rng = Random(seed)
    drafts = [a_draft(number, *rng.sample(range(12), 2)) for number in range(60)]
    # Said twice, said otherwise, and not valid.
    drafts += [drafts[3], a_draft(5, 0, 1, amount=1), a_draft(99, 1, 2, amount=0)]
    client = redis.Redis.from_url(redis_url)
    emptied(client)
    alone = Bank(link)
    answers = alone.one_by_one(drafts)
    journal = {bucket: client.xlen(keys.journal(bucket)) for bucket in range(BUCKETS)}
    emptied(client)
    batch = Bank(link)

    at_once = batch.at_once(drafts)

    assert [type(one) for one in at_once] == [type(one) for one in answers]
    assert at_once[60] == at_once[3]
    ours, theirs = batch.records(), alone.records()
    for name, record in theirs.items():
        mine = ours[name]
        assert mine.vector == record.vector
        seen = (mine.payer_seq, mine.payee_seq, mine.link_seqs)
        assert seen == (record.payer_seq, record.payee_seq, record.link_seqs)
        assert mine.decision.kind == record.decision.kind
    assert {b: client.xlen(keys.journal(b)) for b in range(BUCKETS)} == journal
    client.close()


def test_where_redis_is_away_each_answer_is_in_the_spool_alone() -> None:
    link = RedisLink("redis://127.0.0.1:1", 50)
    bank = Bank(link)

    answers = bank.at_once([a_draft(number, number, 100 + number) for number in range(5)])

    assert all(isinstance(one, Decision) and one.degraded for one in answers)
    assert len(bank.spool.later) == 5
    link.close()


def test_an_account_of_an_emptied_bucket_is_read_again_with_a_new_epoch(
    redis_url: str, link: RedisLink
) -> None:
    client = redis.Redis.from_url(redis_url)
    bank = Bank(link)
    bank.at_once([a_draft(1, 1, 2)])
    client.flushall()

    answers = bank.at_once([a_draft(2, 1, 2), a_draft(3, 3, 4)])

    assert all(isinstance(one, Decision) and not one.degraded for one in answers)
    assert int(client.get(keys.epoch(a_token(1)[-1]))) > 0
    client.close()
