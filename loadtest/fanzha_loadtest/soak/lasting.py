"""How many bytes in Redis rightly grow with the number of decisions: markers that live for days.

A report of an execution is known again for a week, a change that was relayed for two days, outcomes
for more than a year. No soak outlasts them. They are counted and measured at the end, and their
share is taken off before it is asked whether Redis grows.
"""

from typing import Final

import redis

_LASTING_MS: Final = 6 * 3_600_000
"""Keys that live for longer than this cannot have been removed within a run."""
_PAGE: Final = 2_000
_MEASURED_EACH: Final = 20
"""One in so many is measured: MEMORY USAGE is slow."""


def lasting_bytes(url: str) -> tuple[int, int]:
    """Return how many lasting markers there are, and about how many bytes of data they hold."""
    count, measured, measured_bytes = 0, 0, 0
    with redis.Redis.from_url(url) as link:
        cursor, is_first = 0, True
        while is_first or cursor:
            is_first = False
            cursor, names = link.scan(cursor, count=_PAGE)
            lives = link.pipeline(transaction=False)
            for name in names:
                lives.pttl(name)
            lasting = [
                name for name, ms in zip(names, lives.execute(), strict=True) if ms > _LASTING_MS
            ]
            sizes = link.pipeline(transaction=False)
            for name in lasting[::_MEASURED_EACH]:
                sizes.memory_usage(name)
            found = [size for size in sizes.execute() if size]
            count += len(lasting)
            measured += len(found)
            measured_bytes += sum(found)
    return count, round(count * measured_bytes / measured) if measured else 0
