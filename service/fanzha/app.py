"""The composition root: builds everything, starts and stops it in order."""

import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import fanzha
from fanzha.adapters import keys
from fanzha.adapters.clock import EventClock, SystemClock
from fanzha.adapters.codec import Codec, encode
from fanzha.adapters.hard_lists import HardLists
from fanzha.adapters.key_guard import check_token_key, token_key_guard
from fanzha.adapters.model_registry import ModelRegistry
from fanzha.adapters.outage_memory import OutageMemory
from fanzha.adapters.part_states import part_states
from fanzha.adapters.redis_commit import Lives
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.redis_lists import CommittedLists, import_entries
from fanzha.adapters.redis_proposals import RedisProposals
from fanzha.adapters.redis_store import RedisStore
from fanzha.adapters.relay import Relay
from fanzha.adapters.spool_keeper import open_spool
from fanzha.adapters.spool_queue import SpoolLimits
from fanzha.adapters.spool_store import SpoolStore
from fanzha.archive.decisions import FoundDecisions
from fanzha.domain.errors import StoreUnavailableError
from fanzha.domain.evidence import WatchlistEntry
from fanzha.domain.record import ListImportRecord, ModelChangeRecord, ModelRole
from fanzha.features.kernel_cache import KERNEL_CACHE
from fanzha.given import policy_of, prompts_of, token_key_of
from fanzha.pipeline.aftermath import Reporter
from fanzha.pipeline.assess import Assessor
from fanzha.pipeline.budget import Budgets
from fanzha.pipeline.ports import Clock
from fanzha.pipeline.record import Recorder
from fanzha.pipeline.shadow import Shadows
from fanzha.pipeline.validate import Rules
from fanzha.settings import Settings, is_loopback
from fanzha.transport.admission import Limits
from fanzha.transport.authorise import LocalAdmin
from fanzha.transport.guard import Guard
from fanzha.transport.identity import Tokens
from fanzha.transport.outcomes import OutcomeServicer
from fanzha.transport.part_health import PartHealth
from fanzha.transport.scoring import ScoringServicer
from fanzha.transport.secured import entrance_of, secured_by
from fanzha.transport.server import Server, Servicers
from fanzha.transport.watchlists import WatchlistServicer

log = logging.getLogger(__name__)

_LISTS_REFRESH_S = 1.0
_PATIENT_MS = 1_000


@dataclass(frozen=True, slots=True)
class Place:
    """What distinguishes a worker from others of its service."""

    address: str
    """Where it listens: host:port, or unix:path."""
    spool: Path
    redis_url: str


