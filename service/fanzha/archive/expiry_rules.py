"""For how long records are kept, by kind, and who may say that they go earlier or later."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from pydantic import Field

from fanzha.archive import schema
from fanzha.archive.entries import Approval, Commit
from fanzha.archive.found_faults import Findings
from fanzha.archive.log import day_of_path
from fanzha.checked_yaml import load_checked
from fanzha.domain.errors import NotTrustedError
from fanzha.file_shape import Shape
from fanzha.signing.keys import TrustedKeys, is_signed

_LAW: Final = "反洗钱法（2024）第三十四条: customer and transaction records, ten years at least"
_BESIDE: Final = "kept as long as the decisions that rest on it"

DEFAULT_RULES: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            *schema.DECISION_KINDS, *schema.OUTCOME_KINDS, schema.KIND_CHANGE,
            schema.KIND_EXECUTION,
        ),
        f"10 years; {_LAW}",
    ),
    **dict.fromkeys(
        (schema.KIND_LIST_IMPORT, schema.KIND_LIST_COMMIT, schema.KIND_MODEL_CHANGE),
        f"10 years; {_BESIDE}",
    ),
}  # fmt: skip
"""Kind to its rule. A kind without a rule never goes."""


class Rule(Shape):
    """For how long a kind is kept."""

    years: Annotated[int, Field(ge=1, le=100)]
    basis: Annotated[str, Field(min_length=5, max_length=500)]
    """The law or the decision that it rests on."""


class RulesFile(Shape):
    """A file of rules: kind to rule."""

    rules: dict[str, Rule]


def load_rules(file: Path | None) -> dict[str, str]:
    """Read a file of rules; None: the defaults.

    Raises:
        FileRefusedError: the file has faults; all of them at once.
    """
    if file is None:
        return DEFAULT_RULES
    read = load_checked(file, RulesFile).rules
    return {kind: f"{rule.years} years; {rule.basis}" for kind, rule in sorted(read.items())}


def kept_until(day: str, rule: str) -> date:
    """Return the first day on which the records of a UTC day may go.

    Raises:
        ValueError: the rule does not begin with a number of years.
    """
    made, years = date.fromisoformat(day), int(rule.partition(" ")[0])
    try:
        return made.replace(year=made.year + years)
    except ValueError:
        return date(made.year + years, 3, 1)


class Removal(msgspec.Struct, frozen=True):
    """What people sign: the rules, the day, and each file with the rows that go."""

    as_of: str
    rules: dict[str, str]
    files: list[tuple[str, str, dict[str, int]]]
    """Path, SHA-256, rows of each kind that go."""


def removal_of(commit: Commit) -> Removal:
    """Return what the approvals of a tombstone have to be signed over."""
    expiry = commit.expiry
    if expiry is None:
        return Removal("", {}, [])
    files = [(gone.path, gone.sha256, gone.rows) for gone in expiry.gone]
    return Removal(expiry.as_of, expiry.rules, files)


def signed_bytes(removal: Removal) -> bytes:
    """Return what an approval is a signature over."""
    return b"fanzha archive removal\n" + msgspec.json.encode(removal, order="deterministic")


def utc_day(time_ms: int) -> date:
    """Return the UTC day of a time in milliseconds. Raises ValueError, OverflowError."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).date()


def approval_faults(
    removal: Removal,
    approvals: Iterable[Approval],
    keys: TrustedKeys,
    number: int | None,
    *,
    are_default: bool,
) -> list[str]:
    """Return why a removal is not approved; empty: it is.

    One trusted signer suffices for the default rules, two people have to stand for any others.
    """
    content, faults, people = signed_bytes(removal), [], set[str]()
    for approval in approvals:
        if not is_signed(approval.key, content, approval.signature):
            faults.append(f"the signature of {approval.name} is over something else")
            continue
        try:
            if are_default:
                keys.signer(approval.name, approval.key, number)
            else:
                keys.person(approval.name, approval.key, number)
        except NotTrustedError as error:
            faults.append(str(error))
            continue
        people.add(approval.name)
    needed = 1 if are_default else 2
    if len(people) < needed:
        faults.append(f"{len(people)} of {needed} approval(s) count")
    return faults


def check_expiry(
    path: str, commit: Commit, keys: TrustedKeys, findings: Findings, now_ms: int
) -> None:
    """Check a tombstone: who approved it, and whether what went was due when it went."""
    expiry = commit.expiry
    if expiry is None:
        return
    faults = approval_faults(
        removal_of(commit), expiry.approvals, keys, commit.number, are_default=expiry.are_default
    )
    if expiry.are_default and expiry.rules != DEFAULT_RULES:
        faults.append("it says that its rules are the default ones, and they are not")
    faults += _not_due(commit, expiry.as_of, expiry.rules)
    # Else a removal could be signed by a day that is yet to come, and everything would be due.
    if not _has_come(expiry.as_of, commit.write_time_ms):
        faults.append(f"it was judged by {expiry.as_of}, which had not come when it was written")
    elif not _has_come(expiry.as_of, now_ms):
        faults.append(f"it was judged by {expiry.as_of}, which is yet to come")
    for fault in faults:
        findings.fault(path, f"this tombstone does not stand: {fault}", "records went unlawfully")


def _has_come(day: str, time_ms: int) -> bool:
    try:
        return date.fromisoformat(day) <= utc_day(time_ms)
    except (ValueError, OverflowError):
        return False


def _not_due(commit: Commit, as_of: str, rules: Mapping[str, str]) -> list[str]:
    faults = []
    for gone in commit.expiry.gone if commit.expiry is not None else []:
        day = day_of_path(gone.path)
        for kind in gone.rows:
            rule = rules.get(kind)
            try:
                is_due = rule is not None and kept_until(day, rule) <= date.fromisoformat(as_of)
            except ValueError:
                is_due = False
            if not is_due or gone.rules.get(kind) != rule:
                faults.append(f"{kind} of {day} was not due on {as_of}")
    return faults
