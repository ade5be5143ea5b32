"""The one door for identity."""

import unicodedata

import pytest

from fanzha.domain.errors import SetupError
from fanzha.transport.identity import Tokens, masked, redacted, tells

TOKENS = Tokens(bytes(32))


def test_tokens_are_stable_keyed_and_apart_by_kind() -> None:
    number = "13800138000"

    made = {TOKENS.account(number), TOKENS.person(number), TOKENS.phone(number)}
    made |= {TOKENS.device(number), Tokens(b"k" * 32).account(number)}

    assert len(made) == 5
    assert TOKENS.account(number) == Tokens(bytes(32)).account(number)
    assert all(len(token) == 16 for token in made)


def test_spellings_of_one_phone_number_are_one_token() -> None:
    assert TOKENS.phone("+86 138-0013-8000") == TOKENS.phone("13800138000")


def test_spellings_of_one_id_number_are_one_token() -> None:
    assert TOKENS.person("11010119900307123x") == TOKENS.person("11010119900307123X")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [("6222020200112233445", "6222****3445"), ("12345678", "****5678"), ("1234567", "****")],
)
def test_masks_never_show_more_than_half(raw: str, shown: str) -> None:
    assert masked(raw) == shown
    assert sum(character != "*" for character in shown) <= len(raw) / 2 + 0.5


@pytest.mark.parametrize(
    ("remark", "kept"),
    [
        ("货款", "货款"),
        ("转给6222020200112233445张三", "转给[redacted]张三"),
        ("电话 138 0013 8000 谢谢", "电话 [redacted] 谢谢"),
        ("身份证11010119900307123X", "身份证[redacted]"),
        ("mail wang.wu@example.com", "mail [redacted]"),
        ("订单 123456", "订单 123456"),
        ("电话１３８００１３８０００", "电话[redacted]"),
        ("138.0013.8000 或 138　0013　8000", "[redacted] 或 [redacted]"),
        ("电话一三八零零一三八零零零", "电话[redacted]"),
        ("zhang＠qq.com", "[redacted]"),
        ("三月房租一千二", "三月房租一千二"),
        ("卡 6225    8812    3456    7890", "卡 [redacted]"),
        ("622588 ...... 123456 ---- 7890x", "[redacted]"),
    ],
)
def test_identifiers_in_remarks_are_redacted(remark: str, kept: str) -> None:
    assert redacted(remark) == kept


@pytest.mark.parametrize(
    ("remark", "kept"),
    [
        ("手机 devicemarkalpha 的客户", "手机 [redacted] 的客户"),
        ("DEVICE-mark_Alpha, passport qxyz", "[redacted], [redacted]"),
        ("ＤＥＶＩＣＥ mark alpha", "[redacted]"),
        ("device mark beta", "device mark beta"),
    ],
)
def test_what_came_with_a_remark_is_redacted_from_it(remark: str, kept: str) -> None:
    assert redacted(remark, ("devicemarkalpha", "PASSPORT-QXYZ", "", "short")) == kept


LONG = 200_000


@pytest.mark.parametrize(
    "text",
    [
        "@" + "a" * LONG,
        "é" + "a" * LONG,
        "a@" * (LONG // 2),
        "12345x" * (LONG // 6),
        "1 " * 5 + " " * LONG,
        "a@" + "b-" * (LONG // 2),
        "@" + ".a" * (LONG // 2),
    ],
    ids=lambda text: text[:4],
)
def test_long_texts_are_searched_in_linear_time(text: str) -> None:
    """Each would take minutes with a pattern that looks at every sign from every other one."""
    assert not tells(text, ("6222020200112233445",))
    assert redacted(text, ("6222020200112233445",)) == unicodedata.normalize("NFKC", text)


def test_a_long_remark_of_figures_is_one_identifier() -> None:
    assert redacted("1 " * 50_000 + "a") == "[redacted] a"


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(SetupError, match="32 random bytes"):
        Tokens(b"short")
