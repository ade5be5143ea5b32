"""Keeps a worker with another token key away from a Redis: it would find no account in it."""

import logging
from collections.abc import Callable

from fanzha.adapters import keys
from fanzha.adapters.redis_link import RedisLink
from fanzha.domain.errors import SetupError, StoreUnavailableError

log = logging.getLogger(__name__)


def check_token_key(link: RedisLink, fingerprint: str) -> None:
    """Check that the tokens in Redis are this key's; an empty Redis takes it on.

    Raises:
        SetupError: they are another key's.
    """
    try:
        link.run([("SET", keys.TOKEN_KEY, fingerprint, "NX")])
        (found,) = link.run([("GET", keys.TOKEN_KEY)])
    except StoreUnavailableError:
        log.warning("whether Redis holds tokens of this key is not known: Redis is away")
        return
    held = bytes(found or b"").decode()
    if held != fingerprint:
        raise SetupError(
            f"the tokens in this Redis were made with the key {held}, not with {fingerprint}: no "
            "account's history, list entry or order would be found; give every worker the same "
            "--token-key-file, or another Redis"
        )


def token_key_guard(
    link: RedisLink, fingerprint: str, give_up: Callable[[str], None]
) -> Callable[[frozenset[int], bool], None]:
    """Return what checks the key again whenever another process serves the data.

    Args:
        link: connection to Redis.
        fingerprint: of the worker's key.
        give_up: called with the reason when the tokens there are another key's.
    """

    def check(_buckets: frozenset[int], _was_empty: bool) -> None:  # noqa: FBT001 - the link's order
        try:
            check_token_key(link, fingerprint)
        except SetupError as error:
            give_up(str(error))

    return check
