"""Shapes of a mapping's entries: where one field of a transfer comes from in a bank's own table."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Annotated, Final, Generic, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

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
from fanzha.file_shape import Shape

V = TypeVar("V")

SINCE: Final = ("seconds_since", "hours_since")
"""Formats that count from the time given as `start`."""
TIME_FORMATS: Final = ("epoch_s", "epoch_ms", "iso", "timestamp", *SINCE)
_ZONELESS: Final = ("epoch_s", "epoch_ms")
_ALONE: Final = ("epoch_s", "epoch_ms", "timestamp", *SINCE)
_PREFIX: Final = re.compile(r"[A-Za-z0-9._:-]*\Z")
_DATED: Final = datetime(2026, 11, 22, 13, 5, 9, tzinfo=UTC)


def word(vocabulary: type[IntEnum]) -> BeforeValidator:
    """Return a validator that reads a member of a vocabulary by its word."""
    words = words_of(vocabulary)

    def read(value: object) -> object:
        if isinstance(value, str) and value in words:
            return words[value]
        raise ValueError(f"must be one of {', '.join(words)}")

    return BeforeValidator(read)


Kind = Annotated[TransferKind, word(TransferKind)]
ChannelWord = Annotated[Channel, word(Channel)]
Speed = Annotated[TransferSpeed, word(TransferSpeed)]
Type = Annotated[PartyType, word(PartyType)]
Segment = Annotated[CustomerSegment, word(CustomerSegment)]
Match = Annotated[NameMatch, word(NameMatch)]
Fraud = Annotated[FraudType, word(FraudType)]


def _checked(rule: str, is_valid: Callable[[str], bool]) -> AfterValidator:
    def check(value: str) -> str:
        if not is_valid(value):
            raise ValueError(rule)
        return value

    return AfterValidator(check)


def is_zone(value: str) -> bool:
    """Say whether a text is the name of an IANA time zone."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_time_format(value: str) -> bool:
    return value in TIME_FORMATS or _is_pattern(value)


def _is_pattern(value: str) -> bool:
    """Say whether a strptime pattern reads back what it writes, down to the day at least."""
    try:
        read = datetime.strptime(_DATED.strftime(value), value)  # noqa: DTZ007 - the day counts
    except (ValueError, re.error):
        return False
    return "%" in value and read.date() == _DATED.date()


def _is_local_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is None
    except ValueError:
        return False


_CODE: Final = _checked(
    "must be an ISO 4217 code in use, such as CNY", lambda value: value in CURRENCIES
)
Code = Annotated[str, _CODE]
Zone = Annotated[str, _checked("must be an IANA time zone, such as Asia/Shanghai", is_zone)]


def _read_formats(value: object) -> object:
    formats = [value] if isinstance(value, str) else value
    if (
        not isinstance(formats, list | tuple)
        or not formats
        or not all(isinstance(form, str) and _is_time_format(form) for form in formats)
        or (len(formats) > 1 and not set(formats).isdisjoint(_ALONE))
    ):
        raise ValueError(
            f"must be one of {', '.join(TIME_FORMATS)}, or a strptime pattern with day, month and "
            "year such as '%Y-%m-%d %H:%M:%S', or a list of patterns and iso, tried in order"
        )
    return tuple(formats)


TimeFormats = Annotated[tuple[str, ...], BeforeValidator(_read_formats)]
DateFormat = Annotated[
    str,
    _checked(
        "must be iso, or a strptime pattern with day, month and year such as '%d.%m.%Y'",
        lambda value: value == "iso" or _is_pattern(value),
    ),
]
LocalTime = Annotated[
    str,
    _checked("must be a time without zone in the form 2018-04-01T00:00:00", _is_local_time),
]
Prefix = Annotated[
    str, _checked("must be of [A-Za-z0-9._:-] only", lambda value: bool(_PREFIX.match(value)))
]


class Source(Shape, Generic[V]):
    """A column of the table, or the same value for all rows."""

    column: str | None = Field(default=None, description="name of a column of the table")
    constant: V | None = Field(default=None, description="the value for all rows")
    optional: bool = Field(
        default=False, description="true: where the table lacks the column, the field is not known"
    )

    @model_validator(mode="after")
    def _has_one_origin(self) -> Self:
        if (self.column is None) == (self.constant is None):
            raise ValueError("must have either column or constant")
        if self.column is None and self.optional:
            raise ValueError("must not be optional: a constant is always there")
        return self


class TextSource(Source[str]):
    """Free text or an identifier. Numbers become text; empty cells are not known."""

    prefix: Prefix = Field(default="", description="put in front of what the column holds")


class CodeSource(Source[Code]):
    """A currency."""


class Choice(Source[V], Generic[V]):
    """A word of a vocabulary, or of the table's own through a table of values."""

    values: dict[str, V] = Field(
        default={},
        description="what the column holds: the word it stands for; without it, the words",
    )
    by: Literal["whole", "start"] = Field(
        default="whole",
        description="start: values name what the column's text begins with; whole: all of it",
    )
    leave_out: list[str] = Field(
        default=[],
        description="what the column holds in rows that are no transfers; they are left out",
    )

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if self.by == "start" and not self.values:
            raise ValueError("must have values with by: start")
        if self.column is None and (self.values or self.leave_out):
            raise ValueError("must have a column with values or leave_out: a constant has none")
        both = [text for text in self.leave_out if text in self.values]
        if both:
            raise ValueError(f"must either read or leave out {', '.join(both)}")
        return self


class FlagSource(Source[bool]):
    """Yes or no. Without a table of values: true, false, 1 and 0."""

    values: dict[str, bool] = Field(default={}, description="what the column holds: true or false")


def _decimal(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic reads ValueError
    try:
        return Decimal(str(value))
    except ArithmeticError as error:
        raise ValueError("must be a number") from error


class AmountSource(Source[Annotated[Decimal, BeforeValidator(_decimal)]]):
    """An amount of money; read as decimal digits, never as a binary fraction."""

    unit: Literal["yuan", "fen"] = Field(
        description="yuan: the currency's main unit; fen: its smallest unit"
    )
    zero: Literal["refuse", "leave_out"] = Field(
        default="refuse", description="leave_out: rows with amount 0 move no money and are left out"
    )


class DateSource(Source[str]):
    """A calendar date."""

    format: DateFormat = Field(
        default="iso", description="iso, or a strptime pattern with day, month and year"
    )


class TimeSource(Shape):
    """When the customer asked."""

    column: str = Field(description="name of a column of the table")
    format: TimeFormats = Field(
        description="epoch_s, epoch_ms, iso, timestamp (a Parquet column of times), seconds_since, "
        "hours_since, or a strptime pattern; or a list of patterns and iso, tried in order"
    )
    zone: Zone | None = Field(default=None, description="zone of times that name none")
    start: LocalTime | None = Field(
        default=None, description="for seconds_since and hours_since: local time of second 0"
    )

    @model_validator(mode="after")
    def _fits_format(self) -> Self:
        first = self.format[0]
        if first in _ZONELESS and self.zone is not None:
            raise ValueError(f"must not have a zone: {first} counts from 1970 in UTC")
        if self.zone is None and (first in SINCE or self._has_zoneless_pattern()):
            raise ValueError("must have a zone, such as Asia/Shanghai: the times name none")
        if (first in SINCE) != (self.start is not None):
            raise ValueError(f"must have start with format {' or '.join(SINCE)}, and only with it")
        return self

    def _has_zoneless_pattern(self) -> bool:
        return any(form not in TIME_FORMATS and "%z" not in form for form in self.format)
