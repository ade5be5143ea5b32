"""Accounts and links of an archive, as the commands that write them into an empty Redis."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from fanzha.adapters import keys
from fanzha.adapters.redis_link import Command
from fanzha.archive.rebuild_reading import Ints, PartChanges
from fanzha.features.layout import COUNTERPARTY, LINKS_OF_ACCOUNT, Change
from fanzha.features.rebuilt import REBUILT_EVERY, held_by_rebuilt
from fanzha.features.states import States

_OF_LINKS: Final = (int(Change.SIGHTING), int(Change.TAINT), int(Change.CLEAR))
_NEWS: Final = (int(Change.TAINT), int(Change.CLEAR))
_ACCOUNT_SEQ: Final = 4
_TOKEN_BYTES: Final = 16


def states_of(changes: PartChanges, bases: list[int]) -> Iterator[tuple[int, int, list[Command]]]:
    """Yield bucket, number of changes and commands of each subject.

    Args:
        changes: of whole subjects.
        bases: the sequence of rebuilt states, by bucket.
    """
    states = States()
    lost = _after_losses(changes)
    for low, high in zip(changes.starts[:-1].tolist(), changes.starts[1:].tolist(), strict=True):
        records, links = changes.records[low:high], changes.links[low:high]
        if lost[low:high].any():
            held = held_by_rebuilt(
                changes.seq[low:high].tolist(),
                changes.follows[low:high].tolist(),
                [record.tobytes() for record in records],
            )
            records, links = np.ascontiguousarray(records[held]), links[held]
        token = changes.tokens[low].tobytes()
        bucket = token[-1]
        yield bucket, len(records), _writes(token, records, links, bases[bucket], states)


def _after_losses(changes: PartChanges) -> np.ndarray:
    """Say of each change whether it follows another one than the one before it."""
    seq, follows = changes.seq, changes.follows
    lost = np.zeros(len(seq), np.bool_)
    lost[1:] = follows[1:] != seq[:-1]
    # A rebuilt state comes straight after all before it.
    lost[1:] &= ~((follows[1:] > seq[:-1]) & (follows[1:] % REBUILT_EVERY == 0))
    lost[changes.starts[:-1]] = False
    return lost


def _writes(
    token: bytes, records: Ints, links: npt.NDArray[np.object_], base: int, states: States
) -> list[Command]:
    """Return the commands that write one subject's state, in place of any that is there."""
    state = states.after(records)
    if int(records[0, 0]) in _OF_LINKS:
        key = keys.link(token)
        return [("DEL", key), ("HSET", key, "seq", base, "seen", state.seen, *_news(records))]
    fields: list[object] = ["seq", base]
    for name, value in (
        ("out", state.out_ring),
        ("in", state.in_ring),
        ("reports", state.reports),
        ("pairs", state.pairs),
        ("hours", state.hours),
        ("days", state.days),
        ("links", _remembered(links)),
    ):
        if value:
            fields += [name, value]
    if state.mule_since_ms:
        fields += ["mule", state.mule_since_ms]
    key = keys.account(token)
    return [("DEL", key), ("HSET", key, *fields)]


def _remembered(learned: npt.NDArray[np.object_]) -> bytes:
    """Return the links that an account remembers, as the store's scripts do."""
    held: list[bytes] = []
    for tokens in learned:
        for start in range(0, len(tokens or b""), _TOKEN_BYTES):
            token = tokens[start : start + _TOKEN_BYTES]
            if token not in held:
                held = [token, *held][:LINKS_OF_ACCOUNT]
    return b"".join(held)


def _news(records: Ints) -> list[object]:
    """Return what a link remembers of each account: the newest state that it had news from."""
    newest: dict[int, int] = {}
    for kind, *columns in records[np.isin(records[:, 0], _NEWS)].tolist():
        del kind
        account, seq = columns[COUNTERPARTY], columns[_ACCOUNT_SEQ]
        if seq > newest.get(account, 0):
            newest[account] = seq
    return [
        part
        for account, seq in newest.items()
        for part in (b"v" + account.to_bytes(8, "little", signed=True), seq)
    ]
