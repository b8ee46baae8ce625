"""
The engine of small networks: many updates in one call of a compiled loop.

An update of a small network takes less time than the calls of torch that it is made of. Which engine trains a network
depends on sizes, on the device, and on whether the loop knows the activation, the loss and the solver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_gfs._requirements import numba_for

from ._emitter import host
from ._small_kernels import LOSS, Rates, Shape, train
from ._two_layer import layout_of
from ._vectors import NARROW_ROWS, WIDE_VECTORS

if TYPE_CHECKING:
    import torch

    from sklearn_gfs._typing import FloatArray

    from ._parameters import Network
    from ._settings import TrainingSettings

_LINE = 64  # bytes of a line of the cache, at which arrays begin


def loop_code(of: Any, *arguments: Any) -> int | None:
    """
    Return the number by which the loop knows a loss or a solver.

    A class that inherits the number from another may compute something else: it has to name it itself.
    """
    kind = of if isinstance(of, type) else type(of)
    return of.loop_code(*arguments) if "loop_code" in vars(kind) else None


def is_known(network: Network, settings: TrainingSettings, batch_size: int) -> bool:
    """Say whether the loop trains such a network on such batches."""
    return (
        settings.device == "cpu"
        and network.hidden_coef.dtype == np.float32
        and batch_size >= NARROW_ROWS
        and None not in _codes(settings, len(network.output_intercept))
        and not numba_for("Training").config.DISABLE_JIT
    )


def _codes(settings: TrainingSettings, n_outputs: int) -> tuple[int | None, int | None, int | None]:
    return settings.activation.loop_code, loop_code(settings.loss, n_outputs), loop_code(settings.solver)


class SmallLoop:
    """
    A network, its average and a solver's moments in the memory of the compiled loop.

    Parameters
    ----------
    network : Network
        As it is at the start; only its sizes and the weights of its neurons are taken from it.
    settings : TrainingSettings
    batch_size : int
    averaged : bool
    """

    def __init__(self, network: Network, settings: TrainingSettings, batch_size: int, *, averaged: bool) -> None:
        shape = (*network.hidden_coef.shape, len(network.output_intercept))
        n_features, n_hidden, n_outputs = shape
        width = host()[0]
        wide_hidden, self._wide_features = -(-n_hidden // width) * width, max(n_features, NARROW_ROWS)
        rows_out = max(n_outputs, NARROW_ROWS)
        self._wide_outputs = -(-rows_out // width) * width
        self._views = layout_of(network).views
        self._sizes, self._batch_size, self._settings = shape, batch_size, settings
        self._parts = (
            (self._wide_features, wide_hidden),
            (1, wide_hidden),
            (rows_out, wide_hidden),
            (1, self._wide_outputs),
        )
        starts = np.cumsum([rows * columns for rows, columns in self._parts]).tolist()
        n_parameters = starts.pop()
        of_batch = [batch_size * wide for wide in (wide_hidden, wide_hidden, self._wide_outputs)]
        of_neurons = [wide_hidden * self._wide_outputs, wide_hidden, wide_hidden, self._wide_outputs]
        arrays = _aligned([*[n_parameters] * 5, *of_batch, *of_neurons])
        self._vectors, neurons, ones = arrays[:5], arrays[-3], arrays[-1]
        neurons[:n_hidden] = network.weights
        ones[:] = 1
        self._arrays = arrays  # whose addresses the loop has
        places = [array.ctypes.data for array in arrays]
        wide_sizes = (self._wide_features, wide_hidden, self._wide_outputs, rows_out)
        objects = (*_codes(settings, n_outputs), int(averaged))
        parts = [vector + 4 * start for vector in places[:2] for start in starts]
        numbers: Any = (*shape, batch_size, *wide_sizes, n_parameters, width, WIDE_VECTORS[width] * width, *objects)
        self._shape = Shape(*numbers, *places[:5], *parts, *places[5:])
        self._rates = Rates(float(settings.alpha), float(settings.momentum))  # of one type, whatever they are

    def _views_of(self, vector: FloatArray) -> list[FloatArray]:
        """Return the parts of a vector, without what fills them up, as `Layout` has them."""
        n_features, n_hidden, n_outputs = self._sizes
        ends = np.cumsum([rows * columns for rows, columns in self._parts])
        whole = [part.reshape(size) for part, size in zip(np.split(vector, ends[:-1]), self._parts, strict=True)]
        coef, intercept, out_coef, out_intercept = whole
        return [
            coef[:n_features, :n_hidden].T,
            intercept[:, :n_hidden].T,
            out_coef[:n_outputs, :n_hidden],
            out_intercept[:, :n_outputs].T,
        ]

    def read(self, *vectors: torch.Tensor) -> None:
        """Take parameters, two moments, and the average from torch."""
        self._copy(vectors, to_torch=False)

    def write(self, *vectors: torch.Tensor) -> None:
        """Do the opposite of `read`."""
        self._copy(vectors, to_torch=True)

    def _copy(self, vectors: tuple[torch.Tensor, ...], *, to_torch: bool) -> None:
        mine = [self._vectors[i] for i in (0, 2, 3, 4)]
        for vector, other in zip(mine, vectors, strict=False):
            for part, view in zip(self._views_of(vector), self._views(other), strict=True):
                if to_torch:
                    view.numpy()[...] = part
                else:
                    part[...] = view.numpy()

    def run(
        self,
        X: FloatArray,
        y: FloatArray,
        weight: FloatArray | None,
        step_size: float,
        shares: list[float],
        n_done: int,
    ) -> list[float]:
        """
        Make an update on each batch of these samples, and return the losses; of which the last one may not be finite.

        Parameters
        ----------
        X, y : ndarray of shape (n_samples, n_features) and (n_samples, n_outputs)
        weight : ndarray of shape (n_samples,) or None
        step_size : float
        shares : list of float
            By which the average moves towards the parameters in each update.
        n_done : int
            Updates that the moments come from.
        """
        n_updates = len(X) // self._batch_size
        if X.shape[1] < self._wide_features:
            X = _filled(X, self._wide_features)
        y, X = _filled(y, self._wide_outputs), np.ascontiguousarray(X)
        shape = (n_updates, self._batch_size)
        of_mean = np.full(shape, 1 / self._batch_size, dtype=np.float32)
        if weight is not None:
            of_mean *= weight.reshape(shape)
        numbers = np.array(
            [
                (*self._settings.solver.loop_numbers(step_size, n_done + 1 + i), share, 0)  # type: ignore[attr-defined]
                for i, share in enumerate(shares)
            ],
            dtype=np.float32,
        )
        n_made = train(self._shape, self._rates, X.ctypes.data, y.ctypes.data, of_mean, numbers)
        losses: list[float] = numbers[: n_made + 1, LOSS].tolist()
        return losses


def _filled(rows: FloatArray, n_columns: int) -> FloatArray:
    filled = np.zeros((len(rows), n_columns), dtype=np.float32)
    filled[:, : rows.shape[1]] = rows
    return filled


def _aligned(lengths: list[int]) -> list[FloatArray]:
    """Return zeros of these lengths, each of which begins at a line of the cache."""
    step = _LINE // 4
    starts = np.cumsum([0, *(-(-length // step) * step for length in lengths)])
    memory = np.zeros(starts[-1] + step, dtype=np.float32)
    first = -memory.ctypes.data % _LINE // 4
    return [memory[first + start : first + start + length] for start, length in zip(starts, lengths, strict=False)]
