"""All atoms in one program say what each says by itself, for values of every kind."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decision_inputs import POLICY, a_score, a_transfer, an_evidence

from fanzha.domain.decision import HeadScore
from fanzha.domain.evidence import Evidence
from fanzha.features.manifest import FEATURES
from fanzha.policy.atoms import Atom, compile_atom
from fanzha.policy.fact import FactFamily, FactType, Sources
from fanzha.policy.facts import FACT_BY_NAME
from fanzha.policy.program import Program, compile_program

NUMBERS = st.sampled_from(
    (math.nan, math.inf, -math.inf, -1.0, 0.0, -0.0, 0.5, 0.8, 1.0, 2.0, 3.0, 4.0, 5.0, 60.0, 1e9)
)
VECTORS = st.lists(NUMBERS, min_size=len(FEATURES), max_size=len(FEATURES))
POINTS = st.integers(0, 1000)
MULES = st.none() | st.builds(HeadScore, st.just(0.0), st.just(0.5), POINTS)


def atoms_of(*sources: str) -> tuple[Atom, ...]:
    """Return atoms that compile."""
    atoms = [compile_atom(source) for source in sources]
    assert all(isinstance(atom, Atom) for atom in atoms), atoms
    return tuple(atom for atom in atoms if isinstance(atom, Atom))


def one_by_one(program: Program, sources: Sources) -> int:
    """Return the atoms that hold, each asked alone, with its facts by name."""
    return program.mask(
        atom.source
        for atom in atoms_of(*program.atoms)
        if atom.holds({fact.name: fact.read(sources) for fact in atom.facts})
    )


@settings(max_examples=200, deadline=None)
@given(VECTORS, st.none() | POINTS, MULES, MULES, st.booleans())
def test_the_program_says_what_its_atoms_say(
    vector: list[float],
    points: int | None,
    payee: HeadScore | None,
    payer: HeadScore | None,
    is_blind: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    score = None
    if points is not None:
        score = replace(a_score(points), payee_mule=payee, payer_mule=payer)
    evidence = Evidence(None, None, None, "") if is_blind else an_evidence()
    sources = Sources(a_transfer(amount_minor=6_000_000), evidence, score, vector)
    program = POLICY.program

    assert program.is_bound
    assert program.held(program.given(sources)) == one_by_one(program, sources)


@given(VECTORS)
@settings(max_examples=50, deadline=None)
def test_values_are_those_of_the_facts(vector: list[float]) -> None:
    sources = Sources(a_transfer(), an_evidence(), a_score(500), vector)

    values = POLICY.program.by_name(POLICY.program.given(sources))

    for name, value in values.items():
        assert repr(value) == repr(FACT_BY_NAME[name].read(sources))


def test_an_atom_of_many_facts_is_evaluated_as_well() -> None:
    """Bound one in another, its names would lie deeper than CEL goes."""
    named = [x.name for x in FACT_BY_NAME.values() if x.family is FactFamily.PAYER_HISTORY]
    numbers = [name for name in named if FACT_BY_NAME[name].type is FactType.DOUBLE][:35]
    program = compile_program(
        atoms_of(" || ".join(f"{name} > 8.0" for name in numbers), "screen_shared")
    )
    vector = [9.0 if feature.name == numbers[-1] else 0.0 for feature in FEATURES]
    sources = Sources(a_transfer(), an_evidence(), None, vector)

    assert not program.is_bound
    assert program.held(program.given(sources)) == one_by_one(program, sources) == 1


@pytest.mark.parametrize(("hour", "fails"), [(2.0, False), (5.5, False), (0.5, True)])
def test_an_atom_that_fails_makes_the_whole_program_fail(hour: float, *, fails: bool) -> None:
    program = compile_program(
        atoms_of("screen_shared", "hour < 24.0 && 10 / int(hour) > 4", "hour >= 0.0")
    )
    vector = [hour if feature.name == "hour" else 1.0 for feature in FEATURES]

    held = program.held(program.given(Sources(a_transfer(), an_evidence(), None, vector)))

    assert (held is None) is fails
