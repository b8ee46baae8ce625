"""
Updates on a GPU, recorded: the operations of an update are recorded once and replayed, without waiting for results.

An update of a network of some thousand neurons takes a GPU less time than Python takes to start its operations. Which
networks are trained here depends on the device, and on whether activation, loss and solver are known to be recordable.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ._small import codes

if TYPE_CHECKING:
    import torch

    from sklearn_gfs._typing import FloatArray

    from ._data import Batch
    from ._losses import Loss
    from ._parameters import Network
    from ._settings import TrainingSettings
    from ._solvers import Solver
    from ._two_layer import TorchNetwork

# Number of updates before one is recorded. torch initialises operations at their first call, which can't be recorded,
# and a training of a few updates ends before a recording saves time.
_UNRECORDED = 8


def can_record(network: Network, settings: TrainingSettings) -> bool:
    """Whether updates of the network can be recorded: on a GPU, by operations that read no value back from it."""
    known = None not in codes(settings, len(network.output_intercept))
    return settings.device != "cpu" and known and not settings.solver.reads_numbers


class RecordedUpdates:
    """
    Updates of a network on batches that are on its device already.

    Parameters
    ----------
    network : TorchNetwork
        Its parameters, and the tensors of `solver` and `average`, must stay at the same addresses.
    average : TorchNetwork or None
        Moving average of the parameters.
    solver : Solver
    loss : Loss
    batch_size : int
    most : int
        Largest number of updates in one call.
    """

    def __init__(
        self,
        network: TorchNetwork,
        average: TorchNetwork | None,
        solver: Solver,
        loss: Loss,
        batch_size: int,
        most: int,
    ) -> None:
        self._network, self._average, self._solver, self._loss = network, average, solver, loss
        self._batch_size, self._most = batch_size, most
        self._n_made = 0
        self._room: _Room | None = None
        self._graph: torch.cuda.CUDAGraph | None = None

    def run(self, batch: Batch, step_size: float, shares: FloatArray) -> list[float]:
        """
        Make updates and return their losses; the last one may not be finite, and ends the list.

        Parameters
        ----------
        batch : Batch
            The samples of all updates, one after the other.
        step_size : float
            The same in all calls.
        shares : ndarray of shape (n_updates,)
            Share of the way that the average moves towards the parameters in each update.
        """
        if self._room is None:
            self._room = _Room(batch, self._batch_size, self._most)
        room, n_updates = self._room, len(shares)
        room.take(batch, shares)
        for _ in range(n_updates):
            if self._n_made < _UNRECORDED or not batch.X.is_cuda:
                self._update(room, step_size)
            else:
                if self._graph is None:
                    self._graph = self._record(room, step_size)
                self._graph.replay()
            self._n_made += 1
        losses = [self._loss.mean_of(total, self._batch_size) for total in room.totals[:n_updates].tolist()]
        n_finite = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), n_updates)
        return losses[: n_finite + 1]

    def _update(self, room: _Room, step_size: float) -> None:
        """Make the next update, on the samples in the room."""
        total = self._network.total_and_gradient(*room.batch())
        self._solver.step(step_size, math.nan)  # a solver that reads the loss is not recorded
        if self._average is not None:
            self._average.parameters.lerp_(self._network.parameters, room.share())
        room.note(total)

    def _record(self, room: _Room, step_size: float) -> torch.cuda.CUDAGraph:
        """Return the recorded operations of an update; recording does not run them."""
        import torch

        graph = torch.cuda.CUDAGraph()
        # With "thread_local" other threads of the process may use the GPU meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._update(room, step_size)
        return graph


class _Room:
    """Samples of several updates, and the position of the next update, at addresses that never change."""

    def __init__(self, batch: Batch, batch_size: int, n_updates: int) -> None:
        import torch

        X, y, weight = batch
        n_rows = batch_size * n_updates
        self._X, self._y = X.new_empty((n_rows, X.shape[1])), y.new_empty((y.shape[0], n_rows))
        self._weight = None if weight is None else weight.new_empty(n_rows)
        self._rows = torch.arange(batch_size, device=X.device)
        self._first_rows = self._rows.clone()
        self._at = torch.zeros(1, dtype=torch.int64, device=X.device)
        self._shares = X.new_empty(n_updates)
        self.totals = X.new_empty(n_updates)

    def take(self, batch: Batch, shares: FloatArray) -> None:
        """Copy the samples of the next updates, at most the number at the start, and begin with the first update."""
        X, y, weight = batch
        self._X[: len(X)] = X
        self._y[:, : len(X)] = y
        if self._weight is not None and weight is not None:
            self._weight[: len(X)] = weight
        self._shares[: len(shares)] = self._shares.new_tensor(shares)
        self._rows.copy_(self._first_rows)
        self._at.zero_()

    def batch(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return the samples of the next update."""
        weight = None if self._weight is None else self._weight.index_select(0, self._rows)
        return self._X.index_select(0, self._rows), self._y.index_select(1, self._rows), weight

    def share(self) -> torch.Tensor:
        """Return the share of the way that the average moves in the next update."""
        return self._shares.index_select(0, self._at)[0]

    def note(self, total: torch.Tensor) -> None:
        """Store the total loss of an update, and move to the next update."""
        self.totals.index_copy_(0, self._at, total.view(1))
        self._rows.add_(len(self._rows))
        self._at.add_(1)
