"""Who calls over TLS: by the client's certificate, or by a person's token from a front."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from fanzha.access.bearer import Person, TokenIssuer
from fanzha.access.certificate import Certificate, read_certificate
from fanzha.access.clients import Client, Clients
from fanzha.access.rates import Bucket, Buckets
from fanzha.domain.errors import NotAuthenticatedError
from fanzha.transport.authorise import CallContext, Caller

_PEM: Final = "x509_pem_cert"
_AUTHORIZATION: Final = "authorization"
_SCHEME: Final = "bearer "
_REMEMBERED_MAX: Final = 4096


class CertifiedCallers:
    """Looks everyone up in the roles as they are at this moment, also on connections long open."""

    def __init__(
        self, clients: Callable[[], Clients], buckets: Buckets, now_s: Callable[[], float]
    ) -> None:
        """Prepare.

        Args:
            clients: the roles in use.
            buckets: permits of clients that have a limit.
            now_s: seconds since 1970 UTC, by the machine's clock.
        """
        self._clients = clients
        self._buckets = buckets
        self._now_s = now_s
        self._certificates: dict[bytes, Certificate] = {}
        self._persons: dict[tuple[str, int], tuple[TokenIssuer, Person]] = {}

    def identify(self, context: CallContext) -> Caller:
        """Return the caller of a call; without an entry in the roles it has a name and no role.

        Raises:
            NotAuthenticatedError: the certificate has expired since the connection was opened, or
                the token does not count.
        """
        shown: Any = context.auth_context()
        pem: Sequence[bytes] = shown.get(_PEM)
        if not pem:
            raise NotAuthenticatedError("no client certificate was shown")
        certificate, now_s = self._certificate(pem[0]), self._now_s()
        if now_s >= certificate.valid_until_s:
            raise NotAuthenticatedError("the client's certificate has expired; get a new one")
        clients = self._clients()
        client = clients.by_certificate.get(certificate.identity)
        token = _token(context)
        if token is not None:
            return self._person(clients, client, certificate, token, now_s)
        if client is None:
            name = certificate.identity or "unnamed"
            return Caller(name, frozenset(), certificate.identity, certificate.fingerprint)
        return self._caller(client, certificate.identity, certificate.fingerprint, "")

    def _person(
        self,
        clients: Clients,
        front: Client | None,
        certificate: Certificate,
        token: str,
        now_s: float,
    ) -> Caller:
        if front is None or not front.is_front or clients.tokens is None:
            raise NotAuthenticatedError(
                "a token counts only from a client that the roles name a front"
            )
        person = self._checked(clients.tokens, token, now_s)
        client = clients.by_subject.get(person.subject)
        if client is None:
            name = f"{front.name} for somebody without a role"
            return Caller(name, frozenset(), "", certificate.fingerprint, front.name)
        caller = self._caller(client, person.subject, certificate.fingerprint, front.name)
        # Whoever acts, the front calls: its own limit counts for all of its persons together.
        return replace(caller, buckets=(*self._permits(front), *caller.buckets))

    def _caller(self, client: Client, identity: str, fingerprint: str, front: str) -> Caller:
        permits = self._permits(client)
        return Caller(client.name, client.roles, identity, fingerprint, front, permits)

    def _permits(self, client: Client) -> tuple[Bucket, ...]:
        if client.rate_per_s is None:
            return ()
        return (self._buckets.of(client.name, client.rate_per_s, client.burst),)

    def _certificate(self, pem: bytes) -> Certificate:
        """Read a certificate; reading takes longer than all the rest, and they come again."""
        known = self._certificates.get(pem)
        if known is None:
            try:
                known = read_certificate(pem)
            except ValueError as error:
                raise NotAuthenticatedError("the client's certificate cannot be read") from error
            if len(self._certificates) >= _REMEMBERED_MAX:
                self._certificates.clear()
            self._certificates[pem] = known
        return known

    def _checked(self, issuer: TokenIssuer, token: str, now_s: float) -> Person:
        """Check a token; one that was good stays so while its issuer does, until it expires."""
        key = (token, id(issuer))
        known = self._persons.get(key)
        if known is None:
            person = issuer.person(token, now_s)
            if len(self._persons) >= _REMEMBERED_MAX:
                self._persons.clear()
            # Kept with its issuer, so that no later one can have the same id.
            self._persons[key] = (issuer, person)
            return person
        if now_s >= known[1].valid_until_s:
            raise NotAuthenticatedError("the token has expired")
        return known[1]


def _token(context: CallContext) -> str | None:
    """Return the token that a call carries, None without one.

    Raises:
        NotAuthenticatedError: it carries several, or something else.
    """
    given = [value for name, value in context.invocation_metadata() or () if name == _AUTHORIZATION]
    if not given:
        return None
    text = given[0] if isinstance(given[0], str) else ""
    if len(given) > 1 or text[: len(_SCHEME)].lower() != _SCHEME:
        raise NotAuthenticatedError("authorization must be one 'Bearer TOKEN'")
    return text[len(_SCHEME) :].strip()
