"""Reads batches of a bank's columns as transfers, and finds every row that is none."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fanzha.domain.vocabulary import KINDS_WITH_PAYEE
from fanzha.mapping.amounts import Amounts, read_amounts
from fanzha.mapping.batch import Batch
from fanzha.mapping.cells import CellError
from fanzha.mapping.coded import Coded, read_coded
from fanzha.mapping.faults import Finding
from fanzha.mapping.fields import constant_of
from fanzha.mapping.mapping import REQUIRED, Label
from fanzha.mapping.sources import AmountSource, FlagSource, TimeSource
from fanzha.mapping.table import plain
from fanzha.mapping.times import Times, read_times

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(slots=True)
class _Findings:
    """What is wrong in one batch, so far."""

    found: list[Finding] = field(default_factory=list)

    def add(self, name: str, errors: dict[int, CellError]) -> None:
        """Take what is wrong with a field, by line."""
        lines: defaultdict[str, list[int]] = defaultdict(list)
        for line, error in errors.items():
            lines[error.kind].append(line)
        for kind, those in lines.items():
            self.found.append(
                Finding(
                    f"{name} {kind}",
                    np.array(those, np.int64),
                    lambda line: f"{name} {errors[line]}",
                )
            )

    def add_coded(self, name: str, coded: Coded) -> None:
        """Take what is wrong with a field, by distinct cell."""
        cells: defaultdict[str, dict[int, CellError]] = defaultdict(dict)
        for cell, error in coded.wrong.items():
            cells[error.kind][cell] = error
        for kind, errors in cells.items():
            self.found.append(
                Finding(
                    f"{name} {kind}",
                    np.flatnonzero(coded.lines_with(errors)),
                    lambda line: f"{name} {coded.wrong[int(coded.cell_codes[line])]}",
                )
            )

    def add_mask(self, name: str, kind: str, text: str, mask: Mask) -> None:
        """Take lines with the same fault."""
        if mask.any():
            self.found.append(
                Finding(f"{name} {kind}", np.flatnonzero(mask), lambda _: f"{name} {text}")
            )


class Reader:
    """Reads columns as fields."""

    def __init__(
        self,
        sources: dict[str, Any],
        time: TimeSource | None,
        label: Label | None,
        names: set[str],
        *,
        needs_labels: bool,
        base_currency: str,
    ) -> None:
        """Prepare.

        Args:
            sources: where fields come from; those of a faulty mapping may be missing.
            time: where the time comes from, None when it is not known.
            label: the column that tells what became of a row.
            names: columns of the table; what is optional and not among them is not known.
            needs_labels: whether a label that says neither yes nor no is a fault.
            base_currency: ISO 4217 code of base amounts, of balances, and of amounts whose own
                currency is not said.
        """
        self._base_currency = base_currency
        self._time, self._label, self._needs_labels = time, label, needs_labels
        self._names = names
        self._sources = {
            name: source
            for name, source in sources.items()
            if source.column is not None and source.column in names
        }
        self._constants = {
            name: constant_of(name, source)
            for name, source in sources.items()
            if source.column is None and not isinstance(source, AmountSource)
        }
        if "currency" not in self._sources:
            self._constants.setdefault("currency", base_currency)
        self._constant_amounts = {
            name: source
            for name, source in sources.items()
            if source.column is None and isinstance(source, AmountSource)
        }
        self._required = [name for name in REQUIRED if name in sources]

    @property
    def has_request_ids(self) -> bool:
        """Whether rows have request ids of their own."""
        return "request_id" in self._sources

    def read(self, columns: pa.RecordBatch, rows: Ints) -> Batch:
        """Read a batch.

        Args:
            columns: the columns that the mapping names.
            rows: each line's row in the file, from 1.
        """
        columns = plain(columns)
        findings = _Findings()
        times = Times(np.zeros(len(rows), np.int64))
        repaired: dict[str, Mask] = {}
        if self._time is not None:
            times = read_times(columns.column(self._time.column), self._time)
            findings.add("time", times.faults)
            repaired["times_shown_twice_by_the_clock"] = times.ambiguous
            repaired["times_skipped_by_the_clock"] = times.skipped
        coded: dict[str, Coded] = {}
        for name, source in self._sources.items():
            if not isinstance(source, AmountSource):
                coded[name] = read_coded(name, source, columns.column(source.column))
                findings.add_coded(name, coded[name])
        batch = Batch(
            rows=rows,
            times=times,
            coded=coded,
            amounts=self._read_amounts(columns, coded),
            constants=dict(self._constants),
            base_currency=self._base_currency,
            findings=findings.found,
            repaired=repaired,
        )
        if self._label is not None:
            self._read_label(batch, columns, self._label, findings)
        self._judge(batch, findings)
        return batch

    def _read_amounts(self, columns: pa.RecordBatch, coded: dict[str, Coded]) -> dict[str, Amounts]:
        count = columns.num_rows
        base: list[str | None] = [self._base_currency]
        none = np.zeros(count, np.int64)
        stated, places = [self._constants.get("currency")], none
        if "currency" in coded:
            # An empty cell means the base currency; a faulty one nothing, and no amount is read.
            currency = coded["currency"]
            stated = [*currency.values, self._base_currency, None]
            faulty = currency.lines_with(currency.wrong)
            places = np.where(currency.known, currency.codes, len(currency.values) + faulty)
        amounts = {}
        for name, source in self._sources.items():
            if isinstance(source, AmountSource):
                own = name == "amount"
                amounts[name] = read_amounts(
                    name,
                    source,
                    columns.column(source.column),
                    stated if own else base,
                    places if own else none,
                )
        for name, source in self._constant_amounts.items():
            cell = pa.repeat(pa.scalar(str(source.constant)), count)
            amounts[name] = read_amounts(
                name, source, cell, stated if name == "amount" else base,
                places if name == "amount" else none,
            )  # fmt: skip
        return amounts

    def _read_label(
        self, batch: Batch, columns: pa.RecordBatch, label: Label, findings: _Findings
    ) -> None:
        batch.raw_label = columns.column(label.column)
        source = FlagSource(column=label.column, values=label.values)
        batch.label = read_coded("label", source, batch.raw_label)
        if self._needs_labels:
            findings.add_coded("label", batch.label)
        typed = label.fraud_type
        if typed is not None and typed.column is not None and typed.column in self._names:
            batch.fraud_type = read_coded("fraud_type", typed, columns.column(typed.column))
            if self._needs_labels:
                findings.add_coded("label.fraud_type", batch.fraud_type)
        elif typed is not None and typed.constant is not None:
            batch.fraud_type = typed.constant

    def _judge(self, batch: Batch, findings: _Findings) -> None:
        """Find what is wrong with whole rows, and which lines are transfers."""
        for name in self._required:
            unknown = ~batch.known(name) & ~self._is_faulty(batch, name)
            findings.add_mask(name, "missing", "is missing", unknown)
        for name, amounts in batch.amounts.items():
            findings.add(name, amounts.wrong)
            rounded = batch.repaired.get("amounts_rounded", np.zeros_like(amounts.rounded))
            batch.repaired["amounts_rounded"] = rounded | amounts.rounded
        self._judge_parties(batch, findings)

        out = np.zeros(len(batch.rows), np.bool_)
        for name, coded in batch.coded.items():
            if coded.left_out:
                mask = coded.lines_with(coded.left_out)
                batch.left_out[f"rows_left_out_by_{name}"] = mask & ~out
                out |= mask
        bad = np.zeros(len(batch.rows), np.bool_)
        for place, finding in enumerate(findings.found):
            if out.any():
                lines = finding.lines[~out[finding.lines]]
                findings.found[place] = Finding(finding.kind, lines, finding.text_of)
            bad[findings.found[place].lines] = True
        zero = np.zeros(len(batch.rows), np.bool_)
        for amounts in batch.amounts.values():
            zero |= amounts.zero
        zero &= ~bad & ~out
        batch.left_out["rows_of_amount_zero_left_out"] = zero
        batch.good = ~(bad | out | zero)

    def _is_faulty(self, batch: Batch, name: str) -> Mask:
        if name in batch.coded:
            coded = batch.coded[name]
            return coded.lines_with([*coded.wrong, *coded.left_out])
        mask = np.zeros(len(batch.rows), np.bool_)
        if name in batch.amounts:
            amounts = batch.amounts[name]
            mask[list(amounts.wrong)] = True
            if name == "amount" and "currency" in batch.coded:
                currency = batch.coded["currency"]
                mask |= currency.lines_with(currency.wrong)
        return mask

    def _judge_parties(self, batch: Batch, findings: _Findings) -> None:
        kind = batch.coded.get("kind")
        if kind is None:
            stated = batch.constants.get("kind")
            needs = np.full(len(batch.rows), stated in KINDS_WITH_PAYEE, np.bool_)
        else:
            of_value = np.array([value in KINDS_WITH_PAYEE for value in kind.values] + [False])
            needs = of_value[kind.codes]
        unknown = ~batch.known("payee_account") & ~self._is_faulty(batch, "payee_account")
        text = "is missing: a transfer needs it"
        findings.add_mask("payee_account", "missing", text, needs & unknown)
        text = "is the payer's own account"
        findings.add_mask("payee_account", "that of the payer", text, _own(batch))


def _own(batch: Batch) -> Mask:
    """Return the lines whose payer and payee are one account."""
    payer, payee = batch.coded.get("payer_account"), batch.coded.get("payee_account")
    if payer is None or payee is None:
        one, other = batch.constants.get("payer_account"), batch.constants.get("payee_account")
        only = payer or payee
        if only is None:
            return np.full(len(batch.rows), one is not None and one == other, np.bool_)
        constant = one if payer is None else other
        same: Any = pc.equal(only.values, pa.scalar(constant, pa.string()))
        matches = np.append(np.asarray(same.fill_null(False)), False)
        mask: Mask = matches[only.codes]
        return mask
    place: Any = pc.index_in(payee.values, value_set=payer.values)
    # -2 and -1: a payee that never pays, and a payee that is not known, are nobody's payer.
    payer_code = np.append(np.asarray(place.fill_null(-2)).astype(np.int64), -2)
    same_code: Mask = payer_code[payee.codes] == payer.codes
    return same_code
