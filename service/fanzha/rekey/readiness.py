"""What has to be true before a re-keying begins: nobody writes, and nothing is left to move."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import redis

from fanzha.adapters import keys
from fanzha.adapters.redis_link import Command, RedisLink
from fanzha.adapters.spool_frames import DECISION, MARKED, RECORD, REPORT, SUFFIX, read_frames
from fanzha.domain.errors import SetupError
from fanzha.domain.ids import BUCKETS
from fanzha.rekey.state import Source
from fanzha.secrets.chain import Successor
from fanzha.secrets.token_key import TokenKey

CLIENT: Final = "fanzha-rekey"
"""The name of this command's own connections."""
_RECORDS: Final = frozenset({DECISION, RECORD, MARKED, REPORT})
_UNDER_WAY: Final = b"a re-keying that has not ended"


def successors(old: TokenKey, new: TokenKey) -> list[Successor]:
    """Return what makes new tokens of old ones.

    Raises:
        SetupError: the new chain does not go on from the old one.
    """
    if new.keys[: len(old.keys)] != old.keys or len(new.keys) == len(old.keys):
        raise SetupError(
            "the new token key does not go on from the old one; fanzha token-key extend makes one "
            "that does"
        )
    return [Successor(key) for key in new.keys[len(old.keys) :]]


def check_sources(sources: Sequence[Source], old: TokenKey) -> None:
    """Check that the servers are at rest, drained, of the old key, and all that there are.

    Raises:
        SetupError: they are not; says what to do first.
    """
    for source in sources:
        _check_key(source, old)
        others = [each for each in source.client_list() if _is_other(each)]
        if others:
            raise SetupError(
                f"{len(others)} other client(s) are connected to the Redis to copy from; stop "
                "every worker, archiver and exporter first"
            )
        journals = source.scan_iter(match="*:journal", count=1_000)
        waiting = sum(source.xlen(journal) for journal in journals)
        if waiting:
            raise SetupError(f"{waiting:,} records are not archived yet; run fanzha archive first")
    _check_whole(sources)


def _check_key(source: Source, old: TokenKey) -> None:
    try:
        held = source.get(keys.TOKEN_KEY)
    except redis.ResponseError:
        return  # A Cluster's other server holds it.
    if held is not None and held.decode() != old.fingerprint:
        raise SetupError(
            f"the tokens in the Redis to copy from were made with the key {held.decode()}, not "
            f"with {old.fingerprint}; give the key that its workers have"
        )


def _is_other(client: dict[str, str]) -> bool:
    # Replicas and masters are the servers' own.
    return client["name"] != CLIENT and not set(client["flags"]) & {"S", "M"}


def _check_whole(sources: Sequence[Source]) -> None:
    """Check that of a Cluster every server that holds slots is given."""
    if not int(sources[0].info("cluster")["cluster_enabled"]):
        if len(sources) > 1:
            raise SetupError("several Redis to copy from are no Cluster; give one --from")
        return
    nodes = [sources[0].cluster("nodes")]
    given = {str(source.execute_command("CLUSTER", "MYID"), "ascii") for source in sources}
    for address, node in nodes[0].items():
        if node["slots"] and node["node_id"] not in given:
            raise SetupError(
                f"the Cluster's server {address} holds slots too; give a --from for every master"
            )


def check_spools(folders: list[Path]) -> None:
    """Check that no spool holds a record.

    Raises:
        SetupError: one does.
    """
    for folder in folders:
        for segment in sorted(folder.glob(f"*{SUFFIX}")):
            if any(frame[:1] in _RECORDS for frame in read_frames(segment)):
                raise SetupError(
                    f"{segment} holds records; run fanzha archive with --spool {folder} first, "
                    "and start a worker there once more if they are not in Redis yet"
                )


def begin(target: RedisLink) -> None:
    """Mark an empty Redis as one that no worker may use yet.

    Raises:
        SetupError: it is not empty.
    """
    # The first command makes the link name its servers' process; that alone may be there.
    own = [key for bucket in range(BUCKETS) for key in (keys.epoch(bucket), keys.lineage(bucket))]
    found = sum(target.run([("EXISTS", key) for key in own]))
    (marked,) = target.run([("GET", keys.TOKEN_KEY)])
    (held,) = target.run([("DBSIZE",)])
    if marked is not None or int(held) > found:
        raise SetupError(
            "the Redis to copy into is not empty; give an empty one (a copy that was cut off: "
            "FLUSHALL there, and begin again)"
        )
    target.run([("SET", keys.TOKEN_KEY, _UNDER_WAY)])


def finish(target: RedisLink, new: TokenKey) -> None:
    """Name the new key: from now on its workers may use the copy."""
    done: Command = ("SET", keys.TOKEN_KEY, new.fingerprint)
    target.run([done])
