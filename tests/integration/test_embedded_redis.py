"""The embedded Redis is started again when it dies, on the same data."""

import os
import signal
from pathlib import Path

import pytest
import redis
from tests.redis_processes import wait_until

from fanzha.adapters.embedded_redis import EmbeddedRedis


def test_it_comes_back_with_its_data(short_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = EmbeddedRedis(short_dir)
    server.supervise()
    client = redis.Redis.from_url(server.url)
    try:
        for number in range(3):
            client.incr("n")
            client.execute_command("WAITAOF", 1, 0, 5_000)
            killed = server.pid
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda dead=killed: server.pid != dead and client.ping(), "it is back")
            assert int(client.get("n") or 0) == number + 1
        pauses = [float(record.args[1]) for record in caplog.records if record.args]  # type: ignore[index,arg-type]
        assert len(pauses) == 3
        assert pauses == sorted(set(pauses)), "each pause is longer than the one before"
    finally:
        client.close()
        server.close()
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_it_is_not_started_again_after_it_was_closed(short_dir: Path) -> None:
    server = EmbeddedRedis(short_dir)
    server.supervise()
    os.kill(server.pid, signal.SIGKILL)
    server.close()
    client = redis.Redis.from_url(server.url, retry=None)
    with pytest.raises(redis.ConnectionError):
        client.ping()
    client.close()