class App:
    """One worker of the service: everything it is made of."""

    def __init__(self, settings: Settings, place: Place) -> None:
        """Build all parts; nobody can connect yet.

        Raises:
            SetupError: a part cannot start; names the cause and the remedy.
        """
        self._settings = settings
        self._place = place
        self._closing = ExitStack()
        self._stop = threading.Event()
        try:
            self._build()
        except BaseException:
            self._closing.close()
            raise

    def _build(self) -> None:
        settings = self._settings
        self.secured = secured_by(
            settings.tls_cert, settings.tls_key, settings.tls_client_ca, settings.roles
        )
        if self.secured is not None:
            self._closing.callback(self.secured.close)
        tokens = Tokens(token_key_of(settings))
        self._fingerprint = tokens.fingerprint
        zone = ZoneInfo(settings.time_zone)
        policy, prompts = policy_of(settings, zone), prompts_of(settings)
        redis_url = self._place.redis_url
        self.link = RedisLink(redis_url, settings.redis_timeout_ms)
        self._closing.callback(self.link.close)
        # What no decision waits for: it is not given up, and opens no breaker, after 20 ms.
        patient_ms = max(_PATIENT_MS, settings.redis_timeout_ms)
        self.patient_link = RedisLink(redis_url, patient_ms)
        self._closing.callback(self.patient_link.close)
        clock = EventClock() if settings.clock == "event" else SystemClock()
        hard = HardLists(self.patient_link, settings.hard_lists_max)
        self.patient_link.on_lineage(lambda _buckets, _was_empty: hard.doubt())
        self.lists = CommittedLists(self.patient_link, hard, clock.now_ms)
        self.relay = Relay(self.patient_link)
        lives = Lives(settings.idempotency_window_s * 1000, settings.idempotency_memory_s * 1000)
        outage = OutageMemory(lives.window_ms)
        self.store = RedisStore(self.link, self.lists, self.relay, lives, outage)
        reports = RedisStore(self.patient_link, self.lists, self.relay, lives, outage)
        decisions = FoundDecisions(reports, settings.archive_dir, clock.now_ms)
        limits = SpoolLimits(
            settings.spool_segment_bytes, settings.spool_segment_s, settings.spool_bytes_max
        )
        records = SpoolStore(reports, lives, decisions)
        self.keeper = open_spool(self._place.spool, limits, records, clock.now_ms)
        self.link.on_lineage(self.keeper.commits_moved)
        self.patient_link.on_lineage(self.keeper.lineage_changed)
        self._closing.callback(self.relay.close)
        self._closing.callback(self.keeper.close)
        self.models = ModelRegistry(
            settings.models,
            settings.model_keys_dir,
            settings.model_budget_us,
            self._model_changed,
        )
        self._closing.callback(self.models.close)
        record_wait_s = settings.record_wait_ms / 1000
        reporter = Reporter(
            clock, decisions, reports, self.keeper.spool, record_wait_s, lives.window_ms
        )
        assessor = self.assessor = Assessor(
            clock=clock,
            randomness=os.urandom,
            store=self.store,
            models=self.models,
            policy=policy,
            prompts=prompts,
            recorder=Recorder(self.keeper.spool, self.store, Codec(), record_wait_s),
            shadows=Shadows(settings.model_budget_us),
            rules=Rules(settings.base_currency),
            zone=zone,
            idempotency_window_ms=lives.window_ms,
            service_version=fanzha.__version__,
        )
        self._build_server(tokens, assessor, reporter, clock)

    def _build_server(
        self, tokens: Tokens, assessor: Assessor, reporter: Reporter, clock: Clock
    ) -> None:
        settings = self._settings
        proposals = RedisProposals(
            self.patient_link,
            settings.proposal_life_s * 1000,
            SystemClock().now_ms,
            self.lists.refresh,
        )
        budgets = Budgets(settings.budget_ms / 1000, time.monotonic)
        guard = Guard(LocalAdmin() if self.secured is None else self.secured.callers)
        self.server = Server(
            entrance_of(
                self._place.address,
                self.secured,
                has_reflection=settings.reflection,
                connection_age_s=settings.connection_age_s,
            ),
            Servicers(
                guard,
                ScoringServicer(guard, tokens, assessor, reporter, budgets),
                OutcomeServicer(guard, tokens, reporter, clock, settings.base_currency),
                WatchlistServicer(guard, tokens, clock, self._import, proposals),
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
        states = part_states(
            (self.link, self.patient_link), self.lists, self.models, self.keeper.spool
        )
        self.parts = PartHealth(states, self.server.tell_health)
        self._closing.callback(self.parts.close)

    def prepare(self) -> None:
        """Load what changes at run time, and begin to send what an earlier worker left.

        Raises:
            SetupError: Redis holds tokens of another key.
        """
        for name, seconds in KERNEL_CACHE.compiled_s.items():
            log.warning(
                "the kernel's %s was compiled at this start, in %.1f s; warm its cache with "
                "fanzha kernel, and name its folder in FANZHA_KERNEL_CACHE", name, seconds
            )  # fmt: skip
        check_token_key(self.patient_link, self._fingerprint)
        # It is asked every second, also when no calls come.
        self.patient_link.on_lineage(
            token_key_guard(self.patient_link, self._fingerprint, self._give_up)
        )
        self.lists.refresh()
        # Epochs begin before the first decision waits for them. It may fail: Redis may be away.
        self.link.try_run([("TIME",)])
        threading.Thread(target=self._follow_lists, name="lists", daemon=True).start()
        self.relay.start()
        self.keeper.start()
        self.models.start()
        # Long-lived objects leave the garbage collector's sight: no pauses for them later.
        gc.collect()
        gc.freeze()

    def open(self) -> str:
        """Listen and serve; return the address at which clients find this worker.

        Raises:
            SetupError: the address is taken or cannot be bound.
        """
        address = self.server.start()
        self.parts.start()
        if self.secured is not None:
            self.secured.follow(self.server.tell_health)
        elif not is_loopback(self._settings.address):
            log.critical(
                "NO TLS ON %s: everyone who reaches it is an administrator and may change the "
                "lists alone, because FANZHA_EVERYONE_IS_ADMIN_WITHOUT_TLS (or its option) says "
                "so; never do this where real payments are judged", address
            )  # fmt: skip
        return address

    def stop(self) -> None:
        """Stop serving, let calls finish, write out records, and close everything."""
        self._stop.set()
        self.server.stop(self._settings.drain_notice_s, self._settings.drain_s)
        self._closing.close()

    def _give_up(self, cause: str) -> None:
        log.critical("this worker stops: %s", cause)
        os.kill(os.getpid(), signal.SIGTERM)

    def _follow_lists(self) -> None:
        while not self._stop.wait(_LISTS_REFRESH_S):
            try:
                self.lists.refresh()
            except Exception:
                # Health says that lists are not known; the next look may find them readable.
                log.exception("the lists in effect could not be read; tried again")

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
