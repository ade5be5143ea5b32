"""What the numbers of features that are codes stand for, as docs/reference/features.md says it."""

from fanzha.domain.vocabulary import WatchlistGrade
from fanzha.features.codes import CODES


def codes_of(name: str) -> str:
    """Return the numbers that a feature of codes takes; empty for all others."""
    if name not in CODES:
        return ""
    # Number 0 is what was not said, and that is NaN; only no entry at all is a grade.
    none = ["none 0"] if CODES[name] is WatchlistGrade else []
    return ", ".join(none + [f"{member.name} {member.value}" for member in CODES[name] if member])
