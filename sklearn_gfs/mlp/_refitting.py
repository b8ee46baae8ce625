"""
The output layer of a pruned network, refitted to targets.

The refit starts from weights that keep the outputs of the dense network, and moves them towards the best fit to the
targets. Cross-validation chooses the distance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag, cholesky
from scipy.special import expit

from sklearn_gfs._typing import Float64Array
from sklearn_gfs.selection import minimise_penalised

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
    at_first, n_neurons = hidden @ given[0] + given[1], len(gram)

    def value_and_residual(outputs: Float64Array) -> tuple[float, Float64Array]:
        outputs = at_first + outputs
        with np.errstate(over="ignore"):
            potentials, means = family(outputs)
        losses = potentials - np.einsum("ij,ij->i", data.targets, outputs)
        return float(share @ losses), (means - data.targets) * share[:, None]

    # The last column is an intercept, which is not penalised: the change of the outputs at the mean activations.
    columns, layers = np.column_stack([deviations, np.ones(len(hidden))]), []
    change = np.zeros((n_neurons + 1, len(given[1])))
    for penalty in penalties:
        cost = penalty * size
        factor = block_diag(cholesky(gram + cost * np.eye(n_neurons)), 1.0)
        costs = np.append(np.full(n_neurons, cost), 0.0)
        change = minimise_penalised(value_and_residual, columns, factor, costs, change, **_STOPPING)
        layers.append((given[0] + change[:-1], given[1] + change[-1] - centre @ change[:-1]))
    return layers
