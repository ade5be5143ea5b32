"""The composition root: builds everything, starts and stops it in order."""

import gc
import ipaddress
import logging
import os
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from zoneinfo import ZoneInfo

import fanzha
from fanzha.adapters import keys
from fanzha.adapters.clock import EventClock, SystemClock
from fanzha.adapters.codec import Codec, encode
from fanzha.adapters.data_folder import hold
from fanzha.adapters.embedded_redis import EmbeddedRedis
from fanzha.adapters.key_guard import check_token_key
from fanzha.adapters.model_registry import ModelRegistry
from fanzha.adapters.redis_link import RedisLink
from fanzha.adapters.redis_lists import CommittedLists, import_entries
from fanzha.adapters.redis_proposals import RedisProposals
from fanzha.adapters.redis_store import Lives, RedisStore
from fanzha.adapters.relay import Relay
from fanzha.adapters.spool import SpoolLimits
from fanzha.adapters.spool_keeper import open_spool
from fanzha.adapters.spool_store import SpoolStore
from fanzha.archive.decisions import FoundDecisions
from fanzha.domain.errors import SetupError, StoreUnavailableError
from fanzha.domain.evidence import WatchlistEntry
from fanzha.domain.record import ListImportRecord, ModelChangeRecord, ModelRole
from fanzha.features.kernel_cache import KERNEL_CACHE
from fanzha.pipeline.aftermath import Reporter
from fanzha.pipeline.assess import Assessor
from fanzha.pipeline.ports import Clock
from fanzha.pipeline.record import Recorder
from fanzha.pipeline.shadow import Shadows
from fanzha.pipeline.validate import Rules
from fanzha.policy.load import DEFAULT_POLICY, load_policy
from fanzha.policy.policy import Policy
from fanzha.policy.prompts import DEFAULT_PROMPTS, PromptCatalogue, load_prompts
from fanzha.policy.signatures import Kind, read_own_file
from fanzha.secrets.opening import open_token_key, wrapper_of
from fanzha.secrets.token_key import TokenKey
from fanzha.settings import Settings
from fanzha.signing.keys import read_trusted
from fanzha.transport.admission import Limits
from fanzha.transport.authorise import LocalAdmin
from fanzha.transport.guard import Guard
from fanzha.transport.identity import Tokens
from fanzha.transport.outcomes import OutcomeServicer
from fanzha.transport.scoring import ScoringServicer
from fanzha.transport.secured import entrance_of, secured_by
from fanzha.transport.server import Server, Servicers
from fanzha.transport.watchlists import WatchlistServicer

log = logging.getLogger(__name__)

