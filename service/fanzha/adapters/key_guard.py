"""Keeps a worker with another token key away from a Redis: it would find no account in it."""

import logging

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
