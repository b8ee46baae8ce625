"""
The engine of networks that the compiled loop does not train: an update at a time in torch, in parts, or recorded.

Which batches the updates are made on is decided in ``_training``.
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
    """Return the network in torch, in as many parts as the size of an update on so many samples asks for."""
    n_parts = 1
    if settings.device == "cpu":  # another device has no use for this
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
        What `moments` returned at the end of an earlier training; None for zeros.
    settings : TrainingSettings
    batch_size : int
    n_updates : int
        How many there have been.
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
        """Return what makes updates in a row on a device, where they can be recorded."""
        if not can_record(network, self._settings):
            return None
        trained: Any = self.trained  # in one part, on a device
        average: Any = None if self.result is self.trained else self.result
        return RecordedUpdates(trained, average, self.solver, self._settings.loss, batch_size, most)

    def update(self, loss: float, step_size: float, share: float) -> None:
        """Move along the gradient, at which the batch had this loss, and the average by a share of the way."""
        self.solver.step(step_size, loss)
        if self.result is not self.trained:
            self.result.parameters.lerp_(self.trained.parameters, share)

    def threads(self) -> AbstractContextManager[None]:
        """Have as many threads as pay while one is inside."""
        return self.trained.threads()

    def loss_and_gradient(self, batch: Batch) -> float:
        """Return the loss on a batch, and keep the gradient for `update`."""
        return self.trained.loss_and_gradient(*batch)

    def loss(self, held_out: HeldOut) -> float:
        """Return the loss on samples held out, without the penalty; of the average, where there is one."""
        import torch

        # In the mode of training, whose buffers it may share.
        with self.result.threads(), torch.inference_mode():
            return mean_loss(self.result, held_out.on(self._settings.device))

    def network(self) -> Network:
        """Return a copy of the network, of the average where there is one."""
        return self.result.to_network()

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Return what the solver remembers, laid out as in a network of one part."""
        first, second = (self.trained.whole(moment) for moment in self.solver.moments)
        return first, second
