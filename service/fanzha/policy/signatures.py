"""Signatures of policies and prompts: two people's, in a file beside the one that they are about.

`policy.yaml.sig.json` names the SHA-256 of `policy.yaml`; who proposes signs first, who approves
second. What is signed begins with words of its own and says whether it is about a policy or about
prompts, so that no signature can be taken for another one. The files that come with the service are
part of its package and are trusted as its code is.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec

from fanzha.checked_yaml import read_bounded
from fanzha.domain.errors import NotTrustedError, SetupError
from fanzha.registry.replaced import write_replaced
from fanzha.signing.keys import Signer, TrustedKeys, is_signed

SUFFIX: Final = ".sig.json"
_CONTEXT: Final = b"fanzha policy file\0"
_SIGNATURES_BYTES_MAX: Final = 64 * 1024
_TWO: Final = 2


class Kind(StrEnum):
    """What a signed file is."""

    POLICY = "policy"
    PROMPTS = "prompts"


class Part(StrEnum):
    """What a signature does."""

    PROPOSE = "propose"
    APPROVE = "approve"


@dataclass(frozen=True, slots=True)
class Signature:
    """One person's word about one file."""

    part: Part
    by: str
    key: str
    """Public key in hexadecimal."""
    time: str
    """ISO 8601 in UTC."""
    reason: str = ""
    previous: str = ""
    """Of an approval: SHA-256 of the signature that it agrees to, hexadecimal."""
    signature: str = ""

    def content(self, kind: Kind, sha256: str) -> bytes:
        """Return what is signed."""
        said = asdict(self) | {"kind": kind.value, "sha256": sha256}
        del said["signature"]
        return _CONTEXT + _canonical(said)

    @property
    def digest(self) -> str:
        """SHA-256 of the whole, hexadecimal."""
        return hashlib.sha256(_canonical(asdict(self))).hexdigest()


@dataclass(frozen=True, slots=True)
class Signatures:
    """Content of a file of signatures."""

    kind: Kind
    sha256: str
    """Of the file that they are about, hexadecimal."""
    signatures: list[Signature] = field(default_factory=list)


def signatures_file(path: Path) -> Path:
    """Return where the signatures of a file lie."""
    return path.with_name(path.name + SUFFIX)


def read_own_file(path: Path, kind: Kind, keys: TrustedKeys | None, *, is_near: bool) -> bytes:
    """Return the content of a deployment's own policy or prompts, once it may be used.

    Args:
        path: the file.
        kind: what it has to be signed as.
        keys: of those who may sign; None: none are named.
        is_near: the service listens on this machine alone, where an unsigned file will do.

    Raises:
        NotTrustedError: it is unsigned or altered, or those who signed may not.
        FileRefusedError: it cannot be read.
    """
    content = read_bounded(path)
    if keys is not None:
        check_signed(path, content, kind, keys)
    elif not is_near:
        raise NotTrustedError(
            f"{path} decides about payments, and nobody is named who may sign it; name the folder "
            "of their public keys with FANZHA_POLICY_KEYS, and have two of them run fanzha policy "
            "sign"
        )
    return content


def check_signed(path: Path, content: bytes, kind: Kind, keys: TrustedKeys) -> Signatures:
    """Return the signatures of a file that two trusted people signed as it is.

    Args:
        path: the file.
        content: what was read of it, and will be used.
        kind: what it has to be signed as.
        keys: of those who may sign.

    Raises:
        NotTrustedError: they did not; says what is missing or wrong.
    """
    place = signatures_file(path)
    found = read_signatures(path)
    if found is None:
        raise NotTrustedError(f"{path} is not signed: there is no {place}; fanzha policy sign")
    if found.kind is not kind:
        raise NotTrustedError(f"{place} signs {found.kind.value}, not {kind.value}; sign it anew")
    if found.sha256 != hashlib.sha256(content).hexdigest():
        raise NotTrustedError(
            f"{path} is not the file that was signed (its SHA-256 differs); restore it, or have "
            "two people look at it and run fanzha policy sign"
        )
    for signature in found.signatures:
        _check(place, signature, found, keys)
    _check_two(place, found.signatures)
    return found


