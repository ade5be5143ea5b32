"""The one door for identity: raw identifiers become keyed tokens here, and nowhere else.

Every way in uses this module: RPCs, list imports, files. Nothing behind it sees a raw identifier.
"""

import contextlib
import hashlib
import os
import re
import secrets
import unicodedata
from pathlib import Path

from fanzha.domain.errors import SetupError

TOKEN_BYTES = 16
KEY_BYTES = 32

IDENTIFIER = re.compile(r"[A-Za-z0-9._:-]+\Z")
PHONE = re.compile(r"[0-9+ -]+\Z")

# Seven digits or more in a row, also with up to three other signs between two of them, as accounts,
# phones and ID numbers are written, in figures or in Chinese; an 18-character ID may end in X.
_FIGURE = r"[\d〇零一壹幺二贰两三叁四肆五伍六陆七柒八捌九玖]"
_IN_TEXT = re.compile(rf"{_FIGURE}(?:[\W_]{{0,3}}{_FIGURE}){{6,}}[Xx]?")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


class Tokens:
    """Makes tokens: keyed BLAKE2b of 16 bytes, apart for each kind of identifier.

    The same identifier gives the same token as long as the key stays, across restarts and workers.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise SetupError(
                f"the token key has {len(key)} bytes; it must be a file of {KEY_BYTES} random bytes"
            )
        self._account = hashlib.blake2b(key=key, digest_size=TOKEN_BYTES, person=b"account")
        self._person = hashlib.blake2b(key=key, digest_size=TOKEN_BYTES, person=b"person")
        self._phone = hashlib.blake2b(key=key, digest_size=TOKEN_BYTES, person=b"phone")
        self._device = hashlib.blake2b(key=key, digest_size=TOKEN_BYTES, person=b"device")
        self._body = hashlib.blake2b(key=key, digest_size=TOKEN_BYTES, person=b"body")

    def account(self, raw: str) -> bytes:
        """Return the token of an account or card number."""
        digest = self._account.copy()
        digest.update(raw.encode())
        return digest.digest()

    def person(self, raw: str) -> bytes:
        """Return the token of a person's or company's identity; letters count without case."""
        digest = self._person.copy()
        digest.update(raw.upper().encode())
        return digest.digest()

    def phone(self, raw: str) -> bytes:
        """Return the token of a phone number; blanks, hyphens and the prefix +86 do not count."""
        plain = raw.replace(" ", "").replace("-", "").removeprefix("+86")
        digest = self._phone.copy()
        digest.update(plain.encode())
        return digest.digest()

    def device(self, raw: str) -> bytes:
        """Return the token of a device or terminal."""
        digest = self._device.copy()
        digest.update(raw.encode())
        return digest.digest()

    def body(self, serialized: bytes) -> bytes:
        """Return the keyed digest of a request's body; bodies hold raw identifiers."""
        digest = self._body.copy()
        digest.update(serialized)
        return digest.digest()


def masked(raw: str) -> str:
    """Return a form by which staff recognise an account: its ends, and never more than half."""
    if len(raw) >= 16:
        return f"{raw[:4]}****{raw[-4:]}"
    if len(raw) >= 8:
        return f"****{raw[-4:]}"
    return "****"


def redacted(text: str) -> str:
    """Return free text with everything in it that looks like an identifier taken out."""
    plain = unicodedata.normalize("NFKC", text)
    return _MAIL.sub("[redacted]", _IN_TEXT.sub("[redacted]", plain))


def load_or_create_key(path: Path) -> bytes:
    """Return the key of 32 bytes in a file, made on first use and readable by its owner only.

    Raises:
        SetupError: the file cannot be read or written.
    """
    if path.exists():
        return load_key(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            # Whole or not at all, and never over a key that is there.
            os.link(draft, path)
        draft.unlink()
    except OSError as error:
        raise SetupError(
            f"cannot create the token key {path}: {error.strerror}; "
            "choose a writable folder with --data-dir"
        ) from error
    return load_key(path)


def load_key(path: Path) -> bytes:
    """Return the key of 32 bytes in a file.

    Raises:
        SetupError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SetupError(
            f"cannot read the token key {path}: {error.strerror}; "
            "give a readable file of 32 random bytes with --token-key-file"
        ) from error
