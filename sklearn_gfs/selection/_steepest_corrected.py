"""
Corrective selections of neurons without compiled loops: by the gradient of any loss, and by the squared error.

Here belong the picks and the weights; the ridges and the choice between them are the estimators'. Activations and
losses in, picks, weights and losses out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from sklearn_gfs._typing import Float64Array, FloatArray

from ._penalised import minimise_penalised
from ._steepest_neurons import neurons_of

if TYPE_CHECKING:
    from ._gram_computed import ComputedRows
    from ._protocol import OutputLoss

# About the largest second derivative of the log loss with respect to a logit. It sets the units in which weights are
# solved for, and the quadratic bound of the loss by which neurons are picked.
_CURVATURE = 0.25
# Ridge at which neurons are picked, as a share of the neurons' mean variance. Weights at other ridges are solved for
# afterwards.
_RIDGE = 1e-4
# Least share of a neuron's squared norm that must be orthogonal to the picks. A neuron below this adds only rounding.
_LEAST_LEFT = 1e-6
# Largest slope of the loss at which the final weights count as solved, as a share of the largest slope before the first
# pick.
_TOLERANCE = 1e-4
# The same between two picks, where less accuracy picks the same neurons.
_TOLERANCE_OF_PICKS = 1e-3
# Largest number of iterations for weights: if the classes can be separated, weights grow without limit.
_MOST_ITERATIONS = 100


class Solved(NamedTuple):
    """Output weights and intercept of some neurons, their unpenalised loss, and its gradient by the outputs."""

    weights: Float64Array
    intercept: Float64Array
    loss: float
    residual: Float64Array  # (n_outputs, n_samples)


class SteepestPath(NamedTuple):
    """
    Picks of a corrective selection, with all weights re-solved after each pick at the ridge `_RIDGE`.

    Parameters
    ----------
    picks : ndarray of shape (n_picks,)
        The neurons, all different.
    losses : ndarray of shape (n_picks,)
        After each pick: of `pick_corrected` the loss without the penalty, of `pick_by_squares` half the squared error
        plus the penalty.
    gaps : ndarray of shape (n_picks,)
        Upper bounds on the penalised losses minus the least penalised loss over the weights of all neurons.
    variance : float
        Mean variance of the neurons; ridges are shares of it.
    solved : list of tuple of ndarray, or None
        Weights and intercept before the first pick and after each pick; `pick_by_squares` computes none.
    """

    picks: NDArray[np.int64]
    losses: Float64Array
    gaps: Float64Array
    variance: float
    solved: list[tuple[Float64Array, Float64Array]] | None


class _Beside:
    """
    What the picks so far leave of all neurons, beside an intercept and at the ridge that picks are made at.

    Parameters
    ----------
    hidden : array or ComputedRows of shape (n_samples, n_neurons)
    weight : ndarray of shape (n_samples,) or None
    curvature : float
        Of the loss by an output: the ridge of the squared error is this part of the penalty.
    """

    def __init__(self, hidden: FloatArray | ComputedRows, weight: FloatArray | None, curvature: float) -> None:
        self.share = shares_of(weight, hidden.shape[0])
        self._neurons, self._dtype = neurons_of(hidden), hidden.dtype
        means, self._left = self._neurons.means_and_variances(self.share)
        self._norms, self.variance = self._left + means**2, float(self._left.mean())
        self._ridge = _RIDGE * self.variance / curvature
        self._left += self._ridge
        self._rows, self.columns = means[None], np.ones((hidden.shape[0], 1))
        self._free = self._left > _LEAST_LEFT * self._norms
        self.picks = list[int]()

    def slopes(self, residual: Float64Array) -> Float64Array:
        """Return products of all neurons with the rows of a residual, (n_outputs, n_neurons)."""
        slopes = self._neurons.products(residual.astype(self._dtype))
        if not np.isfinite(slopes).all():
            raise ValueError("the activations of neurons, or their products with residuals, are not finite")
        return slopes

    def gains(self, slopes: Float64Array) -> Float64Array:
        """Return the squares of slopes by what is left of the neurons; -1 for those that are not free."""
        return np.divide((slopes**2).sum(axis=0), self._left, out=np.full(len(self._left), -1.0), where=self._free)

    def add(self, pick: int) -> Float64Array:
        """Add a neuron to the picks; return products of all neurons with what was left of it, at length one."""
        column = self._neurons.rows(np.array([pick]))[0].astype(np.float64)
        products = self._neurons.products((self.share * column)[None].astype(self._dtype))[0]
        products[pick] += self._ridge
        row: Float64Array = (products - self._rows[:, pick] @ self._rows) / np.sqrt(self._left[pick])
        self._rows, self.columns = np.vstack([self._rows, row]), np.column_stack([self.columns, column])
        self._left -= row**2
        self._free[pick] = False
        self._free &= self._left > _LEAST_LEFT * self._norms
        self.picks.append(pick)
        return row


def pick_corrected(
    hidden: FloatArray | ComputedRows,
    targets: FloatArray,
    weight: FloatArray | None,
    loss: OutputLoss,
    k: int,
) -> SteepestPath:
    """
    Pick neurons one by one: each is the neuron that lowers a quadratic bound of the penalised loss most.

    The bound has the slope of the loss and the largest curvature that it can have. After each pick the output weights
    of all picks, and the intercept, are solved for.
    """
    beside, losses, gaps = _Beside(hidden, weight, _CURVATURE), list[float](), list[float]()
    penalty = _RIDGE * beside.variance
    solved = solve(beside.columns, targets, weight, loss, penalty)
    found = [(solved.weights, solved.intercept)]
    while len(beside.picks) < k:
        gains = beside.gains(beside.slopes(solved.residual))
        pick = int(np.argmax(gains))
        if gains[pick] <= 0:
            break
        beside.add(pick)
        solved = solve(beside.columns, targets, weight, loss, penalty, start=found[-1], tolerance=_TOLERANCE_OF_PICKS)
        found.append((solved.weights, solved.intercept))
        losses.append(solved.loss)
        gaps.append(_gap(beside.slopes(solved.residual), solved, beside.picks, penalty))
    picks = np.array(beside.picks, dtype=np.int64)
    return SteepestPath(picks, np.array(losses), np.array(gaps), beside.variance, found)


def pick_by_squares(
    hidden: FloatArray | ComputedRows, targets: FloatArray, weight: FloatArray | None, k: int
) -> SteepestPath:
    """
    Pick neurons one by one: each is the neuron after which the squared error is least, with all weights re-solved.

    The search for the squared error in ``_corrective`` has compiled loops, which would lengthen the first fit ever.
    """
    beside = _Beside(hidden, weight, 1.0)
    errors = targets - beside.share @ targets
    slopes = beside.slopes((errors * beside.share[:, None]).T)
    loss = 0.5 * float(beside.share @ (errors**2).sum(axis=1))
    losses, gaps = list[float](), list[float]()
    while len(beside.picks) < k:
        gains = beside.gains(slopes)
        pick = int(np.argmax(gains))
        if gains[pick] <= 0:
            break
        row = beside.add(pick)
        along = slopes[:, pick] / row[pick]
        slopes -= np.outer(along, row)
        loss = max(loss - 0.5 * float(along @ along), 0.0)
        losses.append(loss)
        gaps.append(min(loss, float(np.sum(slopes**2)) / (2 * _RIDGE * beside.variance)))
    picks = np.array(beside.picks, dtype=np.int64)
    return SteepestPath(picks, np.array(losses), np.array(gaps), beside.variance, None)


def _gap(slopes: Float64Array, solved: Solved, picks: list[int], penalty: float) -> float:
    """Return a bound of the penalised loss minus its least value over all neurons' weights, by strong convexity."""
    slopes[:, picks] += penalty * solved.weights.T
    return min(solved.loss + 0.5 * penalty * float(np.sum(solved.weights**2)), float(np.sum(slopes**2)) / (2 * penalty))


