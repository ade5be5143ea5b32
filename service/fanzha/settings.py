"""Settings of a deployment, and the only reader of the environment (`FANZHA_*`)."""

import ipaddress
import logging
import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from fanzha.core_list import cores_in
from fanzha.domain.currency import CURRENCIES
from fanzha.domain.errors import SetupError
from fanzha.secrets.digests import Algorithm

_PREFIX: Final = "FANZHA_"

log = logging.getLogger(__name__)


class Settings(BaseSettings):
    """One field a setting, as FANZHA_<NAME>; `fanzha serve` has options for the usual ones."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    address: str = "127.0.0.1:7443"
    """Where to listen: host:port, port 0 for any free one, or unix:path; beyond loopback with TLS
    only."""
    tls_cert: Path | None = None
    """The server's certificate in PEM, with those between it and its CA. With the three below it
    turns on TLS, and clients must show a certificate."""
    tls_key: Path | None = None
    """Private key of the server's certificate in PEM, readable by nobody else."""
    tls_client_ca: Path | None = None
    """Certificates in PEM of the CAs that sign clients' certificates."""
    roles: Path | None = None
    """YAML file that says who is who and may do what; followed, as the certificates are."""
    connection_age_s: Annotated[int, Field(ge=10, le=86_400)] = 600
    """With TLS, connections are closed after so long, between two calls: whose certificate no CA
    signs any more is out by then. In seconds."""
    reflection: bool | None = None
    """Whether the server describes its RPCs to whoever connects; without TLS it does unless told
    otherwise, with TLS it does not."""
    proposal_life_s: Annotated[int, Field(ge=60, le=90 * 86_400)] = 7 * 86_400
    """A proposed change of the lists that nobody decides expires after so long, in seconds."""
    everyone_is_admin_without_tls: bool = False
    """Serve beyond loopback without TLS: whoever reaches the address may do everything, also change
    the lists alone. For closed test networks only."""
    redis: Annotated[str, Field(repr=False)] = ""
    """URL of the Redis to use: redis://, rediss:// or unix:// for one server,
    redis+sentinel://host,host/master/db for a master behind Sentinels, redis+cluster://host,host
    for a Cluster (rediss+… with TLS)."""
    embedded: bool = False
    """Start a private real Redis in the data folder instead."""
    data_dir: Path = Path("data")
    """Folder for the spool, the token key, and the embedded Redis."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """So many processes serve, one a core, each with a port of its own: the one of the address, and
    those that follow."""
    pin: str = "auto"
    """Where workers run: `auto` keeps each on one core, and moves it where others need that; `off`
    leaves it to the machine; a list such as `0,2` or `4-7` names the core of each worker."""
    archive: Path | None = None
    """Folder of the archive; `archive` in the data folder when not given."""
    models: Path = Path("models")
    """Folder of the models and their registry."""
    model_keys: Path | None = None
    """Folder of the public keys trusted to sign models and their promotion; `keys` in the models'
    folder when not given. Mount it read only: who can write there decides who decides."""
    model_budget_us: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """What a model may take for one transfer, in microseconds of processor time; a slower one is
    refused."""
    policy: Path | None = None
    """Policy file; the one that comes with the service when not given."""
    prompts: Path | None = None
    """Prompt catalogue; the one that comes with the service when not given."""
    policy_keys: Path | None = None
    """Folder of the public keys of those who may sign policies and prompts. When given, a policy or
    a catalogue of one's own counts only with the signatures of two of them; off loopback it must
    be given. Mount it read only."""
    token_key_file: Path | None = None
    """File of the key that tokens are made with: one of `fanzha token-key`, or 32 random bytes;
    the latter is made in the data folder when not given."""
    token_algorithm: Algorithm | None = None
    """What makes tokens of a plain key: `blake2b` (the default) or `hmac-sm3`; a wrapped key's file
    says it itself. It stays: tokens of another algorithm are other tokens."""
    token_kek_file: Path | None = None
    """File of 32 random bytes that unwraps the token key, such as a mounted secret."""
    token_kms_command: str = ""
    """Command that asks the bank's KMS for the key that unwraps the token key: it gets that key
    wrapped on standard input and writes its 32 bytes to standard output."""
    token_passphrase_file: Path | None = None
    """File of the passphrase that unwraps the token key."""
    time_zone: str = "Asia/Shanghai"
    """The bank's time zone, an IANA name."""
    base_currency: str = "CNY"
    """ISO 4217 code of the currency that features and rules count in."""
    clock: Literal["system", "event"] = "system"
    """`event` follows the transfers' own times; for replays and demos with --embedded only."""
    idempotency_window_s: Annotated[int, Field(ge=1, le=7 * 86_400)] = 7_200
    """For this long the same request id gets the same answer, in seconds."""
    idempotency_memory_s: Annotated[int, Field(ge=1, le=30 * 86_400)] = 86_400
    """For this long a later request with the same id learns of the earlier decision, in seconds."""
    spool_bytes_max: Annotated[int, Field(ge=2**16, le=2**44)] = 4 * 2**30
    """How big a worker's spool may become, in bytes. One that is full takes nothing more until the
    archive holds some of it: Redis alone has the record then, and answers say so."""
    spool_segment_bytes: Annotated[int, Field(ge=2**12, le=2**32)] = 64 * 2**20
    """A segment of the spool ends at this size, in bytes; segments go when they are archived."""
    spool_segment_s: Annotated[float, Field(ge=0.1, le=86_400)] = 60.0
    """A segment of the spool ends at this age, in seconds."""
    record_wait_ms: Annotated[int, Field(ge=1, le=60_000)] = 2_000
    """So long a decision's record may take to be in one place at least, in milliseconds; then the
    request fails, and is to be sent again."""
    budget_ms: Annotated[int, Field(ge=1, le=60_000)] = 50
    """How long one answer may take, in milliseconds; the client's own deadline counts where it is
    earlier. What Redis has not answered in time is left out, and the answer says so."""
    redis_timeout_ms: Annotated[int, Field(ge=1, le=60_000)] = 20
    """Longest wait of a decision for Redis in one round trip, in milliseconds; two of them and the
    rest must fit into the call's budget. What nobody waits for is given a second at least."""
    hard_lists_max: Annotated[int, Field(ge=0, le=20_000_000)] = 1_000_000
    """Entries on involved accounts and verified billers that each worker keeps in memory for while
    Redis is away, at most; 46 bytes each. Of more, those of the newest imports."""
    threads: Annotated[int, Field(ge=1, le=256)] = 32
    """Calls of all methods but ScoreTransfer that are worked on at once; that one has turns of its
    own. Each thread has a Redis connection of its own."""
    calls_max: Annotated[int, Field(ge=1, le=100_000)] = 512
    """Calls served or waiting at once, at most; more are refused with RESOURCE_EXHAUSTED. When
    calls begin to wait, fewer are let in."""
    queue_target_ms: Annotated[int, Field(ge=1, le=60_000)] = 15
    """A call may wait so long for its turn before fewer are let in, in milliseconds."""
    queue_max_ms: Annotated[int, Field(ge=1, le=60_000)] = 50
    """A call that waited so long for its turn is refused, in milliseconds."""
    drain_notice_s: Annotated[float, Field(ge=0, le=600)] = 0.0
    """How long health says NOT_SERVING after SIGTERM before new calls are refused, in seconds."""
    drain_s: Annotated[float, Field(ge=0, le=600)] = 10.0
    """How long calls may finish after SIGTERM, in seconds."""

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("is no IANA time zone, such as Asia/Shanghai") from error
        return value

    @field_validator("pin")
    @classmethod
    def _is_pin(cls, value: str) -> str:
        if value not in ("auto", "off"):
            cores_in(value)
        return value

    @field_validator("base_currency")
    @classmethod
    def _is_currency(cls, value: str) -> str:
        if value not in CURRENCIES:
            raise ValueError("is no ISO 4217 code, such as CNY")
        return value

    @model_validator(mode="after")
    def _is_secured_whole(self) -> "Settings":
        parts = ("tls_cert", "tls_key", "tls_client_ca", "roles")
        missing = [name for name in parts if getattr(self, name) is None]
        if missing and len(missing) < len(parts):
            *first, last = (_variable(name) for name in parts)
            raise ValueError(
                f"TLS needs {', '.join(first)} and {last}, or the options of serve; not given: "
                + ", ".join(f"{_variable(name)} ({_option(name)})" for name in missing)
            )
        return self

    @model_validator(mode="after")
    def _remembers_the_window(self) -> "Settings":
        if self.idempotency_memory_s < self.idempotency_window_s:
            raise ValueError(
                "FANZHA_IDEMPOTENCY_MEMORY_S must be at least FANZHA_IDEMPOTENCY_WINDOW_S: "
                "an answer is found by what is remembered"
            )
        return self

    @property
    def archive_dir(self) -> Path:
        """Folder of the archive."""
        return self.archive or self.data_dir / "archive"

    @property
    def model_keys_dir(self) -> Path:
        """Folder of the trusted public keys."""
        return self.model_keys or self.models / "keys"


