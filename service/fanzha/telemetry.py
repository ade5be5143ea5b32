"""Where the time of one decision goes."""

import time


class Steps:
    """Times the steps of one decision, one after the other."""

    __slots__ = ("_last_ns", "us")

    def __init__(self) -> None:
        self.us: dict[str, int] = {}
        """Step to microseconds."""
        self._last_ns = time.perf_counter_ns()

    def done(self, step: str) -> None:
        """Note that a step ended now."""
        now_ns = time.perf_counter_ns()
        self.us[step] = (now_ns - self._last_ns) // 1000
        self._last_ns = now_ns
