"""All atoms of a policy as one CEL program, evaluated once a decision.

What CEL takes for a call is mostly the handing over of facts: a quarter of a microsecond for each
that is a variable. So facts are three lists, of numbers, flags and words, and names are bound to
their places in them: `cel.bind(hour, numbers[7], hour < 5.0)`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cel_expr_python import cel  # type: ignore[import-untyped]
from cel_expr_python.ext.ext_bindings import ExtBindings  # type: ignore[import-untyped]

from fanzha.features.manifest import FEATURE_INDEX
from fanzha.policy.atoms import Atom, environment
from fanzha.policy.fact import Fact, FactType, FactValue, Sources

Given = dict[str, list[Any]]
"""Values of the facts that a program names, in its lists."""

_LISTS: Final = {FactType.DOUBLE: "numbers", FactType.BOOL: "flags", FactType.STRING: "words"}
_SHARED_MAX: Final = 12
"""So many names are bound around all atoms; CEL nests up to 32 deep, atoms included."""


@dataclass(frozen=True, slots=True)
class FactList:
    """Facts of one type, in the order in which CEL is given them."""

    places: tuple[int, ...]
    """Of facts that are numbers of the vector as they are: where in the vector."""
    coded: tuple[tuple[int, Mapping[float, Any], FactValue], ...]
    """Of facts that features say in codes: where in the vector, the codes, and else."""
    reads: tuple[Callable[[Sources], Any], ...]
    """Of all others."""
    names: tuple[str, ...]

    def values(self, sources: Sources) -> list[Any]:
        """Return the values, in the order of `names`."""
        vector = sources.vector
        values: list[Any] = [vector[place] for place in self.places]
        values += [codes.get(vector[place], unknown) for place, codes, unknown in self.coded]
        values += [read(sources) for read in self.reads]
        return values


@dataclass(frozen=True, slots=True)
class Program:
    """All atoms as one CEL list, with the facts that they name."""

    atoms: tuple[str, ...]
    numbers: FactList
    flags: FactList
    words: FactList
    is_bound: bool
    """False: the facts are variables of the expression, since binding them nested too deep."""
    expression: Any = field(repr=False, compare=False)

    def given(self, sources: Sources) -> Given:
        """Return the values of all facts that the atoms name."""
        return {
            "numbers": self.numbers.values(sources),
            "flags": self.flags.values(sources),
            "words": self.words.values(sources),
        }

    def by_name(self, given: Given) -> dict[str, FactValue]:
        """Return the values under the facts' names."""
        names = (*self.numbers.names, *self.flags.names, *self.words.names)
        values = (*given["numbers"], *given["flags"], *given["words"])
        return dict(zip(names, values, strict=True))

    def held(self, given: Given) -> int | None:
        """Return the atoms that hold, as one number (see `mask`), or None if evaluation failed."""
        if not self.atoms:
            return 0
        data = given if self.is_bound else self.by_name(given)
        try:
            truths = self.expression.eval(data=data).plain_value()
        except (RuntimeError, TypeError, ValueError):
            return None
        # An error in any atom makes the whole list an error, which arrives as text.
        return int.from_bytes(bytes(truths), "little") if type(truths) is list else None

    def mask(self, sources: Iterable[str]) -> int:
        """Return atoms as one number that has a byte for each place in the program."""
        places = {source: place for place, source in enumerate(self.atoms)}
        return sum(1 << 8 * places[source] for source in set(sources))


def compile_program(atoms: tuple[Atom, ...]) -> Program:
    """Return one program of distinct atoms.

    Raises:
        RuntimeError: the atoms compile alone, but not together.

    """
    facts = tuple(dict.fromkeys(fact for atom in atoms for fact in atom.facts))
    lists = {kind: _fact_list([fact for fact in facts if fact.type is kind]) for kind in FactType}
    places = {
        name: f"{_LISTS[kind]}[{place}]"
        for kind, found in lists.items()
        for place, name in enumerate(found.names)
    }
    try:
        expression = _bindings().compile(_bound_list(atoms, places))
        is_bound = True
    except RuntimeError:
        expression = environment().compile(_listed([f"({atom.source}\n)" for atom in atoms]))
        is_bound = False
    return Program(
        atoms=tuple(atom.source for atom in atoms),
        numbers=lists[FactType.DOUBLE],
        flags=lists[FactType.BOOL],
        words=lists[FactType.STRING],
        is_bound=is_bound,
        expression=expression,
    )


def _bindings() -> Any:  # noqa: ANN401 - the library has no types
    """Return an environment in which nothing but the lists has a name."""
    types = {name: cel.Type.List(getattr(cel.Type, kind.value)) for kind, name in _LISTS.items()}
    return cel.NewEnv(variables=types, extensions=[ExtBindings()])


def _listed(sources: list[str]) -> str:
    """Return a CEL list."""
    return f"[{','.join(sources)}]"


def _bound_list(atoms: tuple[Atom, ...], places: Mapping[str, str]) -> str:
    """Return the list of all atoms: what many name is bound once, around it, the rest in each."""
    uses = Counter(fact.name for atom in atoms for fact in atom.facts)
    shared = [name for name, count in uses.most_common(_SHARED_MAX) if count > 1]
    bound = []
    for atom in atoms:
        own = [fact.name for fact in atom.facts if fact.name not in shared]
        # The line break ends a comment at the end of an atom.
        bound.append(_bind(own, places, f"({atom.source}\n)"))
    return _bind(shared, places, _listed(bound))


def _bind(names: list[str], places: Mapping[str, str], source: str) -> str:
    for name in names:
        source = f"cel.bind({name}, {places[name]}, {source})"
    return source


def _fact_list(facts: list[Fact]) -> FactList:
    coded = [fact for fact in facts if fact.codes is not None]
    plain = [fact for fact in facts if fact.codes is None and fact.feature]
    others = [fact for fact in facts if not fact.feature]
    return FactList(
        places=tuple(FEATURE_INDEX[fact.feature] for fact in plain),
        coded=tuple(
            (FEATURE_INDEX[fact.feature], fact.codes, fact.unknown_value)
            for fact in coded
            if fact.codes is not None
        ),
        reads=tuple(fact.read for fact in others),
        names=tuple(fact.name for fact in (*plain, *coded, *others)),
    )
