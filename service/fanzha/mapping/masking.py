"""Hides identifiers in what people see and pass on."""

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


def masked(text: str) -> str:
    """Return an identifier as 6222****3445; short ones show less, at most half of their letters."""
    shown = min(_SHOWN, len(text) // 4)
    return f"{text[:shown]}****{text[len(text) - shown :]}"
