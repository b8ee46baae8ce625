"""
Second-order training of a small network on all its samples: Levenberg-Marquardt, and L-BFGS for larger problems.

A solver is a class that makes one step; ``_second_order_training`` repeats steps. Sums over samples belong in
``_objective``, the estimate of the penalty in ``_evidence``.

References
----------
D. W. Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", SIAM Journal on Applied
Mathematics, 11(2), 1963, 431-441.
H. B. Nielsen, "Damping parameter in Marquardt's method", Technical University of Denmark, 1999.
D. C. Liu, J. Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical Programming, 45,
1989, 503-528.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sklearn_gfs._chunks import working_memory

from ._evidence import Prior, groups_of, penalty_of, re_estimated
from ._objective import Objective, Shape, to_vector
from ._posterior import Posterior, posterior_of
from ._step_cost import bytes_of_matrices, samples_of_a_step, serves

if TYPE_CHECKING:
    from sklearn_gfs._typing import Float64Array

    from ._curvature import Curvature
    from ._losses import Loss
    from ._parameters import Network
    from ._scaling import Scaling
    from ._settings import TrainingSettings

# Number of steps of Levenberg-Marquardt from one estimate of the penalty to the next.
_ESTIMATED_EVERY = 3
# Number of steps before the first estimate, if the start has learnt nothing.
_LATE = 3
# Number of estimates for the posterior, all at the final weights.
_ESTIMATED_AT_THE_END = 3
# Initial damping, as a share of the mean curvature.
_DAMPING = 1e-2
# Least decrease of the loss with which a step is accepted, as a share of the decrease that the quadratic model
# predicts.
_LEAST_GAIN = 1e-3
# Largest number of dampings that are tried in a step.
_MOST_DAMPINGS = 16
# Number of steps from which L-BFGS estimates the curvature.
_MEMORY = 20
# Least decrease of the loss in a step of L-BFGS, as a share of the decrease that the slope predicts (Armijo's rule).
_SUFFICIENT = 1e-4
# Factor by which a step is shortened if the decrease is less.
_SHORTENED = 0.3
# Largest number of times that a step is shortened.
_MOST_SHORTENED = 20
# Least number of samples from which the noise can be estimated.
_LEAST_FOR_NOISE = 2
# Relative decrease of the loss in a step below which training has converged.
_CONVERGED = 1e-6


class SecondOrderSolver(ABC):
    """
    A solver with its state in the minimisation of an objective.

    Parameters
    ----------
    objective : Objective
    network : Network
        The initial network.
    settings : TrainingSettings
    n_samples : float
        Effective number of samples of the objective.
    prior : Prior or None
        The initial penalty, in place of that of the settings.

    Attributes
    ----------
    vector : ndarray of shape (n_parameters,)
        The current parameters.
    prior : Prior
        The current penalty.
    can_estimate : bool
        Whether the solver can estimate the penalty. If not, an automatic penalty falls with the number of samples.
    n_steps : int
        Largest number of steps, if it is automatic.
    interval : int
        Number of steps between two evaluations of the held-out loss.
    patience : int
        Number of steps without a new least held-out loss after which a trial ends.
    """

    name: str
    can_estimate: ClassVar[bool] = False
    n_steps: ClassVar[int]
    interval: ClassVar[int]
    patience: ClassVar[int]

    def __init__(
        self, objective: Objective, network: Network, settings: TrainingSettings, n_samples: float, prior: Prior | None
    ) -> None:
        self._objective, self.vector = objective, to_vector(network)
        if prior is None:
            alpha = float(settings.with_alpha(n_samples, falls=not self.can_estimate).alpha)
            prior = Prior(penalty_of(objective.shape, network.weights.astype(np.float64), alpha), 1.0)
        self.prior = prior

    @classmethod
    def check(cls, shape: Shape, loss: Loss, n_samples: int) -> None:  # noqa: ARG003
        """Raise a ValueError if the solver can't train the network with this loss; by default it can."""
        return

    @abstractmethod
    def step(self) -> float | None:
        """Make a step; return the loss before the step, without the penalty, or None if training has converged."""

    def posterior(self, scaling: Scaling) -> Posterior | None:  # noqa: ARG002
        """Return the posterior of the weights given the samples; None if the solver does not know it."""
        return None

    def _penalised(self, loss: float, vector: Float64Array) -> float:
        return loss + 0.5 * float(self.prior.penalty @ vector**2)


