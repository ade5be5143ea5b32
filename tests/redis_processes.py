"""Real Redis in several processes: one server, a Sentinel set, a Cluster.

All on free ports of 127.0.0.1, in folders given by the test, with times so short that a failover
takes about two seconds. Each class is a context manager and stops what it started, by process id.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import redis

from fanzha.adapters.embedded_redis import find_server

MASTER_NAME = "fanzha"
SLOTS = 16_384
_HOST = "127.0.0.1"
_START_S = 20.0
_STARTS_MAX = 5
_SETTLE_S = 60.0


def free_port() -> int:
    """Return a port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(holds: Callable[[], Any], what: str, seconds: float = _SETTLE_S) -> Any:
    """Ask again and again until the answer is true; return it.

    An answer that Redis cannot give yet counts as false.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if answer := holds():
                return answer
        except redis.RedisError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


class RedisProcess:
    """One redis-server process on a free port of 127.0.0.1."""

    def __init__(
        self, folder: Path, *options: str, mode: tuple[str, ...] = (), password: str | None = None
    ) -> None:
        """Start it and wait until it answers.

        Args:
            folder: its own; made if missing.
            options: pairs of redis-server options, such as "--appendonly", "yes".
            mode: what goes before the options: a configuration file, "--sentinel".
            password: what the options ask for.
        """
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._options = options
        self._mode = mode
        self._password = password
        self._cluster = "--cluster-enabled" in options
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        for _ in range(_STARTS_MAX):
            self.port = free_port()
            self.bus_port = free_port()
            if self._start():
                return
        raise AssertionError((folder / "redis.log").read_text())

    @property
    def url(self) -> str:
        """Its redis:// URL."""
        return f"redis://{_HOST}:{self.port}/0"

    @property
    def pid(self) -> int:
        """Process id of the server; it must have been started."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Say whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def client(self) -> redis.Redis:
        """Return a new client that does not wait long and never tries twice."""
        return redis.Redis(
            host=_HOST, port=self.port, password=self._password, protocol=2,
            socket_timeout=5, socket_connect_timeout=5, retry=None,
        )  # fmt: skip

    def ask(self, *command: object) -> Any:
        """Send one command on a connection of its own and return the reply."""
        with self.client() as client:
            # Without the client's own reading of replies, which differs from command to command.
            connection = client.connection_pool.get_connection()
            connection.send_command(*command)
            return connection.read_response()

    def role(self) -> str:
        """Return `master`, `slave` or `sentinel`."""
        return str(self.ask("ROLE")[0].decode())

    def kill(self) -> None:
        """End the process at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)

    def stop(self) -> None:
        """End the process as an administrator does."""
        if self._process is not None and self._process.poll() is None:
            self.resume()
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()

    def freeze(self) -> None:
        """Stop the process where it is: its sockets accept, and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self, *, empty: bool = False) -> None:
        """Start the process again on its port after it ended.

        Args:
            empty: remove its data first, as when a machine is replaced.
        """
        assert not self.is_running
        if empty:
            shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
            (self.folder / "dump.rdb").unlink(missing_ok=True)
        assert self._start(), (self.folder / "redis.log").read_text()

    def _start(self) -> bool:
        options = [
            "--port", str(self.port), "--bind", _HOST, "--dir", str(self.folder),
            "--save", "", "--daemonize", "no",
        ]  # fmt: skip
        if self._cluster:
            options += ["--cluster-port", str(self.bus_port)]
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [find_server(), *self._mode, *options, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.ask("PING")
            except redis.RedisError:
                time.sleep(0.02)
            else:
                return True
        self.kill()
        return False

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()


class _Several:
    """Several processes that are stopped together."""

    def __init__(self) -> None:
        self._started: list[RedisProcess] = []

    def _add(self, process: RedisProcess) -> RedisProcess:
        self._started.append(process)
        return process

    def of_port(self, port: int) -> RedisProcess:
        """Return the process that listens on a port."""
        return next(one for one in self._started if one.port == port)

    def stop(self) -> None:
        """Stop all that run, however they were left."""
        for process in self._started:
            if process.is_running:
                process.resume()
                process.kill()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all."""
        self.stop()


