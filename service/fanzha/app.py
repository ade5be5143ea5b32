"""The composition root: builds everything, starts and stops it in order."""

import fcntl
import gc
import ipaddress
import logging
import os
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import fanzha
from fanzha.adapters import keys
from fanzha.adapters.clock import EventClock, SystemClock
from fanzha.adapters.codec import Codec, encode
from fanzha.adapters.embedded_redis import EmbeddedRedis
from fanzha.adapters.model_registry import ModelRegistry
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.redis_lists import CommittedLists, import_entries
from fanzha.adapters.redis_store import Lives, RedisStore
from fanzha.adapters.relay import Relay
from fanzha.adapters.resend import ResendingSpool, left_behind
from fanzha.adapters.spool import SpoolFile
from fanzha.archive.decisions import FoundDecisions
from fanzha.domain.errors import SetupError, StoreUnavailableError
from fanzha.domain.evidence import WatchlistEntry
from fanzha.domain.record import ListImportRecord, ModelChangeRecord, ModelRole
from fanzha.features.kernel_cache import KERNEL_CACHE
from fanzha.pipeline.aftermath import Reporter
from fanzha.pipeline.assess import Assessor
from fanzha.pipeline.record import Recorder
from fanzha.pipeline.shadow import Shadows
from fanzha.pipeline.validate import Rules
from fanzha.policy.load import DEFAULT_POLICY, load_policy
from fanzha.policy.prompts import DEFAULT_PROMPTS, load_prompts
from fanzha.settings import Settings
from fanzha.transport.admission import Limits
from fanzha.transport.authorise import LocalAdmin
from fanzha.transport.guard import Guard
from fanzha.transport.identity import Tokens, load_key, load_or_create_key
from fanzha.transport.outcomes import OutcomeServicer
from fanzha.transport.scoring import ScoringServicer
from fanzha.transport.server import Server, Servicers
from fanzha.transport.watchlists import WatchlistServicer

log = logging.getLogger(__name__)

_LISTS_REFRESH_S = 1.0
_PATIENT_MS = 1_000


