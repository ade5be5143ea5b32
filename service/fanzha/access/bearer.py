"""Tokens that say which person acts through a front: JWT (RFC 7519), signed, short-lived, for us.

Only what is needed is read: compact form, EdDSA with an Ed25519 key or ES256 with a P-256 key. The
algorithm follows from the trusted key, never from the token.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from fanzha.domain.errors import NotAuthenticatedError

TOKEN_CHARACTERS_MAX: Final = 4096
_SKEW_S: Final = 30
"""Clocks may differ by so much."""
_PART: Final = re.compile(r"[A-Za-z0-9_-]+")
_ALGORITHMS: Final = {Ed25519PublicKey: ("EdDSA", "Ed25519"), EllipticCurvePublicKey: ("ES256",)}
_P256_BYTES: Final = 32

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a token speaks of."""

    subject: str
    valid_until_s: float
    """Seconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Whose tokens count, and for whom they must be made."""

    issuer: str
    audience: str
    lifetime_max_s: int
    keys: Mapping[str, PublicKey]
    """By the key id that a token names."""

    def person(self, token: str, now_s: float) -> Person:
        """Return whom a token speaks of.

        Args:
            token: the compact form of a JWT.
            now_s: seconds since 1970 UTC.

        Raises:
            NotAuthenticatedError: it does not count; says why, and nothing of its content.
        """
        signed, header, claims, signature = _parts(token)
        key = self._key(header)
        if not _is_signed(key, signed, signature):
            raise NotAuthenticatedError("the token's signature is not its issuer's")
        return self._judge(_object(claims), now_s)

    def _key(self, encoded: bytes) -> PublicKey:
        header = _object(encoded)
        key = self.keys.get(header["kid"]) if isinstance(header.get("kid"), str) else None
        if key is None:
            raise NotAuthenticatedError("the token names no trusted key (kid)")
        allowed = next(names for kind, names in _ALGORITHMS.items() if isinstance(key, kind))
        if header.get("alg") not in allowed:
            raise NotAuthenticatedError(f"the token's algorithm must be {' or '.join(allowed)}")
        if "crit" in header or "b64" in header:
            raise NotAuthenticatedError("the token asks for extensions that are not known here")
        return key

    def _judge(self, claims: dict[str, Any], now_s: float) -> Person:
        if claims.get("iss") != self.issuer:
            raise NotAuthenticatedError("the token is of another issuer")
        audience = claims.get("aud")
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise NotAuthenticatedError("the token was made for another audience")
        issued, expires = _time(claims, "iat"), _time(claims, "exp")
        if now_s >= expires:
            raise NotAuthenticatedError("the token has expired")
        begins = max(issued, _time(claims, "nbf")) if "nbf" in claims else issued
        if begins > now_s + _SKEW_S:
            raise NotAuthenticatedError("the token does not count yet")
        if expires - issued > self.lifetime_max_s:
            raise NotAuthenticatedError(
                f"the token lives for more than {self.lifetime_max_s} s; have it made shorter"
            )
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise NotAuthenticatedError("the token names nobody (sub)")
        return Person(subject, expires)


def read_public_key(pem: str) -> PublicKey:
    """Return a trusted key.

    Raises:
        ValueError: it is none of the two kinds.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    if isinstance(key, Ed25519PublicKey) or (
        isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    ):
        return key
    raise ValueError("is neither an Ed25519 nor a P-256 public key")


def _parts(token: str) -> tuple[bytes, bytes, bytes, bytes]:
    parts = token.split(".")
    if len(token) > TOKEN_CHARACTERS_MAX or len(parts) != 3 or not all(map(_PART.fullmatch, parts)):
        raise NotAuthenticatedError("the token is no signed JWT in compact form")
    header, claims, signature = (_decoded(part) for part in parts)
    return token.rpartition(".")[0].encode(), header, claims, signature


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise NotAuthenticatedError("the token is no base64url") from error


def _object(encoded: bytes) -> dict[str, Any]:
    try:
        value = json.loads(encoded, object_pairs_hook=_unrepeated)
    except (ValueError, RecursionError) as error:
        raise NotAuthenticatedError("the token holds no proper JSON") from error
    if not isinstance(value, dict):
        raise NotAuthenticatedError("the token holds no JSON object")
    return value


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is there twice")
    return value


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    # Booleans are integers to Python; NaN and infinity are JSON to it.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**40:
        raise NotAuthenticatedError(f"the token states no proper time ({name})")
    return float(value)


def _is_signed(key: PublicKey, signed: bytes, signature: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, signed)
            return True
        if len(signature) != 2 * _P256_BYTES:
            return False
        numbers = (signature[:_P256_BYTES], signature[_P256_BYTES:])
        der = encode_dss_signature(*(int.from_bytes(number) for number in numbers))
        key.verify(der, signed, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