class SentinelSet(_Several):
    """A master, two replicas, and three Sentinels that watch them."""

    def __init__(self, folder: Path, *options: str, down_after_ms: int = 1_000) -> None:
        """Start all and wait until the Sentinels know the replicas and each other.

        Args:
            folder: the parent of the processes' folders.
            options: of the three data servers.
            down_after_ms: silence after which a Sentinel takes a server for dead.
        """
        super().__init__()
        try:
            self._build(folder, options, down_after_ms)
        except BaseException:
            self.stop()
            raise

    def _build(self, folder: Path, options: tuple[str, ...], down_after_ms: int) -> None:
        data = (
            "--appendonly", "yes", "--appendfsync", "everysec",
            "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", *options,
        )  # fmt: skip
        first = self._add(RedisProcess(folder / "data-0", *data))
        follow = ("--replicaof", f"{_HOST} {first.port}")
        self.servers = [
            first,
            *(self._add(RedisProcess(folder / f"data-{n}", *data, *follow)) for n in (1, 2)),
        ]
        self.sentinels = []
        for number in range(3):
            own = folder / f"sentinel-{number}"
            own.mkdir(parents=True)
            (own / "sentinel.conf").write_text(
                f"sentinel monitor {MASTER_NAME} {_HOST} {first.port} 2\n"
                f"sentinel down-after-milliseconds {MASTER_NAME} {down_after_ms}\n"
                f"sentinel failover-timeout {MASTER_NAME} 5000\n"
                f"sentinel parallel-syncs {MASTER_NAME} 2\n"
            )
            mode = (str(own / "sentinel.conf"), "--sentinel")
            self.sentinels.append(self._add(RedisProcess(own, mode=mode)))
        for sentinel in self.sentinels:
            wait_until(lambda one=sentinel: self._sees_all(one), "the Sentinels know everyone")

    def _sees_all(self, sentinel: RedisProcess) -> bool:
        flat = sentinel.ask("SENTINEL", "MASTER", MASTER_NAME)
        seen = dict(zip(flat[::2], flat[1::2], strict=True))
        return seen[b"num-slaves"] == b"2" and seen[b"num-other-sentinels"] == b"2"

    @property
    def url(self) -> str:
        """URL for Fanzha: redis+sentinel://…"""
        hosts = ",".join(f"{_HOST}:{one.port}" for one in self.sentinels)
        return f"redis+sentinel://{hosts}/{MASTER_NAME}/0"

    @property
    def master(self) -> RedisProcess:
        """The server that the first Sentinel that answers takes for the master now."""
        for sentinel in self.sentinels:
            try:
                _, port = sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
            except redis.RedisError:
                continue
            return self.of_port(int(port))
        raise AssertionError("no Sentinel answers")

    def wait_for_promotion(self, old: RedisProcess) -> RedisProcess:
        """Wait until all Sentinels name another master, and it is one; return it."""

        def promoted() -> RedisProcess | None:
            ports = {
                int(one.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)[1])
                for one in self.sentinels
                if one.is_running
            }
            if len(ports) != 1 or old.port in ports:
                return None
            new = self.of_port(ports.pop())
            return new if new.role() == "master" else None

        new: RedisProcess = wait_until(promoted, "a replica is promoted")
        return new


