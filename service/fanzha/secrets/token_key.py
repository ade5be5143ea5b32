"""The token key: what it is, and its file.

A token is made by a chain of keys. The first makes it of the raw identifier; each later one, which
a re-keying added, makes a new token of the old one (`fanzha.secrets.chain`). A file holds the chain
wrapped (JSON, this module), or one plain key of 32 bytes, as newcomers have it.
"""

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fanzha.domain.errors import SetupError
from fanzha.secrets.digests import Algorithm, keyed_digest
from fanzha.secrets.private_file import read_private, replace_private, write_private_once
from fanzha.secrets.wrapping import KEY_BYTES, Wrapper

FORMAT: Final = "fanzha token key"
VERSION: Final = 1
_WHAT: Final = "the token key"
_NONCE_BYTES: Final = 12
_KEYS_MAX: Final = 8
_REMEDY: Final = "give one that fanzha token-key new made, or a file of 32 random bytes"


@dataclass(frozen=True, slots=True)
class DataKey:
    """One key of the chain. Its secret is in no text that Python makes of it."""

    algorithm: Algorithm
    secret: bytes

    def __repr__(self) -> str:
        return f"DataKey({self.algorithm.value}, {self.fingerprint})"

    @property
    def fingerprint(self) -> str:
        """Tells keys apart by 16 hexadecimal digits, and says nothing about the key."""
        return keyed_digest(self.algorithm, self.secret, b"fingerprint")(b"")[:8].hex()


@dataclass(frozen=True, slots=True)
class TokenKey:
    """The chain of keys, the first first."""

    keys: tuple[DataKey, ...]

    def __post_init__(self) -> None:
        for key in self.keys:
            if len(key.secret) != KEY_BYTES:
                raise SetupError(
                    f"the token key has {len(key.secret)} bytes; it must be a file of {KEY_BYTES} "
                    "random bytes, or one that fanzha token-key made"
                )
        if not 1 <= len(self.keys) <= _KEYS_MAX:
            raise SetupError(f"a token key has 1 to {_KEYS_MAX} keys, not {len(self.keys)}")

    @property
    def algorithm(self) -> Algorithm:
        """What makes the tokens that are stored: the newest key's."""
        return self.keys[-1].algorithm

    @property
    def fingerprint(self) -> str:
        """Names the chain, 16 hexadecimal digits a key."""
        return "-".join(key.fingerprint for key in self.keys)

    def with_new(self, algorithm: Algorithm) -> "TokenKey":
        """Return the chain with a new random key at its end."""
        return TokenKey((*self.keys, DataKey(algorithm, os.urandom(KEY_BYTES))))


def new_key(algorithm: Algorithm) -> TokenKey:
    """Return a new random key."""
    return TokenKey((DataKey(algorithm, os.urandom(KEY_BYTES)),))


