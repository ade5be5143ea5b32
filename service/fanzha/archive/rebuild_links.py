"""Which links an account tells what becomes known of it: those that learned of the account."""

from typing import Any, Final

from fanzha.adapters import keys
from fanzha.adapters.redis_link import RedisLink
from fanzha.domain.ids import counterparty_of
from fanzha.domain.transfer import LINKS_OF_PAYER
from fanzha.features.layout import LINKS_OF_ACCOUNT, link_row

_AT_ONCE: Final = 2_000
_REMEMBERED_MAX: Final = 2_000_000
_TOKEN_BYTES: Final = 16


class AccountLinks:
    """Takes decisions in their order, and writes links beside the states of their accounts."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._seen: set[bytes] = set()
        self._waiting: list[tuple[bytes, bytes]] = []

    def add(self, payer: bytes, payee: bytes | None, links: list[bytes | None]) -> None:
        """Take the links of one decision."""
        for number, token in enumerate(links):
            account = payer if number < LINKS_OF_PAYER else payee
            if token is None or not account or account + token in self._seen:
                continue
            if len(self._seen) >= _REMEMBERED_MAX:
                # It only saves work: what is asked once more changes nothing.
                self._seen.clear()
            self._seen.add(account + token)
            self._waiting.append((account, token))
        if len(self._waiting) >= _AT_ONCE:
            self.write()

    def write(self) -> None:
        """Write what has come so far."""
        pairs, self._waiting = self._waiting, []
        if not pairs:
            return
        accounts = list(dict.fromkeys(account for account, _ in pairs))
        tokens = list(dict.fromkeys(token for _, token in pairs))
        replies = self._link.run(
            [("HMGET", keys.account(account), "seq", "links") for account in accounts]
            + [("HGET", keys.link(token), "seen") for token in tokens]
        )
        states: dict[bytes, list[Any]] = dict(zip(accounts, replies, strict=False))
        seen = dict(zip(tokens, replies[len(accounts) :], strict=True))
        held = {account: links or b"" for account, (seq, links) in states.items() if seq}
        for account, token in pairs:
            # A crowd's link did not take every account in.
            knows = link_row(seen[token] or b"", counterparty_of(account)) is not None
            if knows and account in held:
                held[account] = _with(held[account], token)
        writes = [
            ("HSET", keys.account(account), "links", links)
            for account, links in held.items()
            if links
        ]
        if writes:
            self._link.run(writes)


def _with(held: bytes, token: bytes) -> bytes:
    """Return an account's links with one more, as the store's scripts remember them."""
    for start in range(0, len(held), _TOKEN_BYTES):
        if held[start : start + _TOKEN_BYTES] == token:
            return held
    return (token + held)[: LINKS_OF_ACCOUNT * _TOKEN_BYTES]
