"""Keyed digests of 16 bytes, apart for each purpose: BLAKE2b, or HMAC-SM3 where 国密 is required.

BLAKE2b (RFC 7693) has a key and a place for the purpose of its own. HMAC-SM3 (GB/T 32905, RFC 2104)
is cut to its first 16 bytes; the purpose goes before the text, filled up to 16 bytes with zeros, so
that no text under one purpose can be a text under another.
"""

import hashlib
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SM3
from cryptography.hazmat.primitives.hmac import HMAC

from fanzha.domain.errors import SetupError

DIGEST_BYTES: Final = 16
PURPOSE_BYTES: Final = 16

Digest = Callable[[bytes], bytes]


class Algorithm(StrEnum):
    """What makes digests."""

    BLAKE2B = "blake2b"
    HMAC_SM3 = "hmac-sm3"


def keyed_digest(algorithm: Algorithm, key: bytes, purpose: bytes) -> Digest:
    """Return the function from bytes to their digest of 16 bytes.

    Args:
        algorithm: what makes it.
        key: 32 bytes.
        purpose: at most 16 bytes; digests of different purposes have nothing to do with each other.

    Raises:
        SetupError: this machine's cryptography cannot do it.
    """
    if algorithm is Algorithm.HMAC_SM3:
        return _hmac_sm3(key, purpose)
    keyed = hashlib.blake2b(key=key, digest_size=DIGEST_BYTES, person=purpose)

    def digest(text: bytes) -> bytes:
        state = keyed.copy()
        state.update(text)
        return state.digest()

    return digest


def _hmac_sm3(key: bytes, purpose: bytes) -> Digest:
    try:
        keyed = HMAC(key, SM3())
    except UnsupportedAlgorithm as error:
        raise SetupError(
            "this machine's cryptography has no SM3; install the package with an OpenSSL that has "
            "it, or choose blake2b"
        ) from error
    keyed.update(purpose.ljust(PURPOSE_BYTES, b"\0"))

    def digest(text: bytes) -> bytes:
        state = keyed.copy()
        state.update(text)
        return state.finalize()[:DIGEST_BYTES]

    return digest
