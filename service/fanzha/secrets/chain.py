"""New tokens of old ones: what a re-keying does to every token that is stored, and to new ones.

A token is one way, and nothing that could be turned back into an identifier is kept. So re-keying
cannot make tokens anew: it makes a token of the token. Who has an old key and a list of accounts
still can make the old tokens, but none that is stored.

Two parts of a token stay apart, because the service uses them apart. The first 8 bytes are an
account's number in rings, pairs and links, so their successor depends on them alone and can be made
wherever they stand. The last byte is the bucket, which decision ids that callers hold carry too: it
stays as it is.
"""

from typing import Final

from fanzha.secrets.digests import DIGEST_BYTES, Digest, keyed_digest
from fanzha.secrets.token_key import DataKey

HALF: Final = 8
_NOBODY: Final = bytes(HALF)
_HALF_PURPOSE: Final = b"rekey number"
_WHOLE_PURPOSE: Final = b"rekey token"
_BODY_PURPOSE: Final = b"rekey body"


class Successor:
    """Makes the new token of an old one, by one key."""

    def __init__(self, key: DataKey) -> None:
        self._of_half = keyed_digest(key.algorithm, key.secret, _HALF_PURPOSE)
        self._of_whole = keyed_digest(key.algorithm, key.secret, _WHOLE_PURPOSE)
        self._of_body = keyed_digest(key.algorithm, key.secret, _BODY_PURPOSE)

    def token(self, token: bytes) -> bytes:
        """Return the successor of a token of 16 bytes; of none (empty), none."""
        if not token:
            return token
        if len(token) != DIGEST_BYTES:
            raise ValueError(f"a token has {DIGEST_BYTES} bytes, not {len(token)}")
        whole = self._of_whole(token)
        return self.half(token[:HALF]) + whole[: HALF - 1] + token[-1:]

    def half(self, half: bytes) -> bytes:
        """Return the successor of a token's first 8 bytes; zeros stand for nobody and stay."""
        return half if half == _NOBODY else self._of_half(half)[:HALF]

    def number(self, number: int) -> int:
        """Return the successor of an account's number, a signed 64-bit integer."""
        half = number.to_bytes(HALF, "little", signed=True)
        return int.from_bytes(self.half(half), "little", signed=True)

    def body(self, digest: bytes) -> bytes:
        """Return the successor of a body's digest."""
        return self._of_body(digest)


def succession(digest: Digest, later: tuple[Successor, ...]) -> Digest:
    """Return the function from raw bytes to the token that all keys of a chain make together."""
    return _after(digest, tuple(successor.token for successor in later))


def body_succession(digest: Digest, later: tuple[Successor, ...]) -> Digest:
    """Return the function from a body to the digest that all keys of a chain make together."""
    return _after(digest, tuple(successor.body for successor in later))


def _after(digest: Digest, steps: tuple[Digest, ...]) -> Digest:
    if not steps:
        return digest

    def made(raw: bytes) -> bytes:
        result = digest(raw)
        for step in steps:
            result = step(result)
        return result

    return made
