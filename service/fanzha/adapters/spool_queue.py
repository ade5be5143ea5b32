"""What waits for the spool's disk, and how big the spool may become."""

from dataclasses import dataclass

from fanzha.adapters.spool_book import NOWHERE, Place
from fanzha.domain.light import light_dataclass


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """How big the spool may become, in bytes and seconds."""

    segment_bytes: int = 64 * 2**20
    segment_s: float = 60.0
    bytes_max: int = 4 * 2**30


@light_dataclass(frozen=True, slots=True)
class Settles:
    """The record that a frame is about: it waits no longer once the frame is on disk."""

    ticket: int
    bucket: int = -1
    place: Place = NOWHERE


@light_dataclass(frozen=True, slots=True)
class Queued:
    """A frame that is about to be written."""

    framed: bytes
    waits: bool
    settles: tuple[Settles, ...]