class ClusterSet(_Several):
    """Three masters with a third of the slots each, and a replica for each."""

    def __init__(self, folder: Path, *options: str, node_timeout_ms: int = 1_000) -> None:
        """Start all and wait until every node takes the cluster for whole.

        Args:
            folder: the parent of the processes' folders.
            options: of all six, such as "--cluster-require-full-coverage", "no".
            node_timeout_ms: silence after which nodes take another one for dead.
        """
        super().__init__()
        try:
            self._build(folder, options, node_timeout_ms)
        except BaseException:
            self.stop()
            raise

    def _build(self, folder: Path, options: tuple[str, ...], node_timeout_ms: int) -> None:
        data = (
            "--cluster-enabled", "yes", "--cluster-node-timeout", str(node_timeout_ms),
            "--cluster-replica-validity-factor", "0",
            "--appendonly", "yes", "--appendfsync", "everysec",
            "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", *options,
        )  # fmt: skip
        self.nodes = [self._add(RedisProcess(folder / f"node-{n}", *data)) for n in range(6)]
        ids = [node.ask("CLUSTER", "MYID").decode() for node in self.nodes]
        self._port_of = {one: node.port for one, node in zip(ids, self.nodes, strict=True)}
        self._id_of = {port: one for one, port in self._port_of.items()}
        for number, node in enumerate(self.nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        third = SLOTS // 3
        bounds = [(0, third), (third + 1, 2 * third), (2 * third + 1, SLOTS - 1)]
        for node, (low, high) in zip(self.nodes, bounds, strict=False):
            node.ask("CLUSTER", "ADDSLOTSRANGE", low, high)
        first = self.nodes[0]
        for node in self.nodes[1:]:
            node.ask("CLUSTER", "MEET", _HOST, first.port, first.bus_port)
        for node in self.nodes:
            wait_until(lambda one=node: self._knows(one) == set(ids), "all nodes have met")
        for master, replica in zip(ids[:3], self.nodes[3:], strict=True):
            replica.ask("CLUSTER", "REPLICATE", master)
        for node in self.nodes:
            wait_until(lambda one=node: self._is_whole(one), "the cluster is whole")

    def _knows(self, node: RedisProcess) -> set[str]:
        lines = node.ask("CLUSTER", "NODES").decode().splitlines()
        return {line.split()[0] for line in lines if "handshake" not in line}

    def _is_whole(self, node: RedisProcess) -> bool:
        if b"cluster_state:ok" not in node.ask("CLUSTER", "INFO"):
            return False
        lines = [line.split() for line in node.ask("CLUSTER", "NODES").decode().splitlines()]
        roles = [("master" in line[2], "slave" in line[2], line[7]) for line in lines]
        if sum(master for master, _, _ in roles) != 3 or sum(slave for _, slave, _ in roles) != 3:
            return False
        # A replica that has never been in step is not one that takes over.
        role = node.ask("ROLE")
        return role[0] == b"master" or role[3] == b"connected"

    @property
    def url(self) -> str:
        """URL for Fanzha: redis+cluster://…"""
        return "redis+cluster://" + ",".join(f"{_HOST}:{one.port}" for one in self.nodes)

    def master_of(self, slot: int) -> RedisProcess:
        """Return the node that serves a slot now."""
        for asked in self.nodes:
            if not asked.is_running:
                continue
            try:
                ranges = asked.ask("CLUSTER", "SLOTS")
            except redis.RedisError:
                continue
            for low, high, owner, *_ in ranges:
                if low <= slot <= high:
                    return self.of_port(owner[1])
        raise AssertionError(f"nobody serves slot {slot}")

    @property
    def masters(self) -> list[RedisProcess]:
        """The nodes that are masters, by their own word."""
        return [one for one in self.nodes if one.is_running and one.role() == "master"]

    def wait_for_promotion(self, dead: RedisProcess, slot: int) -> RedisProcess:
        """Wait until another node serves the slot and all that run agree; return it."""

        def promoted() -> RedisProcess | None:
            new = self.master_of(slot)
            if new is dead:
                return None
            running = [one for one in self.nodes if one.is_running and one is not dead]
            whole = all(b"cluster_state:ok" in one.ask("CLUSTER", "INFO") for one in running)
            return new if whole and new.role() == "master" else None

        new: RedisProcess = wait_until(promoted, "a replica is promoted")
        return new

    def move_slot(
        self, slot: int, target: RedisProcess, between: Callable[[], None] = lambda: None
    ) -> None:
        """Move a slot with its keys to another master, live, as redis-cli's reshard does.

        Args:
            slot: 0 to 16383.
            target: a master.
            between: called after each batch of ten keys, while the slot is half here, half there.
        """
        source = self.master_of(slot)
        assert source is not target
        source_id, target_id = self._id_of[source.port], self._id_of[target.port]
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 10):
            source.ask("MIGRATE", _HOST, target.port, "", 0, 5_000, "KEYS", *keys)
            between()
        # The target first: it is the one that must never forget that the slot is its own.
        for node in (target, source, *(one for one in self.masters if one.port != target.port)):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", target_id)
