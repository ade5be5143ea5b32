"""Settings of a deployment, and the only reader of the environment (`FANZHA_*`)."""

from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from fanzha.domain.currency import CURRENCIES
from fanzha.domain.errors import SetupError


class Settings(BaseSettings):
    """One field a setting, as FANZHA_<NAME>; `fanzha serve` has options for the usual ones."""

    model_config = SettingsConfigDict(
        env_prefix="FANZHA_", frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    address: str = "127.0.0.1:7443"
    """Where to listen: host:port on loopback, port 0 for any free one, or unix:path."""
    redis: Annotated[str, Field(repr=False)] = ""
    """URL of the Redis to use: redis://, rediss:// or unix:// for one server,
    redis+sentinel://host,host/master/db for a master behind Sentinels, redis+cluster://host,host
    for a Cluster (rediss+… with TLS)."""
    embedded: bool = False
    """Start a private real Redis in the data folder instead."""
    data_dir: Path = Path("data")
    """Folder for the spool, the token key, and the embedded Redis."""
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
    token_key_file: Path | None = None
    """File of 32 random bytes that tokens are made with; made in the data folder when not given."""
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
    redis_timeout_ms: Annotated[int, Field(ge=1, le=60_000)] = 20
    """Longest wait of a decision for Redis in one round trip, in milliseconds; two of them and the
    rest must fit into the call's budget. What nobody waits for is given a second at least."""
    threads: Annotated[int, Field(ge=1, le=256)] = 32
    """Calls served at once; each thread has a Redis connection of its own, and those that wait for
    the disk share one fsync."""
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

    @field_validator("base_currency")
    @classmethod
    def _is_currency(cls, value: str) -> str:
        if value not in CURRENCIES:
            raise ValueError("is no ISO 4217 code, such as CNY")
        return value

    @model_validator(mode="after")
    def _remembers_the_window(self) -> "Settings":
        if self.idempotency_memory_s < self.idempotency_window_s:
            raise ValueError(
                "idempotency_memory_s must be at least idempotency_window_s: "
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
        faults = "\n".join(f"  {_named(fault['loc'])}: {fault['msg']}" for fault in error.errors())
        raise SetupError(f"settings that cannot be used:\n{faults}") from error


def _named(place: tuple[int | str, ...]) -> str:
    if not place:
        return "together"
    name = str(place[0])
    return f"FANZHA_{name.upper()} (--{name.replace('_', '-')} where serve has it)"
