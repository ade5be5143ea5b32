"""Files that are followed while the service runs: the last good content stays in use."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from fanzha.domain.errors import SetupError

log = logging.getLogger(__name__)

T = TypeVar("T")


class Followed(Generic[T]):
    """What some files say together. Read from any thread, looked after by one."""

    def __init__(self, name: str, files: Sequence[Path], read: Callable[[], T]) -> None:
        """Read the files for the first time.

        Args:
            name: what they are, for the log.
            files: the files whose content is followed; times and links do not count.
            read: reads and judges them together; raises SetupError.

        Raises:
            SetupError: they cannot be used.
        """
        self._name = name
        self._files = tuple(files)
        self._read = read
        self._good = self._digest()
        self._bad = b""
        self.current = read()
        self.generation = 0
        """Goes up by one with each new content."""
        self.fault = ""
        """Why the files as they are now are not in use; empty when they are."""

    def look(self) -> None:
        """Take the files into use if they have changed and are good.

        A fault counts at the second look at the same content: files that belong together are
        replaced one after the other.
        """
        digest = self._digest()
        if digest == self._good:
            self._bad, self.fault = b"", ""
            return
        try:
            value = self._read()
        except SetupError as error:
            self._refuse(digest, str(error))
            return
        except Exception as error:  # noqa: BLE001 - no content may end the look-out
            self._refuse(digest, f"they cannot be read: {error!r}")
            return
        self.current = value
        self.generation += 1
        self._good, self._bad, self.fault = digest, b"", ""
        log.info("%s: new ones are in use", self._name)

    def _refuse(self, digest: bytes, cause: str) -> None:
        if digest == self._bad and self.fault != cause:
            self.fault = cause
            log.error("%s: the last good ones stay in use: %s", self._name, cause)
        self._bad = digest

    def _digest(self) -> bytes:
        whole = hashlib.blake2b(digest_size=32)
        for file in self._files:
            try:
                content = file.read_bytes()
            except OSError as error:
                content = repr(error).encode()
            whole.update(hashlib.blake2b(content, digest_size=32).digest())
        return whole.digest()
