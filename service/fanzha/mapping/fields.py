"""How the cells of each field are read: its vocabulary, or the form of its text."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any, Final

from fanzha.domain.currency import CURRENCIES
from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    FraudType,
    NameMatch,
    PartyType,
    TransferKind,
    TransferSpeed,
    words_of,
)
from fanzha.mapping.cells import (
    FLOAT_EXACT_MAX,
    Cell,
    CellError,
    to_choice,
    to_choice_by_start,
    to_day,
    to_decimal,
    to_flag,
    to_text,
)
from fanzha.mapping.masking import quoted
from fanzha.mapping.sources import (
    AmountSource,
    Choice,
    CodeSource,
    DateSource,
    FlagSource,
    TextSource,
)

VOCABULARIES: Final[dict[str, type[IntEnum]]] = {
    "kind": TransferKind,
    "channel": Channel,
    "speed": TransferSpeed,
    "payer_type": PartyType,
    "payee_type": PartyType,
    "payer_segment": CustomerSegment,
    "payee_segment": CustomerSegment,
    "payer_open_channel": Channel,
    "payee_open_channel": Channel,
    "payee_name_match": NameMatch,
    "fraud_type": FraudType,
}


@dataclass(frozen=True, slots=True)
class Form:
    """How the text of a field must look: the limits of proto/fanzha/v1/transfer.proto."""

    letters: str | None
    """Inside of a class of a regular expression; None: any letters."""
    longest: int
    rule: str

    def fits(self, text: str) -> bool:
        """Say whether a text that is not empty has this form."""
        return len(text) <= self.longest and (
            self.letters is None or re.fullmatch(f"[{self.letters}]+", text) is not None
        )


def _identifier(longest: int) -> Form:
    letters = "A-Za-z0-9._:-"
    return Form(letters, longest, f"must be 1 to {longest} characters of [{letters}]")


_PHONE: Final = Form("0-9+ -", 32, "must be 1 to 32 characters of [0-9+ -]")
_FORMS: Final[dict[str, Form]] = {
    "device_id": _identifier(128),
    "payer_phone": _PHONE,
    "payee_phone": _PHONE,
    "branch_id": _identifier(32),
    "terminal_id": _identifier(32),
    "remark": Form(None, 256, "must be at most 256 characters"),
}
_OTHERS: Final = _identifier(64)


def form_of(name: str) -> Form:
    """Return the form of a field's text."""
    return _FORMS.get(name, _OTHERS)


def cell_reader(name: str, source: Any) -> Callable[[Cell], Any]:  # noqa: ANN401 - any source
    """Return the function that reads a field's cells; it returns None for what is not known.

    Amounts come as decimal numbers in the source's unit. The function raises CellError for a cell
    that cannot be read; the error never shows an identifier.
    """
    match source:
        case AmountSource():
            return to_decimal
        case DateSource():
            return partial(to_day, source.format)
        case FlagSource():
            return partial(to_flag, source.values)
        case CodeSource():
            return _to_currency
        case TextSource():
            return partial(_to_form, source.prefix, form_of(name))
        case Choice():
            reader = to_choice if source.by == "whole" else to_choice_by_start
            return partial(reader, source.values or words_of(VOCABULARIES[name]))
    raise AssertionError(f"{name} has no source of a known shape")


def constant_of(name: str, source: Any) -> Any:  # noqa: ANN401 - any source, any value
    """Return the value that a constant gives a field, None for a column.

    Raises:
        CellError: the field cannot have this value.
    """
    if isinstance(source, DateSource | TextSource):
        return cell_reader(name, source)(source.constant)
    return source.constant


def _to_form(prefix: str, form: Form, cell: Cell) -> str | None:
    text = to_text(cell)
    if not text:
        return None
    if isinstance(cell, float) and abs(cell) >= FLOAT_EXACT_MAX:
        raise CellError(
            "is a floating number too long to be exact; export the column as text", "not exact"
        )
    if not form.fits(prefix + text):
        raise CellError(form.rule, "not of the form")
    return prefix + text


def _to_currency(cell: Cell) -> str | None:
    text = to_text(cell)
    if not text or text in CURRENCIES:
        return text or None
    raise CellError(f"{quoted(text)} is no ISO 4217 code in use, such as CNY", "unknown currency")
