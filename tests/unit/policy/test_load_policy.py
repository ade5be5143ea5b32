"""The default policy and prompts, and what a loaded policy holds."""

from pathlib import Path

import pytest
from tests.decision_inputs import POLICY, PROMPTS, a_policy

from fanzha.domain.confidential import confidential_words
from fanzha.domain.errors import FileRefusedError
from fanzha.domain.vocabulary import Channel, CustomerSegment, DecisionKind, FraudType
from fanzha.policy.fact import CONTEXT_FAMILIES, FactType
from fanzha.policy.facts import FACTS
from fanzha.policy.load import DEFAULT_POLICY, load_policy
from fanzha.policy.policy import Involved, RuleClass, Thresholds
from fanzha.policy.prompts import PromptTopic

RULES = (*POLICY.hard_rules, *POLICY.other_rules)


def test_only_hard_rules_block() -> None:
    blocking = {rule.rule_class for rule in RULES if rule.action is DecisionKind.BLOCK}

    assert blocking == {RuleClass.HARD}


def test_soft_pauses_stand_on_two_families_or_the_score() -> None:
    pauses = [
        rule
        for rule in RULES
        if rule.rule_class is RuleClass.SOFT and rule.action is DecisionKind.PAUSE
    ]

    assert pauses
    assert all(rule.has_two_grounds for rule in pauses)
    assert not any(rule.evidence & CONTEXT_FAMILIES for rule in pauses)


def test_hard_rules_are_told_for_every_hard_evidence() -> None:
    held = {rule.id: rule.holds_for for rule in POLICY.hard_rules}

    assert held["payee-account-involved"] == {
        Involved(payer=False, payee=True),
        Involved(payer=True, payee=True),
    }


def test_thresholds_take_the_closest_fit() -> None:
    table = POLICY.thresholds

    assert table[Channel.MOBILE, CustomerSegment.UNSPECIFIED] == Thresholds(560, 700)
    assert table[Channel.MOBILE, CustomerSegment.RETIRED] == Thresholds(540, 680)
    assert table[Channel.COUNTER, CustomerSegment.RETIRED] == Thresholds(580, 700)
    assert len(table) == len(Channel) * len(CustomerSegment)


def test_distinct_conditions_are_evaluated_once(tmp_path: Path) -> None:
    rule = (
        "{{id: {0}, class: soft, action: confirm, all: [screen_shared], owner: test, mode: live, "
        "reason: {{code: EXAMPLE, zh: 示例, en: Example}}}}"
    )

    policy = a_policy(tmp_path, rule.format("one"), rule.format("two"))

    assert policy.program.atoms == ("screen_shared",)
    assert policy.program.flags.names == ("screen_shared",)


def test_a_comment_in_a_condition_does_not_swallow_the_next(tmp_path: Path) -> None:
    policy = a_policy(
        tmp_path,
        "{id: one, class: soft, action: confirm, all: ['screen_shared // why', new_device], "
        "owner: test, mode: live, reason: {code: EXAMPLE, zh: 示例, en: Example}}",
    )

    given = {"numbers": [], "flags": [True, False], "words": []}
    assert policy.program.flags.names == ("screen_shared", "new_device")
    assert policy.program.held(given) == policy.program.mask(["screen_shared // why"])


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_every_fact_says_what_unknown_means(fact: object) -> None:
    assert fact.meaning
    assert fact.unknown
    match fact.type:
        case FactType.BOOL:
            assert fact.unknown_value is False
        case FactType.DOUBLE:
            assert fact.unknown_value != fact.unknown_value
        case FactType.STRING:
            assert fact.unknown_value == ""


@pytest.mark.parametrize("topic", list(PromptTopic), ids=lambda topic: topic.name)
def test_every_topic_has_words_on_every_channel(topic: PromptTopic) -> None:
    for channel in Channel:
        prompt = PROMPTS.find(topic, channel)
        assert [text.language for text in prompt.texts] == ["zh-CN", "en"]
        assert len(prompt.texts[0].headline) <= 30
        assert len(prompt.texts[0].questions) <= 3


@pytest.mark.parametrize(
    "fraud_type",
    [
        FraudType.TASK_REBATE,
        FraudType.FAKE_INVESTMENT,
        FraudType.FAKE_CUSTOMER_SERVICE,
        FraudType.IMPERSONATED_AUTHORITY,
        FraudType.CASH_OR_GOLD_HANDOVER,
    ],
)
def test_a_prompt_quotes_the_next_line_of_the_scammer(fraud_type: FraudType) -> None:
    prompt = PROMPTS.find(PromptTopic[fraud_type.name], Channel.MOBILE)

    assert prompt.fraud_type is fraud_type
    assert "“" in prompt.texts[0].body
    assert '"' in prompt.texts[1].body
    assert 2 <= len(prompt.texts[0].questions) <= 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("应公安机关要求", ("公安",)),
        ("STR已提交", ("STR",)),
        ("A Police officer", ("Police",)),
        ("strong policy, stressed", ()),
        ("请核实收款人", ()),
    ],
)
def test_words_that_stay_confidential_are_found(text: str, words: tuple[str, ...]) -> None:
    assert confidential_words(text) == words


CONTROL_SHARE = """\
control_share:
  share: 0.01
  amount_max_minor: 100000
  points_max: 600
  valid_until: "2026-12-31"
  proposed_by: Anna
  approved_by: Bo
"""


def _with(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(DEFAULT_POLICY.read_text("utf-8") + text, "utf-8")
    return path


def test_a_control_share_of_two_people_is_taken(tmp_path: Path) -> None:
    control = load_policy(_with(tmp_path, CONTROL_SHARE)).control_share

    assert control is not None
    assert (control.share, control.proposed_by, control.approved_by) == (0.01, "Anna", "Bo")
    # The last day counts, in Beijing.
    assert control.valid_until_ms == 1_798_732_800_000


@pytest.mark.parametrize(
    ("given", "changed", "message"),
    [
        ("approved_by: Bo", "approved_by: ' anna '", "takes two people"),
        ("share: 0.01", "share: 0.5", "share"),
        ("amount_max_minor: 100000", "amount_max_minor: 9000000", "amount_max_minor"),
        ('  valid_until: "2026-12-31"\n', "", "valid_until"),
    ],
)
def test_a_control_share_without_limits_is_refused(
    tmp_path: Path, given: str, changed: str, message: str
) -> None:
    with pytest.raises(FileRefusedError, match=message):
        load_policy(_with(tmp_path, CONTROL_SHARE.replace(given, changed)))
