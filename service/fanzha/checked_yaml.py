"""Reads YAML files that people write, and reports every fault at once with its line and column.

Only plain YAML counts: true and false are the only flags (so `off` is text), and anchors, aliases
and tags are refused, because a reader of the file should see each value where it stands.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fanzha.domain.errors import FileRefusedError
from fanzha.file_shape import Loc, field_at, keys_of, model_at

M = TypeVar("M", bound=BaseModel)

FILE_BYTES_MAX: Final = 2**20
ABSENT: Final = object()
_TAG: Final = "tag:yaml.org,2002:"
_SCALARS: Final[dict[str, Callable[[str], object]]] = {
    _TAG + "str": str,
    _TAG + "int": int,
    _TAG + "float": float,
    _TAG + "bool": {"true": True, "false": False}.__getitem__,
    _TAG + "null": lambda _: None,
}
_SHOWN_MAX: Final = 60


class _Loader(yaml.SafeLoader):
    """Composes nodes under the few implicit types that `Document` knows."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - the library's own class attribute, emptied

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases, compose everything else."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem="aliases are not read; write the value out", problem_mark=mark
            )
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


def _resolve(tag: str, pattern: str, first: Iterable[str]) -> None:
    _Loader.add_implicit_resolver(_TAG + tag, re.compile(pattern), list(first))


_resolve("null", r"^(~|null|)$", ["~", "n", ""])
_resolve("bool", r"^(true|false)$", "tf")
_resolve("int", r"^-?(0|[1-9][0-9]{0,17})$", "-0123456789")
_resolve("float", r"^-?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]+)?$", "-0123456789")


@dataclass(slots=True)
class Document:
    """One YAML file, its plain data, and the faults found in it so far."""

    path: Path
    root: yaml.Node | None
    data: Any = None
    faults: list[tuple[int, int, str]] = field(default_factory=list)

    def fault(self, loc: Loc, text: str, *, on_key: bool = False, shift: int = 0) -> None:
        """Add a fault.

        Args:
            loc: keys and indices from the top; as much of it as exists in the file is followed.
            text: what is wrong and what would be right.
            on_key: point at the last key instead of its value.
            shift: characters into a value that stands on one line, 0 for its start.

        """
        node, key = self._find(loc)
        target = key if on_key and key is not None else node
        if target is None:
            self.faults.append((1, 1, text))
            return
        mark = target.start_mark
        if shift and isinstance(target, yaml.ScalarNode) and target.end_mark.line == mark.line:
            shift += 0 if target.style is None else 1
        else:
            shift = 0
        self.faults.append((mark.line + 1, mark.column + 1 + shift, text))

    def _find(self, loc: Loc) -> tuple[yaml.Node | None, yaml.Node | None]:
        node, key = self.root, None
        for part in loc:
            step: tuple[yaml.Node, yaml.Node | None] | None = None
            if isinstance(node, yaml.MappingNode):
                step = next(((v, k) for k, v in node.value if k.value == str(part)), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                step = (node.value[part], None) if part < len(node.value) else None
            if step is None:
                return node, None
            node, key = step
        return node, key

    def at(self, *loc: str | int) -> Any:  # noqa: ANN401 - whatever the file holds
        """Return the plain data at `loc`, `ABSENT` when there is none."""
        part = self.data
        for step in loc:
            try:
                part = part[step]
            except (KeyError, IndexError, TypeError):
                return ABSENT
        return part

    def count(self, *loc: str | int) -> int:
        """Return the number of items of the list at `loc`, 0 when there is no list."""
        part = self.at(*loc)
        return len(part) if isinstance(part, list) else 0

    def parse(self, model: type[M], *loc: str | int) -> M | None:
        """Return the part of the file at `loc` as a model, or None, after adding its faults.

        A part whose only faults are unknown keys is returned without them, so that the caller can
        look for more. An absent part adds none: it is a fault of the part that should hold it.
        """
        part = self.at(*loc)
        if part is ABSENT:
            return None
        try:
            return model.model_validate(part)
        except ValidationError as refusal:
            for error in refusal.errors(include_url=False):
                self._add(model, loc, error)
        try:
            return model.model_validate(part, extra="ignore")
        except ValidationError:
            return None

    def _add(self, model: type[BaseModel], loc: Loc, error: ErrorDetails) -> None:
        inner = error["loc"]
        name = ".".join(str(part) for part in (*loc, *inner)) or "the file"
        match error["type"]:
            case "missing":
                text, on_key = f"{name} is missing; add it", True
                inner = inner[:-1]
            case "extra_forbidden":
                known = keys_of(model_at(model, inner[:-1]))
                close = get_close_matches(str(inner[-1]), known, 1)
                right = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(known)}"
                text, on_key = f"{name} is not a known key; {right}", True
            case "value_error":
                text = f"{name} {error['ctx']['error']}, not {_shown(error['input'])}"
                on_key = False
            case "model_type":
                text, on_key = (
                    f"{name} must be a block of keys, not {_shown(error['input'])}",
                    False,
                )
            case _:
                message = error["msg"][0].lower() + error["msg"][1:]
                text, on_key = f"{name}: {message}, not {_shown(error['input'])}", False
        described = field_at(model, error["loc"])
        if described is not None and described.description and error["type"] != "extra_forbidden":
            text += f" ({described.description})"
        self.fault((*loc, *inner), text, on_key=on_key)

    def refuse_if_faulty(self) -> None:
        """Raise `FileRefusedError` with all faults in the order of the file, if there are any."""
        if self.faults:
            ordered = sorted(set(self.faults))
            texts = tuple(f"{line}:{column}: {text}" for line, column, text in ordered)
            raise FileRefusedError(str(self.path), texts)

    def plain(self, node: yaml.Node | None) -> Any:  # noqa: ANN401 - whatever the file holds
        """Return a node's plain data, and add the faults that no model could see."""
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            return self._plain_mapping(node)
        if not isinstance(node, yaml.ScalarNode):
            return None
        try:
            return _SCALARS[node.tag](node.value)
        except (ValueError, KeyError):
            text = f"tag {node.tag} is not read; write plain text, a number, true or false"
            self._fault_at(node, text)
            return None

    def _plain_mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._fault_at(key, "a key must be plain text")
            elif key.value in plain:
                self._fault_at(key, f"key {key.value} is there twice; keep one")
            else:
                plain[key.value] = self.plain(value)
        return plain

    def _fault_at(self, node: yaml.Node, text: str) -> None:
        self.faults.append((node.start_mark.line + 1, node.start_mark.column + 1, text))


