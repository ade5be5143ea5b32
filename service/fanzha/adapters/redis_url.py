"""The URLs of a Redis: one server, a master watched by Sentinels, a Cluster.

    redis://host:6379/0  rediss://host:6379/0  unix:///path/redis.sock
    redis+sentinel://host:26379,host:26379/<name of the master>/<db>
    redis+cluster://host:6379,host:6379

`rediss+sentinel://` and `rediss+cluster://` speak TLS. `user:password@` before the hosts is for the
data servers, `?sentinel_username=…&sentinel_password=…` for the Sentinels; `?password_file=…` and
`?sentinel_password_file=…` name files that hold passwords instead. Every other parameter is
one of redis-py's connections; those of TLS are in `fanzha.adapters.redis_tls`.
"""

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis
from redis.connection import AbstractConnection, Connection, SSLConnection, parse_url

from fanzha.adapters.redis_tls import Tls
from fanzha.domain.errors import SetupError

Address = tuple[str, int]
"""Host and port; a Unix socket has its path and 0."""

_FORMS = (
    "write redis://host:6379/0, rediss://…, unix:///path/redis.sock, "
    "redis+sentinel://host:26379,host:26379/<name of the master>/0 or "
    "redis+cluster://host:6379,host:6379; percent-encode special characters in passwords"
)
_DATABASE = re.compile(r"(/\d*)?")
_USER = re.compile(r"//.*@", re.DOTALL)
_SECRET = re.compile(r"([?&][^=&]*password(?!_file)[^=&]*=)[^&]*", re.IGNORECASE)
_DEFAULT_PORT = {"sentinel": 26_379, "cluster": 6_379}
# What the link decides itself: one try, within the call's own time, replies as bytes.
_OWN: dict[str, Any] = {
    "protocol": 2,
    "retry": None,
    "driver_info": None,
    "decode_responses": False,
    "health_check_interval": 0,
}


class Kind(Enum):
    """How the servers behind a URL belong together."""

    SINGLE = auto()
    SENTINEL = auto()
    CLUSTER = auto()


@dataclass(frozen=True, slots=True)
class Login:
    """What is sent first on a connection, and to which database."""

    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    db: int = 0
    password_file: Path | None = None
    """Where the password is read for each connection, so that it can be changed."""

    def commands(self) -> list[tuple[Any, ...]]:
        """Return AUTH and SELECT, as far as they are needed.

        Raises:
            OSError: the password's file cannot be read.
        """
        commands: list[tuple[Any, ...]] = []
        password = self.password
        if self.password_file is not None:
            password = self.password_file.read_text("utf-8").rstrip("\r\n")
        if password is not None:
            user = () if self.username is None else (self.username,)
            commands.append(("AUTH", *user, password))
        if self.db:
            commands.append(("SELECT", self.db))
        return commands


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL says."""

    kind: Kind
    addresses: tuple[Address, ...]
    """The server, the Sentinels, or some of the Cluster's nodes."""
    master_name: str
    """Name of the master that Sentinels watch; empty elsewhere."""
    login: Login
    sentinel_login: Login
    tls: Tls | None
    """How to speak TLS; None: not at all."""
    _class: type[AbstractConnection]
    _options: dict[str, Any] = field(repr=False)

    def connection(self, address: Address, timeout_s: float) -> AbstractConnection:
        """Return a connection that is not open yet, greets nobody and shakes no hands."""
        where = {"path": address[0]} if not address[1] else {"host": address[0], "port": address[1]}
        return self._class(
            **self._options,
            **where,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            redis_connect_func=_greet_nobody,  # type: ignore[arg-type] # it gets the connection
        )


def _greet_nobody(_: object) -> None:
    """Leave the greeting to the link, which sends it in one round trip."""


def masked(url: str) -> str:
    """Return the URL without its secrets, also when it is malformed."""
    return _SECRET.sub(r"\1***", _USER.sub("//***@", url))