class LevenbergMarquardt(SecondOrderSolver):
    """Gauss-Newton steps, damped by a multiple of the identity; the damping falls while the quadratic model holds."""

    name = "lm"
    can_estimate = True
    n_steps, interval, patience = 80, 1, 8
    first_estimated: ClassVar[int] = 0  # the step of the first estimate of an automatic penalty

    def __init__(
        self, objective: Objective, network: Network, settings: TrainingSettings, n_samples: float, prior: Prior | None
    ) -> None:
        super().__init__(objective, network, settings, n_samples, prior)
        self._n_samples, self._estimates = n_samples, isinstance(settings.alpha, str)
        self._groups = groups_of(objective.shape)
        self._damping, self._growth, self._n_done = _DAMPING, 2.0, 0
        n_taken = samples_of_a_step(objective.shape)
        self._n_taken = n_taken if n_taken < objective.n_samples else None

    @classmethod
    def serves(
        cls, shape: Shape, loss: Loss, n_samples: int, *, few_entries: bool = False, after_updates: bool = False
    ) -> bool:
        """Whether steps on this loss are cheap enough for a default, or to be tried after gradient updates."""
        is_cheap = serves(
            shape, n_samples, classes=not loss.is_quadratic, few_entries=few_entries, after_updates=after_updates
        )
        return loss.has_curvature and is_cheap

    @classmethod
    def check(cls, shape: Shape, loss: Loss, n_samples: int) -> None:
        """Raise a ValueError if the loss has no `curvature_roots`, or if the curvature takes too much memory."""
        if not loss.has_curvature:
            raise ValueError(f"retrain_solver='lm' is not for loss={loss.name!r}; use retrain_solver='lbfgs'.")
        n_bytes = bytes_of_matrices(shape, n_samples)
        if n_bytes > working_memory():
            raise ValueError(
                f"retrain_solver='lm' needs {n_bytes / 2**20:.0f} MiB for the curvature of {shape.n_parameters} "
                "parameters, more than scikit-learn's working_memory. Raise that, use retrain_solver='lbfgs', or a "
                "smaller k."
            )

    def step(self) -> float | None:
        """Make a step; see the base."""
        loss, gradient = self._objective.value_and_gradient(self.vector)
        if not math.isfinite(loss):
            return loss
        curvature = self._curvature(self._objective)
        if self._estimates and self._n_done >= self.first_estimated and self._n_done % _ESTIMATED_EVERY == 0:
            self._estimate(curvature, loss)
        self._n_done += 1
        before = self._penalised(loss, self.vector)
        after = self._descend(before, gradient + self.prior.penalty * self.vector, curvature)
        return None if after is None or before - after <= _CONVERGED * before else loss

    def _curvature(self, objective: Objective) -> Curvature:
        return objective.curvature(self.vector, self._n_done * (self._n_taken or 0), self._n_taken)

    def _estimate(self, curvature: Curvature, loss: float) -> None:
        n_numbers = self._n_samples, self._objective.shape.n_outputs
        is_quadratic = self._objective.loss.is_quadratic
        self.prior = re_estimated(
            self.prior, self._groups, self.vector, curvature, loss, n_numbers, is_quadratic=is_quadratic
        )

    def posterior(self, scaling: Scaling) -> Posterior | None:
        """Return the posterior of the weights given the samples; None for one sample, which shows no noise."""
        if self._n_samples < _LEAST_FOR_NOISE:
            return None
        # For close fits, penalties are smaller than the rounding of the curvature in float32.
        objective = self._objective.in_double()
        loss, curvature, given = objective.value(self.vector), self._curvature(objective), self.prior
        for _ in range(_ESTIMATED_AT_THE_END):
            self._estimate(curvature, loss)
        if not self._estimates:  # only the noise is estimated
            self.prior = given._replace(noise_precision=self.prior.noise_precision)
        errors = objective.errors_of_outputs(self.vector)
        return posterior_of(curvature, self.prior, errors, self._n_samples, scaling)

    def _descend(self, before: float, gradient: Float64Array, curvature: Curvature) -> float | None:
        """Move to a lower penalised loss and return this loss; None if no damping gives a lower loss."""
        unit, tiny = max(curvature.mean, np.finfo(np.float64).tiny), float(np.finfo(np.float64).tiny)
        for _ in range(_MOST_DAMPINGS):
            solved = curvature.solve(self.prior.penalty + self._damping * unit, gradient)
            if solved is not None:
                moved = self.vector - solved
                promised = gradient @ solved - 0.5 * (curvature.along(solved) + self.prior.penalty @ solved**2)
                after = self._penalised(self._objective.value(moved), moved)
                gain = (before - after) / max(float(promised), tiny)
                if after < before and gain > _LEAST_GAIN:
                    self.vector = moved
                    least = float(np.finfo(self._objective.dtype).eps)
                    self._damping = max(self._damping * max(0.2, 1 - (2 * min(gain, 1) - 1) ** 3), least)
                    self._growth = 2.0
                    return after
            self._damp_more()
        return None

    def _damp_more(self) -> None:
        self._damping *= self._growth
        self._growth *= 2


