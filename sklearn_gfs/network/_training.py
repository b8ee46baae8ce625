"""
Gradient training of a two-layer network: step sizes, solvers, and the loop that joins them with batches.

Targets are arrays of floats; nothing here knows labels, pruning or estimators.
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
from ._parts import n_parts_of
from ._recorded import RecordedUpdates
from ._samples import HeldOut, Samples
from ._settings import TrainingSettings
from ._shuffles import Shuffles, Stream
from ._small import SmallLoop, is_known
from ._torch_updates import TorchUpdates, at_work
from ._two_layer import TorchNetwork, mean_loss
from ._watch import UNWATCHED, Watch, interruptible

if TYPE_CHECKING:
    from sklearn_gfs._typing import FloatArray

    from ._parameters import Network

# Least share of the way that an iteration moves the averaged weights towards the current weights. With this share the
# noise of about a hundred batches is averaged out.
_LEAST_SHARE = 0.01
# Iteration t moves them by _DECAY / (t + _DECAY - 1) if this share is larger, so that the first iterations are soon
# forgotten.
_DECAY = 4

# Largest number of batches that are gathered at once: for small batches calls take longer than copies.
_MAX_GATHERED = 32
# Largest size of these batches, in bytes.
_MAX_GATHERED_BYTES = 2**21
# The same on a GPU, which only large operations keep busy.
_MAX_GATHERED_BYTES_ON_DEVICE = 2**26

# Largest memory for batches, in bytes, that is kept when training pauses. Some allocators return memory to the system
# at once, and would have to request it again for each part of a training.
_MOST_KEPT_BYTES = 2**20

# Number of samples in the first batches, and in the last, whose losses are compared to see if a training has descended.
_COMPARED_SAMPLES = 1024
# Least number of samples in the batches of which the one with the largest weights counts for the step size. These
# batches hold each sample at least once.
_READ_FOR_WEIGHTS = 2**15


class TrainingState(NamedTuple):
    """The state from which a training can continue later; NumPy only."""

    network: Network
    moments: tuple[FloatArray, FloatArray] | None  # None for zeros
    step_size: float  # zero if the user names the step size
    stream: Stream | None
    losses: list[float]


class Training:
    """
    A training in which each iteration is one gradient update on one batch.

    The batches are consecutive pieces of an endless sequence of shuffles. All have the same size, and the first t
    iterations do not depend on the number of further iterations. With a `TrainingState` in place of a network the
    training continues as if it had never stopped, if the batch size and the number of samples are the same.

    With `averaged` the returned network, and its loss, are those of a moving average over the iterations; the updates
    are the same.

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
        watch: Watch = UNWATCHED,
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
        self._fixed_batch: Batch | None = None
        self._batches: list[Batch] = []
        self._step_size = settings.learning_rate_init or 0.0  # zero until the first batch is read
        self.losses: list[float] = []
        if state is not None:
            self._step_size = self._step_size or state.step_size
            self.losses = list(state.losses)
        earlier, moments = (None, None) if state is None else (state.stream, state.moments)
        self._shuffles = Shuffles(samples.rows, self._batch_size, seed, len(self.losses), earlier)
        self._engine: SmallLoop | TorchUpdates
        self._recorded: RecordedUpdates | None = None
        sizes = settings, self._batch_size
        if self._loop_serves(network):
            few = samples.few_entries
            self._engine = SmallLoop(network, moments, *sizes, averaged=averaged, sparse=few)
            return
        self._engine = TorchUpdates(network, moments, *sizes, len(self.losses), averaged=averaged)
        if self._is_whole:
            self._fixed_batch = samples.everything()
        else:
            self._recorded = self._engine.recorded(network, self._batch_size, self._most_gathered)

    @property
    def _is_whole(self) -> bool:
        """Whether a batch holds all samples."""
        return self._batch_size == len(self._samples.rows)

    def _loop_serves(self, network: Network) -> bool:
        """Whether the compiled loop makes the updates."""
        settings, samples = self._settings, self._samples
        (n_features, n_hidden), n_outputs = network.hidden_coef.shape, len(network.output_intercept)
        # A network in parts needs dense inputs.
        in_one = samples.few_entries or n_parts_of(n_features, n_hidden, n_outputs, self._batch_size) == 1
        # With batch_size=None the samples may be large, and the loop would copy them; torch reads them in place.
        by_the_piece = not self._is_whole or settings.batch_size is not None
        return in_one and by_the_piece and is_known(network, settings, self._batch_size)

    @property
    def converged(self) -> bool:
        """Whether training has converged: a training by gradient updates never says so."""
        return False

    def rest(self) -> None:
        """Release memory that the next iteration can allocate again, because another training follows."""
        if isinstance(self._engine, SmallLoop):
            self._engine.rest()

    def state(self, *, with_moments: bool = True) -> TrainingState:
        """Return the state from which training can continue, with or without the solver's moments."""
        measured = 0.0 if self._settings.learning_rate_init else self._step_size
        moments = self._engine.moments() if with_moments else None
        return TrainingState(self.network(), moments, measured, self._shuffles.stream, list(self.losses))

    def _next_batch(self) -> Batch:
        if self._fixed_batch is not None:
            return self._fixed_batch
        if not self._batches:
            rows = self._shuffles.next(self._most_gathered * self._batch_size)
            self._batches = self._samples.gather_batches(rows, self._batch_size)
            self._batches.reverse()
        return self._batches.pop()

    @property
    def _most_gathered(self) -> int:
        """Number of batches that are gathered at once."""
        most = _MAX_GATHERED_BYTES if self._settings.device == "cpu" else _MAX_GATHERED_BYTES_ON_DEVICE
        reads_few = isinstance(self._engine, SmallLoop) and self._samples.few_entries
        row_bytes = self._samples.entries_bytes if reads_few else self._samples.row_bytes
        return min(_MAX_GATHERED, max(1, int(most // (self._batch_size * row_bytes))))

    def threads(self) -> AbstractContextManager[None]:
        """Return a context with the fastest number of threads, which several calls inside can share."""
        return self._engine.threads()

    def advance(self, n_iterations: int) -> None:
        """Make `n_iterations` gradient updates, or fewer if the watch stops training."""
        # Inference mode makes calls of torch shorter.
        with self.threads(), self._torch.inference_mode():
            self._advance(n_iterations)

    def _advance(self, n_iterations: int) -> None:
        watch = self._watch
        one_by_one = isinstance(self._engine, TorchUpdates) and self._recorded is None
        at_once = 1 if one_by_one else self._most_gathered
        with interruptible(watch):
            while n_iterations > 0:
                if watch.stops:
                    return
                size = min(n_iterations, at_once, watch.patience)
                self._update(size)
                n_iterations -= size

    def _update(self, n_updates: int) -> None:
        """Make `n_updates` updates in one call of the loop or by a recording on a GPU, or a single update in torch."""
        engine = self._engine
        if isinstance(engine, SmallLoop):
            self._run(engine, n_updates)
            return
        if self._recorded is not None:
            self._run_recorded(self._recorded, n_updates)
            return
        batch = self._next_batch()
        self._choose_step_size(lambda: batch)
        loss = engine.loss_and_gradient(batch)
        self._take_note([loss])
        engine.update(loss, self._step_size, self._share(len(self.losses)))

    def _run(self, loop: SmallLoop, n_updates: int) -> None:
        rows = self._shuffles.next(n_updates * self._batch_size)
        self._choose_step_size(lambda: self._samples.gather(rows[: self._batch_size]))
        n_done = len(self.losses) + np.arange(1, n_updates + 1)
        weight = loop.take(self._samples, rows)
        self._take_note(loop.run(weight, self._step_size, self._share(n_done), n_done))

    def _run_recorded(self, recorded: RecordedUpdates, n_updates: int) -> None:
        if len(self.losses) * self._batch_size >= len(self._samples.rows):
            self._samples.bring()  # after a full pass: training will read all samples again
        rows = self._shuffles.next(n_updates * self._batch_size)
        self._choose_step_size(lambda: self._samples.gather(rows[: self._batch_size]))
        n_done = len(self.losses) + np.arange(1, n_updates + 1)
        self._take_note(recorded.run(self._samples.gather(rows), self._step_size, self._share(n_done)))

    @staticmethod
    def _share(n_done: Any) -> Any:
        """Return the share of the way that averaged weights move in iteration `n_done`."""
        return np.maximum(_LEAST_SHARE, _DECAY / (n_done + _DECAY - 1))

    def _choose_step_size(self, batch: Callable[[], Batch]) -> None:
        """Set the solver's default step size, unless a step size is set."""
        if self._step_size == 0.0:
            settings = self._settings
            self._step_size = settings.solver.default_step_size(
                settings.momentum, lambda: max(map(self._curvature, [batch(), *self._heavy_batches()]))
            )

    def _heavy_batches(self) -> list[Batch]:
        """Return the batch of the largest total weight of the first passes; nothing if weights are even."""
        samples, size = self._samples, self._batch_size
        weight, rows = samples.weight, samples.rows
        if weight is None or self._is_whole or np.ptp(weight[rows]) == 0:
            return []
        n_batches = -(-max(len(rows), _READ_FOR_WEIGHTS) // size)
        shuffles = Shuffles(rows, size, self._seed, len(self.losses), self._shuffles.stream)
        batches = shuffles.next(n_batches * size).reshape(n_batches, size)
        totals = weight[batches].sum(axis=1, dtype=np.float64)
        return [samples.gather(batches[totals.argmax()])]

    def _take_note(self, losses: list[float]) -> None:
        """Append the losses; raise an error if the last one is not finite."""
        if not math.isfinite(losses[-1]):
            self.losses += losses[:-1]
            # Inputs and targets have a variance of one, so only a penalty above one can make the loss infinite.
            alpha = self._settings.alpha
            penalty = f" or alpha (it was {alpha:g})," if not isinstance(alpha, str) and alpha > 1 else ""
            raise ValueError(
                f"The loss became {losses[-1]} at iteration {len(self.losses) + 1} of {self.name}; the model would be "
                f"useless. Use a smaller learning_rate_init (it was {self._step_size:g}){penalty} or look for extreme "
                "values in X and y."
            )
        self.losses += losses

    @property
    def prior(self) -> None:
        """None: gradient updates do not estimate the penalty."""
        return

    def losses_of_ends(self, start: Callable[[], Network], end: Network) -> tuple[float, float] | None:
        """Return the penalised losses at start and end; None if the losses of batches show that the loss has fallen."""
        n_batches = min(-(-_COMPARED_SAMPLES // self._batch_size), len(self.losses) // 2)
        # If a loss explodes, it does so at once, so the least of the first losses is from before.
        if n_batches and math.fsum(self.losses[-n_batches:]) < n_batches * min(self.losses[:n_batches]):
            return None
        return self.penalised_loss_of(start()), self.penalised_loss_of(end)

    def penalised_loss_of(self, network: Network) -> float:
        """Return the loss of a network on all samples, with the penalty, which training minimises."""
        samples, rows = self._samples, self._samples.rows
        network = in_precision(network, samples.dtype)
        model = at_work(network, self._settings, min(len(rows), CHUNK_ROWS))
        with model.threads(), self._torch.inference_mode():
            if samples.few_entries and isinstance(self._engine, SmallLoop):
                return self._loss_on_few_entries(network) + model.penalty()
            return mean_loss(model, map(samples.gather, samples.batches(rows))) + model.penalty()

    def _loss_on_few_entries(self, network: Network) -> float:
        """Return the loss on all samples, computed by the compiled loop from the nonzero inputs."""
        loop = SmallLoop(network, None, self._settings, self._batch_size, averaged=False, sparse=True)
        pieces = [self._samples.rows[piece] for piece in row_batches(len(self._samples.rows), CHUNK_ROWS)]
        total = math.fsum(len(rows) * loop.loss(HeldOut(self._samples.part(rows))) for rows in pieces)
        return total / len(self._samples.rows)

    @property
    def step_size(self) -> float:
        """The step size, zero before it has been chosen."""
        return self._step_size

    def _curvature(self, batch: Batch) -> float:
        """Return the largest curvature of the loss on a batch."""
        rng = np.random.RandomState(self._seed)  # a separate generator, so that batches do not depend on the solver
        settings = self._settings
        network = TorchNetwork(self.network(), settings.activation, settings.loss, device=settings.device)
        start = self._torch.from_numpy(rng.standard_normal(len(network.parameters))).to(batch.X)
        return network.largest_curvature(batch.X, start, batch.weight)

    def loss(self, held_out: HeldOut) -> float:
        """Return the loss of the current network on held-out samples, without the penalty."""
        return self._engine.loss(held_out)

    def snapshot(self) -> Network:
        """Return the current network, as `network` does, but keep memory for more iterations."""
        return self._engine.network()

    def network(self) -> Network:
        """Return the current network."""
        if isinstance(self._engine, SmallLoop):
            self._engine.rest(beyond=_MOST_KEPT_BYTES)
        return self._engine.network()
