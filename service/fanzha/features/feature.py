"""What a feature declares about itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feature:
    """One line of the manifest. Every feature is NaN when it is unknown."""

    name: str
    family: str
    unit: str
    meaning: str
    unknown: str
    """When the feature is NaN."""
