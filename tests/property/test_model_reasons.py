"""A reason never names what the request or the history does not support.

The file of reasons is read here a second time, and its conditions and figures by other code.
"""

import math
import operator
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decision_inputs import a_transfer

from fanzha.checked_yaml import read_document
from fanzha.domain.evidence import AccountState
from fanzha.domain.vocabulary import TransferKind
from fanzha.explain.reasons import REASONS_MAX, STATEMENTS_MAX, model_reasons
from fanzha.explain.texts import DEFAULT_TEXTS, load_reason_texts
from fanzha.features.codes import CODES
from fanzha.features.facts import request_facts
from fanzha.features.kernel import feature_vector
from fanzha.features.manifest import FEATURE_INDEX, FEATURES

TEXTS = load_reason_texts()
STATED = {group["code"]: group for group in read_document(DEFAULT_TEXTS).data["groups"]}
MEMBERS = {group.code: list(group.features) for group in TEXTS.groups}
UNITS = {feature.name: feature.unit for feature in FEATURES}
_ZH_WORDS = {
    "payments": "笔", "attempts": "次", "persons": "人", "payees": "个收款方", "accounts": "个账户",
    "reports": "起", "days": "天",
}  # fmt: skip
_EN_WORDS = {
    "payments": "payment payments", "attempts": "attempt attempts", "persons": "party parties",
    "payees": "payee payees", "accounts": "account accounts", "reports": "report reports",
    "days": "day days",
}  # fmt: skip
_OPERATORS = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
}


