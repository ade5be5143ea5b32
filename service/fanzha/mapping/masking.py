"""Hides identifiers in what people see and pass on."""

import re
from typing import Final

IDENTIFIERS: Final = frozenset(
    {
        "request_id", "transfer_id", "device_id", "terminal_id", "remark",
        *(f"{side}_{part}" for side in ("payer", "payee")
          for part in ("account", "account_ref", "person", "phone")),
    }
)  # fmt: skip
"""Fields that name a customer, an account or one transfer, or may do so in free text."""

_SHOWN: Final = 4
_DIGITS_SHOWN: Final = 8
"""More digits than a date has may be a telephone or an account, whatever stands between them."""
_FRACTION: Final = re.compile(r"[.,]\d+\Z")
_HAN: Final = re.compile(r"[\u3400-\u9fff]{2,}")


def quoted(text: str) -> str:
    """Return what a cell holds, for an error: its beginning, and nothing that may name somebody.

    A column that is taken for another may hold anything. Of Chinese words the first letter is left,
    for they may be names; of many digits the ends, unless they stand as those of a time do.
    """
    shown = _HAN.sub(lambda word: word[0][0] + "*" * (len(word[0]) - 1), text)
    runs = re.findall(r"\d+", _FRACTION.sub("", shown))
    is_time = sum(len(run) > 2 for run in runs) <= 1 and all(len(run) <= 4 for run in runs)
    if not is_time and sum(map(len, runs)) > _DIGITS_SHOWN:
        shown = masked(shown)
    return repr(shown[:40])


def masked(text: str) -> str:
    """Return an identifier as 6222****3445; short ones show less, at most half of their letters."""
    shown = min(_SHOWN, len(text) // 4)
    return f"{text[:shown]}****{text[len(text) - shown :]}"
