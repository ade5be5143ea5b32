"""What a worker is given before it is built: policy, prompts, and the token key."""

from pathlib import Path
from zoneinfo import ZoneInfo

from fanzha.policy.load import DEFAULT_POLICY, load_policy
from fanzha.policy.policy import Policy
from fanzha.policy.prompts import DEFAULT_PROMPTS, PromptCatalogue, load_prompts
from fanzha.policy.signatures import Kind, read_own_file
from fanzha.secrets.opening import open_token_key, wrapper_of
from fanzha.secrets.token_key import TokenKey
from fanzha.settings import Settings, is_loopback
from fanzha.signing.keys import read_trusted


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
