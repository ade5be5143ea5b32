"""A worker with another token key stops when the Redis that it asks is another one by now."""

from pathlib import Path

from tests.conftest import Service
from tests.redis_processes import RedisProcess

from fanzha.adapters import keys


def test_a_worker_stops_when_another_key_has_taken_over(short_dir: Path) -> None:
    with RedisProcess(short_dir / "redis", "--appendonly", "yes") as store:
        service = Service(short_dir, "--redis", store.url)
        try:
            # As another worker's, which was first in the Redis that takes this one's place.
            store.ask("SET", keys.TOKEN_KEY, "another-key")
            store.kill()
            store.restart()
            code = service.process.wait(timeout=60)
        finally:
            service.stop()

    log = (short_dir / "serve.log").read_text()
    assert code == 0
    assert "were made with the key another-key" in log
    assert "--token-key-file" in log
