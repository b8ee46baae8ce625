"""
The solvers of training: each is one class, and no other module compares their names.

A solver has its state, its step, and a limit that keeps the step safe. To add one, add a class to `SOLVERS`.
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

# Default step size of Adam: about the change of every coordinate of the standardised problem in one iteration.
_ADAM_STEP = 0.01
ADAM_DECAYS = (0.9, 0.999)
ADAM_EPSILON = 1e-8

# Codes of the solvers in the loop that trains small networks.
ADAM, DESCENT = range(2)


class Solver(ABC):
    """
    A solver with its state in the training of one network.

    ``loop_code()`` returns the solver's code in the loop that trains small networks. ``loop_numbers(step_size,
    n_updates)`` returns two values for each of several updates: the step size, and the factor of the root of a second
    moment. `n_updates` are the numbers of updates after each. With a solver without these methods torch trains.

    Parameters
    ----------
    network : TorchNetwork or NetworkInParts
        The network whose parameters the solver moves along the gradient.
    momentum : float
    moments : tuple of two tensors
        State from earlier gradients, in the shape of the parameters; zeros at first.
    n_updates : int
        Number of updates that this state comes from.

    Attributes
    ----------
    reads_numbers : bool
        Whether a step reads values back from the device, such as the loss; such steps can't be recorded.
    is_of_one_length : bool
        Whether a step moves every coordinate about equally far, independently of the size of the gradient.
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
        """Return the default step size; `curvature` measures the largest curvature of the loss when called."""

    @abstractmethod
    def step(self, step_size: float, loss: float) -> None:
        """Update the parameters by the network's gradient; `loss` is that of the batch, without the penalty."""


class Adam(Solver):
    """Adam with its usual decay rates."""

    name = "adam"
    reads_numbers = False
    is_of_one_length = True

    @staticmethod
    def loop_code() -> int:
        """Return the code of Adam."""
        return ADAM

    @staticmethod
    def loop_numbers(step_size: float, n_updates: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return step sizes and factors that correct the moments for their start at zero."""
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
        # torch.optim.Adam makes the same call, but its bookkeeping takes longer than the call in a small network.
        self._update: Any = torch._fused_adam_
        vectors = (network.parameters, network.gradient, *moments)
        self._pieces = [[[vector[piece]] for vector in vectors] for piece in network.pieces]

    @staticmethod
    def default_step_size(momentum: float, curvature: Callable[[], float]) -> float:  # noqa: ARG004
        """Return a fixed step size, because all coordinates of standardised problems have a similar size."""
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

    For the squared error this length is at least 1 / curvature, so the limit has no effect on smaller steps. If the
    curvature has grown since the step size was chosen, the limit keeps the loss from growing without bound.
    """

    name = "sgd"

    @staticmethod
    def loop_code() -> int:
        """Return the code of gradient descent."""
        return DESCENT

    @staticmethod
    def loop_numbers(step_size: float, n_updates: IntArray) -> tuple[float, float]:  # noqa: ARG004
        """Return the step size, and zero in place of a factor."""
        return step_size, 0.0

    @staticmethod
    def default_step_size(momentum: float, curvature: Callable[[], float]) -> float:
        """
        Return one over the largest curvature, with which gradient descent never raises the loss, times 1 - momentum.

        Momentum multiplies the length of every step by 1 / (1 - momentum) in the end.
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


# Keys are the values of the estimators' parameter `solver`.
SOLVERS: dict[str, type[Solver]] = {solver.name: solver for solver in (Adam, GradientDescent)}