def shares_of(weight: FloatArray | None, n_samples: int) -> Float64Array:
    """Return weights of samples that add up to one."""
    if weight is None:
        return np.full(n_samples, 1.0 / n_samples)
    return weight / np.sum(weight, dtype=np.float64)


def degrees_of_freedom(columns: Float64Array, weight: FloatArray | None, n_outputs: int, penalty: float) -> float:
    """Return the degrees of freedom of the weights of these columns, for a loss of the largest curvature."""
    gram = (columns * shares_of(weight, len(columns))[:, None]).T @ columns
    return n_outputs * float(np.trace(np.linalg.lstsq(gram + np.diag(_ridges(columns, penalty)), gram, rcond=None)[0]))


def _ridges(columns: Float64Array, penalty: float) -> Float64Array:
    """Return what the penalty adds to the diagonal of the Gram matrix: zero for the first column, the intercept's."""
    ridges = np.full(columns.shape[1], penalty / _CURVATURE)
    ridges[0] = 0.0
    return ridges


def solve(
    columns: Float64Array,
    targets: FloatArray,
    weight: FloatArray | None,
    loss: OutputLoss,
    penalty: float,
    *,
    start: tuple[Float64Array, Float64Array] | None = None,
    tolerance: float = _TOLERANCE,
) -> Solved:
    """
    Minimise the loss plus half the penalty times the squared weights of the columns; return the solution.

    Parameters
    ----------
    columns : ndarray of shape (n_samples, 1 + n_neurons)
        Ones, for the intercept, and activations.
    targets : ndarray of shape (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,) or None
    loss : OutputLoss
    penalty : float
    start : tuple of ndarray, default=None
        Initial weights of the first neurons, and the initial intercept; other weights begin at zero.
    tolerance : float
        The largest slope at the end, as a share of the largest slope at weights of zero.
    """
    import torch

    share = shares_of(weight, len(targets))
    y = torch.from_numpy(np.ascontiguousarray(targets.T, dtype=np.float64))
    weights_of_samples = torch.from_numpy(share * len(share))  # of mean one, as losses take them

    def value_and_residual(outputs: Float64Array) -> tuple[float, Float64Array]:
        logits = torch.from_numpy(np.ascontiguousarray(outputs.T))
        value, residual = loss.value_and_residual(logits, y, weights_of_samples)
        return value, residual.numpy().T / len(share)

    # In these units the curvature in each direction is at most one.
    gram = (columns * share[:, None]).T @ columns
    size = gram.diagonal().max()
    ridges = _ridges(columns, penalty)
    factor = cholesky(gram + np.diag(ridges + np.finfo(np.float64).eps * len(gram) * size))
    first = np.zeros((columns.shape[1], targets.shape[1]))
    slopes = solve_triangular(factor, columns.T @ value_and_residual(columns @ first)[1], trans="T")
    stop = {"maxiter": _MOST_ITERATIONS, "gtol": tolerance * float(np.abs(slopes).max()), "ftol": 0.0}
    if start is not None:
        first[1 : len(start[0]) + 1], first[0] = start
    weights = minimise_penalised(value_and_residual, columns, factor, _CURVATURE * ridges, first, **stop)
    value, residual = value_and_residual(columns @ weights)
    return Solved(weights[1:], weights[0], value, np.ascontiguousarray(residual.T))
