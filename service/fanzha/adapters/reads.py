"""What one round trip reads about a transfer: commands out, findings back.

An account is read by plain commands, which cost Redis a fifth of what the script `gather` does.
They are no one step, so the bucket's epoch is read before and after them: where it is the same,
nobody emptied or rebuilt the bucket between them. Whatever is unusual is left to the script, in a
second round trip: no epoch, another one, a request that is held.
"""

import hashlib
from binascii import hexlify
from collections.abc import Sequence
from struct import Struct
from typing import Any, NamedTuple

import msgspec

from fanzha.adapters import keys, templates
from fanzha.adapters.codec import decode_decision
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.redis_link import Command, Scripts
from fanzha.adapters.redis_lists import CommittedLists
from fanzha.adapters.redis_wire import Packed, Refusal
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.evidence import AccountState, LinkState, ListSubject
from fanzha.domain.ids import bucket_of
from fanzha.domain.transfer import Transfer, link_tokens
from fanzha.features.layout import PAIR_COLUMNS
from fanzha.pipeline.ports import Findings, StoredRequest

ANSWER_HEAD = Struct("16s16s40s")
"""What stands before the answer under a decision's key: payer, payee, the payer's change."""
_PAIR_BYTES = PAIR_COLUMNS * 8
_OF_ACCOUNT = 4
"""So many replies belong to an account."""


class _Account(NamedTuple):
    """What was read of one party's account."""

    state: AccountState
    entries: list[bytes]
    """Names and bodies of list entries, in turn."""
    stored: StoredRequest | None = None


class Reads:
    """The reads of one transfer: both accounts, the lists of its contacts, its links."""

    __slots__ = (
        "_contacts",
        "_digest",
        "_distinct_links",
        "_links",
        "_parties",
        "_transfer",
        "count",
        "packed",
    )

    def __init__(self, transfer: Transfer) -> None:
        """Write the commands."""
        self._transfer = transfer
        self._digest = request_digest(transfer)
        payer, payee = transfer.payer.account, transfer.payee.account if transfer.payee else b""
        name = hexlify(payer)
        digest = hexlify(self._digest)
        packed = [templates.PAYER.fill(payer[-1], digest, name, name)]
        self._parties = [(ListSubject.PAYER_ACCOUNT, payer)]
        if payee:
            name = hexlify(payee)
            packed.append(templates.PAYEE.fill(payee[-1], name, name))
            self._parties.append((ListSubject.PAYEE_ACCOUNT, payee))
        self._contacts = _contacts(transfer)
        self._links = link_tokens(transfer)
        self._distinct_links = [x for x in dict.fromkeys(self._links) if x is not None]
        fill = templates.CONTACT.fill
        packed += [fill(token[-1], hexlify(token)) for _, token in self._contacts]
        fill = templates.LINK.fill
        packed += [fill(token[-1], hexlify(token)) for token in self._distinct_links]
        self.packed: list[Packed] = packed
        """What is asked."""
        self.count = sum([count for _, count, _ in packed])
        """How many replies belong to it."""

    def asked_again(self, replies: list[Any], scripts: Scripts) -> list[tuple[int, int, Command]]:
        """Return what has to be asked in another way: first and last place of replies, command.

        Args:
            replies: to what was asked; an exception where there is none.
            scripts: how an account is read in one step.
        """
        again = []
        for number, (_, token) in enumerate(self._parties):
            place = number * _OF_ACCOUNT
            if _is_unusual(replies[place : place + _OF_ACCOUNT], is_payer=number == 0):
                call = self._gather(token, scripts, is_payer=number == 0)
                again.append((place, place + _OF_ACCOUNT, call))
        place = len(self._parties) * _OF_ACCOUNT
        if Refusal in map(type, replies[place:]):
            rest = [templates.contact(token) for _, token in self._contacts]
            rest += [templates.link(token) for token in self._distinct_links]
            again += [
                (place + i, place + i + 1, command)
                for i, command in enumerate(rest)
                if isinstance(replies[place + i], Refusal)
            ]
        return again

    def _gather(self, token: bytes, scripts: Scripts, *, is_payer: bool) -> Command:
        bucket = bucket_of(token)
        own = (keys.account(token), keys.list_entries(token), keys.epoch(bucket))
        if not is_payer:
            return scripts.call("gather", own, (b"", b""))
        payee = self._transfer.payee
        args = (payee.account[:8] if payee else b"", keys.decision_prefix(bucket))
        return scripts.call("gather", (*own, keys.request(token, self._digest)), args)

    def findings(self, replies: list[Any], lists: CommittedLists, outage: OutageMemory) -> Findings:
        """Return what the replies say.

        Args:
            replies: to what was asked; where it was asked again, that reply stands first of those
                it takes the place of. An exception where there is none.
            lists: knows which list entries are in effect.
            outage: what this worker answered while Redis was away.
        """
        parties, transfer = self._parties, self._transfer
        payee_account = parties[1][1] if len(parties) > 1 else b""
        payer = _account(replies[:_OF_ACCOUNT], payee_account[:8])
        payee = _account(replies[_OF_ACCOUNT : 2 * _OF_ACCOUNT], b"") if payee_account else None
        accounts = (payer, payee) if payee_account else (payer,)
        place = len(parties) * _OF_ACCOUNT
        held = [None if account is None else account.entries for account in accounts]
        held += [_or_none(reply) for reply in replies[place : place + len(self._contacts)]]
        read, version, is_whole = self._lists(held, lists)
        links = [_link(reply) for reply in replies[place + len(self._contacts) :]]
        found = dict(zip(self._distinct_links, links, strict=True))
        return Findings(
            payer=None if payer is None else payer.state,
            payee=None if payee is None else payee.state,
            entries=read,
            lists_version=version,
            stored=outage.answer(transfer, None if payer is None else payer.stored),
            links=tuple([None if token is None else found[token] for token in self._links]),
            has_all_lists=is_whole,
        )

    def _lists(
        self, held: Sequence[list[bytes] | None], lists: CommittedLists
    ) -> tuple[tuple[tuple[ListSubject, Any], ...] | None, str, bool]:
        """Return the entries in effect, the lists' version, and whether the entries are all."""
        parties = self._parties
        has_forgotten = lists.has_forgotten
        unread = [
            party
            for party, flat in zip(parties, held, strict=False)
            if flat is None or has_forgotten or lists.has_lost(party[1], flat)
        ]
        is_whole = not unread and None not in held
        if is_whole and not any(held):
            # The usual case: Redis answered for all, and nothing is listed.
            return (() if lists.is_known else None), lists.version, True
        subjects = [subject for subject, _ in (*parties, *self._contacts)]
        known = [(s, flat) for s, flat in zip(subjects, held, strict=True) if flat is not None]
        read = lists.entries([s for s, _ in known], [flat for _, flat in known]) if known else None
        version = lists.version if known else ""
        if not is_whole:
            # What the worker itself holds of involved accounts counts where Redis does not tell.
            copied = lists.copied(unread)
            # Copies come first: of what was read as well, Redis has the last word.
            read = (*copied, *(read or ())) if copied or read is not None else None
            version = (lists.copy_version() if unread else "") or version
        return read, version, is_whole


