"""A batch of a table's rows, understood: each field's values by line, and what is wrong."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fanzha.domain.vocabulary import FraudType
from fanzha.mapping.amounts import Amounts
from fanzha.mapping.coded import Coded
from fanzha.mapping.faults import Faults, Finding
from fanzha.mapping.times import Times

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_ROW = "row-"
OUT_OF_ORDER = "rows_out_of_order"
DUPLICATES = "rows_duplicated"


@dataclass(slots=True)
class Batch:
    """Rows in the order of the file."""

    rows: Ints
    """Each line's row in the file, from 1."""
    times: Times
    coded: dict[str, Coded]
    """Words, texts, flags and dates by field."""
    amounts: dict[str, Amounts]
    constants: dict[str, Any]
    """Values that a field has in all lines."""
    base_currency: str
    """ISO 4217 code of base amounts, of balances, and of amounts whose own currency is not said."""
    findings: list[Finding]
    """What is wrong, in the order in which a row's faults are told."""
    repaired: dict[str, Mask]
    """Lines in which something was repaired, by name."""
    left_out: dict[str, Mask] = field(default_factory=dict)
    """Lines that the mapping leaves out, by the name under which they are counted."""
    label: Coded | None = None
    """Whether a row turned out to be fraud; None without a label."""
    fraud_type: "Coded | FraudType | None" = None
    """The type of fraud: by line, or of all."""
    raw_label: Any = None
    """The label's column as it is in the file, an Arrow array; None without one."""
    good: Mask = field(default_factory=lambda: np.zeros(0, np.bool_))
    """Lines that are transfers."""

    def note(self, faults: Faults, repaired: dict[str, int], chosen: Ints) -> None:
        """Count what is wrong with lines, and what was repaired in them.

        Args:
            faults: takes the faults.
            repaired: takes the repairs, by name.
            chosen: the lines.
        """
        faults.add_batch(self.findings, self.rows, chosen)
        for name, mask in (*self.left_out.items(), *self.repaired.items()):
            count = int(mask[chosen].sum())
            if count:
                repaired[name] = repaired.get(name, 0) + count

    def known(self, name: str) -> Mask:
        """Return the lines in which a field is known."""
        if name in self.coded:
            return self.coded[name].known
        if name in self.amounts:
            return self.amounts[name].known
        return np.full(len(self.rows), name in self.constants, np.bool_)

    def fields(self, line: int) -> dict[str, Any]:
        """Return the fields of a line that are known; amounts in minor units.

        Rows without ids of their own are named by their number; an empty currency is the base
        currency.
        """
        number = int(self.rows[line])
        fields = dict(self.constants)
        for name, coded in self.coded.items():
            value = coded.at(line)
            if value is not None:
                fields[name] = value
        for name, amounts in self.amounts.items():
            if amounts.known[line]:
                fields[name] = int(amounts.minor[line])
        fields.setdefault("currency", self.base_currency)
        fields.setdefault("transfer_id", row_id(number))
        fields.setdefault("request_id", row_id(number))
        return fields

    def row_ids(self, lines: Ints) -> Any:  # noqa: ANN401 - an Arrow array
        """Return the `row_id` of lines, an Arrow array of strings."""
        numbers: Any = pc.cast(pa.array(self.rows[lines]), pa.string())
        return pc.binary_join_element_wise(_ROW, numbers, "")


def row_id(number: int) -> str:
    """Return the id of a row to which the table gives none."""
    return f"{_ROW}{number}"
