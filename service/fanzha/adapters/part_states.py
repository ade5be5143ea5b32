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
    def is_writable(self) -> bool:
        """Whether the disk took what it was last given."""
        ...


def part_states(
    links: tuple[RedisLink, ...], lists: CommittedLists, models: Models, disk: Disk
) -> Mapping[str, Callable[[], bool]]:
    """Return a question for each part: whether it is whole. Asking costs nothing.

    Args:
        links: connections to Redis; a server that is away on one of them counts as away.
        lists: the lists in effect.
        models: the models that are served.
        disk: the worker's spool.
    """

    def is_redis_whole() -> bool:
        known = [server for link in links for server in link.servers()]
        return bool(known) and all(server.is_available for server in known)

    def are_lists_known() -> bool:
        age_s = lists.age_s()
        return age_s is not None and age_s <= LISTS_AGE_MAX_S and not lists.has_forgotten

    return {
        "history": is_redis_whole,
        "lists": lambda: is_redis_whole() and are_lists_known(),
        "model": lambda: models.current().champion is not None,
        "journal": lambda: is_redis_whole() and disk.is_writable,
    }
