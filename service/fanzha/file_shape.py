"""How the shapes of files that people write are declared, and found again for a fault."""

import re
from collections.abc import Iterator
from datetime import date
from enum import Enum
from typing import Annotated, TypeVar, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic.fields import FieldInfo

E = TypeVar("E", bound=Enum)
Loc = tuple[str | int, ...]
"""Keys and indices from the top of a file."""


class Shape(BaseModel):
    """Base of all file shapes: no guessed types, no unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def named(enum: type[E]) -> BeforeValidator:
    """Return a validator that reads a member of an enum, other than UNSPECIFIED, by its name."""
    names = [member.name for member in enum if member.name != "UNSPECIFIED"]

    def read(value: object) -> object:
        if isinstance(value, str) and value in names:
            return enum[value]
        raise ValueError(f"must be one of {', '.join(names)}")

    return BeforeValidator(read)


def _read_date(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"(19|2[01])\d\d-\d\d-\d\d", value):
        return date.fromisoformat(value)
    raise ValueError("must be a date in the form 2026-11-22, from 1900 to 2199")


IsoDate = Annotated[date, BeforeValidator(_read_date)]


def keys_of(model: type[BaseModel] | None) -> list[str]:
    """Return the keys that a block may have, empty when it has no shape."""
    return [] if model is None else [x.alias or name for name, x in model.model_fields.items()]


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not None:
        for argument in get_args(annotation):
            yield from _models_in(argument)


def field_at(model: type[BaseModel], loc: Loc) -> FieldInfo | None:
    """Return the field that a fault lies in, None when the shape has none there."""
    inside: type[BaseModel] | None = model
    found: FieldInfo | None = None
    for part in loc:
        if not isinstance(part, str) or inside is None:
            continue
        fields = {x.alias or name: x for name, x in inside.model_fields.items()}
        if part not in fields:
            continue
        found = fields[part]
        inside = next(_models_in(found.annotation), None)
    return found


def model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    """Return the shape of the block at a place, None when it has none."""
    if not any(isinstance(part, str) for part in loc):
        return model
    found = field_at(model, loc)
    return None if found is None else next(_models_in(found.annotation), None)