def parse(url: str) -> Target:
    """Return what a URL says.

    Raises:
        SetupError: it is no Redis URL; names what would be, and no password.
    """
    scheme = url.partition("://")[0]
    transport, _, form = scheme.partition("+")
    try:
        if form in _DEFAULT_PORT and transport in ("redis", "rediss"):
            target = _of_several(url, transport, form)
        else:
            target = _of_one(url)
        # Names of parameters are checked when a connection is made, not when it is opened.
        target.connection(target.addresses[0], 1.0)
        for login in (target.login, target.sentinel_login):
            login.commands()
    except OSError as error:
        raise SetupError(
            f"--redis {masked(url)!r}: the password's file {error.filename!r} cannot be read: "
            f"{error.strerror}"
        ) from None
    except (ValueError, TypeError, IndexError, redis.RedisError) as error:
        # The parser's words may repeat a piece of a password that it took for a port.
        raise SetupError(
            f"--redis {masked(url)!r} is no Redis URL ({_safe(error)}); {_FORMS}"
        ) from None
    return target


def _safe(error: Exception) -> str:
    """Return what may be shown of a fault: the name of a parameter, and no value."""
    text = str(error)
    if found := re.search(r"unexpected keyword argument '(\w+)'", text):
        return f"unknown parameter {found[1]}"
    if found := re.fullmatch(r"Invalid value for '(\w+)' in connection URL\.", text):
        return f"bad value of {found[1]}"
    return text if isinstance(error, _FaultError) else "host, port or scheme is malformed"


class _FaultError(ValueError):
    """A fault whose text holds nothing of the URL."""


def _of_one(url: str) -> Target:
    parts = urlsplit(url)
    # redis-py reads such a URL as one of another host or database.
    if parts.scheme != "unix" and not (parts.hostname and _DATABASE.fullmatch(parts.path)):
        raise _FaultError("host, port or database is malformed")
    if parts.fragment:
        raise _FaultError("there is a # in it")
    options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
    chosen = options.pop("connection_class", Connection)
    tls = None
    if chosen is SSLConnection:
        chosen = Connection
        try:
            tls = Tls(options)
        except ValueError as error:
            raise _FaultError(str(error)) from error
        except OSError as error:
            # OpenSSL does not name the file; the parameters do.
            raise _FaultError(
                "its ssl_ca_certs, ssl_ca_path, ssl_certfile or ssl_keyfile cannot be used: "
                f"{error.strerror or error}"
            ) from error
    path = options.pop("path", None)
    address = (options.pop("host", "localhost"), options.pop("port", 6_379))
    login = Login(
        options.pop("username", None),
        options.pop("password", None),
        options.pop("db", 0),
        _path(options.pop("password_file", None)),
    )
    if path is not None:
        address = (path, 0)
    return Target(Kind.SINGLE, (address,), "", login, Login(), tls, chosen, options | _OWN)


def _of_several(url: str, transport: str, form: str) -> Target:
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    query = dict(parse_qsl(parts.query))
    name, _, db = parts.path.strip("/").partition("/")
    kind = Kind.SENTINEL if form == "sentinel" else Kind.CLUSTER
    if kind is Kind.SENTINEL and not name:
        raise _FaultError("the name of the master that the Sentinels watch is missing")
    if kind is Kind.CLUSTER and (name not in ("", "0") or db):
        raise _FaultError("a Cluster has no database but 0")
    if db and not db.isdecimal():
        raise _FaultError("the database is no number")
    of_sentinel = Login(
        query.pop("sentinel_username", None),
        query.pop("sentinel_password", None),
        password_file=_path(query.pop("sentinel_password_file", None)),
    )
    # The first host stands for all: they share everything but their address.
    one = f"{transport}://{user}{at}host:1/{db or 0}?{urlencode(query)}"
    single = _of_one(one)
    addresses = tuple(_address(host, _DEFAULT_PORT[form]) for host in hosts.split(",") if host)
    if not addresses:
        raise _FaultError("there is no host")
    return Target(
        kind,
        addresses,
        name if kind is Kind.SENTINEL else "",
        single.login,
        of_sentinel,
        single.tls,
        single._class,  # noqa: SLF001 - its own class
        single._options,  # noqa: SLF001
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _address(text: str, default_port: int) -> Address:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise _FaultError("a host is empty")
    return parts.hostname, parts.port or default_port