_LISTS_REFRESH_S = 1.0


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
        self.secured = secured_by(
            settings.tls_cert, settings.tls_key, settings.tls_client_ca, settings.roles
        )
        if self.secured is not None:
            self._closing.callback(self.secured.close)
        lock = hold(settings.data_dir)
        self._closing.callback(lock.close)
        tokens = Tokens(_token_key(settings))
        self._fingerprint = tokens.fingerprint
        zone = ZoneInfo(settings.time_zone)
        policy, prompts = _policy(settings, zone), _prompts(settings)
        self.redis_url = settings.redis or self._start_redis()
        self.link = RedisLink(self.redis_url, settings.redis_timeout_ms)
        self._closing.callback(self.link.close)
        self.lists = CommittedLists(self.link)
        self.relay = Relay(self.link)
        lives = Lives(settings.idempotency_window_s * 1000, settings.idempotency_memory_s * 1000)
        self.store = RedisStore(self.link, self.lists, self.relay, lives)
        clock = EventClock() if settings.clock == "event" else SystemClock()
        decisions = FoundDecisions(self.store, settings.archive_dir, clock.now_ms)
        limits = SpoolLimits(
            settings.spool_segment_bytes, settings.spool_segment_s, settings.spool_bytes_max
        )
        self.keeper = open_spool(
            settings.data_dir / "spool",
            limits,
            SpoolStore(self.store, lives, decisions),
            clock.now_ms,
        )
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
        reporter = Reporter(clock, decisions, self.store, self.keeper.spool, record_wait_s)
        assessor = Assessor(
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
            self.link, settings.proposal_life_s * 1000, SystemClock().now_ms, self.lists.refresh
        )
        guard = Guard(LocalAdmin() if self.secured is None else self.secured.callers)
        self.server = Server(
            entrance_of(
                settings.address,
                self.secured,
                has_reflection=settings.reflection,
                connection_age_s=settings.connection_age_s,
            ),
            Servicers(
                ScoringServicer(guard, tokens, assessor, reporter),
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

    def start(self) -> None:
        """Load what changes at run time, send what an earlier worker left, and serve."""
        for name, seconds in KERNEL_CACHE.compiled_s.items():
            log.warning(
                "the kernel's %s was compiled at this start, in %.1f s; warm its cache with "
                "fanzha kernel, and name its folder in FANZHA_KERNEL_CACHE", name, seconds
            )  # fmt: skip
        check_token_key(self.link, self._fingerprint)
        self.lists.refresh()
        threading.Thread(target=self._follow_lists, name="lists", daemon=True).start()
        self.relay.start()
        self.keeper.start()
        self.models.start()
        # Long-lived objects leave the garbage collector's sight: no pauses for them later.
        gc.collect()
        gc.freeze()
        self.server.start()
        if self.secured is not None:
            self.secured.follow(self.server.tell_health)
        elif not _is_loopback(self._settings.address):
            log.critical(
                "NO TLS ON %s: everyone who reaches it is an administrator and may change the "
                "lists alone, because FANZHA_EVERYONE_IS_ADMIN_WITHOUT_TLS (or its option) says "
                "so; never do this where real payments are judged", self._settings.address
            )  # fmt: skip

    def stop(self) -> None:
        """Stop serving, let calls finish, write out records, and close everything."""
        self._stop.set()
        self.server.stop(self._settings.drain_notice_s, self._settings.drain_s)
        self._closing.close()

    def _start_redis(self) -> str:
        redis = EmbeddedRedis(self._settings.data_dir / "redis")
        self._closing.callback(redis.close)
        return redis.url

    def _follow_lists(self) -> None:
        while not self._stop.wait(_LISTS_REFRESH_S):
            self.lists.refresh()

    def _import(
        self, header: ListImportRecord, entries: Iterable[tuple[bytes, WatchlistEntry]]
    ) -> tuple[int, str]:
        done = import_entries(self.link, header, entries)
        self.lists.refresh()
        return done

    def _model_changed(self, role: ModelRole, before: str, after: str, cause: str) -> None:
        log.info("%s: model %s takes over from %s", role, after or "none", before or "none")
        note = ModelChangeRecord(before, after, cause, SystemClock().now_ms(), role)
        try:
            self.link.run([("XADD", keys.journal(0), "*", "k", "model_change", "b", encode(note))])
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
    is_open = settings.tls_cert is None and not settings.everyone_is_admin_without_tls
    if is_open and not _is_loopback(settings.address):
        raise SetupError(
            f"--address {settings.address!r} is not on loopback: without client certificates "
            "everyone who reaches it would be an administrator; give --tls-cert, --tls-key, "
            "--tls-client-ca and --roles, or listen on 127.0.0.1, [::1] or unix:path"
        )


def _policy(settings: Settings, zone: ZoneInfo) -> Policy:
    if settings.policy is None:
        return load_policy(DEFAULT_POLICY, zone)
    return load_policy(settings.policy, zone, _own_file(settings, settings.policy, Kind.POLICY))


def _prompts(settings: Settings) -> PromptCatalogue:
    if settings.prompts is None:
        return load_prompts(DEFAULT_PROMPTS)
    return load_prompts(settings.prompts, _own_file(settings, settings.prompts, Kind.PROMPTS))


def _own_file(settings: Settings, path: Path, kind: Kind) -> bytes:
    folder = settings.policy_keys
    keys = None if folder is None else read_trusted(folder)
    return read_own_file(path, kind, keys, is_near=_is_loopback(settings.address))


def _token_key(settings: Settings) -> TokenKey:
    wrapper = wrapper_of(
        settings.token_kek_file, settings.token_kms_command, settings.token_passphrase_file
    )
    return open_token_key(
        settings.token_key_file,
        settings.data_dir,
        wrapper,
        settings.token_algorithm,
        is_near=_is_loopback(settings.address),
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
