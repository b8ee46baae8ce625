"""
Calibration: what a model says of samples left out, brought nearer to what is true by one number or two.

Probabilities get a temperature (Guo et al. 2017), numbers a line. Neither changes the order of what a model says.
Whose outputs are calibrated, and on which samples, is in ``_base``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array

# Probabilities from below, as in the search for the log loss.
_LEAST = float(np.finfo(np.float64).eps)
# Numbers that differ by less than this part of the largest are constant: rounding alone makes some differ.
_FLAT = 1e-12
# How many samples' worth the temperature 1 has: few samples that are all right would make the temperature zero.
_PRIOR = 4.0
# Newton's steps for a temperature: about five are taken, some more where a model is far too sure of itself.
_STEPS, _PRECISION = 100, 1e-10


class Tempering(NamedTuple):
    """
    Raises probabilities to the power of 1 / temperature, and has them add up to one again.

    Below a temperature of 1 they become more certain. The largest stays the largest.
    """

    temperature: float

    def __call__(self, shares: Float64Array) -> Float64Array:
        powers = _logs(shares)
        powers /= self.temperature
        np.exp(powers, out=powers)
        powers /= powers.sum(axis=0)
        return np.ascontiguousarray(powers.T)


class Line(NamedTuple):
    """Multiplies the numbers for each target with a slope, which is not negative, and adds an intercept."""

    slope: Float64Array
    intercept: Float64Array

    def __call__(self, numbers: Float64Array) -> Float64Array:
        return numbers * self.slope + self.intercept


Calibration = Tempering | Line


def _logs(shares: Float64Array) -> Float64Array:
    """
    Return the logarithms of probabilities less the largest of each sample, (n_classes, n_samples).

    Sums over the classes are fast where these are the first axis.
    """
    logs: Float64Array = np.log(np.maximum(shares.T, _LEAST, order="C"))
    logs -= logs.max(axis=0)
    return logs


def fit_calibration(outputs: Float64Array, y: NDArray[Any], weight: Float64Array | None) -> Calibration:
    """
    Return what brings outputs (n_samples, n_columns) nearest to y: indices of classes, or numbers of this shape.

    For classes the log loss is made least, plus what speaks for the temperature 1; for numbers the squared error.
    Weights count samples.
    """
    shares = np.ones(len(y)) if weight is None else weight
    total = float(shares.sum())
    shares = shares / total
    return _tempering(outputs, y, shares, _PRIOR / total) if y.ndim == 1 else _line(outputs, y, shares)


def _tempering(outputs: Float64Array, y: NDArray[Any], share: Float64Array, prior: float) -> Tempering:
    """
    Minimise ``log_loss + prior * (power - log(power))``, which is convex in the power.

    By Newton's steps, or bisection where one leaves the interval in which the slope changes its sign.
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

    A negative slope is zero: the mean of the other samples, for instance, is too large just where y is too small.
    """
    centre, level = share @ outputs, share @ y
    moved = outputs - centre
    squares = share @ (moved * moved)
    varies = squares > (_FLAT * np.abs(outputs).max(axis=0)) ** 2
    slope = np.divide(share @ (moved * (y - level)), squares, out=np.ones_like(squares), where=varies)
    np.maximum(slope, 0.0, out=slope)
    return Line(slope, level - slope * centre)
