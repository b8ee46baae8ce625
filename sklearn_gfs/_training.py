"""
Gradient training of a two-layer network: batches, step sizes, solvers, and the loop that joins them.

Nothing here knows targets other than numbers, pruning or estimators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from ._network import TorchNetwork
from ._watch import Watch

if TYPE_CHECKING:
    import torch

    from ._network import Network
    from ._typing import FloatArray, IntArray

# Adam moves every coordinate of the standardised problem by about this much in one iteration.
ADAM_STEP = 0.01
_ADAM_DECAYS = (0.9, 0.999)
_ADAM_EPSILON = 1e-8


class TrainingSettings(NamedTuple):
    """How to train; the names are those of the estimators' parameters."""

    activation: str
    loss: str
    solver: str
    learning_rate_init: float | None
    momentum: float
    batch_size: int | None
    alpha: float


class Batch(NamedTuple):
    """Standardised inputs, targets and, of shape (n_samples, 1), weights whose mean over all samples is one."""

    X: torch.Tensor
    y: torch.Tensor
    weight: torch.Tensor | None


class Samples:
    """
    Rows of X, standardised, and their targets, gathered batch by batch.

    X is never copied as a whole: a batch is gathered, made dense and standardised in a buffer of its own.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples, n_outputs), of the dtype of X
    standardisation : tuple of ndarrays of shape (n_features,)
        The mean (None for sparse X) and the inverse scale: x becomes (x - mean) * inverse_scale.
    rows : ndarray of shape (n_rows,)
        The samples to be used.
    weight : ndarray of shape (n_samples,), default=None
        Weights of the samples; only their ratios among the rows matter.
    """

    def __init__(
        self,
        X: Any,
        targets: FloatArray,
        standardisation: tuple[FloatArray | None, FloatArray],
        rows: IntArray,
        weight: FloatArray | None = None,
    ) -> None:
        self._X = X
        self._targets = targets
        self._mean, self._inverse_scale = standardisation
        self.rows = rows
        self._weight = None
        if weight is not None:
            self._weight = (weight / weight[rows].mean()).astype(targets.dtype)[:, None]

    def gather(self, rows: IntArray) -> Batch:
        """Return the standardised inputs, the targets and the weights of these samples."""
        import torch

        X = self._X[rows]
        if sparse.issparse(X):
            X = X.toarray()
        elif self._mean is not None:
            X -= self._mean
        X *= self._inverse_scale
        weight = None if self._weight is None else torch.from_numpy(self._weight[rows])
        return Batch(torch.from_numpy(X), torch.from_numpy(self._targets[rows]), weight)

    def everything(self) -> Batch:
        """Return all rows as one batch."""
        return self.gather(self.rows)


class Training:
    """
    A network on its way: each iteration is one gradient update on one batch.

    The batches are consecutive pieces of an endless row of shuffles, so all have the same size and the first t
    iterations do not depend on how many follow.

    Raises
    ------
    ValueError
        From `advance`, when the loss is no longer finite.
    """

    def __init__(
        self,
        network: Network,
        samples: Samples,
        settings: TrainingSettings,
        seed: int,
        *,
        name: str,
        watch: Watch | None = None,
    ) -> None:
        import torch

        self._torch = torch
        self._network = TorchNetwork(network, settings.activation, settings.loss, settings.alpha)
        self._samples = samples
        self._settings = settings
        self._name = name
        self._watch = watch
        self._rng = np.random.RandomState(seed)
        n_rows = len(samples.rows)
        self._batch_size = n_rows if settings.batch_size is None else min(settings.batch_size, n_rows)
        self._order = np.empty(0, dtype=np.intp)
        self._fixed_batch = samples.everything() if self._batch_size == n_rows else None
        self._moments = [torch.zeros_like(self._network.parameters) for _ in range(3)]
        self._step_size = settings.learning_rate_init or 0.0  # zero until the first batch has been seen
        self.losses: list[float] = []

    def _next_batch(self) -> Batch:
        if self._fixed_batch is not None:
            return self._fixed_batch
        while len(self._order) < self._batch_size:
            self._order = np.concatenate([self._order, self._rng.permutation(self._samples.rows)])
        rows, self._order = self._order[: self._batch_size], self._order[self._batch_size :]
        return self._samples.gather(rows)

    def advance(self, n_iterations: int) -> None:
        """Make this many gradient updates; fewer where the watch, if there is one, says stop."""
        watch = self._watch
        if watch is None:
            for _ in range(n_iterations):
                self._update()
            return
        try:
            for _ in range(n_iterations):
                if watch.reason is not None:
                    return
                watch.iteration(self._name, len(self.losses), self._update())
        except KeyboardInterrupt:
            watch.interrupt()

    def _update(self) -> float:
        batch = self._next_batch()
        if self._step_size == 0.0:
            self._step_size = self._default_step_size(batch)
        loss = self._network.loss_and_gradient(*batch)
        if not np.isfinite(loss):
            raise ValueError(
                f"The loss became {loss} at iteration {len(self.losses) + 1} of {self._name}; the model would be "
                f"useless. Use a smaller learning_rate_init (it was {self._step_size:g}) or look for extreme "
                "values in X and y."
            )
        self.losses.append(loss)
        if self._settings.solver == "adam":
            self._adam()
        else:
            self._sgd(loss)
        return loss

    def _default_step_size(self, batch: Batch) -> float:
        """For SGD one over the largest curvature on the first batch: the longest step that theory calls safe."""
        if self._settings.solver == "adam":
            return ADAM_STEP
        start = self._torch.from_numpy(self._rng.standard_normal(self._network.parameters.shape[0])).to(batch.X.dtype)
        curvature = self._network.largest_curvature(batch.X, start, batch.weight)
        return 1.0 / curvature if 0 < curvature < np.inf else 1.0

    def _adam(self) -> None:
        first, second, scratch = self._moments
        gradient = self._network.gradient
        decay1, decay2 = _ADAM_DECAYS
        n_updates = len(self.losses)
        first.lerp_(gradient, 1 - decay1)
        second.mul_(decay2).addcmul_(gradient, gradient, value=1 - decay2)
        correction = np.sqrt(1 - decay2**n_updates)
        self._torch.sqrt(second, out=scratch).add_(_ADAM_EPSILON * correction)
        step = self._step_size * correction / (1 - decay1**n_updates)
        self._network.parameters.addcdiv_(first, scratch, value=-step)

    def _sgd(self, loss: float) -> None:
        """
        Heavy-ball momentum; no step is longer than 2 loss / ||gradient||^2.

        For squared error that length is at least 1 / curvature, so the limit never binds while the step size is below
        it, and where the curvature has grown since the step size was chosen it keeps the loss from exploding.
        """
        gradient = self._network.gradient
        squared_norm = float(gradient.dot(gradient))
        step = min(self._step_size, 2 * loss / squared_norm) if squared_norm > 0 else self._step_size
        velocity = self._moments[0]
        velocity.mul_(self._settings.momentum).add_(gradient, alpha=step)
        self._network.parameters.sub_(velocity)

    def loss(self, batch: Batch) -> float:
        """Return the loss of the network as it is now, without the penalty."""
        return self._network.loss(*batch)

    def network(self) -> Network:
        """Return the network as it is now."""
        return self._network.to_network()
