"""The clients of a deployment, as its roles file names them: what each is and may do.

One entry is one client or one person, with all certificates and token subjects that show it. So a
person with two certificates stays one person, and a renewed certificate with another name keeps its
request ids.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from fanzha.access.bearer import PublicKey, TokenIssuer, read_public_key
from fanzha.access.certificate import COMMON_NAME
from fanzha.access.roles import ASSIGNABLE, Role, plain_name
from fanzha.checked_yaml import Document, read_document
from fanzha.file_shape import Shape

Name = Annotated[str, StringConstraints(pattern=r"^[\w.@ -]{1,64}$")]
Shown = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class ClientShape(Shape):
    """One client or person."""

    name: Name = Field(
        description="who it is, 1 to 64 letters, digits, blanks and .@-; request ids go by it"
    )
    certificates: list[Shown] = Field(
        default=[],
        description="a URI or DNS name of its certificate, or CN= and its common name",
    )
    token_subjects: list[Shown] = Field(
        default=[], description="what a front's tokens call this person (sub)"
    )
    roles: list[Shown] = Field(default=[], description=f"any of {', '.join(ASSIGNABLE)}")
    front: bool = Field(default=False, description="it may pass on tokens of persons")
    rate_per_s: float | None = Field(
        default=None, gt=0, le=1_000_000, description="calls a second, for each worker"
    )
    burst: int | None = Field(
        default=None, ge=1, le=1_000_000, description="calls at once; a second's worth if not given"
    )


class KeyShape(Shape):
    """One public key that signs tokens."""

    id: Shown = Field(description="what tokens call it (kid)")
    public_key: str = Field(description="PEM, Ed25519 or P-256")


class TokensShape(Shape):
    """Whose tokens count."""

    issuer: Shown = Field(description="what their iss must be")
    audience: Shown = Field(description="what their aud must hold: this service")
    lifetime_max_s: int = Field(
        default=3600, ge=1, le=86_400, description="from iat to exp, at most, in seconds"
    )
    keys: list[KeyShape] = Field(min_length=1, description="public keys that sign them")


class RolesShape(Shape):
    """The whole file."""

    clients: list[ClientShape] = Field(min_length=1, description="clients and persons")
    tokens: TokensShape | None = Field(default=None, description="tokens of persons")


@dataclass(frozen=True, slots=True)
class Client:
    """A client or person of the roles file."""

    name: str
    roles: frozenset[Role]
    is_front: bool = False
    rate_per_s: float | None = None
    """None: without a limit."""
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Clients:
    """All clients, by what shows them."""

    by_certificate: Mapping[str, Client]
    by_subject: Mapping[str, Client]
    tokens: TokenIssuer | None = None


_NOBODY_TWICE: Final = (
    ("certificates", "certificate"),
    ("token_subjects", "token subject"),
)


def load_clients(path: Path) -> Clients:
    """Read a roles file.

    Raises:
        FileRefusedError: it cannot be read or has faults; names all of them.
    """
    document = read_document(path)
    shape = document.parse(RolesShape)
    if shape is not None:
        _check_names(document, shape)
        _check_entries(document, shape)
    tokens = _tokens(document, shape)
    document.refuse_if_faulty()
    # Whatever is None here was a fault above.
    entries = [(entry, _client(entry)) for entry in (shape.clients if shape is not None else ())]
    return Clients(
        MappingProxyType({x: client for entry, client in entries for x in entry.certificates}),
        MappingProxyType({x: client for entry, client in entries for x in entry.token_subjects}),
        tokens,
    )


def _client(entry: ClientShape) -> Client:
    rate = entry.rate_per_s
    return Client(
        name=entry.name,
        roles=frozenset(Role(role) for role in entry.roles),
        is_front=entry.front,
        rate_per_s=rate,
        burst=entry.burst or max(1, int(rate or 1)),
    )


def _check_names(document: Document, shape: RolesShape) -> None:
    """Add a fault wherever two entries could be taken for one, or one name for two."""
    names: dict[str, str] = {}
    for place, entry in enumerate(shape.clients):
        plain = plain_name(entry.name)
        if not plain or plain in names:
            same = f"is written like {names[plain]!r}" if plain else "has no letter or digit"
            text = f"name {entry.name!r} {same}; one entry stands for one client or person"
            document.fault(("clients", place, "name"), text)
        names[plain] = entry.name
    for key, noun in _NOBODY_TWICE:
        seen: set[str] = set()
        for place, entry in enumerate(shape.clients):
            for index, shown in enumerate(getattr(entry, key)):
                if shown in seen:
                    text = f"{noun} {shown!r} is there twice; it can stand for one entry only"
                    document.fault(("clients", place, key, index), text)
                seen.add(shown)


def _check_entries(document: Document, shape: RolesShape) -> None:
    known = {str(role) for role in ASSIGNABLE}
    for place, entry in enumerate(shape.clients):
        at = ("clients", place)
        for index, role in enumerate(entry.roles):
            if role not in known:
                text = f"role {role!r} is not known; roles are {', '.join(ASSIGNABLE)}"
                document.fault((*at, "roles", index), text)
        for index, shown in enumerate(entry.certificates):
            if not _names_a_certificate(shown):
                text = (
                    f"certificate {shown!r} is neither a URI, nor a DNS name in small letters, nor "
                    f"{COMMON_NAME} and a common name"
                )
                document.fault((*at, "certificates", index), text)
        if not entry.certificates and not entry.token_subjects:
            text = "has neither certificates nor token_subjects; nothing would ever show it"
            document.fault(at, f"client {entry.name!r} {text}")
        if entry.burst is not None and entry.rate_per_s is None:
            document.fault((*at, "burst"), "burst needs a rate_per_s beside it")
        if shape.tokens is None and (entry.front or entry.token_subjects):
            key = "front" if entry.front else "token_subjects"
            text = f"{key} needs a block tokens that says whose tokens count"
            document.fault((*at, key), text, on_key=True)
        if entry.front and not entry.certificates:
            document.fault((*at, "front"), "a front needs a certificate of its own", on_key=True)


def _names_a_certificate(shown: str) -> bool:
    if shown.startswith(COMMON_NAME):
        return len(shown) > len(COMMON_NAME)
    if ":" in shown:
        scheme, _, rest = shown.partition(":")
        return scheme.isalpha() and bool(rest)
    return shown == shown.lower() and not any(sign in shown for sign in "= /@")


def _tokens(document: Document, shape: RolesShape | None) -> TokenIssuer | None:
    if shape is None or shape.tokens is None:
        return None
    keys: dict[str, PublicKey] = {}
    for place, entry in enumerate(shape.tokens.keys):
        at = ("tokens", "keys", place)
        if entry.id in keys:
            document.fault((*at, "id"), f"key {entry.id!r} is there twice; keep one")
        try:
            keys[entry.id] = read_public_key(entry.public_key)
        except (ValueError, TypeError) as error:
            text = f"public_key of {entry.id!r} cannot be used: {error}"
            document.fault((*at, "public_key"), text)
    tokens = shape.tokens
    return TokenIssuer(tokens.issuer, tokens.audience, tokens.lifetime_max_s, keys)