class App:
    """One worker of the service: everything it is made of."""

    def __init__(self, settings: Settings) -> None:
        """Build all parts and bind the address; nothing is served yet.

        Raises:
            SetupError: a part cannot start; names the cause and the remedy.
        """
        _check(settings)
        self._settings = settings
        self._closing = ExitStack()
        self._stop = threading.Event()
        try:
            self._build()
        except BaseException:
            self._closing.close()
            raise

    def _build(self) -> None:
        settings = self._settings
        lock = _lock(settings.data_dir)
        self._closing.callback(lock.close)
        tokens = Tokens(
            load_key(settings.token_key_file)
            if settings.token_key_file
            else load_or_create_key(settings.data_dir / "token.key")
        )
        zone = ZoneInfo(settings.time_zone)
        policy = load_policy(settings.policy or DEFAULT_POLICY, zone)
        prompts = load_prompts(settings.prompts or DEFAULT_PROMPTS)
        self.redis_url = settings.redis or self._start_redis()
        self.link = RedisLink(self.redis_url, settings.redis_timeout_ms)
        self._closing.callback(self.link.close)
        # What no decision waits for: it is not given up, and opens no breaker, after 20 ms.
        patient_ms = max(_PATIENT_MS, settings.redis_timeout_ms)
        self.patient_link = RedisLink(self.redis_url, patient_ms)
        self._closing.callback(self.patient_link.close)
        self.lists = CommittedLists(self.patient_link)
        self.relay = Relay(self.patient_link)
        lives = Lives(settings.idempotency_window_s * 1000, settings.idempotency_memory_s * 1000)
        outage = OutageMemory()
        self.store = RedisStore(self.link, self.lists, self.relay, lives, outage)
        reports = RedisStore(self.patient_link, self.lists, self.relay, lives, outage)
        clock = EventClock() if settings.clock == "event" else SystemClock()
        wall = SystemClock()
        folder = settings.data_dir / "spool"
        self._left_behind = left_behind(folder)
        file = SpoolFile(folder, wall.now_ms)
        self.spool = ResendingSpool(file, reports, clock.now_ms, outage)
        self._closing.callback(self.relay.close)
        self._closing.callback(self.spool.close)
        self.models = ModelRegistry(
            settings.models,
            settings.model_keys_dir,
            settings.model_budget_us,
            self._model_changed,
        )
        self._closing.callback(self.models.close)
        decisions = FoundDecisions(reports, settings.archive_dir, clock.now_ms)
        reporter = Reporter(clock, decisions, reports)
        assessor = Assessor(
            clock=clock,
            randomness=os.urandom,
            store=self.store,
            models=self.models,
            policy=policy,
            prompts=prompts,
            recorder=Recorder(self.spool, self.store, Codec()),
            shadows=Shadows(settings.model_budget_us),
            rules=Rules(settings.base_currency),
            zone=zone,
            idempotency_window_ms=lives.window_ms,
            service_version=fanzha.__version__,
        )
        guard = Guard(LocalAdmin())
        self.server = Server(
            settings.address,
            Servicers(
                ScoringServicer(guard, tokens, assessor, reporter),
                OutcomeServicer(guard, tokens, reporter, clock, settings.base_currency),
                WatchlistServicer(guard, tokens, clock, self._import),
            ),
            Limits(
                settings.threads,
                settings.calls_max,
                settings.queue_target_ms / 1000,
                settings.queue_max_ms / 1000,
            ),
            # Each holds a thread for as long as its client likes.
            streams_max=max(1, settings.threads // 4),
        )

    def start(self) -> None:
        """Load what changes at run time, send what an earlier worker left, and serve."""
        for name, seconds in KERNEL_CACHE.compiled_s.items():
            log.warning(
                "the kernel's %s was compiled at this start, in %.1f s; warm its cache with "
                "fanzha kernel, and name its folder in FANZHA_KERNEL_CACHE", name, seconds
            )  # fmt: skip
        self.lists.refresh()
        # Epochs begin before the first decision waits for them. It may fail: Redis may be away.
        self.link.try_run([("TIME",)])
        threading.Thread(target=self._follow_lists, name="lists", daemon=True).start()
        self.relay.start()
        self.spool.start()
        for record, body in self._left_behind:
            self.spool.send_later(record, body)
        self.models.start()
        # Long-lived objects leave the garbage collector's sight: no pauses for them later.
        gc.collect()
        gc.freeze()
        self.server.start()

    def stop(self) -> None:
        """Stop serving, let calls finish, write out records, and close everything."""
        self._stop.set()
        self.server.stop(self._settings.drain_notice_s, self._settings.drain_s)
        self._closing.close()

    def _start_redis(self) -> str:
        redis = EmbeddedRedis(self._settings.data_dir / "redis")
        self._closing.callback(redis.close)
        redis.supervise()
        return redis.url

    def _follow_lists(self) -> None:
        while not self._stop.wait(_LISTS_REFRESH_S):
            self.lists.refresh()

    def _import(
        self, header: ListImportRecord, entries: Iterable[tuple[bytes, WatchlistEntry]]
    ) -> tuple[int, str]:
        done = import_entries(self.patient_link, header, entries)
        self.lists.refresh()
        return done

    def _model_changed(self, role: ModelRole, before: str, after: str, cause: str) -> None:
        log.info("%s: model %s takes over from %s", role, after or "none", before or "none")
        note = ModelChangeRecord(before, after, cause, SystemClock().now_ms(), role)
        try:
            self.patient_link.run(
                [("XADD", keys.journal(0), "*", "k", "model_change", "b", encode(note))]
            )
        except StoreUnavailableError:
            log.warning("the change of model could not be journaled: Redis is away")


def _check(settings: Settings) -> None:
    if bool(settings.redis) == settings.embedded:
        raise SetupError(
            "serve needs a Redis: give --redis URL for one that you run, "
            "or --embedded for a private one in --data-dir"
            + (" (not both)" if settings.embedded else "")
        )
    if settings.clock == "event" and not settings.embedded:
        raise SetupError("--clock event is for isolated instances: use it with --embedded")
    if not _is_loopback(settings.address):
        raise SetupError(
            f"--address {settings.address!r} is not on loopback: without client certificates "
            "everyone who reaches it would be an administrator; listen on 127.0.0.1, [::1] or "
            "unix:path"
        )


def _is_loopback(address: str) -> bool:
    if address.startswith("unix:"):
        return True
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _lock(folder: Path) -> BinaryIO:
    """Hold the data folder for this process alone."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("ab")
    except OSError as error:
        raise SetupError(
            f"cannot write in {folder}: {error.strerror}; choose a writable folder with --data-dir"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise SetupError(
            f"{folder} is in use by another instance; stop it, or choose another --data-dir"
        ) from error
    return lock
