"""The faults: what goes wrong, and what brings it right again."""

import time
from collections.abc import Sequence
from typing import ClassVar, Literal, cast

from tests.chaos import disk
from tests.chaos.answers import DECISION, Call
from tests.chaos.clock import SteppedClock
from tests.chaos.disk import SmallDisk
from tests.chaos.proxy import ProxyProcess
from tests.chaos.stage import Stage
from tests.redis_processes import ClusterSet, RedisProcess, SentinelSet, wait_until

from fanzha.adapters.redis_slots import slot_of
from fanzha.archive.log import LOG
from fanzha.domain.ids import BUCKETS

Topology = Literal["single", "sentinel", "cluster"]


class Fault:
    """One fault. `start` returns when it holds, `heal` when its cause is gone."""

    name: ClassVar[str]
    says: ClassVar[str]
    """What goes wrong, in a sentence for the report."""
    topology: ClassVar[Topology] = "single"
    is_outage: ClassVar[bool] = False
    """Whether no worker reaches Redis from the end of `start` to the beginning of `heal`."""

    def why_not(self) -> str:
        """Return why it cannot be done on this machine; empty when it can."""
        return ""

    def prepare(self, stage: Stage) -> None:
        """Change the stage before anything but Redis runs."""

    def start(self, stage: Stage) -> None:
        """Break something."""

    def hold(self, stage: Stage) -> None:
        """Wait while it is broken."""
        time.sleep(stage.size.during_s)

    def heal(self, stage: Stage) -> None:
        """Take the cause away."""

    def was_felt(self, stage: Stage, calls: Sequence[Call]) -> bool:
        """Say whether the fault reached the service: one that nobody felt proves nothing.

        Args:
            stage: after the load.
            calls: those that were under way while it held.
        """
        return any(call.kind == DECISION and call.answer.degraded_parts for call in calls)


class WorkerKilled(Fault):
    name = "worker-kill"
    says = "two workers are killed (-9); one comes back on its folder, one never does"

    def start(self, stage: Stage) -> None:
        stage.workers[0].kill()

    def hold(self, stage: Stage) -> None:
        time.sleep(stage.size.during_s / 2)
        stage.workers[0].start()
        stage.workers[0].wait()
        stage.workers[-1].kill()
        stage.abandoned.add(stage.workers[-1].number)
        time.sleep(stage.size.during_s / 2)

    def was_felt(self, stage: Stage, calls: Sequence[Call]) -> bool:
        failed = {call.worker for call in calls if call.detail.startswith("UNAVAILABLE")}
        return failed >= {0, stage.workers[-1].number}


class _OfOneRedis(Fault):
    is_outage = True

    @staticmethod
    def redis(stage: Stage) -> RedisProcess:
        return cast("RedisProcess", stage.store)


class RedisKilled(_OfOneRedis):
    name = "redis-kill"
    says = "Redis is killed (-9) and comes back with its append-only file"

    def start(self, stage: Stage) -> None:
        self.redis(stage).kill()

    def heal(self, stage: Stage) -> None:
        self.redis(stage).restart()


class RedisFrozen(_OfOneRedis):
    name = "redis-frozen"
    says = "Redis is stopped (SIGSTOP): it accepts and never answers; then it goes on"

    def start(self, stage: Stage) -> None:
        self.redis(stage).freeze()
        # What it was about to send is out; calls that were under way have their replies.
        time.sleep(0.1)

    def heal(self, stage: Stage) -> None:
        self.redis(stage).resume()


class RedisEmptied(_OfOneRedis):
    name = "redis-empty"
    says = "Redis is killed (-9) and comes back with nothing"
    _FORGOTTEN_S = 6.0

    def start(self, stage: Stage) -> None:
        # Much of what was answered is archived by now, so that spools may have let go of it.
        time.sleep(self._FORGOTTEN_S)
        self.redis(stage).kill()

    def heal(self, stage: Stage) -> None:
        self.redis(stage).restart(empty=True)


class _OfSentinel(Fault):
    topology = "sentinel"

    def __init__(self) -> None:
        self._old: RedisProcess | None = None

    @staticmethod
    def servers(stage: Stage) -> SentinelSet:
        return cast("SentinelSet", stage.store)


class SentinelFailover(_OfSentinel):
    name = "sentinel-failover"
    says = "the master behind Sentinels is killed (-9), a replica promoted, the old one comes back"

    def start(self, stage: Stage) -> None:
        self._old = self.servers(stage).master
        self._old.kill()

    def hold(self, stage: Stage) -> None:
        assert self._old is not None
        self.servers(stage).wait_for_promotion(self._old)
        super().hold(stage)

    def heal(self, stage: Stage) -> None:
        assert self._old is not None
        self._old.restart()


