"""What a caller may be, and how two names are known to be one person's."""

import unicodedata
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a caller may be."""

    SCORER = "scorer"
    TERMINAL = "terminal"
    REVIEWER = "reviewer"
    APPROVER = "approver"
    RISK_OPS = "risk-ops"
    MODELER = "modeler"
    AUDITOR = "auditor"
    ADMIN = "admin"
    LOCAL = "local"


ROLE_MEANINGS: Final[dict[Role, str]] = {
    Role.SCORER: "core banking: asks for decisions and reports what became of transfers",
    Role.TERMINAL: "counter, ATM, smart terminal: asks, and shows what to say",
    Role.REVIEWER: "looks into held transfers and customers' objections",
    Role.APPROVER: "the second pair of eyes: lets a change proposed by somebody else take effect",
    Role.RISK_OPS: "proposes changes of watchlists",
    Role.MODELER: "the model team: works on the archive and signs models; needs no RPC so far",
    Role.AUDITOR: "reads what was decided, stated and changed; changes nothing",
    Role.ADMIN: "everything, except the second word on what the same person proposed",
    Role.LOCAL: "everyone who reaches a service without TLS; no roles file can give it",
}

ASSIGNABLE: Final = tuple(role for role in Role if role is not Role.LOCAL)
"""Roles that a roles file may give."""


def plain_name(name: str) -> str:
    """Return a name without what spelling may vary: width, case, blanks, punctuation."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in plain if character.isalnum())
