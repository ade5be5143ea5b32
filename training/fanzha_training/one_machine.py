"""Grows trees on one machine: see `fanzha_training.cluster` for several."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import xgboost as xgb

from fanzha_training.matrix import Layer, matrix_of

Progress = Callable[[int, int], None]
"""Told how many trees are grown, of at most how many."""

METRIC = "logloss"


class Machines(Protocol):
    """What trees are grown on."""

    @property
    def processes(self) -> int:
        """How many processes that is."""

    def matrix(self, layers: Sequence[Layer], like: Any = None) -> Any:  # noqa: ANN401 - XGBoost's
        """Return rows to learn from; `like` as in `fanzha_training.matrix.matrix_of`."""

    def grow(
        self,
        parameters: dict[str, Any],
        rows: Any,  # noqa: ANN401
        trees: int,
        progress: Progress,
    ) -> xgb.Booster:
        """Return so many trees, grown on the rows of a matrix."""

    def best_tree_count(
        self,
        parameters: dict[str, Any],
        rows: Any,  # noqa: ANN401
        tune: Any,  # noqa: ANN401
        trees_max: int,
        patience: int,
        progress: Progress,
    ) -> tuple[int, float]:
        """Return after how many trees the rows of `tune` fare best, and their METRIC then.

        Growing stops after `patience` trees that made them fare no better.
        """


class OneMachine:
    """One process and one thread."""

    processes = 1

    def __init__(self, cache: Path) -> None:
        """Take a folder for bins that do not fit memory."""
        self._cache = cache
        self._numbers = count()

    def matrix(self, layers: Sequence[Layer], like: Any = None) -> xgb.DMatrix:  # noqa: ANN401
        """See `Machines.matrix`."""
        return matrix_of(layers, self._cache / str(next(self._numbers)), like=like)

    def grow(
        self, parameters: dict[str, Any], rows: xgb.DMatrix, trees: int, progress: Progress
    ) -> xgb.Booster:
        """See `Machines.grow`."""
        told = [Told(progress, trees)]
        return xgb.train(parameters, rows, num_boost_round=trees, callbacks=told)

    def best_tree_count(
        self,
        parameters: dict[str, Any],
        rows: xgb.DMatrix,
        tune: xgb.DMatrix,
        trees_max: int,
        patience: int,
        progress: Progress,
    ) -> tuple[int, float]:
        """See `Machines.best_tree_count`."""
        stop = xgb.callback.EarlyStopping(rounds=patience, metric_name=METRIC)
        booster = xgb.train(
            parameters,
            rows,
            num_boost_round=trees_max,
            evals=[(tune, "tune")],
            callbacks=[stop, Told(progress, trees_max)],
            verbose_eval=False,
        )
        return int(booster.best_iteration) + 1, float(booster.best_score)


@contextmanager
def one_machine(folder: Path | None = None) -> Iterator[OneMachine]:
    """Yield this machine.

    Args:
        folder: where to put aside what does not fit memory, some 0.9 KiB a row of more than
            `fanzha_training.matrix.ROWS_IN_MEMORY`; None: where the system keeps such files.

    """
    with tempfile.TemporaryDirectory(prefix=".fanzha-train-", dir=folder) as cache:
        yield OneMachine(Path(cache))


class Told(xgb.callback.TrainingCallback):
    """Tells how many trees there are."""

    def __init__(self, progress: Progress, total: int) -> None:
        """Tell `progress` of so many trees."""
        super().__init__()
        self._progress = progress
        self._total = total

    def after_iteration(self, model: xgb.Booster, epoch: int, evals_log: Any) -> bool:  # noqa: ANN401
        """Tell; never stop."""
        del model, evals_log
        self._progress(epoch + 1, self._total)
        return False
