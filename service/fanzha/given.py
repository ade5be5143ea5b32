"""What a worker is given before it is built: settings that fit, files, keys, a folder."""

import fcntl
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from fanzha.domain.errors import SetupError
from fanzha.policy.load import DEFAULT_POLICY, load_policy
from fanzha.policy.policy import Policy
from fanzha.policy.prompts import DEFAULT_PROMPTS, PromptCatalogue, load_prompts
from fanzha.policy.signatures import Kind, read_own_file
from fanzha.secrets.opening import open_token_key, wrapper_of
from fanzha.secrets.token_key import TokenKey
from fanzha.settings import Settings, is_loopback
from fanzha.signing.keys import read_trusted


def check_settings(settings: Settings) -> None:
    """Refuse settings that do not go together.

    Raises:
        SetupError: names what to change.
    """
    if bool(settings.redis) == settings.embedded:
        raise SetupError(
            "serve needs a Redis: give --redis URL for one that you run, "
            "or --embedded for a private one in --data-dir"
            + (" (not both)" if settings.embedded else "")
        )
    if settings.clock == "event" and not settings.embedded:
        raise SetupError("--clock event is for isolated instances: use it with --embedded")
    is_open = settings.tls_cert is None and not settings.everyone_is_admin_without_tls
    if is_open and not is_loopback(settings.address):
        raise SetupError(
            f"--address {settings.address!r} is not on loopback: without client certificates "
            "everyone who reaches it would be an administrator; give --tls-cert, --tls-key, "
            "--tls-client-ca and --roles, or listen on 127.0.0.1, [::1] or unix:path"
        )


def policy_of(settings: Settings, zone: ZoneInfo) -> Policy:
    """Return the policy in force: the one of the settings, else the one that comes with it."""
    if settings.policy is None:
        return load_policy(DEFAULT_POLICY, zone)
    return load_policy(settings.policy, zone, _own_file(settings, settings.policy, Kind.POLICY))


def prompts_of(settings: Settings) -> PromptCatalogue:
    """Return the prompts: those of the settings, else those that come with it."""
    if settings.prompts is None:
        return load_prompts(DEFAULT_PROMPTS)
    return load_prompts(settings.prompts, _own_file(settings, settings.prompts, Kind.PROMPTS))


def _own_file(settings: Settings, path: Path, kind: Kind) -> bytes:
    folder = settings.policy_keys
    keys = None if folder is None else read_trusted(folder)
    return read_own_file(path, kind, keys, is_near=is_loopback(settings.address))


def token_key_of(settings: Settings) -> TokenKey:
    """Return the key that tokens are made with, unwrapped."""
    wrapper = wrapper_of(
        settings.token_kek_file, settings.token_kms_command, settings.token_passphrase_file
    )
    return open_token_key(
        settings.token_key_file,
        settings.data_dir,
        wrapper,
        settings.token_algorithm,
        is_near=is_loopback(settings.address),
    )


def lock_folder(folder: Path) -> BinaryIO:
    """Hold the data folder for this process alone; a new one is for its owner alone."""
    try:
        # A folder that is there already keeps its rights.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "lock").open("ab")
    except OSError as error:
        raise SetupError(
            f"cannot write in {folder}: {error.strerror}; choose a writable folder with --data-dir"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise SetupError(
            f"{folder} is in use by another instance; stop it, or choose another --data-dir"
        ) from error
    return lock
