"""Three workers answered one request in an outage: each answer leads to the one that stands."""

from tests.journals import decision_of

from fanzha.adapters import keys
from fanzha.adapters.codec import decode_record
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.redis_commit import Lives, answer_of
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.redis_lists import CommittedLists
from fanzha.adapters.redis_store import RedisStore
from fanzha.adapters.relay import Relay

TOKEN = bytes(15) + b"\x07"


def test_what_stood_of_two_answers_may_give_way_to_a_third(link: RedisLink) -> None:
    store = RedisStore(
        link,
        CommittedLists(link),
        Relay(link),
        Lives(7_200_000, 86_400_000),
        OutageMemory(7_200_000),
    )
    mild, same, strict = (
        decision_of(TOKEN, 1_795_600_000_000, bytes([number] * 9)) for number in range(3)
    )
    for name, body in (mild, same, strict):
        link.run([("SET", keys.decision(name), answer_of(decode_record(body)))])
    # As reconcile.lua leaves it: first these two, of which the first stood, then it and the third.
    link.run([("SET", keys.reconciled(same[0]), f"{mild[0]}0")])
    for name in (mild[0], strict[0]):
        link.run([("SET", keys.reconciled(name), f"{strict[0]}1")])

    stands = {}
    for name, _ in (mild, same, strict):
        found = store.find_decision(name)
        assert found is not None
        assert found.reconciled is not None
        stands[name] = (found.reconciled.stands, found.reconciled.contradicted)

    assert stands == dict.fromkeys((mild[0], same[0], strict[0]), (strict[0], True))
