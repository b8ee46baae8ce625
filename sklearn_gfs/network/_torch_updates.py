"""
The engine of networks that the compiled loop does not train: an update at a time in torch, in parts, or recorded.

``_training`` chooses the batches of the updates.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from ._parts import NetworkInParts, n_parts_of
from ._recorded import RecordedUpdates, can_record
from ._two_layer import TorchNetwork, mean_loss

if TYPE_CHECKING:
    from sklearn_gfs._typing import FloatArray

    from ._data import Batch
    from ._parameters import Network
    from ._samples import HeldOut
    from ._settings import TrainingSettings


def at_work(network: Network, settings: TrainingSettings, n_rows: int) -> TorchNetwork | NetworkInParts:
    """Return the network in torch; the number of its parts depends on the size of an update on `n_rows` samples."""
    n_parts = 1
    if settings.device == "cpu":  # a GPU needs no parts
        n_features, n_hidden = network.hidden_coef.shape
        n_parts = n_parts_of(n_features, n_hidden, len(network.output_intercept), n_rows)
    if n_parts == 1:
        return TorchNetwork(network, settings.activation, settings.loss, float(settings.alpha), settings.device)
    return NetworkInParts(network, settings.activation, settings.loss, float(settings.alpha), n_parts)


class TorchUpdates:
    """
    A network in torch, its average and a solver.

    Parameters
    ----------
    network : Network
    moments : tuple of ndarray, or None
        Return value of `moments` at the end of an earlier training; None for zeros.
    settings : TrainingSettings
    batch_size : int
    n_updates : int
        Number of updates of the earlier training.
    averaged : bool
    """

    def __init__(
        self,
        network: Network,
        moments: tuple[FloatArray, FloatArray] | None,
        settings: TrainingSettings,
        batch_size: int,
        n_updates: int,
        *,
        averaged: bool,
    ) -> None:
        import torch

        self.trained = at_work(network, settings, batch_size)
        self.result = at_work(network, settings, batch_size) if averaged else self.trained
        first, second = (
            torch.zeros_like(self.trained.parameters) if moments is None else self.trained.in_pieces(moments[which])
            for which in range(2)
        )
        self.solver = settings.solver(self.trained, settings.momentum, (first, second), n_updates)
        self._settings = settings

    def recorded(self, network: Network, batch_size: int, most: int) -> RecordedUpdates | None:
        """Return recorded updates for a GPU; None if updates can't be recorded."""
        if not can_record(network, self._settings):
            return None
        trained: Any = self.trained  # a network of one part, on a GPU
        average: Any = None if self.result is self.trained else self.result
        return RecordedUpdates(trained, average, self.solver, self._settings.loss, batch_size, most)

    def update(self, loss: float, step_size: float, share: float) -> None:
        """Make a step of the solver, and move the average; `loss` is that of the batch at the gradient."""
        self.solver.step(step_size, loss)
        if self.result is not self.trained:
            self.result.parameters.lerp_(self.trained.parameters, share)

    def threads(self) -> AbstractContextManager[None]:
        """Return a context with the number of threads that is fastest for this network."""
        return self.trained.threads()

    def loss_and_gradient(self, batch: Batch) -> float:
        """Return the loss on a batch, and keep the gradient for `update`."""
        return self.trained.loss_and_gradient(*batch)

    def loss(self, held_out: HeldOut) -> float:
        """Return the loss on held-out samples, without the penalty; of the average if `averaged`."""
        import torch

        # Inference mode as in training, because both may share buffers.
        with self.result.threads(), torch.inference_mode():
            return mean_loss(self.result, held_out.on(self._settings.device))

    def network(self) -> Network:
        """Return a copy of the network, or of the average if `averaged`."""
        return self.result.to_network()

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Return the solver's two moments, in the layout of a network of one part."""
        first, second = (self.trained.whole(moment) for moment in self.solver.moments)
        return first, second
