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
    NameMatch,
    PartyType,
    TransferKind,
    TransferSpeed,
)
from fanzha.file_shape import Shape

V = TypeVar("V")

TIME_FORMATS: Final = ("epoch_s", "epoch_ms", "iso", "timestamp", "seconds_since")
_ZONELESS: Final = ("epoch_s", "epoch_ms")
_PREFIX: Final = re.compile(r"[A-Za-z0-9._:-]*\Z")
_DATED: Final = datetime(2026, 11, 22, 13, 5, 9, tzinfo=UTC)


def word_of(member: IntEnum) -> str:
    """Return how files write a member of a vocabulary: `Channel.SMART_TELLER` is smart_teller."""
    return member.name.lower()


def words_of(vocabulary: type[IntEnum]) -> dict[str, IntEnum]:
    """Return a vocabulary by its words, without UNSPECIFIED."""
    return {word_of(member): member for member in vocabulary if member != 0}


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


def _checked(rule: str, is_valid: Callable[[str], bool]) -> AfterValidator:
    def check(value: str) -> str:
        if not is_valid(value):
            raise ValueError(rule)
        return value

    return AfterValidator(check)


def _is_zone(value: str) -> bool:
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
    except ValueError:
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
Zone = Annotated[str, _checked("must be an IANA time zone, such as Asia/Shanghai", _is_zone)]
TimeFormat = Annotated[
    str,
    _checked(
        f"must be one of {', '.join(TIME_FORMATS)}, or a strptime pattern with day, month and year "
        "such as '%Y-%m-%d %H:%M:%S'",
        _is_time_format,
    ),
]
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

    format: DateFormat = "iso"


class TimeSource(Shape):
    """When the customer asked."""

    column: str = Field(description="name of a column of the table")
    format: TimeFormat
    zone: Zone | None = Field(default=None, description="zone of times that name none")
    start: LocalTime | None = Field(
        default=None, description="for seconds_since: local time of second 0"
    )

    @model_validator(mode="after")
    def _fits_format(self) -> Self:
        if self.format in _ZONELESS and self.zone is not None:
            raise ValueError(f"must not have a zone: {self.format} counts from 1970 in UTC")
        if self.zone is None and (self.format == "seconds_since" or self._is_zoneless_pattern()):
            raise ValueError("must have a zone, such as Asia/Shanghai: the times name none")
        if (self.format == "seconds_since") != (self.start is not None):
            raise ValueError("must have start with format seconds_since, and only with it")
        return self

    def _is_zoneless_pattern(self) -> bool:
        return self.format not in TIME_FORMATS and "%z" not in self.format