@st.composite
def vectors(draw: st.DrawFn) -> np.ndarray:
    """Draw values of each unit's own kind, about half of them unknown, some infinite."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    by_unit = {
        "minor units": lambda: int(10 ** rng.uniform(0, 12)) * int(rng.choice([1, 100, 100_000])),
        "ratio": lambda: (
            rng.choice([0, 0.25, 0.5, 0.8, 1, 1.2, 2, 14.96, 500]) * rng.uniform(0.9, 1.1)
        ),
        "flag": lambda: rng.integers(0, 2),
        "days": lambda: rng.choice([0, 0.008, 0.3, 1, 2, 13, 40, 180, 900]) * rng.choice([1, 1.01]),
        "minutes": lambda: rng.choice([0, 0.3, 1, 12, 59.6, 60, 119, 3000]) * rng.choice([1, 1.01]),
        "hours": lambda: rng.integers(0, 24 * 60) / 60,
        "grade": lambda: rng.integers(0, 4),
        "code": lambda: rng.integers(0, 7),
    }
    vector = np.array(
        [by_unit.get(feature.unit, lambda: rng.integers(0, 50))() for feature in FEATURES],
        np.float32,
    )
    missing = draw(st.sampled_from([0.0, 0.3, 0.6, 0.95, 1.0]))
    vector[rng.random(len(vector)) < missing] = np.nan
    vector[rng.random(len(vector)) < 0.02] = np.inf
    return vector


@st.composite
def contributions(draw: st.DrawFn) -> np.ndarray:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    found = rng.normal(0, draw(st.sampled_from([0.01, 0.1, 1.0])), len(FEATURES))
    found[rng.random(len(found)) < 0.3] = 0.0
    return found


def holds(source: str, vector: np.ndarray) -> bool:
    """Read a condition of the file; unknown and infinite values keep none."""
    name, sign, bound = source.split()
    value = vector[FEATURE_INDEX[name]]
    number = CODES[name][bound].value if name in CODES else np.float32(bound)
    return math.isfinite(value) and bool(_OPERATORS[sign](value, number))


def figure(  # noqa: PLR0911 - one way out for each form
    name: str, form: str, vector: np.ndarray, language: str
) -> str:
    """Write a value as the file asks for it, with decimal numbers."""
    value = Decimal(float(vector[FEATURE_INDEX[name]]))

    def rounded(number: Decimal, step: str) -> Decimal:
        return number.quantize(Decimal(step), ROUND_HALF_EVEN)

    if form == "money":
        yuan = rounded(value, "1") / 100
        if value >= 10_000_000:
            tens = rounded(value / 10_000, "1") * 100
            if language == "en":
                return f"{tens:,.0f} yuan"
            return f"{tens / 10_000:,.2f}".rstrip("0").rstrip(".") + "万元"
        shown = f"{yuan:,.2f}".removesuffix(".00")
        return f"{shown} yuan" if language == "en" else f"{shown}元"
    if form == "percent":
        return f"{rounded(value * 100, '1'):,}%"
    if form == "times":
        tenth = (
            f"{rounded(value, '0.1')}".removesuffix(".0")
            if value < 100
            else f"{rounded(value, '1'):,}"
        )
        return f"{tenth} times" if language == "en" else f"{tenth}倍"
    if form == "clock":
        return (str(timedelta(minutes=int(rounded(value * 60, "1"))))[:-3]).rjust(5, "0")
    if form == "span":
        return span(value * {"minutes": 1, "hours": 60, "days": 1440}[UNITS[name]], language)
    count = rounded(value, "1")
    if language == "zh":
        return f"{count:,}{_ZH_WORDS[form]}"
    one, many = _EN_WORDS[form].split()
    return f"{count:,} {one if count == 1 else many}"


def span(minutes: Decimal, language: str) -> str:
    def rounded(size: int) -> Decimal:
        return (minutes / size).quantize(Decimal(1), ROUND_HALF_EVEN)

    if rounded(1) == 0:
        return "不到1分钟" if language == "zh" else "less than a minute"
    if rounded(1) < 60:
        count, words = rounded(1), ("分钟", "minute")
    elif rounded(60) < 48:
        count, words = rounded(60), ("小时", "hour")
    else:
        count, words = rounded(1440), ("天", "day")
    plural = "" if count == 1 else "s"
    return f"{count:,}{words[0]}" if language == "zh" else f"{count:,} {words[1]}{plural}"


def written(text: str, vector: np.ndarray, language: str) -> str:
    return re.sub(
        r"\{(\w+):(\w+)\}", lambda found: figure(found[1], found[2], vector, language), text
    )


def readings(
    said: str, statements: list[dict[str, Any]], key: str, vector: np.ndarray, between: str
) -> Iterator[list[dict[str, Any]]]:
    """Yield the statements, in their order, that a text is made of: every way to read it."""
    for place, statement in enumerate(statements):
        text = written(statement[key], vector, key)
        if said == text:
            yield [statement]
        elif said.startswith(text + between):
            rest = said[len(text + between) :]
            for others in readings(rest, statements[place + 1 :], key, vector, between):
                yield [statement, *others]


@settings(max_examples=400, deadline=None)
@given(vectors(), contributions())
def test_every_word_and_number_of_a_reason_is_supported(
    vector: np.ndarray, added: np.ndarray
) -> None:
    for reason in model_reasons(vector, added, TEXTS):
        group = STATED[reason.code]
        supported = [
            statement
            for statement in group["statements"]
            if all(
                holds(source, vector) for source in statement["when"] + statement.get("given", [])
            )
        ]
        said_zh = reason.text_zh.removeprefix(group.get("lead_zh", ""))
        said_en = reason.text_en
        if group.get("lead_en"):
            said_en = said_en.removeprefix(f"{group['lead_en']}: ")
        else:
            said_en = next(
                (x for x in (said_en, said_en[0].lower() + said_en[1:])
                 if any(readings(x, supported, "en", vector, "; "))),
                said_en,
            )  # fmt: skip

        chinese = list(readings(said_zh, supported, "zh", vector, "，"))
        english = list(readings(said_en, supported, "en", vector, "; "))
        assert any(told in english for told in chinese), (reason.text_zh, reason.text_en)
        told = next(told for told in chinese if told in english)
        assert len(told) <= STATEMENTS_MAX
        topics = [statement.get("topic", statement["zh"]) for statement in told]
        assert len(set(topics)) == len(topics)
        for statement in told:
            names = {source.split()[0] for source in statement["when"]}
            assert sum(added[FEATURE_INDEX[name]] for name in names) > 0
        customer = [statement for statement in told if statement.get("customer_zh")]
        assert bool(reason.customer_zh) == bool(customer) == bool(reason.customer_en)
        for statement in customer:
            assert written(statement["customer_zh"], vector, "zh") in reason.customer_zh


@settings(max_examples=400, deadline=None)
@given(vectors(), contributions())
def test_reasons_are_few_strong_and_in_order(vector: np.ndarray, added: np.ndarray) -> None:
    reasons = model_reasons(vector, added, TEXTS)

    totals = [float(added[MEMBERS[reason.code]].sum()) for reason in reasons]
    assert len(reasons) <= REASONS_MAX
    assert len({reason.code for reason in reasons}) == len(reasons)
    assert all(total >= TEXTS.floor for total in totals)
    assert totals == sorted(totals, reverse=True)
    assert reasons == model_reasons(vector, added, TEXTS)


def test_of_equal_reasons_the_first_of_the_file_comes_first() -> None:
    vector = np.full(len(FEATURES), np.nan, np.float32)
    added = np.zeros(len(FEATURES))
    for name, value in {"call_in_progress": 1, "payee_list_grade": 2, "kind": 3, "hour": 2}.items():
        vector[FEATURE_INDEX[name]] = value
        added[FEATURE_INDEX[name]] = 0.5

    codes = [reason.code for reason in model_reasons(vector, added, TEXTS)]

    assert codes == ["MODEL_LISTED", "MODEL_GUIDED_SESSION", "MODEL_KIND", "MODEL_TIME"]


def test_where_nothing_is_known_nothing_is_said() -> None:
    vector = np.full(len(FEATURES), np.nan, np.float32)

    assert model_reasons(vector, np.ones(len(FEATURES)), TEXTS) == ()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([TransferKind.CASH_WITHDRAWAL, TransferKind.GOLD_PURCHASE]), contributions())
def test_a_payee_that_does_not_exist_is_never_named(kind: TransferKind, added: np.ndarray) -> None:
    transfer = a_transfer(kind=kind, has_payee=False, amount_minor=2_000_000)
    state = AccountState(seq=1)
    vector = feature_vector(request_facts(transfer, (), 28_800), state, None)

    reasons = model_reasons(vector, np.abs(added) + 0.2, TEXTS)

    assert any(reason.code == "MODEL_KIND" for reason in reasons)
    for reason in reasons:
        assert not reason.code.startswith("MODEL_PAYEE")
        for text in (reason.text_zh, reason.customer_zh):
            assert not re.search("收款账户|收款人|收款户名|收款方|对方", text), text
        assert "payee" not in (reason.text_en + reason.customer_en).lower()
