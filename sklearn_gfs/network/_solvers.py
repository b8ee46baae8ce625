"""
The solvers of training: each is one class, and no other module compares their names.

A solver knows its state, its step, and what keeps the step safe. To add one, add a class to `SOLVERS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from sklearn_gfs._typing import FloatArray, IntArray

    from ._parts import NetworkInParts
    from ._two_layer import TorchNetwork

# Adam moves every coordinate of the standardised problem by about this much in one iteration.
_ADAM_STEP = 0.01
ADAM_DECAYS = (0.9, 0.999)
ADAM_EPSILON = 1e-8

# The numbers by which the loop that trains small networks knows solvers.
ADAM, DESCENT = range(2)


class Solver(ABC):
    """
    A solver at work on one network.

    The loop that trains small networks knows a solver by the number ``loop_code()``. ``loop_numbers(step_size,
    n_updates)`` returns what the loop needs for each of several updates: what the step is made with, and the factor of
    the root of a second moment. `n_updates` are the numbers of updates after each. A solver without these methods is
    trained by torch.

    Parameters
    ----------
    network : TorchNetwork or NetworkInParts
        Whose parameters it moves along its gradient.
    momentum : float
    moments : tuple of two tensors
        What it remembers of earlier gradients, in the shape of the parameters; zeros at first.
    n_updates : int
        How many updates these come from.

    Attributes
    ----------
    reads_numbers : bool
        Whether a step reads numbers off the device, such as the loss: then no step can be recorded.
    is_of_one_length : bool
        Whether a step moves every coordinate about equally far, however steep the loss is along it.
    """

    name: str
    reads_numbers = True
    is_of_one_length = False

    def __init__(
        self,
        network: TorchNetwork | NetworkInParts,
        momentum: float,
        moments: tuple[torch.Tensor, torch.Tensor],
        n_updates: int,
    ) -> None:
        self._network = network
        self._momentum = momentum
        self.moments = moments
        self._n_updates = network.parameters.new_tensor(float(n_updates)).float()

    @staticmethod
    @abstractmethod
    def default_step_size(momentum: float, curvature: Callable[[], float]) -> float:
        """Return the step size where the user names none; the largest curvature of the loss is measured on request."""

    @abstractmethod
    def step(self, step_size: float, loss: float) -> None:
        """Update the parameters by the network's gradient, at which the batch had this loss, without the penalty."""


class Adam(Solver):
    """Adam with its usual decay rates."""

    name = "adam"
    reads_numbers = False
    is_of_one_length = True

    @staticmethod
    def loop_code() -> int:
        """Return the number of Adam."""
        return ADAM

    @staticmethod
    def loop_numbers(step_size: float, n_updates: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the corrections of the moments, which began with zeros."""
        first, second = (1 - decay**n_updates for decay in ADAM_DECAYS)
        return step_size / first, second**-0.5

    def __init__(
        self,
        network: TorchNetwork | NetworkInParts,
        momentum: float,
        moments: tuple[torch.Tensor, torch.Tensor],
        n_updates: int,
    ) -> None:
        import torch

        super().__init__(network, momentum, moments, n_updates)
        # torch.optim.Adam makes the same call, behind bookkeeping that costs more than it in a small network.
        self._update: Any = torch._fused_adam_
        vectors = (network.parameters, network.gradient, *moments)
        self._pieces = [[[vector[piece]] for vector in vectors] for piece in network.pieces]

    @staticmethod
    def default_step_size(momentum: float, curvature: Callable[[], float]) -> float:  # noqa: ARG004
        """Return a fixed step: in standardised problems all coordinates are of one size."""
        return _ADAM_STEP

    def step(self, step_size: float, loss: float) -> None:  # noqa: ARG002
        """Make one update."""
        n_updates = [self._n_updates.add_(1)]
        self._network.in_parts(
            lambda part: self._update(
                *self._pieces[part],
                [],
                n_updates,
                lr=step_size,
                beta1=ADAM_DECAYS[0],
                beta2=ADAM_DECAYS[1],
                weight_decay=0.0,
                eps=ADAM_EPSILON,
                amsgrad=False,
                maximize=False,
            )
        )


class GradientDescent(Solver):
    """
    Gradient descent with heavy-ball momentum; no step is longer than 2 loss / descent.

    For the squared error that length is at least 1 / curvature, so the limit never binds while the step size is below
    it. Where the curvature has grown since the step size was chosen, the limit keeps the loss from exploding.
    """

    name = "sgd"

    @staticmethod
    def loop_code() -> int:
        """Return the number of gradient descent."""
        return DESCENT

    @staticmethod
    def loop_numbers(step_size: float, n_updates: IntArray) -> tuple[float, float]:  # noqa: ARG004
        """Return the step size."""
        return step_size, 0.0

    @staticmethod
    def default_step_size(momentum: float, curvature: Callable[[], float]) -> float:
        """
        Return one over the largest curvature, the longest step that theory calls safe, shortened for the momentum.

        Momentum prolongs every step to 1 / (1 - momentum) times itself in the end.
        """
        largest = curvature()
        return (1.0 - momentum) / largest if 0 < largest < np.inf else 1.0

    def step(self, step_size: float, loss: float) -> None:
        """Make one update."""
        gradient, descent = self._network.gradient, self._network.descent()
        loss += self._network.penalty()
        step = min(step_size, 2 * loss / descent) if descent > 0 else step_size
        parameters, velocity, pieces = self._network.parameters, self.moments[0], self._network.pieces

        def move(part: int) -> None:
            piece = pieces[part]
            if self._momentum == 0:
                parameters[piece].sub_(gradient[piece], alpha=step)
            else:
                parameters[piece].sub_(velocity[piece].mul_(self._momentum).add_(gradient[piece], alpha=step))

        self._network.in_parts(move)


# By the names that estimators take.
SOLVERS: dict[str, type[Solver]] = {solver.name: solver for solver in (Adam, GradientDescent)}
