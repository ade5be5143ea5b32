"""How long a model takes for one row, measured so that a busy machine does not count against it.

The processor time of the measuring thread is taken, not the time of the clock: models are run on
one thread (see `fanzha.adapters.onnx_model`), and waiting for a processor is not their fault.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

_ROUNDS: Final = 3
_ROWS_MAX: Final = 100
_WARM_UP: Final = 5
_HOPELESS: Final = 10
"""Beyond so many times the budget, the first rows are enough to know."""


def row_cost_us(
    run: Callable[[Any], object],
    rows: Sequence[Any],
    budget_us: float,
    thread_time_ns: Callable[[], int] = time.thread_time_ns,
) -> float:
    """Return what one row costs, in microseconds of processor time.

    The median over up to 100 rows, in the best of three rounds; of fewer rows where they exceed the
    budget by far.

    Args:
        run: scores one row, on this thread.
        rows: at least one row.
        budget_us: what one row may cost.
        thread_time_ns: processor time of this thread, in nanoseconds.
    """
    some = rows[:: -(-len(rows) // _ROWS_MAX)]
    first = _median_us(run, some[:_WARM_UP], thread_time_ns)
    if first > _HOPELESS * budget_us:
        return first
    return min(_median_us(run, some, thread_time_ns) for _ in range(_ROUNDS))


def _median_us(
    run: Callable[[Any], object], rows: Sequence[Any], thread_time_ns: Callable[[], int]
) -> float:
    costs = []
    for row in rows:
        begin = thread_time_ns()
        run(row)
        costs.append(thread_time_ns() - begin)
    return statistics.median(costs) / 1000
