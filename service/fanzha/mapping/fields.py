"""How the cells of each field are read: its vocabulary, or the form of its text."""

import re
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import Any, Final

from fanzha.domain.currency import CURRENCIES
from fanzha.domain.vocabulary import (
    Channel,
    CustomerSegment,
    NameMatch,
    PartyType,
    TransferKind,
    TransferSpeed,
)
from fanzha.mapping.cells import Cell, CellError, to_choice, to_day, to_decimal, to_flag, to_text
from fanzha.mapping.sources import (
    AmountSource,
    Choice,
    CodeSource,
    DateSource,
    FlagSource,
    TextSource,
    words_of,
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
}

_Form = tuple[re.Pattern[str], str]


def _identifier(longest: int) -> _Form:
    text = f"must be 1 to {longest} characters of [A-Za-z0-9._:-]"
    return re.compile(rf"[A-Za-z0-9._:-]{{1,{longest}}}\Z"), text


_PHONE: Final = (re.compile(r"[0-9+ -]{1,32}\Z"), "must be 1 to 32 characters of [0-9+ -]")
_FORMS: Final[dict[str, _Form]] = {
    # The limits that proto/fanzha/v1/transfer.proto states.
    "device_id": _identifier(128),
    "payer_phone": _PHONE,
    "payee_phone": _PHONE,
    "branch_id": _identifier(32),
    "terminal_id": _identifier(32),
    "remark": (re.compile(r".{1,256}\Z", re.DOTALL), "must be at most 256 characters"),
}
_OTHERS: Final = _identifier(64)


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
            return partial(_to_form, source.prefix, _FORMS.get(name, _OTHERS))
        case Choice():
            return partial(to_choice, source.values or words_of(VOCABULARIES[name]))
    raise AssertionError(f"{name} has no source of a known shape")


def constant_of(name: str, source: Any) -> Any:  # noqa: ANN401 - any source, any value
    """Return the value that a constant gives a field, None for a column.

    Raises:
        CellError: the field cannot have this value.
    """
    if isinstance(source, DateSource | TextSource):
        return cell_reader(name, source)(source.constant)
    return source.constant


def _to_form(prefix: str, form: _Form, cell: Cell) -> str | None:
    text = to_text(cell)
    if not text:
        return None
    pattern, rule = form
    if pattern.match(prefix + text) is None:
        raise CellError(rule)
    return prefix + text


def _to_currency(cell: Cell) -> str | None:
    text = to_text(cell)
    if not text or text in CURRENCIES:
        return text or None
    raise CellError(f"{text[:40]!r} is no ISO 4217 code in use, such as CNY")
