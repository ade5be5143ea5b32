"""Health of each part of an answer, under a name of its own: `fanzha.lists` and others.

The service itself is SERVING while parts are missing: it answers, and says what was missing. Who
wants to know which part is missing, and since when, watches these names.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

log = logging.getLogger(__name__)

PREFIX: Final = "fanzha."
LOOK_S: Final = 0.5


class PartHealth:
    """Looks at the parts twice a second and tells what changed."""

    def __init__(
        self,
        parts: Mapping[str, Callable[[], str]],
        tell: Callable[[str, bool], None],
        look_s: float = LOOK_S,
    ) -> None:
        """Prepare.

        Args:
            parts: by name, a question that costs nothing: why the part is not whole; empty while
                it is.
            tell: gets a health name and whether it is SERVING.
            look_s: pause between two looks, in seconds.
        """
        self._parts = parts
        self._tell = tell
        self._look_s = look_s
        self._told: dict[str, bool] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="parts", daemon=True)

    def start(self) -> None:
        """Tell how the parts are, and go on in a thread of its own."""
        self.look()
        self._thread.start()

    def look(self) -> None:
        """Tell of the parts whose state is not what was told last."""
        for name, fault_of in self._parts.items():
            fault = fault_of()
            found = not fault
            before = self._told.get(name)
            if found == before:
                continue
            self._told[name] = found
            self._tell(PREFIX + name, found)
            if not found:
                log.warning("part missing, and answers say so: %s (%s)", name, fault)
            elif before is not None:
                log.info("part whole again: %s", name)

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _work(self) -> None:
        while not self._stop.wait(self._look_s):
            self.look()
