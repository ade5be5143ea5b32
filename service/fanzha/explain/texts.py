"""Reads the file of reasons: which features make a reason, and what may be told of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from fanzha.checked_yaml import Document, read_document
from fanzha.domain.confidential import confidential_words
from fanzha.explain.statements import (
    Condition,
    Parts,
    Statement,
    parse_condition,
    parse_parts,
    shown,
)
from fanzha.features.feature import Feature
from fanzha.features.manifest import FEATURE_INDEX, FEATURES
from fanzha.file_shape import Loc, Shape

DEFAULT_TEXTS: Final = Path(__file__).parent / "data" / "reason_texts.yaml"
_FRAME: Final = ("lead_zh", "lead_en", "advice_zh", "advice_en")
_TEXTS: Final = ("zh", "en", "customer_zh", "customer_en")

Words = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class _StatementShape(Shape):
    when: list[str] = Field(min_length=1, description="conditions on features of the group")
    given: list[str] = Field(default=[], description="conditions that make the text true")
    topic: str = Field(default="", description="of one topic only one statement is told")
    zh: Words
    en: Words
    customer_zh: str = Field(default="", max_length=200)
    customer_en: str = Field(default="", max_length=200)


class _GroupShape(Shape):
    code: str = Field(pattern=r"^MODEL_[A-Z0-9_]{3,58}$", description="MODEL_ and upper snake case")
    meaning: Words
    features: list[str] = Field(default=[], description="names of features")
    others: list[str] = Field(
        default=[], description="family/name with *, for features that no group names"
    )
    lead_zh: str = Field(default="", max_length=40, description="begins every text")
    lead_en: str = Field(default="", max_length=80, description="begins every text")
    advice_zh: str = Field(default="", max_length=200, description="ends the customer's text")
    advice_en: str = Field(default="", max_length=200, description="ends the customer's text")
    statements: list[_StatementShape] = Field(min_length=1)


class _TextsShape(Shape):
    version: str = Field(pattern=r"^\S{1,64}$", description="1 to 64 characters without spaces")
    floor: float = Field(gt=0, le=10, description="least contribution to the margin, in log-odds")
    groups: list[Any] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class ReasonGroup:
    """One reason: the features whose contributions count together, and what may be told."""

    code: str
    meaning: str
    features: tuple[int, ...]
    """Their places in the vector."""
    lead_zh: str
    lead_en: str
    advice_zh: str
    advice_en: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class ReasonTexts:
    """All groups, in the order of the file."""

    version: str
    floor: float
    """Least contribution of a reason to the margin, in log-odds."""
    groups: tuple[ReasonGroup, ...]


def load_reason_texts(path: Path = DEFAULT_TEXTS) -> ReasonTexts:
    """Read the file of reasons.

    Raises:
        FileRefusedError: the file has faults; names all of them with line and column.

    """
    document = read_document(path)
    header = document.parse(_TextsShape)
    shapes = {
        index: shape
        for index in range(document.count("groups"))
        if (shape := document.parse(_GroupShape, "groups", index)) is not None
    }
    members = _members(document, shapes) if len(shapes) == document.count("groups") else {}
    groups = []
    codes: set[str] = set()
    for index, shape in shapes.items():
        loc = ("groups", index)
        if shape.code in codes:
            document.fault((*loc, "code"), f"code {shape.code} is there twice; codes are unique")
        codes.add(shape.code)
        features = members.get(index, ())
        statements = tuple(
            _statement(document, (*loc, "statements", place), stated, features)
            for place, stated in enumerate(shape.statements)
        )
        frame = {key: getattr(shape, key) for key in _FRAME}
        for key, text in frame.items():
            _check_public(document, (*loc, key), text)
        groups.append(
            ReasonGroup(shape.code, shape.meaning, features, **frame, statements=statements)
        )
    document.refuse_if_faulty()
    if header is None:
        raise AssertionError("a part that could not be read leaves a fault")
    return ReasonTexts(header.version, header.floor, tuple(groups))


def groups_of(
    feature: Feature, named: Iterable[Iterable[str]], others: Iterable[Iterable[str]]
) -> tuple[int, ...]:
    """Return the places of the groups that a feature belongs to; sound when there is one.

    Groups that name it come before those whose patterns fit `family/name`.
    """
    by_name = tuple(place for place, names in enumerate(named) if feature.name in names)
    if by_name:
        return by_name
    wanted = f"{feature.family}/{feature.name}"
    return tuple(
        place
        for place, patterns in enumerate(others)
        if any(fnmatchcase(wanted, pattern) for pattern in patterns)
    )


def _members(document: Document, shapes: dict[int, _GroupShape]) -> dict[int, tuple[int, ...]]:
    """Return each group's features, after adding the faults of features without one group."""
    for index, shape in shapes.items():
        for place, name in enumerate(shape.features):
            if name not in FEATURE_INDEX:
                document.fault(("groups", index, "features", place), f"{name} is not a feature")
    named = [shape.features for shape in shapes.values()]
    others = [shape.others for shape in shapes.values()]
    members: dict[int, list[int]] = {index: [] for index in shapes}
    for place, feature in enumerate(FEATURES):
        found = groups_of(feature, named, others)
        if len(found) != 1:
            said = ", ".join(shapes[index].code for index in found) or "none"
            text = (
                f"feature {feature.name} of family {feature.family} must belong to one group, not "
                f"{said}; name it under features of one group"
            )
            document.fault(("groups",), text, on_key=True)
        for index in found:
            members[index].append(place)
    return {index: tuple(places) for index, places in members.items()}


def _statement(
    document: Document, loc: Loc, shape: _StatementShape, features: tuple[int, ...]
) -> Statement:
    when = _conditions(document, (*loc, "when"), shape.when)
    given = _conditions(document, (*loc, "given"), shape.given)
    for place, condition in enumerate(when):
        if features and condition.feature not in features:
            text = f"{condition.source} is not about a feature of this group; write it under given"
            document.fault((*loc, "when", place), text)
    told = frozenset(condition.feature for condition in when)
    texts = {key: _parts(document, (*loc, key), getattr(shape, key), told) for key in _TEXTS}
    for one, other in (("zh", "en"), ("customer_zh", "customer_en")):
        both = getattr(shape, one), getattr(shape, other)
        if bool(both[0]) != bool(both[1]) or shown(texts[one]) != shown(texts[other]):
            document.fault((*loc, one), f"{one} and {other} must show the same features, or none")
    for key in ("customer_zh", "customer_en"):
        _check_public(document, (*loc, key), getattr(shape, key))
    return Statement(shape.topic or shape.zh, when, given, **texts)


def _conditions(document: Document, loc: Loc, sources: list[str]) -> tuple[Condition, ...]:
    found = []
    for place, source in enumerate(sources):
        condition = parse_condition(source)
        if isinstance(condition, str):
            document.fault((*loc, place), f"condition {condition}")
        else:
            found.append(condition)
    return tuple(found)


def _parts(document: Document, loc: Loc, text: str, told: frozenset[int]) -> Parts:
    parts = parse_parts(text)
    if isinstance(parts, str):
        document.fault(loc, f"the text {parts}")
        return ()
    for feature in sorted(shown(parts) - told):
        name = FEATURES[feature].name
        document.fault(loc, f"the text shows {name}, which no condition under when bounds")
    return parts


def _check_public(document: Document, loc: Loc, text: str) -> None:
    words = confidential_words(text)
    if words:
        document.fault(loc, f"tells the customer {', '.join(words)}; keep that from them")