class SentinelPartition(_OfSentinel):
    name = "sentinel-partition"
    says = "the master behind Sentinels is frozen, a replica is promoted, then the old master wakes"

    def start(self, stage: Stage) -> None:
        self._old = self.servers(stage).master
        self._old.freeze()

    def hold(self, stage: Stage) -> None:
        assert self._old is not None
        self.servers(stage).wait_for_promotion(self._old)
        super().hold(stage)

    def heal(self, stage: Stage) -> None:
        assert self._old is not None
        old = self._old
        old.resume()
        wait_until(lambda: old.role() == "slave", "the old master follows the new one")


class _OfCluster(Fault):
    topology = "cluster"

    @staticmethod
    def nodes(stage: Stage) -> ClusterSet:
        return cast("ClusterSet", stage.store)


class ClusterNodeLost(_OfCluster):
    name = "cluster-node-loss"
    says = "a master of the Cluster is killed (-9), its replica is promoted, the old one comes back"

    def __init__(self) -> None:
        self._old: RedisProcess | None = None

    def start(self, stage: Stage) -> None:
        self._old = self.nodes(stage).master_of(slot_of(b"{b17}"))
        self._old.kill()

    def hold(self, stage: Stage) -> None:
        assert self._old is not None
        self.nodes(stage).wait_for_promotion(self._old, slot_of(b"{b17}"))
        super().hold(stage)

    def heal(self, stage: Stage) -> None:
        assert self._old is not None
        self._old.restart()


class ClusterSlotMoved(_OfCluster):
    name = "cluster-slot-move"
    says = "the slots of the fullest buckets move to other masters, live, and back"

    def __init__(self) -> None:
        self._moved_keys = 0

    def hold(self, stage: Stage) -> None:
        nodes, until_s = self.nodes(stage), time.monotonic() + stage.size.during_s
        slots = {slot_of(b"{b%d}" % bucket) for bucket in range(BUCKETS)}
        held = {slot: self._keys(nodes, slot) for slot in slots}
        fullest = sorted(slots, key=lambda slot: -held[slot])
        while time.monotonic() < until_s:
            slot = fullest.pop(0)
            source = nodes.master_of(slot)
            target = next(one for one in nodes.masters if one.port != source.port)
            for to in (target, source):
                self._moved_keys += self._keys(nodes, slot)
                # Calls come in between: half of their keys are here, half are there.
                nodes.move_slot(slot, to, lambda: time.sleep(0.02))

    @staticmethod
    def _keys(nodes: ClusterSet, slot: int) -> int:
        return int(nodes.master_of(slot).ask("CLUSTER", "COUNTKEYSINSLOT", slot))

    def was_felt(self, stage: Stage, calls: Sequence[Call]) -> bool:
        return self._moved_keys > 100


class SpoolFull(Fault):
    name = "spool-full"
    says = "the disk of one worker's spool is full; then there is room again"

    def __init__(self) -> None:
        self._disk: SmallDisk | None = None

    def why_not(self) -> str:
        return disk.why_not()

    def prepare(self, stage: Stage) -> None:
        self._disk = stage.stack.enter_context(SmallDisk(stage.folder / "small-disk"))
        stage.worker_folders[0] = self._disk.folder / "data-0"

    def start(self, stage: Stage) -> None:
        assert self._disk is not None
        self._disk.fill()

    def heal(self, stage: Stage) -> None:
        assert self._disk is not None
        self._disk.free()


class ArchiveFull(Fault):
    name = "archive-full"
    says = "the disk of the archive is full; then there is room again"

    def __init__(self) -> None:
        self._disk: SmallDisk | None = None
        self._commits = 0
        self._stalled = False

    def why_not(self) -> str:
        return disk.why_not()

    def prepare(self, stage: Stage) -> None:
        self._disk = stage.stack.enter_context(SmallDisk(stage.folder / "small-disk", 64))
        stage.archive = self._disk.folder / "archive"

    def start(self, stage: Stage) -> None:
        assert self._disk is not None
        self._disk.fill()
        self._commits = self._count(stage)

    def heal(self, stage: Stage) -> None:
        assert self._disk is not None
        self._stalled = self._count(stage) == self._commits
        self._disk.free()

    @staticmethod
    def _count(stage: Stage) -> int:
        return len(list((stage.archive / LOG).glob("*.json")))

    def was_felt(self, stage: Stage, calls: Sequence[Call]) -> bool:
        return self._stalled and self._count(stage) > self._commits


