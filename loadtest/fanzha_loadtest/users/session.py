"""What all users of one process share."""

from dataclasses import dataclass

import grpc

from fanzha_loadtest.profile.profile import Profile
from fanzha_loadtest.traffic.bank import Bank
from fanzha_loadtest.users.facts import Facts


@dataclass(slots=True)
class Session:
    """The profile being played, the way to the service, and what was seen."""

    profile: Profile
    bank: Bank
    channel: grpc.Channel
    facts: Facts
    fraud: float = 0.0
    """Share of victims in the phase that is being played."""