def plain_key(secret: bytes, algorithm: Algorithm = Algorithm.BLAKE2B) -> TokenKey:
    """Return the key of 32 bytes that are given."""
    return TokenKey((DataKey(algorithm, secret),))


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Content of a key's file, not yet unwrapped."""

    path: Path
    content: bytes
    header: dict[str, Any] | None
    """None: the file is plain."""

    @property
    def is_wrapped(self) -> bool:
        """Say whether reading it takes another key."""
        return self.header is not None

    @property
    def method(self) -> str:
        """How it is wrapped: file, kms, passphrase; empty for a plain file."""
        return "" if self.header is None else str(self.header["wrapping"]["by"])

    def unwrap(self, wrapper: Wrapper | None) -> TokenKey:
        """Return the chain of keys.

        Raises:
            SetupError: the wrapper is missing, another one than the file's, or has another key.
        """
        if self.header is None:
            return plain_key(self.content)
        if wrapper is None or wrapper.method != self.method:
            raise SetupError(
                f"the token key {self.path} is wrapped by {self.method}; give "
                + _SETTING.get(self.method, "what unwraps it")
                + ("" if wrapper is None else f", and not what unwraps by {wrapper.method}")
            )
        wrapping = self.header["wrapping"]
        try:
            nonce = base64.b64decode(self.header["nonce"], validate=True)
            wrapped = base64.b64decode(self.header["wrapped"], validate=True)
            algorithms = [Algorithm(word) for word in self.header["algorithms"]]
            secret = AESGCM(wrapper.key(wrapping)).decrypt(nonce, wrapped, _bound(self.header))
        except InvalidTag:
            raise SetupError(
                f"the token key {self.path} cannot be unwrapped: it was altered, or wrapped by "
                "another key; restore the file, or give the key that wrapped it"
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise SetupError(f"the token key {self.path} is damaged; restore its copy") from error
        parts = [secret[at : at + KEY_BYTES] for at in range(0, len(secret), KEY_BYTES)]
        if len(parts) != len(algorithms):
            raise SetupError(f"the token key {self.path} is damaged; restore its copy")
        return TokenKey(tuple(map(DataKey, algorithms, parts)))


_SETTING: Final = {
    "file": "FANZHA_TOKEN_KEK_FILE (--kek-file)",
    "kms": "FANZHA_TOKEN_KMS_COMMAND (--kms-command)",
    "passphrase": "FANZHA_TOKEN_PASSPHRASE_FILE (--passphrase-file)",
}


def read_key_file(path: Path) -> KeyFile:
    """Read a key's file; says how it is wrapped, without unwrapping it.

    Raises:
        SetupError: it cannot be read, others may read it, or it is no key's file.
    """
    content = read_private(path, _WHAT, _REMEDY)
    if len(content) == KEY_BYTES or not content.lstrip().startswith(b"{"):
        return KeyFile(path, content, None)
    try:
        header = json.loads(content)
        is_known = header["format"] == FORMAT and header["version"] == VERSION
        by = header["wrapping"]["by"]
        is_known = is_known and by in _SETTING
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SetupError(f"{path} is no token key; {_REMEDY}") from error
    if not is_known:
        raise SetupError(
            f"{path} is a token key of another format (version {header.get('version')!r}, wrapped "
            f"by {by!r}); this version reads version {VERSION}"
        )
    return KeyFile(path, content, header)


def wrapped_content(key: TokenKey, wrapper: Wrapper) -> bytes:
    """Return the content of a file that holds a key wrapped.

    Raises:
        SetupError: the wrapper's key cannot be had.
    """
    kek, wrapping = wrapper.fresh()
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "algorithms": [each.algorithm.value for each in key.keys],
        "wrapping": {"by": wrapper.method, **wrapping},
    }
    nonce = os.urandom(_NONCE_BYTES)
    secret = b"".join(each.secret for each in key.keys)
    wrapped = AESGCM(kek).encrypt(nonce, secret, _bound(header))
    header["nonce"] = base64.b64encode(nonce).decode()
    header["wrapped"] = base64.b64encode(wrapped).decode()
    return (json.dumps(header, indent=2) + "\n").encode()


def write_new_key(path: Path, content: bytes) -> None:
    """Write a key's file, never over another one.

    Raises:
        SetupError: there is a file already, or the folder cannot be written.
    """
    if not write_private_once(path, content, _WHAT):
        raise SetupError(f"{path} exists already; keys are never overwritten, choose another place")


def replace_key(path: Path, content: bytes) -> None:
    """Write a key's file in the place of the one that holds the same key wrapped otherwise."""
    replace_private(path, content, _WHAT)


def write_plain_once(path: Path) -> None:
    """Write a new plain key of 32 random bytes unless the file is there.

    Raises:
        SetupError: the folder cannot be written.
    """
    write_private_once(path, os.urandom(KEY_BYTES), _WHAT)


def _bound(header: dict[str, Any]) -> bytes:
    """Return what the wrapping vouches for besides the key: the header but for the key itself."""
    part = {name: header[name] for name in ("format", "version", "algorithms", "wrapping")}
    return json.dumps(part, sort_keys=True, separators=(",", ":")).encode()
