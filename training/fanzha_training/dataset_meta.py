"""Where a data set comes from, as its file says it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from fanzha.domain.errors import SetupError
from fanzha.features.manifest import manifest_hash

META_KEY: Final = b"fanzha_dataset"
DELAY_DAYS_MAX: Final = 365


@dataclass(frozen=True, slots=True)
class DatasetMeta:
    """Where a data set comes from. Times are milliseconds since 1970 UTC."""

    source: str
    """"table", "file" or "archive"."""
    simulated: bool
    command: str
    as_of_ms: int
    """Labels are those that were known at this time."""
    label_delay_days: float
    feature_hash: str = field(default_factory=manifest_hash)

    def as_metadata(self) -> dict[bytes, bytes]:
        """Return it as the file keeps it."""
        return {META_KEY: json.dumps(asdict(self), sort_keys=True).encode()}


def read_meta(path: Path, metadata: dict[bytes, bytes] | None) -> DatasetMeta:
    """Read where a data set comes from.

    Args:
        path: of the data set, for messages.
        metadata: of its file.

    Raises:
        SetupError: it is no data set, or of other features, or says what cannot be.

    """
    stored = (metadata or {}).get(META_KEY)
    if stored is None:
        raise SetupError(
            f"{path} is no data set: it does not say its source; make it with fanzha-training build"
        )
    try:
        meta = DatasetMeta(**json.loads(stored))
        sound = meta.as_of_ms >= 0 and 0 <= meta.label_delay_days <= DELAY_DAYS_MAX
    except (ValueError, TypeError) as error:
        raise SetupError(
            f"{path} says its source in a way that this version does not know: {error}; build it "
            "again"
        ) from error
    if meta.feature_hash != manifest_hash():
        raise SetupError(
            f"{path} was built with features {meta.feature_hash}, this code has "
            f"{manifest_hash()}; build it again"
        )
    if not sound:
        raise SetupError(f"{path} has an as-of time or a label delay out of range; build it again")
    return meta
