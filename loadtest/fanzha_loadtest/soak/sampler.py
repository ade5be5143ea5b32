"""`python -m fanzha_loadtest.soak.sampler`: notes every few seconds what processes and Redis hold.

A process of its own: what it costs must not be a pause of the driver.
"""

import json
import time
from pathlib import Path
from typing import Annotated, Any, Final

import psutil
import redis
import typer

_BUCKETS: Final = 256


def main(
    out: Annotated[Path, typer.Argument(help="File for one line of JSON a sample.")],
    *,
    redis_url: Annotated[str, typer.Option("--redis", help="URL of the Redis.")],
    spool: Annotated[Path, typer.Option(help="Folder of the spool.")],
    pid: Annotated[list[str], typer.Option(help="name=pid of a process. Repeatable.")],
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two samples.")] = 5.0,
) -> None:
    """Sample until stopped, or until a process has gone."""
    with redis.Redis.from_url(redis_url) as link, out.open("a", buffering=1) as lines:
        processes = {name: psutil.Process(int(number)) for name, number in map(_split, pid)}
        processes["redis"] = psutil.Process(int(link.info("server")["process_id"]))
        due = time.monotonic()
        while True:
            try:
                lines.write(json.dumps(_sample(processes, link, spool)) + "\n")
            except psutil.NoSuchProcess as error:
                lines.write(json.dumps({"time_s": time.time(), "gone": error.pid}) + "\n")
                return
            except redis.RedisError as error:
                lines.write(json.dumps({"time_s": time.time(), "trouble": str(error)}) + "\n")
            due += every
            time.sleep(max(0.0, due - time.monotonic()))


def _split(word: str) -> tuple[str, str]:
    name, _, number = word.partition("=")
    return name, number


def _sample(processes: dict[str, psutil.Process], link: redis.Redis, spool: Path) -> dict[str, Any]:
    memory = link.info("memory")
    journals = link.pipeline(transaction=False)
    for bucket in range(_BUCKETS):
        journals.xlen(f"{{b{bucket}}}:journal")
        journals.memory_usage(f"{{b{bucket}}}:journal")
    held = journals.execute()
    sample: dict[str, Any] = {
        "time_s": time.time(),
        "redis_bytes": memory["used_memory"],
        "redis_dataset_bytes": memory["used_memory_dataset"],
        "redis_keys": link.dbsize(),
        "journal": sum(held[::2]),
        "journal_bytes": sum(size or 0 for size in held[1::2]),
        "spool_bytes": _bytes_in(spool),
    }
    for name, process in processes.items():
        with process.oneshot():
            sample[f"{name}_rss_bytes"] = process.memory_info().rss
            sample[f"{name}_files"] = process.num_fds()
            sample[f"{name}_threads"] = process.num_threads()
    return sample


def _bytes_in(folder: Path) -> int:
    held = 0
    for file in folder.rglob("*"):
        try:
            held += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:
            # A segment that was archived goes.
            continue
    return held


if __name__ == "__main__":
    typer.run(main)
