"""
Gradient training of a two-layer network: step sizes, solvers, and the loop that joins them with batches.

Nothing here knows targets other than numbers, pruning or estimators.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sklearn_gfs._chunks import row_batches

from ._data import CHUNK_ROWS, Batch
from ._parameters import in_precision
from ._parts import NetworkInParts, n_parts_of
from ._recorded import RecordedUpdates, can_record
from ._samples import HeldOut, Samples
from ._settings import TrainingSettings
from ._small import SmallLoop, is_known
from ._two_layer import TorchNetwork, mean_loss
from ._watch import Watch, interruptible

if TYPE_CHECKING:
    import torch

    from sklearn_gfs._typing import FloatArray, IntArray

    from ._parameters import Network

# Iteration t moves averaged weights towards its own by this share of the way, or by _DECAY / (t + _DECAY - 1) where
# that is more: the noise of a hundred batches is averaged out, and the beginning is soon forgotten.
_LEAST_SHARE, _DECAY = 0.01, 4

# Batches are gathered several at a time, up to this many and this many bytes: for small ones the calls cost more than
# the copying.
_MAX_GATHERED = 32
_MAX_GATHERED_BYTES = 2**21
_MAX_GATHERED_BYTES_ON_DEVICE = 2**26  # a GPU is busy only with many

# Losses of batches are compared over so many samples.
_COMPARED_SAMPLES = 1024


class Stream(NamedTuple):
    """Where an endless row of shuffles began, and what its pieces are: so any place in it can be found again."""

    start: int  # the iteration
    n_rows: int
    batch_size: int


class TrainingState(NamedTuple):
    """All that it takes to continue a training later; NumPy only."""

    network: Network
    moments: tuple[FloatArray, FloatArray]
    step_size: float  # where it was chosen from the data, else zero
    stream: Stream | None
    losses: list[float]


class Training:
    """
    A network on its way: each iteration is one gradient update on one batch.

    The batches are consecutive pieces of an endless row of shuffles. All have the same size, and the first t iterations
    do not depend on how many follow. A `TrainingState` in place of a network goes on as if training had never stopped,
    if the size of the batches and the number of samples are the same.

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
        # A full batch that was asked for may have any size: no copy of its samples is made.
        by_the_piece = self._fixed_batch is None or settings.batch_size is not None
        if in_one_part and by_the_piece and is_known(network, settings, self._batch_size):
            self._loop = SmallLoop(
                network, settings, self._batch_size, averaged=averaged, sparse=samples.few_entries
            )
            self._loop.read(*self._vectors())
        self._loop_is_ahead = False
        self._recorded = self._recordable(network, averaged=averaged)

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

    def rest(self) -> None:
        """Give memory back that the next iteration can take again: another training follows."""
        if self._loop is not None:
            self._loop.rest()

    def _at_work(self, network: Network, batch_size: int) -> TorchNetwork | NetworkInParts:
        """Return the network in torch, in as many parts as the size of an update asks for."""
        settings, n_parts = self._settings, 1
        if settings.device == "cpu":  # another device has no use for this
            n_hidden, n_outputs = network.output_coef.shape
            n_parts = n_parts_of(self._samples.entries_of_row, n_hidden, n_outputs, batch_size)
        if n_parts == 1:
            return TorchNetwork(network, settings.activation, settings.loss, float(settings.alpha), settings.device)
        return NetworkInParts(network, settings.activation, settings.loss, float(settings.alpha), n_parts)

    def _recordable(self, network: Network, *, averaged: bool) -> RecordedUpdates | None:
        """Return what makes updates in a row on a device, where they can be recorded."""
        if self._fixed_batch is not None or not can_record(network, self._settings):
            return None
        trained: Any = self._network  # in one part, on a device
        average: Any = self._result if averaged else None
        sizes = self._batch_size, self._most_gathered
        return RecordedUpdates(trained, average, self._solver, self._settings.loss, *sizes)

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
        most = _MAX_GATHERED_BYTES if self._settings.device == "cpu" else _MAX_GATHERED_BYTES_ON_DEVICE
        return min(_MAX_GATHERED, max(1, most // (self._batch_size * self._samples.row_bytes)))

    def _next_rows(self, n_rows: int) -> IntArray:
        if self._fixed_batch is not None:
            return np.tile(self._samples.rows, n_rows // self._batch_size)
        rows, self._order = np.split(self._order, [n_rows])
        if len(rows) == n_rows:
            return rows
        pieces = [rows.copy()]  # what these were a part of is not kept beside the next shuffle
        del rows
        while (n_missing := n_rows - sum(map(len, pieces))) > 0:
            del self._order
            shuffled = self._rng.permutation(self._samples.rows)
            pieces.append(shuffled[:n_missing].copy())
            self._order = shuffled[n_missing:]
        return np.concatenate(pieces)

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
        at_once = 1 if self._loop is None and self._recorded is None else self._most_gathered
        with interruptible(watch):
            while n_iterations > 0:
                if watch is not None and watch.stops:
                    return
                size = min(n_iterations, at_once if watch is None else min(at_once, watch.patience))
                self._update(size)
                n_iterations -= size

    def _update(self, n_updates: int) -> None:
        """Make some updates in one call of the loop or in a row on a GPU, or a single one in torch."""
        if self._loop is not None:
            self._run(self._loop, n_updates)
            return
        if self._recorded is not None:
            self._run_recorded(self._recorded, n_updates)
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
        weight = loop.take(self._samples, rows)
        self._take_note(loop.run(weight, self._step_size, self._share(n_done), n_done))

    def _run_recorded(self, recorded: RecordedUpdates, n_updates: int) -> None:
        if len(self.losses) * self._batch_size >= len(self._samples.rows):
            self._samples.bring()  # all were used, and will be again
        rows = self._next_rows(n_updates * self._batch_size)
        self._choose_step_size(lambda: self._samples.gather(rows[: self._batch_size]))
        n_done = len(self.losses) + np.arange(1, n_updates + 1)
        self._take_note(recorded.run(self._samples.gather(rows), self._step_size, self._share(n_done)))

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

    def penalised_loss_of(self, network: Network) -> float:
        """Return the loss of a network on all samples, with the penalty: what training lowers."""
        rows = self._samples.rows
        model = self._at_work(in_precision(network, self._samples.dtype), min(len(rows), CHUNK_ROWS))
        with model.threads(), self._torch.inference_mode():
            chunks = (self._samples.gather(rows[chunk]) for chunk in row_batches(len(rows), CHUNK_ROWS))
            return mean_loss(model, chunks) + model.penalty()

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

    def loss(self, held_out: HeldOut) -> float:
        """Return the loss of the network as it is now, without the penalty."""
        if self._loop is not None:
            return self._loop.loss(held_out)
        # In the mode of training, whose buffers it may share.
        with self._result.threads(), self._torch.inference_mode():
            return mean_loss(self._result, held_out.on(self._settings.device))

    def snapshot(self) -> Network:
        """Return what `network` does, in less time where more iterations follow at once."""
        return self._loop.network() if self._loop is not None and self._loop_is_ahead else self.network()

    def network(self) -> Network:
        """Return the network as it is now."""
        self._catch_up()
        return self._result.to_network()
