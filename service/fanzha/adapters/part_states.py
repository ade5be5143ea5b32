"""How the parts of an answer are, so that someone outside can see what is missing."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.redis_lists import CommittedLists
from fanzha.pipeline.ports import Models

LISTS_AGE_MAX_S: Final = 5.0
"""Lists are looked at every second; who has not heard of them for so long does not know them."""


class Disk(Protocol):
    """The worker's own file."""

    @property
    def failure(self) -> str:
        """Why the disk did not take what it was last given; empty when it did."""
        ...


def part_states(
    links: tuple[RedisLink, ...], lists: CommittedLists, models: Models, disk: Disk
) -> Mapping[str, Callable[[], str]]:
    """Return a question for each part: why it is not whole, empty while it is.

    Asking costs nothing. The answers are for those who operate the service: they name servers,
    folders and causes, and nothing of a transfer.

    Args:
        links: connections to Redis; a server that is away on one of them counts as away.
        lists: the lists in effect.
        models: the models that are served.
        disk: the worker's spool.
    """

    def redis_fault() -> str:
        known = [server for link in links for server in link.servers()]
        away = {x.name: x.cause or "not asked yet" for x in known if not x.is_available}
        if away:
            return "; ".join(f"Redis {name}: {cause}" for name, cause in away.items())
        return "" if known else "who serves the data in Redis is not known yet"

    def lists_fault() -> str:
        age_s = lists.age_s()
        if age_s is None or age_s > LISTS_AGE_MAX_S:
            return "nothing was heard of the lists for too long"
        return "Redis lost lists that it had" if lists.has_forgotten else ""

    def model_fault() -> str:
        return "" if models.current().champion is not None else "none is loaded; see fanzha models"

    return {
        "history": redis_fault,
        "lists": lambda: redis_fault() or lists_fault(),
        "model": model_fault,
        "journal": lambda: "; ".join(filter(None, (redis_fault(), disk.failure))),
    }
