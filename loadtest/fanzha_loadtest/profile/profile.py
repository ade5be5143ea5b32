"""What a profile says: a bank, its channels, phases of load, and pass lines."""

import math
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fanzha_loadtest.profile.pass_lines import NEED_USERS, PassLines, Share
from fanzha_loadtest.traffic.bank import Size
from fanzha_loadtest.traffic.habits import CHANNELS

_STRICT: Final = ConfigDict(frozen=True, extra="forbid", strict=True)
Rate = Annotated[float, Field(ge=0, le=1_000_000)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


class BankSize(BaseModel):
    """Who there is."""

    model_config = _STRICT

    accounts: Annotated[int, Field(ge=10, le=100_000_000, description="customers")] = 20_000
    skew: Annotated[
        float, Field(ge=0, le=3, description="Zipf's exponent of how often an account pays")
    ] = 0.9
    collecting: Annotated[
        int, Field(ge=1, le=100_000, description="hot accounts: utilities, marketplaces")
    ] = 40
    mules: Annotated[int, Field(ge=1, le=100_000, description="accounts that victims pay")] = 12

    @property
    def size(self) -> Size:
        """As the traffic takes it."""
        return Size(self.accounts, self.skew, self.collecting, self.mules)


class Channels(BaseModel):
    """Shares of the calls by channel; they add up to 1."""

    model_config = _STRICT

    counter: Share = 0.04
    atm: Share = 0.08
    smart_teller: Share = 0.04
    mobile: Share = 0.70
    online: Share = 0.14

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not math.isclose(sum(self.shares), 1, abs_tol=1e-6):
            raise ValueError(f"shares of {', '.join(CHANNELS)} must add up to 1")
        return self

    @property
    def shares(self) -> tuple[float, ...]:
        """In the order of `CHANNELS`."""
        return tuple(float(getattr(self, name)) for name in CHANNELS)


class OpenLoopLimits(BaseModel):
    """How calls are sent, and how exactly."""

    model_config = _STRICT

    connections: Annotated[int, Field(ge=1, le=200)] = 4
    deadline_ms: Annotated[int, Field(ge=1, le=60_000)] = 1_000
    late_share_max: Annotated[
        Share,
        Field(description="calls that the driver sends over 1 ms late; beyond it the run is void"),
    ] = 0.05
    lag_ms_max: Annotated[
        float, Field(gt=0, description="lateness of the latest of them; beyond it the run is void")
    ] = 50.0


class Phase(BaseModel):
    """A stretch of the load."""

    model_config = _STRICT

    name: Name
    seconds: Annotated[float, Field(gt=0, le=7 * 86_400)]
    rate: Annotated[Rate, Field(description="calls a second of the open loop, on average")] = 0.0
    rate_end: Annotated[
        Rate | None, Field(description="where the rate goes by the end, evenly")
    ] = None
    users: Annotated[
        int, Field(ge=0, le=100_000, description="simulated users beside it (locust)")
    ] = 0
    fraud: Annotated[Share, Field(description="share of victims' payments")] = 0.0
    counts: Annotated[
        bool, Field(description="whether it counts in the figures over all; false: a warm-up")
    ] = True
    pass_lines: Annotated[PassLines, Field(alias="pass")] = PassLines()

    def rate_at(self, second: float) -> float:
        """Return calls a second, so many seconds after the phase began."""
        if self.rate_end is None:
            return self.rate
        return self.rate + (self.rate_end - self.rate) * min(1.0, second / self.seconds)

    @property
    def mean_rate(self) -> float:
        """Calls a second over the whole phase."""
        return (self.rate_at(0) + self.rate_at(self.seconds)) / 2


class Profile(BaseModel):
    """One load."""

    model_config = _STRICT

    about: Annotated[str, Field(min_length=1, description="one line: what it stands for")]
    seed: Annotated[int, Field(ge=0)] = 20261125
    bank: BankSize = BankSize()
    channels: Channels = Channels()
    repeats: Annotated[
        Share, Field(description="share of calls that repeat one answered before, same id and body")
    ] = 0.005
    executions: Annotated[
        Share, Field(description="share of decisions whose execution is reported")
    ] = 0.9
    outcomes: Annotated[Share, Field(description="share of decisions with an outcome")] = 0.01
    patient: Annotated[
        bool,
        Field(
            description="a service of its own waits long for Redis and its queue: no speed shows"
        ),
    ] = False
    open_loop: OpenLoopLimits = OpenLoopLimits()
    phases: Annotated[list[Phase], Field(min_length=1, max_length=200)]
    pass_lines: Annotated[PassLines, Field(alias="pass")]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [phase.name for phase in self.phases]
        if len(set(names)) < len(names):
            raise ValueError("two phases have one name; every phase needs a name of its own")
        if not any(phase.counts for phase in self.phases):
            raise ValueError("no phase counts; leave counts away from one at least")
        if not (self.rates or self.has_users):
            raise ValueError("no phase has a rate or users; nothing would be sent")
        if not self.has_users and NEED_USERS & self.pass_lines.given.keys():
            raise ValueError(f"{', '.join(sorted(NEED_USERS))} need a phase with users")
        if any(NEED_USERS & phase.pass_lines.given.keys() for phase in self.phases):
            raise ValueError("users are counted over all; draw their lines under pass")
        if any(phase.rate_end is not None and not phase.rate for phase in self.phases):
            raise ValueError("a rate that goes somewhere has to begin above 0; give rate too")
        return self

    @property
    def rates(self) -> bool:
        """Whether the open loop has something to send."""
        return any(phase.mean_rate for phase in self.phases)

    @property
    def has_users(self) -> bool:
        """Whether there are simulated users."""
        return any(phase.users for phase in self.phases)

    @property
    def seconds(self) -> float:
        """Length of all phases."""
        return sum(phase.seconds for phase in self.phases)
