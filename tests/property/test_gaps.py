"""Whatever parts are missing, and whatever a policy wants then: the guards hold."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decision_inputs import (
    PAYEE_INVOLVED,
    POLICY,
    VERIFIED_BILLER,
    a_transfer,
    an_evidence,
    decided,
)

from fanzha.domain.vocabulary import Channel, DecisionKind, DegradedPart
from fanzha.policy.degraded import ORDINARY_MINOR, GapAnswer, GapRule, steps

PARTS = list(POLICY.gaps)
KINDS = [DecisionKind.ALLOW, DecisionKind.CONFIRM, DecisionKind.PAUSE, DecisionKind.BLOCK]
AMOUNTS = [0, 1, ORDINARY_MINOR, ORDINARY_MINOR + 1, 500_000]
parts = st.sets(st.sampled_from(list(DegradedPart)[1:])).map(lambda x: tuple(sorted(x)))
answers = st.lists(
    st.builds(GapAnswer, st.sampled_from(KINDS), st.sampled_from(AMOUNTS), st.just(1000)),
    max_size=4,
)


def a_rule(part: DegradedPart, wanted: list[GapAnswer]) -> GapRule:
    """A rule that no loader has seen."""
    every = (GapAnswer(DecisionKind.ALLOW, 0), *wanted)
    return replace(POLICY.gaps[part], answers=dict.fromkeys(Channel, every))


rules = st.fixed_dictionaries(dict.fromkeys(PARTS, answers)).map(
    lambda wanted: {part: a_rule(part, each) for part, each in wanted.items()}
)


@settings(max_examples=200)
@given(parts, rules, st.sampled_from([1, *AMOUNTS[1:], 10**9]), st.sampled_from(list(Channel)[1:]))
def test_a_gap_never_blocks_and_pauses_with_a_second_ground_alone(
    degraded: tuple[DegradedPart, ...],
    gaps: dict[DegradedPart, GapRule],
    amount: int,
    channel: Channel,
) -> None:
    policy = replace(POLICY, gaps=gaps)
    transfer = a_transfer(amount_minor=amount, channel=channel)
    plain = decided(transfer).decision.kind
    kind = decided(transfer, policy=policy, degraded=degraded).decision.kind

    assert plain <= kind < DecisionKind.BLOCK
    if kind is DecisionKind.PAUSE > plain:
        wished = [x for part in degraded if part in gaps for x in gaps[part].answers[channel]]
        assert any(ORDINARY_MINOR < x.amount_from_minor <= amount for x in wished)
    spared = an_evidence(VERIFIED_BILLER)
    essential = decided(transfer, spared, policy=policy, degraded=degraded).decision.kind
    assert essential <= max(DecisionKind.CONFIRM, decided(transfer, spared).decision.kind)


@settings(max_examples=50)
@given(parts, rules)
def test_hard_evidence_blocks_whatever_is_missing(
    degraded: tuple[DegradedPart, ...], gaps: dict[DegradedPart, GapRule]
) -> None:
    found = decided(
        evidence=an_evidence(PAYEE_INVOLVED),
        policy=replace(POLICY, gaps=gaps),
        degraded=degraded,
    ).decision
    assert found.kind is DecisionKind.BLOCK
    assert found.degraded == degraded


@given(answers, st.sampled_from(AMOUNTS))
def test_the_steps_that_are_shown_are_what_is_answered(
    wanted: list[GapAnswer], amount: int
) -> None:
    rule = a_rule(PARTS[0], wanted)
    shown = [x for x in steps(rule, Channel.ATM) if x.amount_from_minor <= amount]
    assert shown[-1].answer == rule.answer(Channel.ATM, amount).answer
