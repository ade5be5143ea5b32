"""The file that `locust -f` takes: users of five channels, shaped by a profile's phases.

    locust -f loadtest/fanzha_loadtest/users/locustfile.py --load-profile payday-peak --headless

Without `--headless` locust's own page shows the users while they work.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Final

import grpc.experimental.gevent as grpc_gevent
from locust import LoadTestShape, events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopTest

from fanzha_loadtest.load.place import Place
from fanzha_loadtest.profile.profile import Phase
from fanzha_loadtest.profile.read import find_profile, read_profile
from fanzha_loadtest.traffic.bank import Bank
from fanzha_loadtest.traffic.habits import CHANNELS
from fanzha_loadtest.users.facts import Facts
from fanzha_loadtest.users.people import (
    CUSTOMERS,
    AtmCustomer,
    CounterCustomer,
    MobileCustomer,
    OnlineCustomer,
    SmartTellerCustomer,
)
from fanzha_loadtest.users.session import Session

__all__ = [
    "AtmCustomer", "CounterCustomer", "MobileCustomer", "OnlineCustomer", "Phases",
    "SmartTellerCustomer",
]  # fmt: skip

_OPEN: Final = ExitStack()

# gRPC's own threads would block all users at once; before any channel is made.
grpc_gevent.init_gevent()


@events.init_command_line_parser.add_listener
def _options(parser: LocustArgumentParser) -> None:
    parser.add_argument("--load-profile", default="smoke", help="Profile: a file, or its name.")
    parser.add_argument("--address", action="append", default=[], help="host:port of the service.")
    parser.add_argument("--service-ca", type=Path, default=None, help="CA of the service, PEM.")
    parser.add_argument("--client-cert", type=Path, default=None, help="Your certificate, PEM.")
    parser.add_argument("--client-key", type=Path, default=None, help="Your private key, PEM.")
    parser.add_argument("--facts", type=Path, default=None, help="File for what users saw.")
    parser.add_argument("--begun", type=Path, default=None, help="File made when users begin.")


@events.init.add_listener
def _begin(environment: Environment, **_: Any) -> None:  # noqa: ANN401 - locust's own
    given = environment.parsed_options
    if given is None:
        raise StopTest("no options were given")
    profile = read_profile(find_profile(given.load_profile))
    addresses = tuple(given.address) or ("127.0.0.1:7443",)
    place = Place(addresses, given.service_ca, given.client_cert, given.client_key)
    # Open until the process ends.
    channel = _OPEN.enter_context(place.channel())
    session = Session(profile, Bank(profile.bank.size), channel, Facts())
    environment.fanzha_session = session  # type: ignore[attr-defined]
    for customer, share in zip(CUSTOMERS, profile.channels.shares, strict=True):
        customer.weight = round(1000 * share)
    if len(CUSTOMERS) != len(CHANNELS):
        raise AssertionError("every channel has its customers")


@events.test_start.add_listener
def _started(environment: Environment, **_: Any) -> None:  # noqa: ANN401 - locust's own
    given = environment.parsed_options
    if given is not None and given.begun is not None:
        given.begun.touch()


@events.quitting.add_listener
def _write(environment: Environment, **_: Any) -> None:  # noqa: ANN401 - locust's own
    given, session = environment.parsed_options, environment.fanzha_session  # type: ignore[attr-defined]
    if given is not None and given.facts is not None:
        session.facts.write(given.facts, environment.stats)


class Phases(LoadTestShape):
    """As many users as the profile's phase has; in a fraud wave, many of them victims."""

    _RAMP_S: ClassVar[float] = 2.0

    def tick(self) -> tuple[int, float] | None:
        """Return users, and how many of them begin in a second; None at the end."""
        if self.runner is None:
            return None
        session: Session = self.runner.environment.fanzha_session  # type: ignore[attr-defined]
        phase = _phase_at(session.profile.phases, self.get_run_time())
        if phase is None:
            return None
        session.fraud = phase.fraud
        return phase.users, max(1.0, phase.users / self._RAMP_S)


def _phase_at(phases: list[Phase], second: float) -> Phase | None:
    for phase in phases:
        second -= phase.seconds
        if second < 0:
            return phase
    return None
