"""Steps the wall clock of chosen processes while they run, by a shim that the test compiles."""

import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("stepped_clock.c")


class SteppedClock:
    """A shim, and the file that says by how much the clock of its processes is off."""

    def __init__(self, folder: Path) -> None:
        """Compile it; `why_not` says what is missing."""
        self._shim = folder / "stepped_clock.so"
        self._offset = folder / "clock"
        self.step(0)
        subprocess.run(
            ["cc", "-O1", "-shared", "-fPIC", "-o", str(self._shim), str(_SOURCE), "-ldl"],
            check=True,
            capture_output=True,
        )

    @staticmethod
    def why_not() -> str:
        """Return why clocks cannot be stepped here; empty when they can."""
        return "" if shutil.which("cc") else "no C compiler (cc) to make the clock shim with"

    @property
    def environment(self) -> dict[str, str]:
        """What a process is started with, so that this is its clock."""
        return {"LD_PRELOAD": str(self._shim), "CHAOS_CLOCK": str(self._offset)}

    def step(self, seconds: float) -> None:
        """Have the clock off by so many seconds from now on; negative: behind."""
        if not self._offset.exists():
            self._offset.write_bytes(bytes(8))
        # In place: the processes have mapped the file.
        with self._offset.open("r+b") as file:
            file.write(struct.pack("<q", round(seconds * 1e9)))
