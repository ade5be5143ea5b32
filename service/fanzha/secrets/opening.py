"""Opens the token key of a deployment: its file, and what unwraps it."""

import logging
from pathlib import Path

from fanzha.domain.errors import SetupError
from fanzha.secrets.digests import Algorithm
from fanzha.secrets.token_key import KeyFile, TokenKey, plain_key, read_key_file, write_plain_once
from fanzha.secrets.wrapping import KekFile, KmsCommand, PassphraseFile, Wrapper

log = logging.getLogger(__name__)


def wrapper_of(
    kek_file: Path | None,
    kms_command: str | None,
    passphrase_file: Path | None,
    wrapped_kek: bytes = b"",
) -> Wrapper | None:
    """Return the one way to the wrapping key that is given, None without any.

    Raises:
        SetupError: more than one is given.
    """
    given: list[Wrapper] = []
    if kek_file is not None:
        given.append(KekFile(kek_file))
    if kms_command:
        given.append(KmsCommand(kms_command, wrapped_kek))
    if passphrase_file is not None:
        given.append(PassphraseFile(passphrase_file))
    if len(given) > 1:
        names = " and ".join(wrapper.method for wrapper in given)
        raise SetupError(f"the token key is wrapped in one way; take away one of: {names}")
    return given[0] if given else None


def open_token_key(
    file: Path | None,
    data_dir: Path,
    wrapper: Wrapper | None,
    algorithm: Algorithm | None,
    *,
    is_near: bool,
) -> TokenKey:
    """Return the token key of a deployment.

    Args:
        file: its file; None: `token.key` in the data folder, made on first use.
        data_dir: the data folder.
        wrapper: what unwraps it.
        algorithm: what the settings say that makes tokens; None: nothing.
        is_near: the service listens on this machine alone, where a plain key will do.

    Raises:
        SetupError: it cannot be read or unwrapped, or the settings contradict it.
    """
    path = file or data_dir / "token.key"
    if file is None and not path.exists():
        if wrapper is not None:
            raise SetupError(
                f"there is no token key in {data_dir} to unwrap; fanzha token-key new makes one, "
                "FANZHA_TOKEN_KEY_FILE names it"
            )
        write_plain_once(path)
    found = read_key_file(path)
    if not found.is_wrapped:
        return _plain(found, wrapper, algorithm, is_near=is_near)
    key = found.unwrap(wrapper)
    if algorithm not in (None, key.keys[0].algorithm):
        raise SetupError(
            f"FANZHA_TOKEN_ALGORITHM is {algorithm}, but the token key {path} is for "
            f"{key.keys[0].algorithm.value}; take the setting away, or give the other key"
        )
    return key


def _plain(
    found: KeyFile, wrapper: Wrapper | None, algorithm: Algorithm | None, *, is_near: bool
) -> TokenKey:
    if wrapper is not None:
        raise SetupError(
            f"the token key {found.path} is not wrapped, although {wrapper.method} is there to "
            "unwrap it; wrap it with fanzha token-key wrap"
        )
    if not is_near:
        log.warning(
            "the token key %s is not wrapped: who can copy it can find accounts by their tokens; "
            "wrap it with fanzha token-key wrap", found.path
        )  # fmt: skip
    return plain_key(found.content, algorithm or Algorithm.BLAKE2B)
