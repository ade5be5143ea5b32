"""The file of reasons: the shipped one, and what is wrong with others."""

import re
from pathlib import Path

import pytest
from tests.decision_inputs import POLICY

from fanzha.checked_yaml import read_document
from fanzha.domain.confidential import confidential_words
from fanzha.domain.errors import FileRefusedError
from fanzha.explain.texts import DEFAULT_TEXTS, groups_of, load_reason_texts
from fanzha.features.feature import Feature
from fanzha.features.manifest import FEATURE_NAMES, FEATURES
from fanzha.policy.load import ESSENTIAL_CODE, SCORE_CONFIRM_CODE, SCORE_PAUSE_CODE

TEXTS = load_reason_texts()
GROUPS = read_document(DEFAULT_TEXTS).data["groups"]
STATEMENTS = [(group, statement) for group in GROUPS for statement in group["statements"]]
_PAYEE_ZH = re.compile("收款账户|收款人|收款户名|该收款方|收款方为|收款方涉及")
_PAYEE_EN = re.compile(r"\bpayee\b", re.IGNORECASE)


def test_every_feature_belongs_to_one_group() -> None:
    """A new feature without one is refused at load, with its name."""
    members = [feature for group in TEXTS.groups for feature in group.features]

    assert sorted(members) == list(range(len(FEATURES)))


@pytest.mark.parametrize(
    ("family", "name", "code"),
    [
        ("amount", "amount_over_usual", "MODEL_AMOUNT_UNUSUAL"),
        ("known_fraud", "payee_fraud_share", "MODEL_PAYEE_KNOWN_FRAUD"),
        ("known_fraud", "payer_fraud_share", "MODEL_PAYER_KNOWN_FRAUD"),
        ("payee_mule", "payee_in_count_12h", "MODEL_PAYEE_COLLECTS"),
        ("links", "device_accounts_1d", "MODEL_PAYER_LINKS"),
    ],
)
def test_features_to_come_find_a_group_by_their_family(family: str, name: str, code: str) -> None:
    feature = Feature(name, family, "events", "", "never")

    found = groups_of(
        feature,
        [group.get("features", ()) for group in GROUPS],
        [group.get("others", ()) for group in GROUPS],
    )

    assert [GROUPS[place]["code"] for place in found] == [code]


def test_a_feature_of_a_new_family_has_no_group_until_it_is_given_one() -> None:
    feature = Feature("moon_phase", "astrology", "ratio", "", "never")

    assert groups_of(feature, [("hour",)], [("calendar/*",)]) == ()


def test_codes_are_none_of_the_policy() -> None:
    rules = {rule.reason.code for rule in (*POLICY.hard_rules, *POLICY.other_rules)}
    policy = {*rules, SCORE_CONFIRM_CODE, SCORE_PAUSE_CODE, ESSENTIAL_CODE}

    assert policy.isdisjoint(group.code for group in TEXTS.groups)


def test_customers_read_nothing_of_sources_sums_or_other_people() -> None:
    for group, statement in STATEMENTS:
        for key in ("customer_zh", "customer_en"):
            text = f"{statement.get(key, '')} {group.get('advice' + key[8:], '')}"
            assert confidential_words(text) == ()
            assert not re.search("名单|举报|登记|涉诈|手机号|watchlist|listed|report|mule", text), (
                text
            )
        if "customer_zh" in statement and group["code"].startswith("MODEL_PAYEE"):
            assert ":money" not in statement["customer_zh"]


def test_only_statements_about_the_payee_name_one() -> None:
    for group, statement in STATEMENTS:
        is_about_payee = all(re.match("payee_|pair_", source) for source in statement["when"])
        for key, words in (("zh", _PAYEE_ZH), ("en", _PAYEE_EN)):
            texts = (
                statement[key], statement.get(f"customer_{key}", ""),
                group.get(f"lead_{key}", ""), group.get(f"advice_{key}", ""),
            )  # fmt: skip
            without_figures = re.sub(r"\{[^}]*\}", "", " ".join(texts))
            assert is_about_payee or not words.search(without_figures), without_figures


HEAD = 'version: "1"\nfloor: 0.1\ngroups:\n'
ALL = ", ".join(FEATURE_NAMES)
ONE = """\
  - code: {code}
    meaning: Everything
    features: [{features}]
    {more}
    statements:
      - {statement}
"""
SOUND = "{when: [hour < 6], zh: '凌晨{hour:clock}', en: 'at {hour:clock}'}"


def a_file(
    folder: Path,
    *,
    code: str = "MODEL_ALL",
    features: str = ALL,
    more: str = "",
    statement: str = SOUND,
) -> Path:
    path = folder / "reasons.yaml"
    path.write_text(
        HEAD + ONE.format(code=code, features=features, more=more, statement=statement), "utf-8"
    )
    return path


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    texts = load_reason_texts(a_file(tmp_path))

    assert [group.code for group in texts.groups] == ["MODEL_ALL"]


def one(when: str, zh: str = "凌晨", en: str = "night", more: str = "") -> str:
    """Return a statement as the file writes it."""
    return f"{{when: [{when}], zh: '{zh}', en: '{en}'{more}}}"


NO_GROUP = "3:1: feature weekday of family calendar must belong to one group, not none; name it"
FAULTS = [
    ({"features": ALL.replace("weekday, ", "")}, NO_GROUP),
    ({"features": ALL + ", hours"}, "hours is not a feature"),
    ({"code": "PAYEE_NEW"}, "should match pattern"),
    ({"more": "advice_zh: 请报告公安"}, "tells the customer 公安"),
    ({"statement": "{when: [hour < 6], zh: 凌晨}"}, "en is missing"),
    ({"statement": one("hours < 6")}, "names hours, which is not a feature"),
    ({"statement": one("hour ~ 6")}, "is not of the form"),
    ({"statement": one("hour < SIX")}, "compares hour with a word"),
    ({"statement": one("kind == 3")}, "must compare kind by =="),
    ({"statement": one("kind >= TRANSFER")}, "must compare kind by =="),
    ({"statement": one("hour < 6", "{hour:money}", "{hour:clock}")}, "hours are shown as span or"),
    ({"statement": one("hour < 6", "{hour:clock}")}, "must show the same features"),
    ({"statement": one("hour < 6", "{hour")}, "has a brace without its pair"),
    ({"statement": one("weekday < 6", "{hour:clock}", "{hour:clock}")}, "shows hour, which no"),
    ({"statement": one("hour < 6", more=", customer_zh: 凌晨")}, "must show the same features"),
    (
        {"statement": one("hour < 6", more=", customer_zh: 警方, customer_en: x")},
        "tells the customer 警方",
    ),
]


@pytest.mark.parametrize(("changed", "fault"), FAULTS)
def test_a_file_with_a_fault_is_refused(
    tmp_path: Path, changed: dict[str, str], fault: str
) -> None:
    with pytest.raises(FileRefusedError) as refusal:
        load_reason_texts(a_file(tmp_path, **changed))

    assert any(fault in text for text in refusal.value.faults), refusal.value.faults


def test_a_condition_of_another_group_belongs_under_given(tmp_path: Path) -> None:
    path = a_file(tmp_path, features=ALL.replace("weekday, ", ""))
    other = ONE.format(
        code="MODEL_DAY",
        features="weekday",
        more="",
        statement=one("hour < 6"),
    )
    path.write_text(path.read_text("utf-8") + other, "utf-8")

    with pytest.raises(FileRefusedError, match="is not about a feature of this group"):
        load_reason_texts(path)
