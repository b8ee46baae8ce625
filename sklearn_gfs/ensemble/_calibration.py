"""
Calibration of a model's outputs on samples left out, by one or two parameters.

Probabilities get a temperature (Guo et al. 2017), continuous predictions a line. Neither changes the order of outputs.
``_base`` chooses the models and the samples.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array
from sklearn_gfs.selection import least_probability

# Largest spread of predictions that count as constant, as a share of the largest: smaller differences are rounding.
_FLAT = 1e-12
# Weight of the prior for the temperature 1, in samples. Without it, a few samples that are all classified correctly
# would give a temperature of zero.
_PRIOR = 4.0
# Largest number of Newton's steps for a temperature. About five are needed, and more for a model that is much too
# certain.
_STEPS = 100
# Relative change of the power at which the steps end.
_PRECISION = 1e-10


class Tempering(NamedTuple):
    """
    Raises probabilities to the power of 1 / temperature, and normalises them to a sum of one.

    With a temperature below 1 probabilities become more certain. The largest probability stays the largest.
    """

    temperature: float

    def __call__(self, shares: Float64Array) -> Float64Array:
        powers = _logs(shares)
        powers /= self.temperature
        np.exp(powers, out=powers)
        powers /= powers.sum(axis=0)
        return np.ascontiguousarray(powers.T)


class Line(NamedTuple):
    """Multiplies the predictions for each target by a slope, which is not negative, and adds an intercept."""

    slope: Float64Array
    intercept: Float64Array

    def __call__(self, numbers: Float64Array) -> Float64Array:
        return numbers * self.slope + self.intercept


Calibration = Tempering | Line


def _logs(shares: Float64Array) -> Float64Array:
    """
    Return the logarithms of probabilities minus the largest of each sample, of shape (n_classes, n_samples).

    Sums over the classes are fast along the first axis.
    """
    logs: Float64Array = np.log(np.maximum(shares.T, least_probability(shares.dtype), order="C"))
    logs -= logs.max(axis=0)
    return logs


def fit_calibration(outputs: Float64Array, y: NDArray[Any], weight: Float64Array | None) -> Calibration:
    """
    Return the calibration of outputs (n_samples, n_columns) that fits y: indices of classes, or continuous targets.

    For classes it minimises the log loss and a prior for the temperature 1; for continuous targets the squared error.
    A weight of w counts as w samples.
    """
    shares = np.ones(len(y)) if weight is None else weight
    total = float(shares.sum())
    shares = shares / total
    return _tempering(outputs, y, shares, _PRIOR / total) if y.ndim == 1 else _line(outputs, y, shares)


def _tempering(outputs: Float64Array, y: NDArray[Any], share: Float64Array, prior: float) -> Tempering:
    """
    Minimise ``log_loss + prior * (power - log(power))``, which is convex in the power.

    The method is Newton's, with a bisection if a step leaves the interval in which the slope changes its sign.
    """
    logs = _logs(outputs)
    own = float(share @ logs[y, np.arange(len(y))])
    low, high, power = 0.0, np.inf, 1.0
    for _ in range(_STEPS):
        powers = np.exp(power * logs)
        sums = powers.sum(axis=0)
        powers *= logs
        mean = powers.sum(axis=0) / sums
        square = np.einsum("cs,cs->s", powers, logs) / sums
        slope = share @ mean - own + prior * (1.0 - 1.0 / power)
        curvature = share @ (square - mean * mean) + prior / power**2
        low, high = (low, power) if slope > 0 else (power, high)
        following = power - slope / curvature
        if not low < following < high:
            following = 2.0 * power if high == np.inf else (low + high) / 2.0
        step, power = abs(following - power), following
        if step <= _PRECISION * power:
            break
    return Tempering(float(1.0 / power))


def _line(outputs: Float64Array, y: NDArray[Any], share: Float64Array) -> Line:
    """
    Return the least squares line for each target.

    A negative slope is replaced by zero. A model that predicts the mean of its training samples, for instance, predicts
    a large value for a fold with small y, which would give a negative slope.
    """
    centre, level = share @ outputs, share @ y
    moved = outputs - centre
    squares = share @ (moved * moved)
    varies = squares > (_FLAT * np.abs(outputs).max(axis=0)) ** 2
    slope = np.divide(share @ (moved * (y - level)), squares, out=np.ones_like(squares), where=varies)
    np.maximum(slope, 0.0, out=slope)
    return Line(slope, level - slope * centre)
