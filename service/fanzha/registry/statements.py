"""Statements about models: each is signed, numbered, and names the one before it.

A statement is a JSON object. Signed is its canonical form (keys sorted, no blanks, UTF-8) without
the signature. `previous` is the SHA-256 of the statement before it, signature included, so that a
statement says something about one history only and counts in no other.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from fanzha.domain.errors import RegistryRefusedError
from fanzha.signing.keys import Signer, is_signed

_CONTEXT: Final = b"fanzha statement\0"
"""What is signed begins with it, so that no signature can be taken for one over a model."""


class Action(StrEnum):
    """What a statement wants."""

    PROPOSE = "propose"
    """Make a model that passed the gate the champion, if another person agrees."""
    APPROVE = "approve"
    """Agree to the newest proposal of a model; it becomes the champion."""
    ROLLBACK = "rollback"
    """Make a former champion the champion again."""
    SHADOW = "shadow"
    """Have a model score beside the champion, without any effect."""
    UNSHADOW = "unshadow"
    """Have no model score beside the champion."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gate said about a proposed model, as far as the registry keeps it."""

    report_sha256: str
    """Of the report's file, hexadecimal."""
    champion: str
    """The model that it was compared with, empty without one."""
    champion_manifest_sha256: str
    checks: list[dict[str, Any]]
    """Every check with its figures and its limit; all were passed."""
    margins: dict[str, Any]
    """How much worse than the champion the candidate was allowed to be."""
    data_fingerprint: str
    """Of the data set that both were measured on."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one person says about one model."""

    number: int
    """From 1, without gaps."""
    action: Action
    model: str
    """name/version."""
    manifest_sha256: str
    """Of the model's manifest, and so of all its files."""
    champion_before: str
    """The champion when the statement was made, empty when there was none."""
    time: str
    """ISO 8601 in UTC."""
    by: str
    key: str
    """Public key in hexadecimal."""
    previous: str
    """SHA-256 of the statement before it; empty for the first."""
    reason: str = ""
    gate: GateResult | None = None
    """Of a PROPOSE alone."""
    signature: str = ""

    @property
    def content(self) -> bytes:
        """What is signed."""
        fields = asdict(self)
        del fields["signature"]
        return _CONTEXT + _canonical(fields)

    @property
    def digest(self) -> str:
        """SHA-256 of the whole statement, hexadecimal."""
        return hashlib.sha256(_canonical(asdict(self))).hexdigest()

    @property
    def is_signed(self) -> bool:
        """Whether the signature is by the key that it names; that key may be anybody's."""
        return is_signed(self.key, self.content, self.signature)


def _canonical(fields: dict[str, Any]) -> bytes:
    text = json.dumps(
        fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def signed(statement: Statement, signer: Signer) -> Statement:
    """Return a statement with its signature."""
    return replace(statement, signature=signer.sign(statement.content))


def iso_time(now: datetime) -> str:
    """Return a time as statements carry it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def statement_of(stored: Any, number: int) -> Statement:  # noqa: ANN401 - any JSON
    """Return a statement from its JSON.

    Raises:
        RegistryRefusedError: it is none, or holds more than a statement does.
    """
    try:
        statement = msgspec.convert(stored, Statement)
        same = json.loads(_canonical(asdict(statement))) == stored
    except ValueError as error:  # Also of msgspec, and of numbers that are none.
        raise RegistryRefusedError(f"statement {number} is none: {error}") from error
    if not same:
        raise RegistryRefusedError(f"statement {number} holds more than a statement does")
    return statement
