"""What an error shows of a cell that may be in the wrong column."""

import pytest

from fanzha.mapping.masking import quoted


@pytest.mark.parametrize(
    "cell",
    [
        "13812345678", "138-1234-5678", "62220212345678", "6222-0212-3456-7890",
        "6222 0212 3456 7890", "11010119900307123X", "张三", "欧阳修文",
    ],
)  # fmt: skip
def test_what_may_name_somebody_is_hidden(cell: str) -> None:
    assert cell not in quoted(cell)
    assert "*" in quoted(cell)


@pytest.mark.parametrize(
    "cell",
    ["2026-03-02 08:05:23", "2026-03-02T08:05:23.123456", "02/03/2026", "12.5.2026 7:05", "-120.00",
     "1234.56", "wechat", "2026年3月2日"],
)  # fmt: skip
def test_times_amounts_and_words_are_shown(cell: str) -> None:
    assert quoted(cell) == repr(cell)
