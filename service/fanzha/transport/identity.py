"""The one door for identity: raw identifiers become keyed tokens here, and nowhere else.

Every way in uses this module: RPCs, list imports, files. Nothing behind it sees a raw identifier.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable

from fanzha.secrets.chain import Successor, body_succession, succession
from fanzha.secrets.digests import Digest, keyed_digest
from fanzha.secrets.token_key import TokenKey, plain_key

IDENTIFIER = re.compile(r"[A-Za-z0-9._:-]+\Z")
PHONE = re.compile(r"[0-9+ -]+\Z")

# Seven digits or more in a row, also with blanks and punctuation between them, as accounts, phones
# and ID numbers are written, in figures or in Chinese; an 18-character ID may end in X.
_FIGURE = r"[\d〇零一壹幺二贰两三叁四肆五伍六陆七柒八捌九玖]"
_IN_TEXT = re.compile(rf"{_FIGURE}(?:[\W_]*{_FIGURE}){{6,}}[Xx]?")
_IDENTIFIER_MAX = 128
_TELLING_LENGTH = 7
"""Shorter identifiers name nobody by themselves, and turn up in other names by chance."""
_LOWER = bytes(ord(chr(code).lower()) if code < 128 else code for code in range(256))
_BETWEEN = "\n"
"""Stands between texts that are searched together."""
_PUNCTUATION = bytes(code for code in range(128) if not chr(code).isalnum())
_PUNCTUATION_BUT_BETWEEN = _PUNCTUATION.replace(_BETWEEN.encode(), b"")
# Bounded before the sign: else a long text without one takes quadratic time.
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")


class Tokens:
    """Makes tokens of 16 bytes, apart for each kind of identifier.

    The same identifier gives the same token as long as the key stays, across restarts and workers.
    """

    def __init__(self, key: TokenKey | bytes) -> None:
        """Prepare the digests.

        Args:
            key: the chain of keys, or one plain key of 32 bytes for BLAKE2b.

        Raises:
            SetupError: it is no key.
        """
        chain = plain_key(key) if isinstance(key, bytes) else key
        first, *others = chain.keys
        later = tuple(map(Successor, others))
        self.fingerprint = chain.fingerprint
        """Names the key; says nothing about it."""

        def made(kind: bytes) -> Digest:
            return keyed_digest(first.algorithm, first.secret, kind)

        self._account = succession(made(b"account"), later)
        self._person = succession(made(b"person"), later)
        self._phone = succession(made(b"phone"), later)
        self._device = succession(made(b"device"), later)
        self._body = body_succession(made(b"body"), later)

    def account(self, raw: str) -> bytes:
        """Return the token of an account or card number."""
        return self._account(raw.encode())

    def person(self, raw: str) -> bytes:
        """Return the token of a person's or company's identity; letters count without case."""
        return self._person(raw.upper().encode())

    def phone(self, raw: str) -> bytes:
        """Return the token of a phone number; blanks, hyphens and the prefix +86 do not count."""
        return self._phone(raw.replace(" ", "").replace("-", "").removeprefix("+86").encode())

    def device(self, raw: str) -> bytes:
        """Return the token of a device or terminal."""
        return self._device(raw.encode())

    def body(self, serialized: bytes) -> bytes:
        """Return the keyed digest of a request's body; bodies hold raw identifiers."""
        return self._body(serialized)


def masked(raw: str) -> str:
    """Return a form by which staff recognise an account: its ends, and never more than half."""
    if len(raw) >= 16:
        return f"{raw[:4]}****{raw[-4:]}"
    if len(raw) >= 8:
        return f"****{raw[-4:]}"
    return "****"


def redacted(text: str, identifiers: Iterable[str] = ()) -> str:
    """Return free text with everything in it that looks like an identifier taken out.

    Args:
        text: what a caller wrote.
        identifiers: raw ones that came with it: however they look, they are taken out too.
    """
    plain = unicodedata.normalize("NFKC", text)
    told = telling(identifiers)
    kept = _unspelled(plain) if told else ""
    for raw in told:
        if raw in kept:
            spelled = r"[\W_]*".join(map(re.escape, raw))
            plain = re.sub(spelled, "[redacted]", plain, flags=re.IGNORECASE)
            kept = _unspelled(plain)
    return _MAIL.sub("[redacted]", _IN_TEXT.sub("[redacted]", plain))


def telling(identifiers: Iterable[str]) -> tuple[str, ...]:
    """Return what `tells` looks for: the identifiers that name somebody, without their spelling.

    Longer ones than any that is taken are left out: Unicode's forms take quadratic time to make.
    """
    likely = [raw for raw in identifiers if raw]
    joined = _BETWEEN.join(likely)
    if len(joined) > _IDENTIFIER_MAX:
        likely = [raw for raw in likely if len(raw) <= _IDENTIFIER_MAX]
        joined = _BETWEEN.join(likely)
    together = _unspelled_together(joined, len(likely))
    plain = map(_unspelled, likely) if together is None else together.split(_BETWEEN)
    told = []
    for text in plain:
        bare = text.removeprefix("86")
        if len(bare) >= _TELLING_LENGTH:
            told.append(bare)
    return tuple(told)


def none_tells(names: Collection[str], told: tuple[str, ...]) -> bool:
    """Say whether `tells` is false of every name, by one look at all of them.

    Where that takes a closer look (wide letters, a mail's sign), the answer is no.
    """
    joined = _BETWEEN.join(names)
    together = _unspelled_together(joined, len(names))
    if together is None or "@" in joined:
        return False
    for raw in told:  # noqa: SIM110 - in every call; `any` would cost more than what it asks
        if raw in together:
            return False
    return True


def tells(name: str, told: tuple[str, ...]) -> bool:
    """Say whether a name that is kept as it is holds an identifier, however spelled, or a mail."""
    if not name:
        return False
    kept = _unspelled(name)
    return any(raw in kept for raw in told) or (
        ("@" in name or not name.isascii())
        and _MAIL.search(unicodedata.normalize("NFKC", name)) is not None
    )


def _unspelled(text: str) -> str:
    """Return a text without what spelling may vary: width, case, blanks, punctuation."""
    if text.isascii():
        return text.encode().translate(_LOWER, _PUNCTUATION).decode()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())


def _unspelled_together(joined: str, count: int) -> str | None:
    """Return `_unspelled` of so many texts at once, joined by `_BETWEEN` as they are.

    None: they are not plain enough for it, and each has to be looked at by itself.
    """
    if not joined.isascii() or joined.count(_BETWEEN) > max(0, count - 1):
        return None
    return joined.encode().translate(_LOWER, _PUNCTUATION_BUT_BETWEEN).decode()
