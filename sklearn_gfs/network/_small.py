"""
The engine of small networks: many updates in one call of a compiled loop.

In an update of a small network, the calls of torch take longer than the arithmetic. A wide network is small in this
sense if few inputs differ from zero. Which engine trains a network depends on sizes, on the device, and on whether the
loop knows the activation, the loss and the solver.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_gfs._emitter import host
from sklearn_gfs._loop_codes import loop_code
from sklearn_gfs._requirements import numba_for
from sklearn_gfs._threads import one_thread

from ._data import Entries
from ._few_kernels import descend_on_few, room_by_feature, train_on_few
from ._parameters import Network, in_precision
from ._small_kernels import INVERSE_ROOT, LOSS, NO_SOLVER, SHARE, STEP, LoopShape, Rates, train
from ._solvers import ADAM
from ._two_layer import layout_of
from ._vectors import TILE_ROWS, WIDE_VECTORS

if TYPE_CHECKING:
    from sklearn_gfs._typing import FloatArray, IntArray

    from ._samples import HeldOut, Samples
    from ._settings import TrainingSettings

_LINE = 64  # bytes of a cache line; arrays are aligned to it
# Largest number of multiplications in an update of a small network. A GPU takes longer to start the operations than the
# processor takes for all of them.
_MOST_MULTIPLICATIONS = 4_000_000


def is_known(network: Network, settings: TrainingSettings, batch_size: int) -> bool:
    """Whether the loop can train this network on batches of this size."""
    return (
        settings.device == "cpu"
        and network.hidden_coef.dtype == np.float32
        and batch_size >= TILE_ROWS
        and None not in codes(settings, len(network.output_intercept))
        and not numba_for("Training").config.DISABLE_JIT
    )


def place_of(network: Network, settings: TrainingSettings, n_rows: int) -> str:
    """
    Return the device on which a network is trained on `n_rows` samples: a small network on the processor in any case.

    The processor finishes an update before a GPU has started all operations.
    """
    return "cpu" if _is_small(network, _batch_size(settings, n_rows)) else settings.device


def as_loop_takes_it(network: Network, settings: TrainingSettings, n_rows: int) -> Network:
    """
    Return the network in float32, if the loop then trains it on `n_rows` samples, else as it is.

    Without this a network has the precision of the data if one mini-batch holds all samples.
    """
    batch_size = _batch_size(settings, n_rows)
    rounded = in_precision(network, np.float32)
    serves = settings.batch_size is not None and _is_small(network, batch_size)
    return rounded if serves and is_known(rounded, settings, batch_size) else network


def _batch_size(settings: TrainingSettings, n_rows: int) -> int:
    return n_rows if settings.batch_size is None else min(settings.batch_size, n_rows)


def _is_small(network: Network, batch_size: int) -> bool:
    n_features, n_hidden = network.hidden_coef.shape
    n_multiplications = batch_size * n_hidden * (2 * n_features + 3 * len(network.output_intercept))
    return n_multiplications <= _MOST_MULTIPLICATIONS


def codes(settings: TrainingSettings, n_outputs: int) -> tuple[int | None, int | None, int | None]:
    return settings.activation.loop_code, loop_code(settings.loss, n_outputs), loop_code(settings.solver)


class SmallLoop:
    """
    A network, its average and a solver's moments in the memory of the compiled loop.

    Parameters
    ----------
    network : Network
        The initial network.
    moments : tuple of ndarray, or None
        Return value of `moments` at the end of an earlier training; None for zeros.
    settings : TrainingSettings
    batch_size : int
    averaged : bool
    sparse : bool
        Whether only the inputs that differ from zero are read.
    """

    def __init__(
        self,
        network: Network,
        moments: tuple[FloatArray, FloatArray] | None,
        settings: TrainingSettings,
        batch_size: int,
        *,
        averaged: bool,
        sparse: bool,
    ) -> None:
        shape = (*network.hidden_coef.shape, len(network.output_intercept))
        n_features, n_hidden, n_outputs = shape
        width = host()[0]
        wide_hidden, self._wide_features = -(-n_hidden // width) * width, max(n_features, TILE_ROWS)
        rows_out = max(n_outputs, TILE_ROWS)
        self._wide_outputs = -(-rows_out // width) * width
        self._layout = layout_of(network)
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
        arrays = _aligned([*[n_parameters] * 4, n_parameters * averaged, *of_batch, *of_neurons])
        self._vectors, neurons, ones = arrays[:5], arrays[-3], arrays[-1]
        neurons[:n_hidden] = self._weights = network.weights
        ones[:] = 1
        self._arrays = arrays  # kept alive, because the loop has their addresses
        places = [array.ctypes.data for array in arrays]
        wide_sizes = (self._wide_features, wide_hidden, self._wide_outputs, rows_out)
        objects = (*codes(settings, n_outputs), int(averaged))
        parts = [vector + 4 * start for vector in places[:2] for start in starts]
        numbers: Any = (*shape, batch_size, *wide_sizes, n_parameters, width, WIDE_VECTORS[width] * width, *objects)
        self._shape = LoopShape(*numbers, *places[:5], *parts, *places[5:])
        self._rates = Rates(float(settings.alpha), float(settings.momentum))  # floats, so that the loop compiles once
        # Parameters, two moments, and the average if `averaged`.
        self._own = [self._views_of(self._vectors[i]) for i in (0, 2, 3, 4)[: 3 + averaged]]
        self._start(network, moments)
        # The network whose loss is returned: the average if `averaged`.
        result = places[4] if averaged else places[0]
        in_result = [result + 4 * start for start in starts]
        self._result = self._shape._replace(
            solver=NO_SOLVER,
            parameters=result,
            intercept=in_result[0],
            out_coef=in_result[1],
            out_intercept=in_result[2],
        )
        self._sparse = sparse
        self._entries: Entries | None = None
        self._inputs, self._targets = self._empty(0)
        # The held-out samples of the last call of `loss`, in the loop's arrays.
        self._prepared: tuple[HeldOut, FloatArray, FloatArray, Entries | None, FloatArray] | None = None

    def _views_of(self, vector: FloatArray) -> list[FloatArray]:
        """Return views of the parts of a vector, without padding, in the shapes of `Layout`."""
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

    def _start(self, network: Network, moments: tuple[FloatArray, FloatArray] | None) -> None:
        """Copy parameters and moments to the loop's arrays; the average begins with the parameters."""
        coefs = network.hidden_coef.T, network.hidden_intercept[:, None]
        outputs = network.output_coef.T, network.output_intercept[:, None]
        for own in (self._own[0], *self._own[3:]):
            for part, values in zip(own, (*coefs, *outputs), strict=True):
                part[...] = values
        for own, moment in zip(self._own[1:3], moments or (), strict=False):
            for part, view in zip(own, self._layout.views_of_array(moment), strict=True):
                part[...] = view

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Return the solver's two moments, in the layout of `TorchNetwork`."""
        first, second = (self._layout.flat(own) for own in self._own[1:3])
        return first, second

    def threads(self) -> AbstractContextManager[None]:
        """Return a context with one thread."""
        return one_thread()

    def rest(self, beyond: int = 0) -> None:
        """Release the memory for batches, if it has more than `beyond` bytes."""
        if self._inputs.nbytes + (0 if self._entries is None else self._entries.values.nbytes) > beyond:
            self._entries = None
            self._inputs, self._targets = self._empty(0)

    def network(self) -> Network:
        """Return a copy of the network, or of the average if `averaged`; the memory for batches stays."""
        coef, intercept, out_coef, out_intercept = self._own[-1 if self._shape.averaged else 0]
        return Network(
            np.array(coef.T, order="C"),
            intercept[:, 0].copy(),
            np.array(out_coef.T, order="C"),
            out_intercept[:, 0].copy(),
            self._weights.copy(),
        )

    def take(self, samples: Samples, rows: IntArray) -> FloatArray | None:
        """Gather these samples for the next updates, and return the weights."""
        if len(rows) > len(self._targets):
            self._inputs, self._targets = self._empty(len(rows))
        n_features, _, n_outputs = self._sizes
        targets = self._targets[: len(rows), :n_outputs]
        if not self._sparse:
            return samples.fill(rows, self._inputs[: len(rows), :n_features], targets)
        self._entries = samples.entries(rows)
        return samples.fill_targets(rows, targets)

    def _empty(self, n_rows: int) -> tuple[FloatArray, FloatArray]:
        """Return arrays of zeros for inputs and targets of the loop; the padding of rows stays zero."""
        inputs = np.zeros((0 if self._sparse else n_rows, self._wide_features), dtype=np.float32)
        return inputs, np.zeros((n_rows, self._wide_outputs), dtype=np.float32)

    def run(self, weight: FloatArray | None, step_size: float, shares: FloatArray, n_updates: IntArray) -> list[float]:
        """
        Make updates on the samples of the last `take`, and return the losses; the last one may not be finite.

        Parameters
        ----------
        weight : ndarray of shape (n_samples,) or None
        step_size : float
        shares : ndarray of shape (n_batches,)
            Share of the way that the average moves towards the parameters in each update.
        n_updates : ndarray of shape (n_batches,)
            Number of all updates of this training after each update.
        """
        shape = (len(n_updates), self._batch_size)
        of_mean = np.full(shape, 1 / self._batch_size, dtype=np.float32)
        if weight is not None:
            of_mean *= weight.reshape(shape)
        numbers = np.zeros((len(n_updates), 4), dtype=np.float32)
        solver: Any = self._settings.solver
        numbers[:, STEP], numbers[:, INVERSE_ROOT] = solver.loop_numbers(step_size, n_updates)
        numbers[:, SHARE] = shares
        n_made = self._train(self._shape, self._inputs, self._targets, self._entries, of_mean, numbers)
        losses: list[float] = numbers[: n_made + 1, LOSS].tolist()
        return losses

    def _train(self, shape: LoopShape, X: FloatArray, y: FloatArray, entries: Entries | None, *more: FloatArray) -> int:
        """Call the kernel for dense inputs or for entries; return the number of updates."""
        if entries is None:
            return int(train(shape, self._rates, X.ctypes.data, y.ctypes.data, *more))
        batches = entries.starts[:: self._batch_size]
        by_feature = room_by_feature(shape.n_features, int(np.diff(batches).max()))
        kernel = train_on_few if shape.solver in (ADAM, NO_SOLVER) else descend_on_few
        return int(kernel(shape, self._rates, entries, by_feature, y.ctypes.data, *more))

    def loss(self, held_out: HeldOut) -> float:
        """
        Return the loss on held-out samples, without the penalty; of the average if `averaged`.

        The loop's arrays of these samples are kept for the next call on the same samples.
        """
        if self._prepared is None or self._prepared[0] is not held_out:
            self._prepared = held_out, *self._filled(held_out)
        _, X, y, entries, of_mean = self._prepared
        numbers = np.zeros((len(of_mean), 4), dtype=np.float32)
        self._train(self._result, X, y, entries, of_mean, numbers)
        return float(numbers[:, LOSS].sum(dtype=np.float64))

    def _filled(self, held_out: HeldOut) -> tuple[FloatArray, FloatArray, Entries | None, FloatArray]:
        """Return inputs, targets, entries and each sample's share of the mean, in batches; the last batch is padded."""
        n_features, _, n_outputs = self._sizes
        n_rows, n_batches = len(held_out), -(-len(held_out) // self._batch_size)
        inputs, targets = self._empty(n_batches * self._batch_size)
        entries, y = None, targets[:n_rows, :n_outputs]
        if self._sparse:
            entries, weight = held_out.entries(y)
            entries = entries._replace(starts=np.pad(entries.starts, (0, len(targets) - n_rows), mode="edge"))
        else:
            weight = held_out.fill(inputs[:n_rows, :n_features], y)
        of_mean = np.zeros((n_batches, self._batch_size), dtype=np.float32)
        of_mean.reshape(-1)[:n_rows] = (1 if weight is None else weight) / n_rows
        return inputs, targets, entries, of_mean


def _aligned(lengths: list[int]) -> list[FloatArray]:
    """Return arrays of zeros of these lengths, each aligned to a cache line."""
    step = _LINE // 4
    starts = np.cumsum([0, *(-(-length // step) * step for length in lengths)])
    memory = np.zeros(starts[-1] + step, dtype=np.float32)
    first = -memory.ctypes.data % _LINE // 4
    return [memory[first + start : first + start + length] for start, length in zip(starts, lengths, strict=False)]
