"""Which models are served: follows the registry of statements, without a restart."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fanzha.adapters.model_loading import load_model
from fanzha.adapters.onnx_model import OnnxModel
from fanzha.domain.errors import RegistryRefusedError, SetupError
from fanzha.domain.record import ModelRole
from fanzha.pipeline.ports import ServedModels
from fanzha.registry.model_folder import folder_of
from fanzha.registry.registry_file import REGISTRY_FILE, history_of
from fanzha.registry.standing import Named, Standing, standing_of
from fanzha.signing.keys import TrustedKeys, read_trusted

log = logging.getLogger(__name__)

_POLL_S: Final = 0.5
_RETRY_S: Final = 5.0
"""A model may be refused for a passing reason, such as a folder that is still being copied."""

OnChange = Callable[[ModelRole, str, str, str], None]
"""Told of every change: role, label before, label after (empty: none), cause."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A model that is served, and the manifest by which statements name it."""

    model: OnnxModel
    manifest_sha256: str

    @property
    def label(self) -> str:
        return self.model.manifest.label


class ModelRegistry:
    """Meets the port `Models`. What cannot be believed or loaded leaves the last good champion."""

    def __init__(
        self,
        folder: Path,
        keys_folder: Path,
        budget_us: int,
        on_change: OnChange,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare, without loading.

        Args:
            folder: holds registry.json and `<name>/<version>/`.
            keys_folder: holds the trusted public keys.
            budget_us: what one row may cost a model, in microseconds of processor time.
            on_change: told of every change.
            monotonic: clock for trying a refused model again, in seconds.
        """
        self._folder = folder
        self._keys_folder = keys_folder
        self._budget_us = budget_us
        self._on_change = on_change
        self._monotonic = monotonic
        self._champion: _Loaded | None = None
        self._shadow: _Loaded | None = None
        self._served = ServedModels()
        self._seen: object = None
        self._digests: tuple[str, ...] = ()
        self._retry_at_s = 0.0
        self.refused = ""
        """Why the registry's champion is not the one that serves; empty when it is."""
        self.shadow_refused = ""
        """Why the registry's shadow does not score; empty when it does, or there is none."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="models", daemon=True)

    def current(self) -> ServedModels:
        """Return the models of this moment."""
        return self._served

    def start(self) -> None:
        """Load what the registry names, and follow it."""
        self._look()
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def refresh(self) -> None:
        """Load what the registry names if it, or a trusted key, changed since the last look."""
        path = self._folder / REGISTRY_FILE
        try:
            content = path.read_bytes()
            seen = content, _state_of(self._keys_folder)
        except OSError as error:
            self._refuse(f"cannot read {error.filename}: {error.strerror}")
            return
        now_s = self._monotonic()
        is_refused = bool(self.refused or self.shadow_refused)
        if seen == self._seen and (not is_refused or now_s < self._retry_at_s):
            return
        self._seen, self._retry_at_s = seen, now_s + _RETRY_S
        keys = read_trusted(self._keys_folder)
        try:
            standing = standing_of(history_of(content), keys)
            self._check_goes_on(standing)
        except SetupError as error:
            self._refuse(f"{path}: {error}")
            return
        self._digests = standing.digests
        champion = self._next_champion(standing, keys)
        shadow = self._next_shadow(standing, keys)
        self._serve(champion, shadow, standing)

    def _check_goes_on(self, standing: Standing) -> None:
        """Refuse an older or another history: who could cut it short could undo a rollback."""
        if standing.digests[: len(self._digests)] != self._digests:
            raise RegistryRefusedError(
                f"it does not go on from the {len(self._digests)} statements that this worker has "
                "seen; restore it, or start the worker again if it was replaced on purpose"
            )

    def _next_champion(self, standing: Standing, keys: TrustedKeys) -> _Loaded | None:
        if standing.champion is None:
            self._refuse("nobody has promoted a model yet")
            return self._champion
        try:
            loaded = self._loaded(standing.champion, keys)
        except SetupError as error:
            self._refuse(str(error))
            return self._champion
        self.refused = ""
        return loaded

    def _next_shadow(self, standing: Standing, keys: TrustedKeys) -> _Loaded | None:
        cause, loaded = "", None
        if standing.shadow is not None:
            try:
                loaded = self._loaded(standing.shadow, keys)
            except SetupError as error:
                cause = str(error)
        if cause and cause != self.shadow_refused:
            log.error("the registry's shadow is refused, none scores: %s", cause)
        self.shadow_refused = cause
        return loaded

    def _loaded(self, named: Named, keys: TrustedKeys) -> _Loaded:
        for known in (self._champion, self._shadow):
            if known is not None and known.manifest_sha256 == named.manifest_sha256:
                return known
        model = load_model(
            folder_of(self._folder, named.label),
            keys,
            self._budget_us,
            manifest_sha256=named.manifest_sha256,
            number=named.number,
        )
        return _Loaded(model, named.manifest_sha256)

    def _serve(self, champion: _Loaded | None, shadow: _Loaded | None, standing: Standing) -> None:
        before, shadow_before = self._champion, self._shadow
        self._champion, self._shadow = champion, shadow
        # One reference: a decision that reads it has both of one moment.
        self._served = ServedModels(_model(champion), _model(shadow))
        if champion is not None and champion != before:
            self._on_change(ModelRole.CHAMPION, _label(before), champion.label, standing.cause)
        if shadow != shadow_before:
            cause = f"statement {standing.number}"
            self._on_change(ModelRole.SHADOW, _label(shadow_before), _label(shadow), cause)

    def _refuse(self, cause: str) -> None:
        if cause != self.refused:
            self.refused = cause
            log.error(
                "the registry's model is refused, %s: %s",
                "no model decides, rules and lists alone do"
                if self._champion is None
                else "the last good one stays",
                cause,
            )

    def _follow(self) -> None:
        while not self._stop.wait(_POLL_S):
            self._look()

    def _look(self) -> None:
        try:
            self.refresh()
        except Exception as error:  # noqa: BLE001 - no file may end the look-out, nor the start
            self._refuse(f"the registry's model cannot be looked at: {error!r}")


def _model(loaded: _Loaded | None) -> OnnxModel | None:
    return None if loaded is None else loaded.model


def _label(loaded: _Loaded | None) -> str:
    return "" if loaded is None else loaded.label


def _state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a key is added, changed or taken away."""
    found = [(file.name, file.stat()) for file in sorted(folder.glob("*.pub"))]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)
