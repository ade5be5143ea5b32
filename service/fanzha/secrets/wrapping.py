"""Keys that wrap the token key: from a mounted file, from the bank's KMS, or from a passphrase.

A wrapper gives 32 bytes, the key that encrypts the token key in its file. None of its ways logs
anything, and no message holds what was read.
"""

import base64
import contextlib
import os
import shlex
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from fanzha.domain.errors import SetupError
from fanzha.secrets.private_file import read_private

KEY_BYTES: Final = 32
KMS_TIMEOUT_S: Final = 10.0
PASSPHRASE_MIN: Final = 12
_SALT_BYTES: Final = 16
_COST: Final = 2**16
"""Scrypt's n: 64 MiB and about a fifth of a second for each guess."""
_COST_MAX: Final = 2**20


class Wrapper(Protocol):
    """A way to the key that wraps."""

    @property
    def method(self) -> str:
        """Its name in the key's file."""

    def fresh(self) -> tuple[bytes, dict[str, Any]]:
        """Return a key to wrap with, and what the file has to say so that it is found again."""

    def key(self, header: dict[str, Any]) -> bytes:
        """Return the key that the file's header speaks of.

        Raises:
            SetupError: it cannot be had; says why, and never what was read.
        """


@dataclass(frozen=True, slots=True)
class KekFile:
    """A file of 32 random bytes, such as a mounted secret."""

    file: Path

    method = "file"

    def fresh(self) -> tuple[bytes, dict[str, Any]]:
        """Return the file's key; the header needs nothing."""
        return self.key({}), {}

    def key(self, header: dict[str, Any]) -> bytes:
        """Return the file's key."""
        del header
        content = read_private(
            self.file,
            "the key that wraps the token key,",
            "give a file of 32 random bytes with FANZHA_TOKEN_KEK_FILE",
        )
        return _of_32(content, f"{self.file} has", "head -c 32 /dev/urandom makes such a key")


@dataclass(frozen=True, slots=True)
class PassphraseFile:
    """A file that holds a passphrase; scrypt makes the key."""

    file: Path

    method = "passphrase"

    def fresh(self) -> tuple[bytes, dict[str, Any]]:
        """Return a key under a new salt."""
        header = {"salt": base64.b64encode(os.urandom(_SALT_BYTES)).decode(), "n": _COST}
        return self.key(header), header

    def key(self, header: dict[str, Any]) -> bytes:
        """Return the key that the passphrase makes with the header's salt and cost."""
        try:
            salt, cost = base64.b64decode(header["salt"], validate=True), int(header["n"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise SetupError(
                "the token key's file names no salt and cost; restore it from its copy"
            ) from error
        if not 2 <= cost <= _COST_MAX or cost & (cost - 1):
            raise SetupError(f"the token key's file asks for a cost of {cost}; restore it")
        return Scrypt(salt, KEY_BYTES, n=cost, r=8, p=1).derive(read_passphrase(self.file))


@dataclass(frozen=True, slots=True)
class KmsCommand:
    """A command of the bank's: the wrapped key on standard input, 32 bytes on standard output.

    The file keeps the wrapped key as the bank's KMS gave it. The command ends with 0 when it gave
    the key; with anything else when it could not.
    """

    command: str
    wrapped: bytes = b""
    """Needed to wrap, not to unwrap: then the file has it."""
    timeout_s: float = KMS_TIMEOUT_S

    method = "kms"

    def fresh(self) -> tuple[bytes, dict[str, Any]]:
        """Return the key that the KMS unwraps; the header keeps it wrapped."""
        header = {"wrapped_kek": base64.b64encode(self.wrapped).decode()}
        return self.key(header), header

    def key(self, header: dict[str, Any]) -> bytes:
        """Return the key that the KMS unwraps."""
        try:
            wrapped = base64.b64decode(header["wrapped_kek"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise SetupError(
                "the token key's file holds no key for the KMS; restore it from its copy"
            ) from error
        if not wrapped:
            raise SetupError("the KMS needs a wrapped key; name its file with --kms-wrapped-kek")
        try:
            code, answer = self._asked(wrapped)
        except (OSError, ValueError, IndexError) as error:
            cause = getattr(error, "strerror", None) or "it names no program"
            raise SetupError(
                f"the KMS command cannot be run: {cause}; look at FANZHA_TOKEN_KMS_COMMAND"
            ) from None
        if code:
            raise SetupError(
                f"the KMS command ended with {code} and gave no key; run it by hand to "
                "see what it says"
            )
        return _of_32(answer, "the KMS command gave", "it has to write the key and no more")

    def _asked(self, wrapped: bytes) -> tuple[int, bytes]:
        """Run the command; return its code, and at most one byte more than it may say.

        Raises:
            OSError, ValueError, IndexError: it cannot be run.
            SetupError: it took too long; whatever it started is ended with it.
        """
        late = threading.Event()
        with subprocess.Popen(  # noqa: S603 - the operator's own command
            shlex.split(self.command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # What it complains about may hold what it was given.
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as asked:

            def end() -> None:
                late.set()
                _end_group(asked.pid)

            timer = threading.Timer(self.timeout_s, end)
            timer.start()
            threading.Thread(target=_feed, args=(asked.stdin, wrapped), daemon=True).start()
            try:
                answer = asked.stdout.read(KEY_BYTES + 1) if asked.stdout is not None else b""
                if len(answer) > KEY_BYTES:
                    # One that talks without end is not heard out.
                    _end_group(asked.pid)
                code = asked.wait()
            finally:
                timer.cancel()
        if late.is_set():
            raise SetupError(
                f"the KMS command gave no key within {self.timeout_s:g} s; look at the KMS, or run "
                "the command by hand"
            )
        return 0 if len(answer) > KEY_BYTES else code, answer


def _feed(stdin: IO[bytes] | None, content: bytes) -> None:
    if stdin is not None:
        # A command that does not want it says so by its code.
        with contextlib.suppress(OSError), stdin:
            stdin.write(content)


def _end_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def read_passphrase(file: Path) -> bytes:
    """Return the passphrase of a file, without the end of its line.

    Raises:
        SetupError: it cannot be read, others may read it, or it is too short.
    """
    content = read_private(file, "the passphrase", "name a file that holds one")
    phrase = content.removesuffix(b"\n").removesuffix(b"\r")
    if len(phrase) < PASSPHRASE_MIN:
        raise SetupError(
            f"the passphrase in {file} is shorter than {PASSPHRASE_MIN} bytes; take a longer one"
        )
    return phrase


def _of_32(content: bytes, whose: str, remedy: str) -> bytes:
    if len(content) != KEY_BYTES:
        count = len(content) if len(content) <= KEY_BYTES else f"more than {KEY_BYTES}"
        raise SetupError(f"{whose} {count} bytes, not {KEY_BYTES}; {remedy}")
    return content
