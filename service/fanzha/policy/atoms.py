"""CEL: compiles the atoms of rules, each by itself; see `fanzha.policy.program` for all at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

from cel_expr_python import cel  # type: ignore[import-untyped]

from fanzha.policy.fact import CONTEXT_FAMILIES, Fact, FactFamily, FactValue
from fanzha.policy.facts import FACT_BY_NAME, FACTS

_ERROR: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_UNDECLARED: Final = re.compile(r"undeclared reference to '([^']*)'")
_NAME: Final = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class AtomFault:
    """One fault of an atom; `offset` is in characters from its start."""

    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class Atom:
    """One compiled condition on the facts of one family."""

    source: str
    facts: tuple[Fact, ...]
    family: FactFamily
    holds_when_unknown: bool
    """It holds when all its facts are unknown."""
    holds_ordinarily: bool
    """It holds for an ordinary, harmless transfer."""
    expression: Any = field(repr=False, compare=False)

    def holds(self, values: Mapping[str, FactValue]) -> bool:
        """Say whether the atom holds for known values of its facts."""
        return self.expression.eval(data=values).plain_value() is True

    @property
    def is_evidence(self) -> bool:
        """Say whether the atom, where it holds, says something about fraud."""
        return (
            self.family not in CONTEXT_FAMILIES
            and not self.holds_when_unknown
            and not self.holds_ordinarily
        )


@cache
def environment(without: frozenset[str] = frozenset()) -> Any:  # noqa: ANN401 - the library has no types
    """Return the CEL environment that declares all facts but some."""
    types = {fact.name: getattr(cel.Type, fact.type.value) for fact in FACTS}
    return cel.NewEnv(variables={name: x for name, x in types.items() if name not in without})


def _compiles(source: str, without: frozenset[str]) -> bool:
    try:
        environment(without).compile(source)
    except RuntimeError:
        return False
    return True


def compile_atom(source: str) -> Atom | tuple[AtomFault, ...]:
    """Return the compiled atom, or all its faults."""
    try:
        expression = environment().compile(source)
    except RuntimeError as error:
        return _compile_faults(str(error))
    if expression.return_type() != cel.Type.BOOL:
        kind = expression.return_type().name()
        return (AtomFault(0, f"is of type {kind}; a condition must be true or false"),)
    # A name inside a text literal is no reference: without that fact the atom still compiles.
    candidates = dict.fromkeys(_NAME.findall(source))
    facts = tuple(
        FACT_BY_NAME[name]
        for name in candidates
        if name in FACT_BY_NAME and not _compiles(source, frozenset({name}))
    )
    if not facts:
        return (AtomFault(0, "names no fact, so it is always the same; name a fact"),)
    families = sorted({fact.family.value for fact in facts})
    if len(families) > 1:
        text = f"mixes families {', '.join(families)}; write one atom for each family"
        return (AtomFault(0, text),)
    return _tried(source, expression, facts)


def _tried(
    source: str,
    expression: Any,  # noqa: ANN401 - the library has no types
    facts: tuple[Fact, ...],
) -> Atom | tuple[AtomFault, ...]:
    unknown = expression.eval(data={fact.name: fact.unknown_value for fact in facts}).plain_value()
    ordinary = expression.eval(data={fact.name: fact.ordinary for fact in facts}).plain_value()
    names = ", ".join(fact.name for fact in facts)
    faults = []
    if not isinstance(unknown, bool):
        faults.append(AtomFault(0, f"cannot be told when {names} is unknown: {unknown}"))
    if not isinstance(ordinary, bool):
        faults.append(AtomFault(0, f"cannot be told for an ordinary transfer: {ordinary}"))
    if faults:
        return tuple(faults)
    return Atom(source, facts, facts[0].family, unknown, ordinary, expression)


def _compile_faults(message: str) -> tuple[AtomFault, ...]:
    faults = []
    for line, column, said in _ERROR.findall(message):
        text = said.removesuffix(" [INVALID_ARGUMENT]")
        text = text.split(" expecting ")[0].removesuffix(" (in container '')")
        undeclared = _UNDECLARED.search(text)
        if undeclared:
            close = get_close_matches(undeclared[1], FACT_BY_NAME, 1)
            hint = f"did you mean {close[0]}?" if close else "fanzha.policy.facts lists all facts"
            text = f"{undeclared[1]} is not a fact; {hint}"
        elif "(double, int)" in text or "(int, double)" in text:
            text += "; write numbers with a decimal point, such as 5.0"
        faults.append(AtomFault(int(column) - 1 if line == "1" else 0, text))
    return tuple(faults) or (AtomFault(0, message.splitlines()[0]),)
