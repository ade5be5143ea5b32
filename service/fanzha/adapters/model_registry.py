"""Which model decides: follows the registry file that promotion writes, without a restart."""

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fanzha.adapters.onnx_model import OnnxModel
from fanzha.domain.errors import ModelRefusedError

log = logging.getLogger(__name__)

_POLL_S = 0.5
_RETRY_S = 5.0
"""A model may be refused for a passing reason, such as a folder that is still being copied."""


class ModelRegistry:
    """Meets the port `Models`. A model that cannot be loaded leaves the last good one in place."""

    def __init__(
        self,
        folder: Path,
        on_change: Callable[[str, str, str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare, without loading.

        Args:
            folder: holds registry.json and `<name>/<version>/`.
            on_change: told of every change: label before, label after (empty: none), cause.
            monotonic: clock for trying a refused model again, in seconds.
        """
        self._folder = folder
        self._on_change = on_change
        self._champion: OnnxModel | None = None
        self._monotonic = monotonic
        self._seen: bytes | None = None
        self._retry_at_s = 0.0
        self.refused = ""
        """Why the registry's champion is not the one that serves; empty when it is."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="models", daemon=True)

    def champion(self) -> OnnxModel | None:
        """Return the model that decides."""
        return self._champion

    def start(self) -> None:
        """Load the champion and follow the registry file."""
        self.refresh()
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def refresh(self) -> None:
        """Load the registry's champion if the file changed since the last look."""
        path = self._folder / "registry.json"
        try:
            content = path.read_bytes()
        except OSError as error:
            self._refuse(f"cannot read {path}: {error.strerror}")
            return
        now_s = self._monotonic()
        if content == self._seen and (not self.refused or now_s < self._retry_at_s):
            return
        self._seen, self._retry_at_s = content, now_s + _RETRY_S
        try:
            label = json.loads(content)["champion"]
            model = OnnxModel(self._checked(str(label)))
        except (ValueError, KeyError, TypeError) as error:
            self._refuse(f"{path} names no champion: {error!r}")
        except ModelRefusedError as error:
            self._refuse(str(error))
        else:
            before = self._champion.manifest.label if self._champion else ""
            self._champion, self.refused = model, ""
            if before != model.manifest.label:
                self._on_change(before, model.manifest.label, "registry")

    def _checked(self, label: str) -> Path:
        folder = (self._folder / label).resolve()
        if not folder.is_relative_to(self._folder.resolve()):
            raise ModelRefusedError(f"the champion {label!r} lies outside {self._folder}")
        return folder

    def _refuse(self, cause: str) -> None:
        if cause != self.refused:
            self.refused = cause
            log.error("the registry's model is refused, the last good one stays: %s", cause)

    def _follow(self) -> None:
        while not self._stop.wait(_POLL_S):
            try:
                self.refresh()
            except Exception as error:  # noqa: BLE001 - no file may end the look-out
                self._refuse(f"the registry's model cannot be looked at: {error!r}")
