"""
A second-order training: it goes through steps as ``_training`` does through gradient updates.

What a step is belongs in ``_second_order``.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from ._objective import Objective, shape_of, to_network
from ._two_layer import TorchNetwork, mean_loss
from ._watch import UNWATCHED, Watch, interruptible

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._evidence import Prior
    from ._parameters import Network
    from ._posterior import Posterior
    from ._samples import HeldOut, Samples
    from ._scaling import Scaling
    from ._second_order import SecondOrderSolver
    from ._settings import TrainingSettings


class SecondOrderTraining:
    """
    A network on its way: each iteration is a step on all samples, and no step raises the penalised loss.

    Parameters
    ----------
    network : Network
    samples : Samples
        On the processor.
    settings : TrainingSettings
    solver : type of SecondOrderSolver
    seed : int
    name : str
        What it is called in messages.
    n_samples : float
        For how many samples these stand; weights that are numbers of copies count, uneven ones of classes count less.
    watch : Watch, default=UNWATCHED
    prior : Prior, default=None
        The penalty to begin with.

    Raises
    ------
    ValueError
        If the loss at the start is not finite.
    """

    step_size = 0.0  # there is none to be chosen

    def __init__(
        self,
        network: Network,
        samples: Samples,
        settings: TrainingSettings,
        solver: type[SecondOrderSolver],
        seed: int,
        *,
        name: str,
        n_samples: float,
        watch: Watch = UNWATCHED,
        prior: Prior | None = None,
    ) -> None:
        self._like, self._samples, self._settings = network, samples, settings
        self._watch, self.name = watch, name
        self.losses: list[float] = []
        self.converged = False
        objective = Objective(shape_of(network), samples, settings.activation, settings.loss, seed)
        self.solver = solver(objective, network, settings, n_samples, prior)

    @property
    def prior(self) -> Prior:
        """The penalty as it is now, with which another training may begin."""
        return self.solver.prior

    def threads(self) -> AbstractContextManager[None]:
        """Leave the number of threads to each product: a step is made of large ones."""
        return nullcontext()

    def advance(self, n_iterations: int) -> None:
        """Make this many steps; fewer where training has converged, or the watch says stop."""
        with interruptible(self._watch):
            for _ in range(n_iterations):
                if self.converged or self._watch.stops:
                    return
                loss = self.solver.step()
                if loss is None:
                    self.converged = True
                    return
                if not math.isfinite(loss):
                    raise ValueError(
                        f"The loss was {loss} at the start of {self.name}; the model would be useless. Look for "
                        "extreme values in X and y."
                    )
                self.losses.append(loss)

    def network(self) -> Network:
        """Return the network as it is now."""
        return to_network(self.solver.vector, self._like)

    def losses_of_ends(self, start: Callable[[], Network], end: Network) -> None:  # noqa: ARG002
        """Return nothing where `Training` returns the losses at both ends: no step raises them."""
        return

    def snapshot(self) -> Network:
        """Return what `network` does."""
        return self.network()

    def posterior(self, scaling: Scaling) -> Posterior | None:
        """Return what the samples leave open of the weights, where the solver knows."""
        return self.solver.posterior(scaling)

    def _at_work(self) -> TorchNetwork:
        settings = self._settings
        return TorchNetwork(self.network(), settings.activation, settings.loss, device=settings.device)

    def loss(self, held_out: HeldOut) -> float:
        """Return the loss of the network as it is now, without the penalty."""
        network = self._at_work()
        with network.threads():
            return mean_loss(network, held_out)
