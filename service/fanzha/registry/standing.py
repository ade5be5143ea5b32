"""What follows from a history of statements: champion, shadow, proposals, former champions.

Pure, and the one place where the rules stand. Commands ask it before they write, and every worker
asks it again before it believes: a history with one statement that breaks a rule counts for
nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from fanzha.domain.errors import NotTrustedError, RegistryRefusedError
from fanzha.registry.statements import Action, Statement
from fanzha.signing.keys import TrustedKeys


@dataclass(frozen=True, slots=True)
class Named:
    """A model that statements name."""

    label: str
    """name/version."""
    manifest_sha256: str
    number: int
    """Of the statement that first named exactly these files, in whatever role."""
    before: str = ""
    """For a champion: the champion that it was promoted over, empty when there was none."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Who stands where after a number of statements."""

    champion: Named | None = None
    shadow: Named | None = None
    champions: Mapping[str, Named] = field(default_factory=lambda: MappingProxyType({}))
    """All models that were champion at some time, the present one included, by label."""
    proposals: Mapping[str, Statement] = field(default_factory=lambda: MappingProxyType({}))
    """Proposals that wait for a second person, by label."""
    named: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    """Number of the statement that first named each model, by label and SHA-256 of its manifest."""
    digests: tuple[str, ...] = ()
    """SHA-256 of each statement."""
    cause: str = ""
    """Why the champion is the champion, for the journal."""

    @property
    def number(self) -> int:
        """Number of the newest statement, 0 before the first."""
        return len(self.digests)

    @property
    def champion_label(self) -> str:
        """name/version of the champion, empty when there is none."""
        return "" if self.champion is None else self.champion.label

    def first_named(self, label: str, manifest_sha256: str) -> int | None:
        """Return the number of the statement that first named exactly these files."""
        return self.named.get((label, manifest_sha256))


def standing_of(history: Sequence[Statement], keys: TrustedKeys) -> Standing:
    """Return what follows from a history.

    Raises:
        RegistryRefusedError: a statement is not signed, by nobody who may make it, out of place, or
            breaks a rule; names it.
    """
    standing = Standing()
    for statement in history:
        try:
            standing = after(standing, statement, keys)
        except NotTrustedError as error:
            raise RegistryRefusedError(
                f"statement {standing.number + 1} of the registry does not count: {error}"
            ) from error
    return standing


def after(standing: Standing, statement: Statement, keys: TrustedKeys) -> Standing:
    """Return the standing after one more statement.

    Raises:
        RegistryRefusedError: the statement may not follow.
    """
    _check_place(standing, statement)
    if not statement.is_signed:
        raise RegistryRefusedError(
            f"it is not what {statement.by} signed: somebody changed it by hand"
        )
    keys.person(statement.by, statement.key, statement.number)
    about = statement.model, statement.manifest_sha256
    named = {about: statement.number, **standing.named}
    changed = _RULES[statement.action](replace(standing, named=named), statement)
    return replace(changed, digests=(*standing.digests, statement.digest))


def _check_place(standing: Standing, statement: Statement) -> None:
    previous = standing.digests[-1] if standing.digests else ""
    if (statement.number, statement.previous) != (standing.number + 1, previous):
        raise RegistryRefusedError(
            f"it was made as number {statement.number} of another history than this one"
        )
    if statement.champion_before != standing.champion_label:
        raise RegistryRefusedError(
            f"it was made while {statement.champion_before or 'no model'} was the champion, which "
            f"now is {standing.champion_label or 'none'}"
        )


def _proposed(standing: Standing, statement: Statement) -> Standing:
    if statement.model == standing.champion_label:
        raise RegistryRefusedError(f"{statement.model} is the champion already")
    if statement.gate is None:
        raise RegistryRefusedError(f"{statement.model} is proposed without a report of the gate")
    if not all(check.get("passed") is True for check in statement.gate.checks):
        raise RegistryRefusedError(f"{statement.model} did not pass the gate")
    if statement.gate.champion != standing.champion_label:
        raise RegistryRefusedError(
            f"the gate compared {statement.model} with {statement.gate.champion or 'no model'}, "
            f"but the champion is {standing.champion_label or 'none'}; run fanzha-training gate "
            "again"
        )
    champion = standing.champion
    if champion is not None and statement.gate.champion_manifest_sha256 != champion.manifest_sha256:
        raise RegistryRefusedError(
            f"the gate compared {statement.model} with other files than those of the champion"
        )
    return replace(standing, proposals={**standing.proposals, statement.model: statement})


def _approved(standing: Standing, statement: Statement) -> Standing:
    proposal = standing.proposals.get(statement.model)
    if proposal is None:
        raise RegistryRefusedError(
            f"nobody proposed {statement.model} over the present champion; propose it first, with "
            "the report of a gate against that champion"
        )
    if statement.key == proposal.key:
        raise RegistryRefusedError(
            f"{proposal.by} proposed {statement.model} and cannot approve it too, under any name; "
            "have a second person approve"
        )
    if statement.manifest_sha256 != proposal.manifest_sha256:
        raise RegistryRefusedError(
            f"the files of {statement.model} are not those that {proposal.by} proposed"
        )
    number = standing.named[statement.model, proposal.manifest_sha256]
    champion = Named(statement.model, proposal.manifest_sha256, number, standing.champion_label)
    cause = f"statement {statement.number}: proposed by {proposal.by}, approved by {statement.by}"
    return _with_champion(standing, champion, cause)


def _rolled_back(standing: Standing, statement: Statement) -> Standing:
    former = standing.champions.get(statement.model)
    if former is None or statement.model == standing.champion_label:
        known = ", ".join(x for x in standing.champions if x != standing.champion_label)
        raise RegistryRefusedError(
            f"{statement.model} is no former champion (those are: {known or 'none'}); to anything "
            "else leads promote alone"
        )
    if former.manifest_sha256 != statement.manifest_sha256:
        raise RegistryRefusedError(
            f"the files of {statement.model} are not those that were the champion"
        )
    cause = f"statement {statement.number}: rolled back by {statement.by}"
    return _with_champion(standing, former, cause)


def _with_champion(standing: Standing, champion: Named, cause: str) -> Standing:
    """Return the standing under another champion; proposals compared with the old one end."""
    shadow = standing.shadow
    return replace(
        standing,
        champion=champion,
        shadow=None if shadow is not None and shadow.label == champion.label else shadow,
        champions={**standing.champions, champion.label: champion},
        proposals={},
        cause=cause,
    )


def _shadowed(standing: Standing, statement: Statement) -> Standing:
    if statement.model == standing.champion_label:
        raise RegistryRefusedError(f"{statement.model} decides; it cannot be its own shadow")
    if standing.shadow is not None and standing.shadow.label == statement.model:
        raise RegistryRefusedError(f"{statement.model} is the shadow already")
    number = standing.named[statement.model, statement.manifest_sha256]
    shadow = Named(statement.model, statement.manifest_sha256, number)
    return replace(standing, shadow=shadow)


def _unshadowed(standing: Standing, statement: Statement) -> Standing:
    if standing.shadow is None or standing.shadow.label != statement.model:
        raise RegistryRefusedError(f"{statement.model or 'no model'} is no shadow; nothing to do")
    return replace(standing, shadow=None)


_RULES = {
    Action.PROPOSE: _proposed,
    Action.APPROVE: _approved,
    Action.ROLLBACK: _rolled_back,
    Action.SHADOW: _shadowed,
    Action.UNSHADOW: _unshadowed,
}
