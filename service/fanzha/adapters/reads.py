"""What one round trip reads about a transfer: commands out, findings back."""

import hashlib
from collections.abc import Callable
from struct import Struct
from typing import Any, TypeVar

import msgspec

from fanzha.adapters import keys
from fanzha.adapters.codec import decode_decision
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.redis_link import Command, Scripts
from fanzha.adapters.redis_lists import CommittedLists
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.evidence import AccountState, LinkState, ListSubject
from fanzha.domain.ids import bucket_of
from fanzha.domain.transfer import Transfer, link_tokens
from fanzha.pipeline.ports import Findings, StoredRequest

T = TypeVar("T")

ANSWER_HEAD = Struct("16s16s40s")
"""What stands before the answer under a decision's key: payer, payee, the payer's change."""


class Reads:
    """The reads of one transfer: both accounts, the lists of its contacts, its links."""

    def __init__(self, transfer: Transfer, scripts: Scripts) -> None:
        """Write the commands."""
        self._transfer = transfer
        payer, payee = transfer.payer.account, transfer.payee.account if transfer.payee else b""
        own_keys = (
            keys.account(payer),
            keys.list_entries(payer),
            keys.epoch(bucket_of(payer)),
            keys.request(payer, request_digest(transfer)),
        )
        own_args = (payee[:8], keys.decision_prefix(bucket_of(payer)))
        self._parties = [(ListSubject.PAYER_ACCOUNT, payer)]
        accounts = [scripts.call("gather", own_keys, own_args)]
        if payee:
            epoch = keys.epoch(bucket_of(payee))
            their_keys = (keys.account(payee), keys.list_entries(payee), epoch)
            accounts.append(scripts.call("gather", their_keys, (b"", b"")))
            self._parties.append((ListSubject.PAYEE_ACCOUNT, payee))
        self._accounts = len(accounts)
        self._contacts = _contacts(transfer)
        self._links = link_tokens(transfer)
        self._distinct_links = [x for x in dict.fromkeys(self._links) if x is not None]
        self.commands: list[Command] = [
            *accounts,
            *(("HGETALL", keys.list_entries(token)) for _, token in self._contacts),
            *(("HMGET", keys.link(token), "seq", "seen") for token in self._distinct_links),
        ]

    def findings(self, replies: list[Any], lists: CommittedLists, outage: OutageMemory) -> Findings:
        """Return what the replies to the commands say.

        Args:
            replies: one for each command, in order; an exception where there is none.
            lists: knows which list entries are in effect.
            outage: what this worker answered while Redis was away.
        """
        accounts, rest = replies[: self._accounts], replies[self._accounts :]
        entries, links = rest[: len(self._contacts)], rest[len(self._contacts) :]
        payer, *payees = accounts
        subjects = [subject for subject, _ in self._parties]
        subjects += [subject for subject, _ in self._contacts]
        held = [_or_none(account, lambda x: x[7]) for account in accounts]
        held += [_or_none(entry, lambda x: x) for entry in entries]
        known = [(s, flat) for s, flat in zip(subjects, held, strict=True) if flat is not None]
        read = lists.entries([s for s, _ in known], [flat for _, flat in known]) if known else None
        unread = [
            party
            for party, flat in zip(self._parties, held, strict=False)
            if flat is None or lists.has_forgotten or lists.has_lost(party[1], flat)
        ]
        is_whole = len(known) == len(subjects) and not unread and not lists.has_forgotten
        version = lists.version if known else ""
        if not is_whole:
            # What the worker itself holds of involved accounts counts where Redis does not tell.
            copied = lists.copied(unread)
            # Copies come first: of what was read as well, Redis has the last word.
            read = (*copied, *(read or ())) if copied or read is not None else None
            version = (lists.copy_version() if unread else "") or version
        found = dict(zip(self._distinct_links, links, strict=True))
        stored = _or_none(payer, lambda x: stored_request(x[8], x[9]) if x[8] else None)
        return Findings(
            payer=_or_none(payer, _account),
            payee=_or_none(payees[0], _account) if payees else None,
            entries=read,
            lists_version=version,
            stored=outage.answer(self._transfer, stored),
            links=tuple(
                None if token is None else _or_none(found[token], _link) for token in self._links
            ),
            has_all_lists=is_whole,
        )


def request_digest(transfer: Transfer) -> bytes:
    """Return the 16 bytes that scope a request id to its caller (the key adds the payer)."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(transfer.payer.account)
    digest.update(f"{transfer.caller}\n{transfer.request_id}".encode())
    return digest.digest()


def stored_request(request: bytes, answer: bytes) -> StoredRequest:
    """Read what commit.lua wrote: digest (16 bytes), decision id (26), decision time in ms.

    An answer in a form that this version cannot read counts as no longer held.
    """
    try:
        decision = decode_decision(answer[ANSWER_HEAD.size :]) if answer else None
    except msgspec.DecodeError:
        decision = None
    return StoredRequest(request[:16], request[16:42].decode(), int(request[42:]), decision)


def _contacts(transfer: Transfer) -> list[tuple[ListSubject, bytes]]:
    payer, payee = transfer.payer, transfer.payee
    tokens = (
        (ListSubject.PAYER_PHONE, payer.phone),
        (ListSubject.PAYEE_PHONE, payee.phone if payee else None),
        (ListSubject.PAYER_PERSON, payer.person),
        (ListSubject.PAYEE_PERSON, payee.person if payee else None),
        (ListSubject.DEVICE, transfer.session.device),
    )
    return [(subject, token) for subject, token in tokens if token is not None]


def _or_none(reply: Any, read: Callable[[Any], T]) -> T | None:  # noqa: ANN401 - any reply
    """Read a reply, if there is one."""
    return None if isinstance(reply, StoreUnavailableError) else read(reply)


def _account(reply: list[Any]) -> AccountState:
    return AccountState(int(reply[0]), *reply[1:7])


def _link(reply: list[Any]) -> LinkState:
    return LinkState(int(reply[0] or 0), reply[1] or b"")
