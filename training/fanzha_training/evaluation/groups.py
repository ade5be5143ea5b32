"""Channels, segments and types of fraud: which transfers and cases belong to which."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fanzha.domain.vocabulary import Channel, CustomerSegment, FraudType, word_of
from fanzha_training.evaluation.cases import Ints
from fanzha_training.evaluation.sample import Floats, Sample

OVERALL = "overall"
_VOCABULARIES = {"channel": Channel, "segment": CustomerSegment, "fraud_type": FraudType}


@dataclass(frozen=True, slots=True)
class Groups:
    """Columns of figures, the first of all transfers, then those of each group."""

    names: tuple[tuple[str, str], ...]
    """Dimension and word of each column."""
    of_transfer: Floats
    """1 where a fraud belongs to a group, (frauds, groups), in the order of the cases."""
    of_case: Floats
    """1 where the first fraud of its case does."""
    of_row: tuple[Ints, ...]
    """The column of every transfer of the sample: of all, and for each dimension but types."""

    def false_within(self, prefix: Ints, weight: Floats) -> Floats:
        """Return sums of weights over the first `prefix` transfers, (prefixes, groups).

        A type of fraud has none: a legitimate transfer has no type.
        """
        columns = len(self.names)
        sums = np.empty((len(prefix), columns))
        for place, count in enumerate(prefix):
            sums[place] = sum(
                np.bincount(column[:count], weight[:count], columns) for column in self.of_row
            )
        sums[:, self._untyped()] = np.nan
        return sums

    def _untyped(self) -> npt.NDArray[np.bool_]:
        return np.array([dimension == "fraud_type" for dimension, _ in self.names])


def overall_of(sample: Sample) -> Groups:
    """Return a single group of all transfers."""
    ones = np.ones((len(sample.cases.row), 1))
    return Groups(((OVERALL, "all"),), ones, ones, (np.zeros(len(sample), np.int64),))


def groups_of(sample: Sample, dimensions: tuple[str, ...]) -> Groups:
    """Return the groups that occur in these dimensions of the sample, after the one of all.

    Groups of fraud types are those of the frauds. A case belongs to the groups of its first fraud.
    """
    names = [(OVERALL, "all")]
    rows = [np.zeros(len(sample), np.int64)]
    for dimension in dimensions:
        values: npt.NDArray[np.int8] = getattr(sample, dimension)
        typed = dimension == "fraud_type"
        present = np.unique(values[sample.fraud] if typed else values)
        column = np.zeros(256, np.int64)
        column[present] = len(names) + np.arange(len(present))
        rows.append(column[values])
        vocabulary = _VOCABULARIES[dimension]
        names += [(dimension, word_of(vocabulary(int(value)))) for value in present]
    of_transfer = np.zeros((len(sample.cases.row), len(names)))
    for row in rows:
        of_transfer[np.arange(len(of_transfer)), row[sample.cases.row]] = 1
    counted = tuple(row for row, name in zip(rows, (OVERALL, *dimensions), strict=True)
                    if name != "fraud_type")  # fmt: skip
    return Groups(tuple(names), of_transfer, of_transfer[sample.cases.first], counted)
