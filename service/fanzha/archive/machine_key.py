"""The key that an archiver signs with: one that is given, or one made once beside a local archive.

A key that lies beside the archive shows that nothing was changed by accident. It proves nothing
against somebody who may read it: whoever needs that gives a key that this machine's other users,
and those who look after the archive, cannot read, and keeps the trusted folder elsewhere.
"""

import fcntl
import shutil
from pathlib import Path
from typing import Final

from fanzha.archive.storage import Place, s3_url
from fanzha.disk import make_folder, sync
from fanzha.domain.errors import SetupError
from fanzha.signing.keys import Signer, load_signer, make_key

_NAME: Final = "archiver"


def keys_folder(place: Place) -> Path | None:
    """Return where the keys of a local archive lie: beside it, so that copies lack them."""
    if s3_url(place) is not None:
        return None
    folder = Path(place).resolve()
    return folder.with_name(f"{folder.name}-keys")


def trusted_folder(place: Place, given: Path | None) -> Path:
    """Return the folder of the public keys that an archive is checked with.

    Raises:
        SetupError: none is given, and the archive is not a folder.
    """
    folder = keys_folder(place)
    if given is not None:
        return given
    if folder is None:
        raise SetupError(f"say with --keys whose signatures count for {place}")
    return folder / "trusted"


def signer_for(place: Place, key: Path | None, name: str | None) -> Signer:
    """Return who signs for an archive.

    Args:
        place: of the archive.
        key: a private key; None: the one beside the archive, which is made when there is none.
        name: of its public key in the trusted folder, without `.pub`.

    Raises:
        SetupError: the key cannot be read or made, is gone, or one of the two is missing.
    """
    if key is not None and name is not None:
        return load_signer(name, key)
    if key is not None or name is not None:
        raise SetupError("give --sign-with and --as together: a key, and the name that it goes by")
    folder = keys_folder(place)
    if folder is None:
        raise SetupError(
            f"{place} is no folder, so that no key can lie beside it; make one with fanzha models "
            "key --machine, and give it with --sign-with and --as"
        )
    file = folder / f"{_NAME}.key"
    try:
        make_folder(folder / "trusted")
        # Archivers may start at once.
        with (folder / ".lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _make(folder, file)
    except OSError as error:
        raise SetupError(
            f"cannot make a key in {folder}: {error.strerror}; give one with --sign-with and --as"
        ) from error
    return load_signer(_NAME, file)


def _make(folder: Path, file: Path) -> None:
    """Make a key if there is none; go on where one was cut off that was making it.

    The key takes its place before its public key does: nothing is signed until this has ended.
    """
    making, trusted = folder / "making", folder / "trusted" / f"{_NAME}.pub"
    if not file.exists():
        if trusted.exists():
            raise SetupError(
                f"{file} is gone, by which this archive was signed; put it back, or make another "
                "key with fanzha models key --machine, and give it with --sign-with and --as"
            )
        shutil.rmtree(making, ignore_errors=True)
        make_key(_NAME, making / file.name, is_machine=True)
        for made in making.iterdir():
            sync(made)
        (making / file.name).rename(file)
        sync(folder)
    if (making / trusted.name).exists():
        (making / trusted.name).rename(trusted)
        sync(trusted.parent)
    if making.exists():
        making.rmdir()