def request_digest(transfer: Transfer) -> bytes:
    """Return the 16 bytes that scope a request id to its caller (the key adds the payer)."""
    digest = hashlib.blake2b(transfer.payer.account, digest_size=16)
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


def pair_of(pairs: bytes, counterparty: bytes) -> bytes:
    """Return what an account's memory of pairs holds of a counterparty, empty when nothing.

    Args:
        pairs: records of 32 bytes; see `fanzha.features.layout`.
        counterparty: the 8 bytes that its record begins with; empty: there is none.
    """
    if not counterparty:
        return b""
    place = pairs.find(counterparty)
    while place % _PAIR_BYTES and place > 0:
        place = pairs.find(counterparty, place + 1)
    return b"" if place < 0 else pairs[place : place + _PAIR_BYTES]


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


def _is_unusual(replies: list[Any], *, is_payer: bool) -> bool:
    """Say whether plain commands do not tell all of an account, although Redis answers."""
    first, state, entries, epoch = replies
    if is_payer and type(first) is list:
        first, request = first
        if request is not None:
            return True
    if type(first) is bytes and first == epoch:
        return type(state) is not list or type(entries) is not list
    return not isinstance(first, StoreUnavailableError)


def _account(replies: list[Any], counterparty: bytes) -> _Account | None:
    """Read an account's replies, or the script's that took their place; None: there are none."""
    first, state, entries, _ = replies
    if isinstance(first, StoreUnavailableError):
        return None
    if state is None:
        # The script's.
        stored = stored_request(first[8], first[9]) if first[8] else None
        return _Account(AccountState(int(first[0]), *first[1:7]), first[7], stored)
    seq, out_ring, in_ring, reports, days, *own = state
    hours, pairs = own or (None, None)
    pair = pair_of(pairs, counterparty) if pairs else b""
    return _Account(
        AccountState(
            int(seq or 0), out_ring or b"", in_ring or b"", pair, reports or b"", hours or b"",
            days or b"",
        ),
        entries,
    )  # fmt: skip


def _or_none(reply: Any) -> list[bytes] | None:  # noqa: ANN401 - any reply
    return None if isinstance(reply, StoreUnavailableError) else reply


def _link(reply: Any) -> LinkState | None:  # noqa: ANN401 - any reply
    if isinstance(reply, StoreUnavailableError):
        return None
    return LinkState(int(reply[0] or 0), reply[1] or b"")