class ArchiversKilled(Fault):
    name = "archiver-kill"
    says = "archivers are killed (-9) again and again, at any instant"

    def hold(self, stage: Stage) -> None:
        until_s = time.monotonic() + 2 * stage.size.during_s
        number = 0
        while time.monotonic() < until_s:
            # From half a second to two: before, while and after a round is written.
            time.sleep(0.5 + number * 7 % 16 / 10)
            stage.archivers[number % len(stage.archivers)].kill()
            number += 1

    def was_felt(self, stage: Stage, calls: Sequence[Call]) -> bool:
        return sum(archiver.starts for archiver in stage.archivers) > len(stage.archivers) + 1


class ClockStepped(Fault):
    name = "clock-back"
    says = (
        "the clock of one worker steps back by five minutes, and Redis is killed (-9) and restarted"
    )
    _STEP_S = -300.0

    def __init__(self) -> None:
        self._clock: SteppedClock | None = None

    def why_not(self) -> str:
        return SteppedClock.why_not()

    def prepare(self, stage: Stage) -> None:
        self._clock = SteppedClock(stage.folder)
        stage.worker_environment[0] = self._clock.environment

    def start(self, stage: Stage) -> None:
        assert self._clock is not None
        self._clock.step(self._STEP_S)

    def hold(self, stage: Stage) -> None:
        redis = _OfOneRedis.redis(stage)
        time.sleep(stage.size.during_s / 2)
        # New epochs begin at this, by the clock of whoever sees the restart first.
        redis.kill()
        time.sleep(0.5)
        redis.restart()
        time.sleep(stage.size.during_s / 2)

    def heal(self, stage: Stage) -> None:
        assert self._clock is not None
        self._clock.step(0)

    def was_felt(self, stage: Stage, calls: Sequence[Call]) -> bool:
        times_s: dict[bool, list[int]] = {True: [], False: []}
        for call in calls:
            if call.kind == DECISION and call.attempt == "fresh":
                times_s[call.worker == 0].append(call.answer.decide_time.seconds)
        # Both clocks were read in the same seconds.
        return min(times_s[True]) < min(times_s[False]) + self._STEP_S / 2


class _Network(Fault):
    """A proxy stands between some workers and Redis, and misbehaves."""

    mode: ClassVar[str]
    of_all: ClassVar[bool] = False
    """Whether all workers go through it, or the first alone."""

    def __init__(self) -> None:
        self._proxy: ProxyProcess | None = None

    def prepare(self, stage: Stage) -> None:
        port = _OfOneRedis.redis(stage).port
        self._proxy = stage.stack.enter_context(ProxyProcess(f"127.0.0.1:{port}", stage.seed))
        for number in range(stage.size.workers if self.of_all else 1):
            stage.worker_urls[number] = f"redis://127.0.0.1:{self._proxy.port}/0"

    def start(self, stage: Stage) -> None:
        assert self._proxy is not None
        self._proxy.become(self.mode)

    def heal(self, stage: Stage) -> None:
        assert self._proxy is not None
        self._proxy.become("pass")


class NetworkSlow(_Network):
    name, mode, of_all = "network-delay", "delay 40", True
    says = "each way between workers and Redis takes 40 ms: longer than they wait"


class NetworkLossy(_Network):
    name, mode, of_all = "network-loss", "loss 0.02", True
    says = "a fiftieth of what goes between workers and Redis is lost, with its connection"


class NetworkCut(_Network):
    name, mode = "network-cut", "cut"
    says = "one worker is cut off from Redis; the others are not"


class NetworkHalfOpen(_Network):
    name, mode = "network-half-open", "half-open"
    says = "one worker's connections to Redis are accepted, and nothing goes through"


class NetworkDeaf(_Network):
    name, mode = "network-deaf", "deaf"
    says = "Redis does what one worker asks, and its replies never arrive"


FAULTS: tuple[type[Fault], ...] = (
    WorkerKilled, RedisKilled, RedisFrozen, RedisEmptied,
    SentinelFailover, SentinelPartition, ClusterNodeLost, ClusterSlotMoved,
    SpoolFull, ArchiveFull, ArchiversKilled, ClockStepped,
    NetworkSlow, NetworkLossy, NetworkCut, NetworkHalfOpen, NetworkDeaf,
)  # fmt: skip
