"""What a check of the archive found, in plain words."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was written."""

    place: str
    """The file, relative to the archive, or what else is meant."""
    what: str
    means: str


@dataclass(slots=True)
class Findings:
    """All faults, and what is worth knowing besides; and how much was looked at."""

    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    commits: int = 0
    manifests: int = 0
    files: int = 0
    rows: int = 0
    bytes: int = 0
    head: str = ""
    """`number:hash` of the newest commit, for whoever notes it elsewhere."""

    def fault(self, place: str, what: str, means: str) -> None:
        """Add a fault."""
        self.faults.append(Fault(place, what, means))

    def note(self, text: str) -> None:
        """Add something that is no fault."""
        self.notes.append(text)
