"""Grows trees on the workers of a Dask cluster, each of which reads its own share of the rows.

Workers cut values into bins by sketches of their shares, and add up each other's histograms. So
trees differ a little from those of one machine: as good, but not the same bytes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xgboost as xgb
import xgboost.dask
from dask import array
from dask.base import annotate
from dask.delayed import delayed
from distributed import Client, get_worker

from fanzha.features.manifest import FEATURES
from fanzha_training.cluster import workers_of
from fanzha_training.matrix import Layer, rows_of, weights_of
from fanzha_training.one_machine import METRIC, Progress
from fanzha_training.vectors import ROWS_PER_BATCH, Vectors

_TOPIC: Final = "fanzha-trees"


class ManyMachines:
    """A cluster, as `fanzha_training.one_machine.Machines`."""

    def __init__(self, client: Client) -> None:
        """Take a connected client."""
        self._client = client

    @property
    def processes(self) -> int:
        """How many workers there are."""
        return len(workers_of(self._client))

    def matrix(self, layers: Sequence[Layer], like: Any = None) -> Any:  # noqa: ANN401
        """See `Machines.matrix`. Chunk by chunk, the rows are shared out to the workers in turn."""
        workers = workers_of(self._client)
        rows = min(ROWS_PER_BATCH, -(-rows_of(layers) // len(workers)))
        chunks = [chunk for layer in layers for chunk in _chunks(layer, rows)]
        weighted = weights_of(layers) is not None
        vectors, labels, weights = [], [], []
        for number, chunk in enumerate(chunks):
            worker = workers[number % len(workers)]
            with annotate(workers=[worker], allow_other_workers=False):
                vectors.append(
                    array.from_delayed(
                        delayed(_read, pure=False)(chunk),
                        (len(chunk), len(FEATURES)),
                        np.float32,
                    )
                )
                labels.append(array.from_array(chunk.label, chunks=-1))
                if weighted:
                    weights.append(array.from_array(_weight(chunk), chunks=-1))
        return xgboost.dask.DaskQuantileDMatrix(
            self._client,
            array.concatenate(vectors),
            array.concatenate(labels),
            weight=array.concatenate(weights) if weighted else None,
            missing=np.nan,
            ref=like,
        )

    def grow(
        self,
        parameters: dict[str, Any],
        rows: Any,  # noqa: ANN401
        trees: int,
        progress: Progress,
    ) -> xgb.Booster:
        """See `Machines.grow`."""
        return self._train(parameters, rows, trees, progress, [])

    def best_tree_count(
        self,
        parameters: dict[str, Any],
        rows: Any,  # noqa: ANN401
        tune: Any,  # noqa: ANN401
        trees_max: int,
        patience: int,
        progress: Progress,
    ) -> tuple[int, float]:
        """See `Machines.best_tree_count`."""
        stop = xgb.callback.EarlyStopping(rounds=patience, metric_name=METRIC)
        booster = self._train(parameters, rows, trees_max, progress, [stop], evals=[(tune, "tune")])
        return int(booster.best_iteration) + 1, float(booster.best_score)

    def _train(
        self,
        parameters: dict[str, Any],
        rows: Any,  # noqa: ANN401
        trees: int,
        progress: Progress,
        callbacks: list[xgb.callback.TrainingCallback],
        **given: Any,  # noqa: ANN401
    ) -> xgb.Booster:
        def told(event: tuple[float, int]) -> None:
            progress(event[1], trees)

        self._client.subscribe_topic(_TOPIC, told)
        try:
            found = xgboost.dask.train(
                self._client,
                parameters,
                rows,
                num_boost_round=trees,
                callbacks=[*callbacks, _TellsScheduler()],
                verbose_eval=False,
                **given,
            )
        finally:
            self._client.unsubscribe_topic(_TOPIC)
        booster: xgb.Booster = found["booster"]
        return booster


def _chunks(layer: Layer, rows: int) -> list[Layer]:
    return [
        replace(
            layer,
            vectors=layer.vectors[start : start + rows],
            label=layer.label[start : start + rows],
            weight=None if layer.weight is None else layer.weight[start : start + rows],
        )
        for start in range(0, len(layer), rows)
    ]


def _weight(chunk: Layer) -> npt.NDArray[np.float32]:
    return np.ones(len(chunk), np.float32) if chunk.weight is None else chunk.weight


def _read(chunk: Layer) -> Vectors:
    """Read a chunk's vectors; runs on a worker."""
    return np.concatenate(list(chunk.read()))


class _TellsScheduler(xgb.callback.TrainingCallback):
    """Tells through the scheduler how many trees there are; runs on workers."""

    def after_iteration(self, model: xgb.Booster, epoch: int, evals_log: Any) -> bool:  # noqa: ANN401
        """Tell, on one worker of all; never stop."""
        del model, evals_log
        if xgb.collective.get_rank() == 0:
            get_worker().log_event(_TOPIC, epoch + 1)
        return False
