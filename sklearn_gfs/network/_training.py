"""
Gradient training of a two-layer network: batches, step sizes, solvers, and the loop that joins them.

Nothing here knows targets other than numbers, pruning or estimators.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

from ._data import CHUNK_ROWS, Batch
from ._parts import NetworkInParts, n_parts_of
from ._settings import TrainingSettings
from ._small import SmallLoop, is_known
from ._two_layer import TorchNetwork
from ._watch import Watch, interruptible

if TYPE_CHECKING:
    import torch

    from sklearn_gfs._typing import FloatArray, IntArray

    from ._parameters import Network
    from ._standardisation import Standardisation

# Iteration t moves averaged weights towards its own by this share of the way, or by _DECAY / (t + _DECAY - 1) where
# that is more: the noise of a hundred batches is averaged out, and the beginning is soon forgotten.
_LEAST_SHARE, _DECAY = 0.01, 4

# Batches are gathered several at a time, up to this many and this many bytes: for small ones the calls cost more than
# the copying.
_MAX_GATHERED = 32
_MAX_GATHERED_BYTES = 2**21


# Losses of batches are compared over so many samples.
_COMPARED_SAMPLES = 1024


class Stream(NamedTuple):
    """Where an endless row of shuffles began, and what its pieces are: so any place in it can be found again."""

    start: int  # the iteration
    n_rows: int
    batch_size: int


class TrainingState(NamedTuple):
    """All that it takes to go on with a training later; NumPy only."""

    network: Network
    moments: tuple[FloatArray, FloatArray]
    step_size: float  # where it was chosen from the data, else zero
    stream: Stream | None
    losses: list[float]


class Samples:
    """
    Rows of X, standardised, and their targets, gathered batch by batch.

    X is never copied as a whole: a batch is gathered, made dense and standardised in a buffer of its own. Where X is
    standardised already a batch is gathered only.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples, n_outputs)
        Their dtype is that of the batches: inputs are rounded to it once they are standardised.
    standardisation : Standardisation or None
        None where X is standardised already.
    rows : ndarray of shape (n_rows,)
        The samples to be used.
    weight : ndarray of shape (n_samples,), default=None
        Weights of the samples; only their ratios among the rows matter.
    device : str, default="cpu"
        Where batches are put.
    """

    def __init__(
        self,
        X: Any,
        targets: FloatArray,
        standardisation: Standardisation | None,
        rows: IntArray,
        weight: FloatArray | None = None,
        device: str = "cpu",
    ) -> None:
        import torch

        self._device = device
        self._X = X
        # torch gathers rows with all its threads, but warns of arrays that it must not write to.
        self._tensor = torch.from_numpy(X) if isinstance(X, np.ndarray) and X.flags.carray else None
        self._room = torch.empty((0, 0))
        self._targets = targets
        self._dtype = torch.from_numpy(targets[:0]).dtype
        self._standardisation = None if standardisation is None else standardisation.astype(X.dtype).in_torch(device)
        self.rows = rows
        self._weight = None
        if weight is not None:
            self._weight = (weight / weight[rows].mean()).astype(targets.dtype)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Precision of the batches."""
        return self._targets.dtype

    @property
    def row_bytes(self) -> int:
        """Size of one sample's inputs in a batch."""
        return int(self._X.shape[1] * self._X.dtype.itemsize)

    def gather(self, rows: IntArray) -> Batch:
        """Return the standardised inputs, the targets and the weights of these samples."""
        import torch

        y = np.ascontiguousarray(self._targets.take(rows, axis=0).T)
        weight = None if self._weight is None else torch.from_numpy(self._weight[rows]).to(self._device)
        return Batch(self._inputs(rows), torch.from_numpy(y).to(self._device), weight)

    def _inputs(self, rows: IntArray, out: torch.Tensor | None = None) -> torch.Tensor:
        """Return the standardised inputs of these samples; gathered into `out`, where that is given."""
        import torch

        if self._tensor is not None:
            X = torch.index_select(self._tensor, 0, torch.from_numpy(rows), out=out).to(self._device)
        else:
            part = self._X[rows]
            X = torch.from_numpy(part.toarray() if sparse.issparse(part) else part).to(self._device)
        return (X if self._standardisation is None else self._standardisation.apply(X)).to(self._dtype)

    def fill(self, rows: IntArray, X: FloatArray, y: FloatArray) -> FloatArray | None:
        """
        Write what `gather` returns to arrays with a row for each sample, and return the weights.

        New memory for every batch would cost as much as gathering, where the system's allocator gives large pieces back
        at once (Dask tells it to).
        """
        if not (self._standardisation is None and isinstance(self._X, np.ndarray) and self._X.dtype == X.dtype):
            self._standardise_into(X, rows)
        elif X.flags.c_contiguous:
            self._X.take(rows, axis=0, out=X, mode="clip")  # no index is clipped; other modes copy
        else:
            X[...] = self._X.take(rows, axis=0)
        y[...] = self._targets.take(rows, axis=0)
        return None if self._weight is None else self._weight[rows]

    def arrays(self, rows: IntArray) -> tuple[FloatArray, FloatArray, FloatArray | None]:
        """Return what `gather` does as arrays; targets have a row for each sample."""
        dtype = self._targets.dtype
        X = np.empty((len(rows), self._X.shape[1]), dtype)
        y = np.empty((len(rows), self._targets.shape[1]), dtype)
        return X, y, self.fill(rows, X, y)

    def _standardise_into(self, X: FloatArray, rows: IntArray) -> None:
        """Write the standardised inputs of these samples."""
        import torch

        gathered = None
        if self._tensor is not None:
            if len(self._room) < len(rows):
                self._room = self._tensor.new_empty((len(rows), X.shape[1]))
            gathered = self._room[: len(rows)]
        torch.from_numpy(X).copy_(self._inputs(rows, gathered))

    def gather_batches(self, rows: IntArray, batch_size: int) -> list[Batch]:
        """Return these samples as batches of this size."""
        from torch import split

        X, y, weight = self.gather(rows)
        weights = [None] * (len(rows) // batch_size) if weight is None else split(weight, batch_size)
        return [Batch(*batch) for batch in zip(split(X, batch_size), split(y, batch_size, 1), weights, strict=True)]

    def everything(self) -> Batch:
        """Return all rows as one batch."""
        return self.gather(self.rows)


class Training:
    """
    A network on its way: each iteration is one gradient update on one batch.

    The batches are consecutive pieces of an endless row of shuffles, so all have the same size and the first t
    iterations do not depend on how many follow. From a `TrainingState` in place of a network it goes on as if it had
    never stopped, as long as the batches have the same size and the samples are as many.

    With `averaged` the network that it gives, and whose loss it tells, is a moving average over the iterations; the
    updates are the same.

    Raises
    ------
    ValueError
        From `advance`, when the loss is no longer finite.
    """

    def __init__(
        self,
        start: Network | TrainingState,
        samples: Samples,
        settings: TrainingSettings,
        seed: int,
        *,
        name: str,
        averaged: bool = False,
        watch: Watch | None = None,
    ) -> None:
        import torch

        self._torch = torch
        state = start if isinstance(start, TrainingState) else None
        network = start.network if isinstance(start, TrainingState) else start
        self._samples = samples
        self._settings = settings
        self.name = name
        self._watch = watch
        self._seed = seed
        n_rows = len(samples.rows)
        self._batch_size = n_rows if settings.batch_size is None else min(settings.batch_size, n_rows)
        self._network = self._at_work(network, self._batch_size)
        self._result = self._at_work(network, self._batch_size) if averaged else self._network
        self._fixed_batch = samples.everything() if self._batch_size == n_rows else None
        self._batches: list[Batch] = []
        parameters = self._network.parameters
        moments = [torch.zeros_like(parameters) for _ in range(2)]
        self._step_size = settings.learning_rate_init or 0.0  # zero until the first batch has been seen
        self.losses: list[float] = []
        if state is not None:
            moments = [self._network.in_pieces(moment) for moment in state.moments]
            self._step_size = self._step_size or state.step_size
            self.losses = list(state.losses)
        self._solver = settings.solver(self._network, settings.momentum, (moments[0], moments[1]), len(self.losses))
        self._start_stream(None if state is None else state.stream)
        self._loop: SmallLoop | None = None
        in_one_part = isinstance(self._network, TorchNetwork)
        if in_one_part and self._fixed_batch is None and is_known(network, settings, self._batch_size):
            self._loop = SmallLoop(network, settings, self._batch_size, averaged=averaged)
            self._loop.read(*self._vectors())
        self._loop_is_ahead = False

    @property
    def converged(self) -> bool:
        """Whether no iteration is left to make: never."""
        return False

    def _vectors(self) -> list[torch.Tensor]:
        """Return all that iterations change, but for the loop's own."""
        result = [] if self._result is self._network else [self._result.parameters]
        return [self._network.parameters, *self._solver.moments, *result]

    def _catch_up(self) -> None:
        """Take over what the loop has computed."""
        if self._loop is not None and self._loop_is_ahead:
            self._loop.write(*self._vectors())
            self._loop_is_ahead = False

    def _at_work(self, network: Network, batch_size: int) -> TorchNetwork | NetworkInParts:
        """Return the network in torch, in as many parts as the size of an update asks for."""
        settings, n_parts = self._settings, 1
        if settings.device == "cpu":  # another device has no use for this
            (n_features, n_hidden), n_outputs = network.hidden_coef.shape, len(network.output_intercept)
            n_parts = n_parts_of(n_features, n_hidden, n_outputs, batch_size)
        if n_parts == 1:
            return TorchNetwork(network, settings.activation, settings.loss, float(settings.alpha), settings.device)
        return NetworkInParts(network, settings.activation, settings.loss, float(settings.alpha), n_parts)

    def _start_stream(self, earlier: Stream | None) -> None:
        """Shuffle anew, or find the place in the row of shuffles where an earlier training stopped."""
        n_done = len(self.losses)
        self._stream = Stream(n_done, len(self._samples.rows), self._batch_size)
        if earlier is not None and earlier[1:] == self._stream[1:]:
            self._stream = earlier
        self._rng = np.random.RandomState([self._seed, self._stream.start] if self._stream.start else self._seed)
        self._order = np.empty(0, dtype=np.intp)
        if self._fixed_batch is None:
            self._skip_rows((n_done - self._stream.start) * self._batch_size)

    def state(self) -> TrainingState:
        """Return what it takes to go on from here."""
        self._catch_up()
        first, second = (self._network.whole(moment) for moment in self._solver.moments)
        measured = 0.0 if self._settings.learning_rate_init else self._step_size
        return TrainingState(self.network(), (first, second), measured, self._stream, list(self.losses))

    def _next_batch(self) -> Batch:
        if self._fixed_batch is not None:
            return self._fixed_batch
        if not self._batches:
            rows = self._next_rows(self._most_gathered * self._batch_size)
            self._batches = self._samples.gather_batches(rows, self._batch_size)
            self._batches.reverse()
        return self._batches.pop()

    @property
    def _most_gathered(self) -> int:
        """How many batches are gathered at a time."""
        return min(_MAX_GATHERED, max(1, _MAX_GATHERED_BYTES // (self._batch_size * self._samples.row_bytes)))

    def _next_rows(self, n_rows: int) -> IntArray:
        pieces = [self._order]
        n_missing = n_rows - len(self._order)
        while n_missing > 0:
            pieces.append(self._rng.permutation(self._samples.rows))
            n_missing -= len(pieces[-1])
        order = np.concatenate(pieces)
        self._order = order[n_rows:]
        return order[:n_rows]

    def _skip_rows(self, n_rows: int) -> None:
        n_shuffles, n_used = divmod(n_rows, len(self._samples.rows))
        for _ in range(n_shuffles):
            self._rng.permutation(self._samples.rows)
        if n_used:
            self._next_rows(n_used)

    def threads(self) -> AbstractContextManager[None]:
        """Have as many threads as pay; what is done inside is spared to ask for them each time."""
        return self._network.threads()

    def advance(self, n_iterations: int) -> None:
        """Make this many gradient updates; fewer where the watch, if there is one, says stop."""
        # Calls are shorter without the bookkeeping of automatic gradients.
        with self.threads(), self._torch.inference_mode():
            self._advance(n_iterations)

    def _advance(self, n_iterations: int) -> None:
        watch = self._watch
        at_once = 1 if self._loop is None else self._most_gathered
        with interruptible(watch):
            while n_iterations > 0:
                if watch is not None and watch.stops:
                    return
                size = min(n_iterations, at_once if watch is None else min(at_once, watch.patience))
                self._update(size)
                n_iterations -= size

    def _update(self, n_updates: int) -> None:
        """Make some updates in one call of the loop, or a single one in torch."""
        if self._loop is not None:
            self._run(self._loop, n_updates)
            return
        batch = self._next_batch()
        self._choose_step_size(lambda: batch)
        loss = self._network.loss_and_gradient(*batch)
        self._take_note([loss])
        self._solver.step(self._step_size, loss)
        if self._result is not self._network:
            self._result.parameters.lerp_(self._network.parameters, self._share(len(self.losses)))

    def _run(self, loop: SmallLoop, n_updates: int) -> None:
        rows = self._next_rows(n_updates * self._batch_size)
        self._choose_step_size(lambda: self._samples.gather(rows[: self._batch_size]))
        n_done = len(self.losses) + np.arange(1, n_updates + 1)
        self._loop_is_ahead = True
        weight = self._samples.fill(rows, *loop.room(n_updates))
        self._take_note(loop.run(weight, self._step_size, self._share(n_done), n_done))

    @staticmethod
    def _share(n_done: Any) -> Any:
        """Return by which share averaged weights move in the last of so many iterations."""
        return np.maximum(_LEAST_SHARE, _DECAY / (n_done + _DECAY - 1))

    def _choose_step_size(self, batch: Callable[[], Batch]) -> None:
        """Let the solver choose, if that is still to be done."""
        if self._step_size == 0.0:
            self._step_size = self._solver.default_step_size(lambda: self._curvature(batch()))

    def _take_note(self, losses: list[float]) -> None:
        """Append losses, of which the last may not be finite."""
        if not math.isfinite(losses[-1]):
            self.losses += losses[:-1]
            raise ValueError(
                f"The loss became {losses[-1]} at iteration {len(self.losses) + 1} of {self.name}; the model would be "
                f"useless. Use a smaller learning_rate_init (it was {self._step_size:g}) or look for extreme "
                "values in X and y."
            )
        self.losses += losses

    @property
    def may_have_diverged(self) -> bool:
        """Whether the losses of the batches fell so little that all samples must say whether the loss fell."""
        n_batches = min(-(-_COMPARED_SAMPLES // self._batch_size), len(self.losses) // 2)
        # A training that explodes does so at once: the least of its first losses is from before.
        return n_batches < 1 or math.fsum(self.losses[-n_batches:]) >= n_batches * min(self.losses[:n_batches])

    def loss_of(self, network: Network) -> float:
        """Return the loss of a network on all samples, without the penalty."""
        rows = self._samples.rows
        model = self._at_work(network, min(len(rows), CHUNK_ROWS))
        with model.threads(), self._torch.inference_mode():
            losses = [
                len(rows[chunk]) * model.loss(*self._samples.gather(rows[chunk]))
                for chunk in gen_batches(len(rows), CHUNK_ROWS)
            ]
        return math.fsum(losses) / len(rows)

    @property
    def step_size(self) -> float:
        """The step size, zero before it has been chosen."""
        return self._step_size

    def _curvature(self, batch: Batch) -> float:
        """Return the largest curvature of the loss on a batch."""
        rng = np.random.RandomState(self._seed)  # its own: what the batches are must not depend on the solver
        settings = self._settings
        network = TorchNetwork(self.network(), settings.activation, settings.loss, device=settings.device)
        start = self._torch.from_numpy(rng.standard_normal(len(network.parameters))).to(batch.X)
        return network.largest_curvature(batch.X, start, batch.weight)

    def loss(self, batch: Batch) -> float:
        """Return the loss of the network as it is now, without the penalty."""
        if self._loop is not None:
            return self._loop.loss(batch)
        # In the mode of training, whose buffers it may share.
        with self._result.threads(), self._torch.inference_mode():
            return self._result.loss(*batch)

    def network(self) -> Network:
        """Return the network as it is now."""
        self._catch_up()
        return self._result.to_network()
