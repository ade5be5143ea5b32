"""Reads a lock: exact versions and hashes of what the service is installed with."""

import re
from dataclasses import dataclass
from pathlib import Path

_PIN = re.compile(r"([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """One locked package."""

    name: str
    version: str
    sha256: tuple[str, ...]


def read_lock(path: Path) -> list[Pin]:
    """Return the pins of a lock, by name."""
    pins = []
    for entry in path.read_text().replace("\\\n", " ").splitlines():
        text = entry.partition(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        pin = _PIN.match(text)
        if pin is None:
            raise ValueError(f"{path}: {text!r} pins no version")
        pins.append(Pin(pin[1], pin[2], tuple(_HASH.findall(text))))
    return sorted(pins, key=lambda pin: pin.name)
