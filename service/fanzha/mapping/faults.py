"""What is wrong with rows of a table, and what was repaired: all counted, the first shown."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

SHOWN_FAULTS: Final = 20


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with one row; row 1 is the first after the header."""

    row: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of fault in a batch of rows."""

    kind: str
    """Field and fault in a few words, such as "amount negative"."""
    lines: Ints
    """Lines of the batch that have it."""
    text_of: Callable[[int], str]
    """What is wrong with a line, in full."""


@dataclass(slots=True)
class Faults:
    """Rows that are no transfers: how many, of which kinds, and the first of them."""

    count: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """Rows by kind of fault; a row may have several."""
    first: list[RowFault] = field(default_factory=list)

    def add(self, fault: RowFault, kind: str) -> None:
        """Note one row."""
        self.count += 1
        self.kinds[kind] += 1
        self._keep([fault])

    def add_batch(self, findings: Iterable[Finding], rows: Ints, chosen: Ints) -> None:
        """Note the rows of a batch.

        Args:
            findings: what is wrong in it, in the order in which a row's faults are told.
            rows: the number of each line's row in the file.
            chosen: lines that count.
        """
        inside = np.zeros(len(rows), np.bool_)
        inside[chosen] = True
        bad = np.zeros(len(rows), np.bool_)
        counted = []
        for finding in findings:
            lines = finding.lines[inside[finding.lines]]
            if len(lines):
                bad[lines] = True
                self.kinds[finding.kind] += len(lines)
                counted.append((finding, lines))
        self.count += int(bad.sum())
        # In the order of the lines chosen, which for a replay is that of time.
        first = chosen[bad[chosen]][:SHOWN_FAULTS]
        shown = [
            RowFault(
                int(rows[line]),
                "; ".join(x.text_of(int(line)) for x, lines in counted if line in lines),
            )
            for line in first
        ]
        self._keep(shown)

    def _keep(self, faults: list[RowFault]) -> None:
        self.first = sorted([*self.first, *faults], key=lambda fault: fault.row)[:SHOWN_FAULTS]
