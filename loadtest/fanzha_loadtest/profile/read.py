"""Reads a profile strictly: every fault at once, with its line and column."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fanzha_loadtest.profile.profile import Profile

PROFILES: Final = Path(__file__).parents[2] / "profiles"
"""Where the profiles that come along lie."""
_BYTES_MAX: Final = 2**18
Loc = tuple[str | int, ...]


class ProfileError(Exception):
    """A profile cannot be used: names all faults."""


def find_profile(named: str) -> Path:
    """Return the file of a profile, which is given by its path or its name alone."""
    path = Path(named)
    return path if path.suffix or path.exists() else PROFILES / f"{named}.yaml"


def read_profile(path: Path) -> Profile:
    """Read a profile.

    Raises:
        ProfileError: it cannot be read, or has faults.

    """
    try:
        text = path.read_bytes()[: _BYTES_MAX + 1].decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(sorted(file.stem for file in PROFILES.glob("*.yaml")))
        said = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise ProfileError(
            f"{path}: cannot be read ({said}); name a YAML file, or one of: {known}"
        ) from error
    if len(text) > _BYTES_MAX:
        raise ProfileError(f"{path}: is larger than {_BYTES_MAX} bytes; is it the right file?")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        _not_yaml(path, error)
    except yaml.YAMLError as error:
        raise ProfileError(f"{path}:1:1: is not YAML: {error}") from error
    faults = _twice(root)
    try:
        profile = Profile.model_validate(data)
    except ValidationError as refusal:
        faults += [_told(root, error) for error in refusal.errors(include_url=False)]
        profile = None
    if faults or profile is None:
        lines = "\n".join(
            f"{path}:{line}:{column}: {said}" for line, column, said in sorted(faults)
        )
        raise ProfileError(lines)
    return profile


Fault = tuple[int, int, str]


def _not_yaml(path: Path, error: yaml.MarkedYAMLError) -> NoReturn:
    mark = error.problem_mark or error.context_mark
    where = f"{mark.line + 1}:{mark.column + 1}" if mark is not None else "1:1"
    raise ProfileError(f"{path}:{where}: is not YAML: {error.problem}") from error


def _twice(node: yaml.Node | None) -> list[Fault]:
    """Return the keys that stand twice in one block: YAML would take the last."""
    faults: list[Fault] = []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                faults.append((*_at(key), f"{key.value} is there twice; keep one"))
            seen.add(key.value)
            faults += _twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            faults += _twice(value)
    return faults


def _told(root: yaml.Node | None, error: ErrorDetails) -> Fault:
    loc: Loc = error["loc"]
    name = ".".join(str(part) for part in loc) or "the file"
    place = _find(root, loc)
    match error["type"]:
        case "missing":
            return *place, f"{name} is missing; add it"
        case "extra_forbidden":
            known = _keys(Profile, loc[:-1])
            close = get_close_matches(str(loc[-1]), known, 1)
            right = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
            return *place, f"{name} is not a known key; {right}"
        case "value_error":
            return *place, f"{name}: {error['ctx']['error']}"
        case _:
            said = error["msg"][0].lower() + error["msg"][1:]
            return *place, f"{name}: {said}, not {error['input']!r:.60}"


def _find(node: yaml.Node | None, loc: Loc) -> tuple[int, int]:
    """Return line and column of a place, or of the nearest block that is there."""
    shown = node
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found is None:
                break
            shown, node = found
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            shown = node = node.value[part] if part < len(node.value) else None
    return _at(shown)


def _at(node: yaml.Node | None) -> tuple[int, int]:
    return (node.start_mark.line + 1, node.start_mark.column + 1) if node is not None else (1, 1)


def _keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """Return the keys that a block may have."""
    for part in loc:
        if isinstance(part, int):
            continue
        field = next(x for name, x in model.model_fields.items() if (x.alias or name) == part)
        inner: Any = field.annotation
        model = next((x for x in (inner, *getattr(inner, "__args__", ())) if _is_model(x)), model)
    return [field.alias or name for name, field in model.model_fields.items()]


def _is_model(kind: Any) -> bool:  # noqa: ANN401 - an annotation
    return isinstance(kind, type) and issubclass(kind, BaseModel)
