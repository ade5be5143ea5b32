"""Folders that commands are given: one that is named wrongly is told, and not taken for empty."""

from collections.abc import Iterable
from pathlib import Path

from fanzha.adapters.spool_frames import SUFFIX
from fanzha.archive.storage import Place, s3_url
from fanzha.domain.errors import SetupError
from fanzha.workers.place import spools_of


def segments_left(spools: Iterable[Path]) -> int:
    """Return how many segments lie in some spools, those of all their workers counted.

    Raises:
        SetupError: there is no such folder, it cannot be read, or it is a worker's data folder;
            to take any of these for an empty spool would be to throw records away.
    """
    return sum(_segments(folder) for folder in worker_spools(spools))


def worker_spools(spools: Iterable[Path]) -> list[Path]:
    """Return the folders of segments in some spools: one for each worker that was ever there."""
    return [folder for spool in spools for folder in spools_of(spool)]


def _segments(folder: Path) -> int:
    try:
        names = [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SetupError(
            f"--spool {folder}: there is no such folder; a worker's spool is the folder spool in "
            "its data folder"
        ) from error
    except OSError as error:
        raise SetupError(
            f"--spool {folder} cannot be read: {error.strerror}; run this as the worker's user"
        ) from error
    count = sum(name.endswith(SUFFIX) for name in names)
    if not count and "spool" in names:
        raise SetupError(f"--spool {folder}: this is no spool but has one; give {folder / 'spool'}")
    return count


def standing_archive(archive: Path) -> Place:
    """Return the place of an archive that is there already.

    Raises:
        SetupError: there is no such folder.
    """
    place = s3_url(archive) or archive
    if isinstance(place, Path) and not place.is_dir():
        raise SetupError(
            f"--archive {place}: there is no such folder; give the one that fanzha archive fills"
        )
    return place
