"""Looks into spools from outside, as an operator would."""

from pathlib import Path

from fanzha.adapters.spool_book import WAITS
from fanzha.adapters.spool_contents import contents_of
from fanzha.adapters.spool_frames import SUFFIX


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def unconfirmed(folder: Path) -> list[str]:
    """Return the decisions of which the spool does not know that Redis has them."""
    looked = [contents_of(path) for path in segments(folder)]
    return [
        decision_id
        for number, contents in enumerate(looked)
        for decision_id, spooled in contents.decisions.items()
        if contents.states(looked[number + 1 :])[spooled.index] == WAITS
    ]
