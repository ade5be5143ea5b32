"""Keys of the people and machines that sign models and statements, and which of them are trusted.

Ed25519 (RFC 8032). A private key is PEM (PKCS 8) in a file that only its owner may read. A trusted
public key is a file `<name>.pub` of the trusted folder: PEM, as `openssl pkey -pubout` writes it
too, and below it, one a line, what restricts the key: `machine`, `retired-after: NUMBER`.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from fanzha.domain.errors import NotTrustedError, SetupError
from fanzha.secrets.private_file import read_private

ALGORITHM: Final = "Ed25519"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PEM: Final = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)
_RETIRED: Final = re.compile(r"retired-after: *(\d{1,9})")

Passphrase = Callable[[], bytes]
"""Gives a passphrase, from a file or from a person."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody who signs: the name, and the private key."""

    name: str
    private: Ed25519PrivateKey

    @property
    def key(self) -> str:
        """The public key, 32 bytes in hexadecimal."""
        return self.private.public_key().public_bytes_raw().hex()

    def sign(self, content: bytes) -> str:
        """Return the signature, 64 bytes in hexadecimal."""
        return self.private.sign(content).hex()


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """One public key of the trusted folder."""

    name: str
    key: str
    is_machine: bool = False
    """It may sign models; a person's word it is not."""
    retired_after: int | None = None
    """Number of the last statement that it counts for; None: it counts."""

    def counts_at(self, number: int | None) -> bool:
        """Say whether it counts for a statement; None: for what no statement names yet."""
        if self.retired_after is None:
            return True
        return number is not None and number <= self.retired_after


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The public keys of a trusted folder."""

    folder: Path
    keys: tuple[TrustedKey, ...]
    faults: dict[str, str]
    """File to what is wrong with it; such a file is trusted for nothing."""

    def person(self, name: str, key: str, number: int | None) -> None:
        """Check that a person of this name and key may make the statement of a number.

        Args:
            name: who signed.
            key: the public key.
            number: of the statement; None: what is signed has no number, as a policy.

        Raises:
            NotTrustedError: the person may not.
        """
        if self._trusted(name, key, number).is_machine:
            raise NotTrustedError(
                f"{name} is a machine: it may sign models, but its word is no person's"
            )

    def signer(self, name: str, key: str, number: int | None) -> None:
        """Check that a model's signature by this name and key counts.

        Args:
            name: who signed.
            key: the public key.
            number: of the statement that first named the model; None: none did yet.

        Raises:
            NotTrustedError: it does not.
        """
        self._trusted(name, key, number)

    def _trusted(self, name: str, key: str, number: int | None) -> TrustedKey:
        for trusted in self.keys:
            if (trusted.name, trusted.key) == (name, key):
                if not trusted.counts_at(number):
                    raise NotTrustedError(
                        f"the key of {name} counts up to statement {trusted.retired_after} only; "
                        "have somebody sign whose key is not retired"
                    )
                return trusted
        file = self.folder / f"{name}.pub"
        if file.name in self.faults:
            raise NotTrustedError(f"{file} {self.faults[file.name]}")
        named = [trusted.name for trusted in self.keys if trusted.key == key]
        if named:
            raise NotTrustedError(f"this is the key of {named[0]}, not of {name}")
        raise NotTrustedError(
            f"the key of {name} is not trusted: its public key is not {file}; whoever looks after "
            "that folder can put it there"
        )


def make_key(
    name: str, file: Path, *, is_machine: bool = False, passphrase: bytes | None = None
) -> Path:
    """Write a new private key, and `<name>.pub` beside it; return the latter.

    Args:
        name: whose key it is to be.
        file: for the private key.
        is_machine: it may sign models alone.
        passphrase: encrypts the private key; None: the file's rights alone keep it.

    Raises:
        SetupError: the name is unfit, a file exists already, or cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise SetupError(
            f"--name is {name!r}; use 1 to 64 letters, digits and ._-, a letter or digit first"
        )
    private = Ed25519PrivateKey.generate()
    locked = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    public_file = file.with_name(f"{name}.pub")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with public_file.open("xb") as out:
            out.write(public + (b"machine\n" if is_machine else b""))
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(secret)
    except FileExistsError as error:
        raise SetupError(
            f"{error.filename} exists already; keys are never overwritten, choose another place"
        ) from error
    except OSError as error:
        raise SetupError(f"cannot write {error.filename}: {error.strerror}") from error
    return public_file


def load_signer(name: str, file: Path, passphrase: Passphrase | None = None) -> Signer:
    """Read a private key.

    Args:
        name: who signs.
        file: the private key.
        passphrase: asked for one where the key is under one; None: nobody can be asked.

    Raises:
        SetupError: it cannot be read, others may read it, its passphrase is missing or wrong, or it
            is no Ed25519 key.
    """
    content = read_private(file, "the key", "fanzha models key makes one")
    private: object
    try:
        private = load_pem_private_key(content, password=None)
    except TypeError:
        private = _unlocked(content, file, passphrase)
    except ValueError as error:
        raise SetupError(f"{file} is no private key in PEM: {error}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise SetupError(f"{file} is no {ALGORITHM} key; fanzha models key makes one")
    return Signer(name, private)


def _unlocked(content: bytes, file: Path, passphrase: Passphrase | None) -> object:
    if passphrase is None:
        raise SetupError(f"the key {file} is under a passphrase; give --key-passphrase-file")
    try:
        return load_pem_private_key(content, password=passphrase())
    except ValueError:
        # OpenSSL's own words say nothing that helps.
        raise SetupError(
            f"the passphrase does not open the key {file}; give the right one"
        ) from None


def read_trusted(folder: Path) -> TrustedKeys:
    """Read the trusted folder; without one, nobody is trusted. Raises nothing for bad files."""
    keys: list[TrustedKey] = []
    faults: dict[str, str] = {}
    for file in sorted(folder.glob("*.pub")):
        try:
            keys.append(_trusted_key(file))
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            faults[file.name] = f"cannot be used: {error}"
    return TrustedKeys(folder, tuple(keys), faults)


def _trusted_key(file: Path) -> TrustedKey:
    content = file.read_bytes()
    found = _PEM.search(content)
    public = None if found is None else load_pem_public_key(found[0])
    if found is None or not isinstance(public, Ed25519PublicKey):
        raise ValueError(f"it holds no {ALGORITHM} public key in PEM")
    is_machine, retired_after = False, None
    rest = content[: found.start()] + b"\n" + content[found.end() :]
    for line in filter(None, map(str.strip, rest.decode().splitlines())):
        if line == "machine":
            is_machine = True
        elif retired := _RETIRED.fullmatch(line):
            retired_after = int(retired[1])
        else:
            raise ValueError(f"{line!r} is neither machine nor retired-after: NUMBER")
    return TrustedKey(file.stem, public.public_bytes_raw().hex(), is_machine, retired_after)


def is_signed(key: str, content: bytes, signature: str) -> bool:
    """Say whether a signature (hexadecimal) over a content is by a public key (hexadecimal).

    One signature is written in one way only: capitals and spaces are none of it, or a changed byte
    of the signature itself could hide.
    """
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        made = bytes.fromhex(signature)
        public.verify(made, content)
    except (ValueError, InvalidSignature):
        return False
    return made.hex() == signature