def _check(place: Path, signature: Signature, about: Signatures, keys: TrustedKeys) -> None:
    said = signature.content(about.kind, about.sha256)
    if not is_signed(signature.key, said, signature.signature):
        raise NotTrustedError(
            f"{place}: the signature of {signature.by} is not over what it says; sign anew"
        )
    try:
        keys.person(signature.by, signature.key, None)
    except NotTrustedError as error:
        raise NotTrustedError(
            f"{place}: the signature of {signature.by} does not count: {error}"
        ) from error


def _check_two(place: Path, signatures: list[Signature]) -> None:
    if len(signatures) < _TWO:
        raise NotTrustedError(
            f"{place}: one person alone signed; another one has to run fanzha policy sign too"
        )
    proposed, approved, *more = signatures
    fits = (proposed.part, approved.part) == (Part.PROPOSE, Part.APPROVE) and not more
    if not fits or approved.previous != proposed.digest:
        raise NotTrustedError(f"{place}: the approval is of another proposal; sign anew")
    if proposed.by.casefold() == approved.by.casefold() or proposed.key == approved.key:
        raise NotTrustedError(
            f"{place}: {proposed.by} signed twice; it takes two people, with keys of their own"
        )


def read_signatures(path: Path) -> Signatures | None:
    """Return what stands beside a file about it, unchecked; None: nothing.

    Raises:
        NotTrustedError: it cannot be read, or is no file of signatures.
    """
    place = signatures_file(path)
    try:
        with place.open("rb") as file:
            content = file.read(_SIGNATURES_BYTES_MAX + 1)
        if len(content) > _SIGNATURES_BYTES_MAX:
            raise NotTrustedError(f"{place} is larger than any file of signatures; sign anew")
        stored = json.loads(content)
        found = msgspec.convert(stored, Signatures)
        same = json.loads(_canonical(asdict(found))) == stored
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NotTrustedError(f"{place} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise NotTrustedError(f"{place} is no file of signatures: {error}; sign anew") from error
    if not same:
        raise NotTrustedError(f"{place} holds more than signatures do; sign anew")
    return found


def sign_file(
    path: Path, content: bytes, kind: Kind, signer: Signer, reason: str, now: datetime
) -> Signatures:
    """Add a person's signature to a file: the first proposes it, the second approves it.

    Signatures about an earlier content are dropped: they say nothing about this one.

    Raises:
        SetupError: the person signed it already, two did, or the folder cannot be written.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    found = read_signatures(path)
    signatures: list[Signature] = []
    if found is not None and (found.kind, found.sha256) == (kind, sha256):
        signatures = found.signatures
    if len(signatures) >= _TWO:
        raise SetupError(f"{path} is signed by two already; fanzha policy show tells by whom")
    for each in signatures:
        if signer.key == each.key and signer.name != each.by:
            raise SetupError(
                f"{each.by} proposed {path} with this very key; {signer.name} has to approve it "
                "with a key of their own"
            )
        if signer.name == each.by:
            raise SetupError(f"{signer.name} proposed {path}; another person has to approve it")
    unsigned = Signature(
        part=Part.APPROVE if signatures else Part.PROPOSE,
        by=signer.name,
        key=signer.key,
        time=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        reason=reason,
        previous=signatures[0].digest if signatures else "",
    )
    said = signer.sign(unsigned.content(kind, sha256))
    done = Signatures(kind, sha256, [*signatures, replace(unsigned, signature=said)])
    text = json.dumps(asdict(done), indent=2, ensure_ascii=False) + "\n"
    write_replaced(signatures_file(path), text.encode())
    return done


def _canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