class LateLevenbergMarquardt(LevenbergMarquardt):
    """The same for a start that has learnt nothing: penalties estimated there would shrink weights that could learn."""

    first_estimated = _LATE


class LBFGS(SecondOrderSolver):
    """Quasi-Newton steps with a curvature from the last steps, shortened until the loss falls sufficiently."""

    name = "lbfgs"
    n_steps, interval, patience = 500, 5, 50

    def __init__(
        self, objective: Objective, network: Network, settings: TrainingSettings, n_samples: float, prior: Prior | None
    ) -> None:
        super().__init__(objective, network, settings, n_samples, prior)
        self._loss, self._gradient = math.nan, self.vector  # unknown before the first step
        self._pairs: list[tuple[Float64Array, Float64Array, float]] = []

    def _at(self, vector: Float64Array) -> tuple[float, Float64Array]:
        loss, gradient = self._objective.value_and_gradient(vector)
        return loss, gradient + self.prior.penalty * vector

    def step(self) -> float | None:
        """Make a step; see the base."""
        if math.isnan(self._loss):
            self._loss, self._gradient = self._at(self.vector)
        loss = self._loss
        if not math.isfinite(loss):
            return loss
        before = self._penalised(loss, self.vector)
        direction = self._direction()
        slope = float(self._gradient @ direction)
        if not slope < 0:
            self._pairs.clear()
            direction = -self._gradient
            slope = float(self._gradient @ direction)
        length = 1.0 if self._pairs else min(1.0, 0.1 / max(float(np.linalg.norm(direction)), 0.1))
        for _ in range(_MOST_SHORTENED):
            moved = self.vector + length * direction
            new_loss, gradient = self._at(moved)
            after = self._penalised(new_loss, moved)
            if after <= before + _SUFFICIENT * length * slope:
                break
            length *= _SHORTENED
        else:
            return None
        step, change = moved - self.vector, gradient - self._gradient
        product = float(step @ change)
        if product > 1e-10 * float(np.linalg.norm(step) * np.linalg.norm(change)):
            self._pairs = [*self._pairs[1 - _MEMORY :], (step, change, product)]
        self.vector, self._loss, self._gradient = moved, new_loss, gradient
        return None if before - after <= _CONVERGED * before else loss

    def _direction(self) -> Float64Array:
        direction = -self._gradient
        if not self._pairs:
            return direction
        shares = []
        for step, change, product in reversed(self._pairs):
            share = float(step @ direction) / product
            direction = direction - share * change
            shares.append(share)
        _, change, product = self._pairs[-1]
        direction *= product / float(change @ change)
        for (step, change, product), share in zip(self._pairs, reversed(shares), strict=True):
            direction += (share - float(change @ direction) / product) * step
        return direction


# Keys are the values of the estimators' parameter `retrain_solver`.
SECOND_ORDER: dict[str, type[SecondOrderSolver]] = {solver.name: solver for solver in (LevenbergMarquardt, LBFGS)}
