"""Whether two who act are two persons."""

from fanzha.access.roles import plain_name
from fanzha.domain.errors import FourEyesError
from fanzha.domain.record import Actor


def check_four_eyes(proposal_id: str, proposer: Actor, approver: Actor) -> None:
    """Let somebody approve what somebody else proposed.

    Two are one person when they have one name, however it is spelt, or show the same identity. The
    certificate counts too, except behind a front: there it is the front's, whoever acts.

    Raises:
        FourEyesError: they are one person.
    """
    same_name = plain_name(proposer.name) == plain_name(approver.name)
    same_identity = bool(proposer.identity) and proposer.identity == approver.identity
    same_certificate = (
        bool(proposer.fingerprint)
        and proposer.fingerprint == approver.fingerprint
        and not (proposer.front and approver.front)
    )
    if same_name or same_identity or same_certificate:
        raise FourEyesError(proposal_id, proposer.name)