def read_document(path: Path, content: bytes | None = None) -> Document:
    """Read a YAML file.

    Args:
        path: the file.
        content: what was read of it already; None: it is read now.

    Raises:
        FileRefusedError: the file cannot be read or is not YAML. Duplicate keys and the like are
            only added to the document's faults.

    """
    text = _text(path, read_bounded(path) if content is None else content)
    try:
        document = Document(path, yaml.compose(text, Loader=_Loader))
        document.data = document.plain(document.root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _refuse(path, mark, ", ".join(filter(None, (error.context, error.problem))))
    except yaml.YAMLError as error:
        _refuse(path, None, f"is not YAML: {error}")
    except RecursionError:
        _refuse(path, None, "is nested too deeply; nothing here needs more than ten levels")
    return document


def load_checked(path: Path, model: type[M]) -> M:
    """Read a YAML file as a model.

    Raises:
        FileRefusedError: the file cannot be read or has faults; names all of them.

    """
    document = read_document(path)
    value = document.parse(model)
    document.refuse_if_faulty()
    return cast("M", value)


def read_bounded(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        FileRefusedError: it cannot be read, or is larger than any file that people write.

    """
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        _refuse(path, None, f"cannot be read ({reason}); name a readable YAML file")
    if len(raw) > FILE_BYTES_MAX:
        _refuse(path, None, f"is larger than {FILE_BYTES_MAX} bytes; is it the right file?")
    return raw


def _text(path: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(path, None, f"is not UTF-8 text (byte {error.start}); save it as UTF-8")


def _refuse(path: Path, mark: yaml.error.Mark | None, text: str) -> NoReturn:
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    raise FileRefusedError(str(path), (f"{line}:{column}: {' '.join(text.split())}",))


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_MAX else shown[:_SHOWN_MAX] + "…"
