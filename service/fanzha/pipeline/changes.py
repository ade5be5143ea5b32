"""What a decision leaves behind: an attempt, a receipt, sightings of accounts with their links."""

from fanzha.domain.decision import Decision
from fanzha.domain.evidence import AccountState, Evidence, LinkState
from fanzha.domain.ids import counterparty_of, event_id_of_decision
from fanzha.domain.light import light_dataclass
from fanzha.domain.transfer import LINKS_OF_PAYER, Party, Transfer, link_tokens
from fanzha.domain.vocabulary import PartyType
from fanzha.features.layout import (
    has_news,
    known_as_mule,
    pack_event,
    pack_flags,
    pack_link,
)

Sightings = tuple[tuple[bytes, bytes], ...]
"""Tokens of links, and the SIGHTING that each is to take."""


@light_dataclass(frozen=True, slots=True)
class Changes:
    """Changes of histories, packed by `fanzha.features.layout`; empty where there is no payee."""

    payer: bytes
    payee: bytes
    payer_sightings: Sightings
    payee_sightings: Sightings


def changes_of(
    transfer: Transfer, evidence: Evidence, decision: Decision, utc_offset_s: int
) -> Changes:
    """Return the changes that follow from a decision."""
    payer, payee = transfer.payer, transfer.payee
    has_payee = payee is not None and payee.account != b""
    event_id = event_id_of_decision(decision.decision_id)
    event = (event_id, transfer.create_time_ms, transfer.base_amount_minor)

    def flags(other: PartyType) -> int:
        return pack_flags(
            transfer.channel,
            transfer.kind,
            decision.kind,
            other,
            utc_offset_s,
            same_owner=transfer.payee_same_owner,
        )

    payee_type = payee.type if payee is not None else PartyType.UNSPECIFIED
    payee_number = counterparty_of(payee.account) if payee is not None and has_payee else 0
    attempt = pack_event(*event, payee_number, flags(payee_type))
    links = tuple(zip(link_tokens(transfer), evidence.links, strict=True))
    sighting = (event_id, transfer.create_time_ms)
    of_payer = _sightings(links[:LINKS_OF_PAYER], payer, evidence.payer, *sighting)
    if payee is None or not has_payee:
        return Changes(attempt, b"", of_payer, ())
    receipt = pack_event(*event, counterparty_of(payer.account), flags(payer.type))
    of_payee = _sightings(links[LINKS_OF_PAYER:], payee, evidence.payee, *sighting)
    return Changes(attempt, receipt, of_payer, of_payee)


def _sightings(
    links: tuple[tuple[bytes | None, LinkState | None], ...],
    party: Party,
    state: AccountState | None,
    event_id: int,
    time_ms: int,
) -> Sightings:
    """Return sightings for those links that do not know the account, or not what it is known as.

    Most transfers need none: a link learns of an account once, and a crowd's link of mules alone.
    """
    given = {token: link for token, link in links if token is not None}
    if not given:
        return ()
    account = counterparty_of(party.account)
    mule_since, seq = (0, 0) if state is None else (known_as_mule(state.reports), state.seq)
    untold = [
        token
        for token, link in given.items()
        if link is None or has_news(link.seen, account, mule_since)
    ]
    if not untold:
        return ()
    change = pack_link(event_id, time_ms, mule_since, account, seq)
    return tuple([(token, change) for token in untold])
