"""Tokens of persons: what counts, and every way in which one does not."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fanzha.access.bearer import TokenIssuer, read_public_key
from fanzha.domain.errors import NotAuthenticatedError

NOW = 1_795_000_000.0
ED, EC = Ed25519PrivateKey.generate(), generate_private_key(SECP256R1())
OTHER = Ed25519PrivateKey.generate()


def pem_of(private: Any) -> str:
    public: bytes = private.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return public.decode()


KEYS = {"ed": read_public_key(pem_of(ED)), "ec": read_public_key(pem_of(EC))}
ISSUER = TokenIssuer("https://sso.test", "fanzha", 3600, KEYS)
CLAIMS = {
    "iss": "https://sso.test",
    "aud": "fanzha",
    "sub": "zhang.wei",
    "iat": NOW - 10,
    "exp": NOW + 290,
}


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def es256(content: bytes) -> bytes:
    r, s = decode_dss_signature(EC.sign(content, ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def token(claims: object = None, header: object = None, sign: Any = ED.sign, **changed: Any) -> str:
    stated = {**CLAIMS, **changed} if claims is None else claims
    signed = f"{part(header or {'alg': 'EdDSA', 'kid': 'ed'})}.{part(stated)}"
    return f"{signed}.{part(sign(signed.encode()))}"


def refusal(hostile: str, issuer: TokenIssuer = ISSUER, now_s: float = NOW) -> str:
    with pytest.raises(NotAuthenticatedError) as refused:
        issuer.person(hostile, now_s)
    assert "zhang" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    "good",
    [
        token(),
        token(header={"alg": "Ed25519", "kid": "ed", "typ": "JWT"}),
        token(header={"alg": "ES256", "kid": "ec"}, sign=es256),
        token(aud=["another", "fanzha"]),
        token(nbf=NOW - 5),
        token(iat=NOW + 20, exp=NOW + 60),
    ],
)
def test_a_token_of_the_issuer_names_the_person(good: str) -> None:
    assert ISSUER.person(good, NOW).subject == "zhang.wei"


def test_a_public_key_is_no_secret_to_sign_with() -> None:
    """The old confusion: an HMAC whose key is the PEM that everybody knows."""
    header = {"alg": "HS256", "kid": "ed"}

    def sign(content: bytes) -> bytes:
        return hmac.new(pem_of(ED).encode(), content, hashlib.sha256).digest()

    assert "algorithm" in refusal(token(header=header, sign=sign))


@pytest.mark.parametrize(
    ("hostile", "why"),
    [
        (token(header={"alg": "none", "kid": "ed"}, sign=lambda _: b"x"), "algorithm"),
        (token(header={"alg": "none"}), "kid"),
        (token(header={"alg": "ES256", "kid": "ed"}), "algorithm"),
        (token(header={"alg": "EdDSA", "kid": "ec"}), "algorithm"),
        (token(header={"alg": "EdDSA", "kid": "other"}), "kid"),
        (token(header={"alg": "EdDSA", "kid": ["ed"]}), "kid"),
        (token(header={"alg": ["EdDSA"], "kid": "ed"}), "algorithm"),
        (token(header={"alg": "EdDSA", "kid": "ed", "crit": ["b64"], "b64": False}), "extensions"),
        (token(header={"alg": "EdDSA", "jwk": {"kty": "OKP"}}), "kid"),
        (token(sign=OTHER.sign), "signature"),
        (token(header={"alg": "ES256", "kid": "ec"}, sign=lambda _: bytes(64)), "signature"),
        (token(header={"alg": "ES256", "kid": "ec"}, sign=lambda _: bytes(63)), "signature"),
        (token(iss="https://sso.test.evil"), "issuer"),
        (token(iss=None), "issuer"),
        (token(aud="another"), "audience"),
        (token(aud=[]), "audience"),
        (token(aud={"fanzha": 1}), "audience"),
        (token(aud=["fan", "zha"]), "audience"),
        (token(exp=NOW), "expired"),
        (token(exp=NOW - 1), "expired"),
        (token(iat=NOW + 31), "yet"),
        (token(nbf=NOW + 31), "yet"),
        (token(exp=NOW + 4000), "shorter"),
        (token(exp=None), "exp"),
        (token(exp=True), "exp"),
        (token(exp=float("inf")), "exp"),
        (token(exp=float("nan")), "exp"),
        (token(exp="2099"), "exp"),
        (token(iat=None), "iat"),
        (token(iat=-1), "iat"),
        (token(nbf="now"), "nbf"),
        (token(sub=""), "sub"),
        (token(sub=["zhang.wei"]), "sub"),
        (token(claims=[CLAIMS]), "object"),
        (token(claims=b'{"sub": "a", "sub": "b"}'), "JSON"),
        (token(claims=b"\xff\xfe"), "JSON"),
        (token(claims=b"[" * 2000), "JSON"),
        ("", "compact"),
        ("a.b", "compact"),
        ("..", "compact"),
        ("a.b.c.d", "compact"),
        (token() + "=", "compact"),
        (token().replace(".", ". "), "compact"),
        (token() + "é", "compact"),
        (token(sub="z" * 4096), "compact"),
        ("a.b.c", ""),
    ],
)
def test_a_hostile_token_is_refused(hostile: str, why: str) -> None:
    assert why in refusal(hostile)


def test_every_changed_sign_of_a_token_is_noticed() -> None:
    good = token()
    for place, sign in enumerate(good):
        other = "A" if sign != "A" else "B"
        changed = good[:place] + other + good[place + 1 :]
        # The last sign of a part may carry bits that say nothing.
        if sign == "." or _decoded(changed) != _decoded(good):
            refusal(changed)


def _decoded(text: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)) for x in text.split(".")]


def test_only_two_kinds_of_keys_are_read() -> None:
    with pytest.raises(ValueError, match="neither"):
        read_public_key(pem_of(generate_private_key(SECP384R1())))


def test_a_key_on_a_curve_that_is_not_known_here_is_told() -> None:
    sm2 = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAES+LyW8BV8hvgV9gEbtMW0pwzr/nc
xPQ4sYbE4/UFtQHsCugq6PQrdjT4eceWfq4/Juuo6DoboJ6cJBGDezEiTw==
-----END PUBLIC KEY-----
"""
    with pytest.raises(ValueError, match="not supported"):
        read_public_key(sm2)
