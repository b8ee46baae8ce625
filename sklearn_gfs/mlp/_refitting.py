"""
The output layer of a pruned network, refitted to targets.

The refit starts from weights that keep the outputs of the dense network, and moves them towards the best fit to the
targets. Cross-validation chooses the distance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import expit

from sklearn_gfs._typing import Float64Array

# Penalties on the squared change of the given weights, from the largest. The unit is a number of samples: the penalty
# of 1 weighs like one sample whose activations have the mean variance.
PENALTIES = (1e4, 1e3, 1e2, 10.0, 1.0, 1e-1, 1e-2)
# Number of folds of the cross-validation.
_N_PARTS = 5
# Largest number of samples in the cross-validation. From more samples this number is drawn, and one fold is enough.
_MANY_SAMPLES = 10_000
# Largest deviation of a neuron's activations that counts as rounding, as a share of their mean.
_ROUNDING = 1e-14
# Options of L-BFGS-B.
_STOPPING = {"maxiter": 200, "ftol": 1e-9}


_Layer = tuple[Float64Array, Float64Array]  # weights and intercepts


# Given outputs o, the potential A(o) of each sample and its gradient, the expected targets; the loss is A(o) - y o.
Family = Callable[[Float64Array], tuple[Float64Array, Float64Array]]


def _logistic(outputs: Float64Array) -> tuple[Float64Array, Float64Array]:
    return np.logaddexp(0.0, outputs).sum(axis=1), expit(outputs)


def _softmax(outputs: Float64Array) -> tuple[Float64Array, Float64Array]:
    largest = outputs.max(axis=1)
    shares = np.exp(outputs - largest[:, None])
    sums = shares.sum(axis=1)
    shares /= sums[:, None]
    return np.log(sums) + largest, shares


def _exp(outputs: Float64Array) -> tuple[Float64Array, Float64Array]:
    means = np.exp(outputs)
    return means.sum(axis=1), means


def _identity(outputs: Float64Array) -> tuple[Float64Array, Float64Array]:
    return 0.5 * np.sum(outputs**2, axis=1), outputs


# Keys are scikit-learn's names of output activations.
FAMILIES: dict[str, Family] = {"exp": _exp, "identity": _identity, "logistic": _logistic, "softmax": _softmax}


class Data(NamedTuple):
    """Activations of the last hidden layer, targets, and shares of the samples, which add up to one."""

    hidden: Float64Array
    targets: Float64Array
    share: Float64Array

    def part(self, rows: np.ndarray) -> Data:
        """Return some of the samples, with shares that add up to one."""
        share = self.share[rows]
        return Data(self.hidden[rows], self.targets[rows], share / share.sum())


def refit(
    hidden: Float64Array,
    targets: Float64Array,
    weight: Float64Array | None,
    coef: Float64Array,
    intercept: Float64Array,
    family: Family,
) -> tuple[Float64Array, Float64Array]:
    """
    Return weights and intercepts of the output layer, between the given ones and those that fit the targets best.

    Parameters
    ----------
    hidden : ndarray of shape (n_samples, n_neurons)
    targets : ndarray of shape (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,) or None
    coef : ndarray of shape (n_neurons, n_outputs)
    intercept : ndarray of shape (n_outputs,)
    family : Family
    """
    n_samples = len(hidden)
    weight = np.ones(n_samples) if weight is None else weight
    data, given = Data(hidden, targets, weight / weight.sum()), (coef, intercept)
    tried = data.part(np.random.default_rng(0).permutation(n_samples)[:_MANY_SAMPLES])
    parts = np.arange(len(tried.share)) % _N_PARTS
    losses = np.zeros(1 + len(PENALTIES))
    for part in range(1 if n_samples > _MANY_SAMPLES else min(n_samples, _N_PARTS)):
        train, left_out = tried.part(parts != part), tried.part(parts == part)
        found = [given, *_along_penalties(train, given, family, PENALTIES)]
        losses += tried.share[parts == part].sum() * np.array([_loss(left_out, layer, family) for layer in found])
    best = int(np.argmin(losses))
    return given if best == 0 else _along_penalties(data, given, family, PENALTIES[best - 1 : best])[0]


def _loss(data: Data, layer: _Layer, family: Family) -> float:
    """Return the mean loss."""
    outputs = data.hidden @ layer[0] + layer[1]
    with np.errstate(over="ignore"):
        losses = family(outputs)[0] - np.sum(data.targets * outputs, axis=1)
    return float(data.share @ losses)


def _along_penalties(data: Data, given: _Layer, family: Family, penalties: tuple[float, ...]) -> list[_Layer]:
    """Return the layer for each penalty; each minimisation starts from the solution of the last one."""
    hidden, share = data.hidden, data.share
    centre = share @ hidden
    deviations = hidden - centre
    deviations[:, np.abs(deviations).max(axis=0) <= _ROUNDING * np.abs(centre)] = 0.0
    gram = (deviations * share[:, None]).T @ deviations
    size = float(np.diagonal(gram).mean() * np.sum(share**2))  # over the number of samples
    if size == 0.0:
        return [given] * len(penalties)
    at_first = hidden @ given[0] + given[1]
    change, shift, layers = np.zeros_like(given[0]), np.zeros_like(given[1]), []
    for penalty in penalties:
        factor = cholesky(gram + penalty * size * np.eye(len(gram)), lower=True)
        problem = _Penalised(data, family, at_first, deviations, factor, penalty * size)
        change, shift = problem.minimised(change, shift)
        layers.append((given[0] + change, given[1] + shift - centre @ change))
    return layers


class _Penalised:
    """
    The loss and the penalty on a change of the weights, in coordinates in which the problem is well conditioned.

    In these coordinates the squared error with its penalty is half a sum of squares. Other losses are close to that, so
    that few iterations are enough.
    """

    def __init__(
        self,
        data: Data,
        family: Family,
        at_first: Float64Array,
        deviations: Float64Array,
        factor: Float64Array,
        cost: float,
    ) -> None:
        self._targets, self._share, self._family = data.targets, data.share, family
        self._at_first, self._factor, self._cost = at_first, factor, cost
        self._columns = solve_triangular(factor, deviations.T, lower=True).T

    def minimised(self, change: Float64Array, shift: Float64Array) -> _Layer:
        """
        Return the changes that minimise the penalised loss, of the weights and of the outputs at the mean activations.

        Both arguments are initial values.
        """
        start = np.concatenate([(self._factor.T @ change).ravel(), shift])
        found = minimize(self._value_and_gradient, start, jac=True, method="L-BFGS-B", options=_STOPPING)
        moved, shift = self._split(found.x)
        return solve_triangular(self._factor, moved, lower=True, trans="T"), shift

    def _split(self, vector: Float64Array) -> tuple[Float64Array, Float64Array]:
        n_neurons, n_outputs = len(self._factor), self._targets.shape[1]
        return vector[: n_neurons * n_outputs].reshape(n_neurons, n_outputs), vector[n_neurons * n_outputs :]

    def _value_and_gradient(self, vector: Float64Array) -> tuple[float, Float64Array]:
        moved, shift = self._split(vector)
        outputs = self._at_first + self._columns @ moved + shift
        with np.errstate(over="ignore"):
            potentials, means = self._family(outputs)
        losses = potentials - np.einsum("ij,ij->i", self._targets, outputs)
        slopes = (means - self._targets) * self._share[:, None]
        change = solve_triangular(self._factor, moved, lower=True, trans="T")
        value = float(self._share @ losses) + 0.5 * self._cost * float(np.sum(change**2))
        gradient = self._columns.T @ slopes + self._cost * solve_triangular(self._factor, change, lower=True)
        return value, np.concatenate([gradient.ravel(), slopes.sum(axis=0)])
