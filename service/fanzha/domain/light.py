"""Data that nobody changes, and that costs little to build.

`@light_dataclass(frozen=True, slots=True)` is for the type checker what `dataclass` is: it refuses
to assign to a field. At run time it refuses nothing. A frozen dataclass sets each field by a call
of `object.__setattr__`, and a decision passes through some 150 fields: that took 12 microseconds of
it, a third of all that conversion takes. What is built once, at load, stays a frozen dataclass.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from dataclasses import dataclass as light_dataclass
else:
    import dataclasses

    C = TypeVar("C")

    def light_dataclass(*, frozen: bool, slots: bool) -> Callable[[type[C]], type[C]]:
        """Make a dataclass that is equal, hashed and replaced as a frozen one, and not frozen."""
        return dataclasses.dataclass(unsafe_hash=frozen, slots=slots)


__all__ = ["light_dataclass"]
