"""
A second-order training: it repeats steps as ``_training`` repeats gradient updates.

The steps themselves belong in ``_second_order``.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sklearn_gfs._threads import threads_for_each

from ._objective import Objective, shape_of, to_network
from ._step_cost import multiplications
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
    A training in which each iteration is a step on all samples, and no step raises the penalised loss.

    Parameters
    ----------
    network : Network
    samples : Samples
        Samples on the processor.
    settings : TrainingSettings
    solver : type of SecondOrderSolver
    seed : int
    name : str
        Name of the training in messages.
    n_samples : float
        Effective number of samples: with copies counted, and less than their number if weights of classes are uneven.
    watch : Watch, default=UNWATCHED
    prior : Prior, default=None
        The initial penalty.

    Raises
    ------
    ValueError
        If the loss at the start is not finite.
    """

    step_size = 0.0  # unlike `Training`, second-order steps have no step size

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
        self._objective = Objective(shape_of(network), samples, settings.activation, settings.loss, seed)
        self.solver = solver(self._objective, network, settings, n_samples, prior)

    @property
    def prior(self) -> Prior:
        """The current penalty, with which another training may begin."""
        return self.solver.prior

    def threads(self) -> AbstractContextManager[None]:
        """Return a context with one thread if all operations of a step are small; large ones choose their threads."""
        return threads_for_each(2.0 * multiplications(self._objective.shape, self._objective.n_samples))

    def advance(self, n_iterations: int) -> None:
        """Make `n_iterations` steps, or fewer if training has converged or the watch stops it."""
        # A start far from zero may overflow. No solver accepts a step to a loss that is not finite.
        with interruptible(self._watch), np.errstate(over="ignore", invalid="ignore"):
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
        """Return the current network."""
        return to_network(self.solver.vector, self._like)

    def losses_of_ends(self, start: Callable[[], Network], end: Network) -> None:  # noqa: ARG002
        """Return None, where `Training` returns the losses at both ends: no step raises the loss."""
        return

    def snapshot(self) -> Network:
        """Return the current network, as `network` does."""
        return self.network()

    def posterior(self, scaling: Scaling) -> Posterior | None:
        """Return the posterior of the weights given the samples; None if the solver does not know it."""
        return self.solver.posterior(scaling)

    @cached_property
    def _at_work(self) -> TorchNetwork:
        settings = self._settings
        return TorchNetwork(self.network(), settings.activation, settings.loss, device=settings.device)

    def loss(self, held_out: HeldOut) -> float:
        """Return the loss of the current network on held-out samples, without the penalty."""
        self._at_work.become(self.network())
        with self._at_work.threads():
            return mean_loss(self._at_work, held_out)