def read_settings(**given: object) -> Settings:
    """Return the settings from the environment and the options given (None: not given).

    Raises:
        SetupError: with all faults at once.
    """
    try:
        chosen: dict[str, Any] = {name: x for name, x in given.items() if x is not None}
        return Settings(**chosen)
    except ValidationError as error:
        faults = "\n".join(f"  {_named(x['loc'])}{_said(x['msg'])}" for x in error.errors())
        raise SetupError(f"settings that cannot be used:\n{faults}") from error


def check_settings(settings: Settings) -> None:
    """Refuse settings that do not go together.

    Raises:
        SetupError: names what to change.
    """
    if bool(settings.redis) == settings.embedded:
        raise SetupError(
            "serve needs a Redis: give --redis URL for one that you run, "
            "or --embedded for a private one in --data-dir"
            + (" (not both)" if settings.embedded else "")
        )
    if settings.clock == "event" and not settings.embedded:
        raise SetupError("--clock event is for isolated instances: use it with --embedded")
    if settings.clock == "event" and settings.workers > 1:
        raise SetupError(
            "--clock event is for one worker: each would have a clock of its own; "
            "leave --workers away"
        )
    is_open = settings.tls_cert is None and not settings.everyone_is_admin_without_tls
    if is_open and not is_loopback(settings.address):
        raise SetupError(
            f"--address {settings.address!r} is not on loopback: without client certificates "
            "everyone who reaches it would be an administrator; give --tls-cert, --tls-key, "
            "--tls-client-ca and --roles, or listen on 127.0.0.1, [::1] or unix:path"
        )


def warn_of_unread() -> None:
    """Log a warning that names the variables FANZHA_… which nobody reads, such as misspelt ones."""
    known = {_variable(name) for name in Settings.model_fields} | {"FANZHA_KERNEL_CACHE"}
    unread = []
    for name in sorted(os.environ):
        if name.upper().startswith(_PREFIX) and name.upper() not in known:
            near = get_close_matches(name.upper(), known, n=1, cutoff=0.85)
            unread.append(f"{name} ({near[0]} is a setting)" if near else name)
    if unread:
        log.warning(
            "nobody reads %s; docs/reference/settings.md lists the settings", ", ".join(unread)
        )


def _variable(name: str) -> str:
    return _PREFIX + name.upper()


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _named(place: tuple[int | str, ...]) -> str:
    if not place:
        return ""
    name = str(place[0])
    return f"{_variable(name)} ({_option(name)} where serve has it): "


def _said(message: str) -> str:
    """Return a fault without the library's own beginning."""
    return message.removeprefix("Value error, ")


def is_loopback(address: str) -> bool:
    """Say whether only this machine reaches an address."""
    if address.startswith("unix:"):
        return True
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
