"""
How a law of the threshold is fitted: by least squares, or by likelihood if some thresholds are censored.

Pure functions of NumPy arrays. Fits use internal units, in which logarithms of sizes have a spread of one and
thresholds are at most one. The public object of a fit is in ``_laws``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import norm

from sklearn_gfs._typing import Float64Array

# Least standard deviation of thresholds from a law, as a share of the largest threshold, if some are censored.
_LEAST_DEVIATION = 1e-3
# Largest absolute exponent of a power law in internal units: a factor of exp(20) for each spread of the logarithms.
_STEEPEST = 20.0
# Number of exponents between these limits that are tried first.
_N_EXPONENTS = 401
# Covariance of coefficients that thresholds do not determine.
_UNKNOWN = np.full((2, 2), np.inf)


def log_law(n_samples: Float64Array, a: float, b: float) -> Float64Array:
    """Return a + b ln(n_samples)."""
    return a + b * np.log(n_samples)


def power_law(n_samples: Float64Array, c: float, p: float) -> Float64Array:
    """Return c n_samples^p."""
    return c * n_samples**p


LAWS: dict[str, Callable[[Float64Array, float, float], Float64Array]] = {"log": log_law, "power": power_law}


class Fitted(NamedTuple):
    """Coefficients of a law, (2,), and their covariance, (2, 2)."""

    coef: Float64Array
    covariance: Float64Array


class _Law:
    """
    A law in internal units: level + slope u, or level exp(slope u), where u is the standardised logarithm of a size.

    Parameters
    ----------
    name : {"log", "power"}
        The law.
    n_samples : ndarray of shape (n_runs,)
        Sizes, not all equal; the values u of these sizes have mean zero and spread one.
    unit : float
        Unit of thresholds.
    """

    def __init__(self, name: str, n_samples: Float64Array, unit: float) -> None:
        logs = np.log(n_samples)
        self.is_power, self.unit = name == "power", unit
        self._middle, self._spread = float(logs.mean()), float(np.ptp(logs))

    def scaled(self, n_samples: Float64Array) -> Float64Array:
        """Return u, the standardised logarithms of sizes."""
        return (np.log(n_samples) - self._middle) / self._spread

    def __call__(self, u: Float64Array, level: float, slope: float) -> Float64Array:
        return level * np.exp(slope * u) if self.is_power else level + slope * u

    def slopes(self, u: Float64Array, level: float, slope: float) -> Float64Array:
        """Return the derivatives by level and slope, of shape (n_runs, 2)."""
        if not self.is_power:
            return np.stack([np.ones_like(u), u], axis=1)
        powers = np.exp(slope * u)
        return np.stack([powers, level * u * powers], axis=1)

    def in_samples(self, level: float, slope: float, covariance: Float64Array) -> Fitted | None:
        """Return the coefficients of the law of n_samples, or None if its factor overflows or underflows."""
        each = slope / self._spread
        if self.is_power:
            with np.errstate(over="ignore", under="ignore"):
                factor = self.unit * np.exp(-each * self._middle)
            coef = np.array([factor * level, each])
            change = np.array([[factor, -coef[0] * self._middle / self._spread], [0.0, 1.0 / self._spread]])
            if not np.finfo(float).tiny < factor < np.inf:
                return None
        else:
            each *= self.unit
            coef = np.array([self.unit * level - each * self._middle, each])
            change = self.unit * np.array([[1.0, -self._middle / self._spread], [0.0, 1.0 / self._spread]])
        if not np.isfinite(covariance).all():
            return Fitted(coef, covariance)
        return Fitted(coef, change @ covariance @ change.T)


def least_squares(name: str, x: Float64Array, y: Float64Array) -> Fitted | None:
    """
    Fit a law to thresholds y at the sizes x by least squares.

    Return None if the law is not determined: the sizes are all equal, or no finite exponent is best. The covariance is
    infinite with two thresholds.
    """
    unit = float(np.abs(y).max(initial=0.0)) or 1.0
    if len(np.unique(x)) < 2:
        return None
    law = _Law(name, x, unit)
    u = law.scaled(x)
    found = _least(law, u, y / unit)
    if found is None:
        return None
    if len(y) == 2:
        return law.in_samples(*found, _UNKNOWN)
    derivatives = law.slopes(u, *found)
    variance = np.sum((y / unit - law(u, *found)) ** 2) / (len(y) - 2)
    return law.in_samples(*found, variance * np.linalg.inv(derivatives.T @ derivatives))


def _least(law: _Law, u: Float64Array, y: Float64Array) -> tuple[float, float] | None:
    """Return level and slope of least squares, or None; for a power law the best exponent with its best level."""
    if not law.is_power:
        level, slope = np.linalg.lstsq(law.slopes(u, 0.0, 0.0), y, rcond=None)[0]
        return float(level), float(slope)
    if not y.any():
        return None

    def best_level(exponent: float) -> float:
        powers = np.exp(exponent * u)
        return float(powers @ y / (powers @ powers))

    def error(exponent: float) -> float:
        return float(np.sum((y - law(u, best_level(exponent), exponent)) ** 2))

    exponents = np.linspace(-_STEEPEST, _STEEPEST, _N_EXPONENTS)
    best = int(np.argmin([error(exponent) for exponent in exponents]))
    if best in (0, _N_EXPONENTS - 1):
        return None
    around = exponents[best - 1], exponents[best + 1]
    exponent = float(minimize_scalar(error, bounds=around, method="bounded", options={"xatol": 1e-12}).x)
    return best_level(exponent), exponent


def most_likely(
    name: str, x: Float64Array, y: Float64Array, x_beyond: Float64Array, beyond: Float64Array
) -> Fitted | None:
    """
    Fit a law to thresholds y, and to censored thresholds above the values `beyond`, for normally distributed errors.

    This is the Tobit regression. Return None if no finite exponent is best. The covariance is infinite if the
    likelihood has no strict maximum.
    """
    if least_squares(name, x, y) is None:
        return None
    everywhere, values = np.append(x, x_beyond), np.append(y, beyond)
    unit = float(np.abs(values).max()) or 1.0
    law = _Law(name, everywhere, unit)
    u, u_beyond, y, beyond = law.scaled(x), law.scaled(x_beyond), y / unit, beyond / unit

    def misfit(parameters: Float64Array) -> float:
        level, slope, log_deviation = parameters
        # An exact fit would make the deviation zero and the likelihood infinite.
        deviation = np.exp(max(log_deviation, np.log(_LEAST_DEVIATION)))
        with np.errstate(over="ignore", invalid="ignore"):
            errors = (y - law(u, level, slope)) / deviation
            excess = (law(u_beyond, level, slope) - beyond) / deviation
            value = 0.5 * float(errors @ errors) + len(y) * np.log(deviation) - float(norm.logcdf(excess).sum())
        return value if np.isfinite(value) else np.inf

    # The starts are fits with each censored threshold set to its bound, to twice and to four times its bound.
    starts = [_least(law, np.append(u, u_beyond), np.append(y, factor * beyond)) for factor in (1.0, 2.0, 4.0)]
    best = None
    for start in starts:
        if start is not None:
            deviation = float(np.std(y - law(u, *start)))
            found = _lowest(misfit, np.array([*start, np.log(max(deviation, _LEAST_DEVIATION))]))
            best = found if best is None or misfit(found) < misfit(best) else best
    if best is None or (law.is_power and abs(best[1]) >= _STEEPEST):
        return None
    return law.in_samples(best[0], best[1], _covariance(misfit, best))


def _lowest(misfit: Callable[[Float64Array], float], start: Float64Array) -> Float64Array:
    """Return the minimum found by repeated simplex searches; each starts at the end of the last, which may be early."""
    options = {"maxiter": 4000, "xatol": 1e-7, "fatol": 1e-9}
    for _ in range(2):
        start = minimize(misfit, start, method="Nelder-Mead", options=options).x
    return np.asarray(start, dtype=np.float64)


def _covariance(misfit: Callable[[Float64Array], float], at: Float64Array) -> Float64Array:
    """Return the covariance of level and slope, from the misfit's curvature; infinite if this is not positive."""
    free = 3 if at[2] > np.log(_LEAST_DEVIATION) else 2
    curvature = _curvature(lambda some: misfit(np.append(some, at[free:])), at[:free])
    if not np.isfinite(curvature).all() or np.linalg.eigvalsh(curvature)[0] <= 0.0:
        return _UNKNOWN
    return np.asarray(np.linalg.inv(curvature)[:2, :2], dtype=np.float64)


def _curvature(misfit: Callable[[Float64Array], float], at: Float64Array) -> Float64Array:
    """Return the matrix of second derivatives by central differences."""
    n, step = len(at), 1e-4 * np.maximum(np.abs(at), 1.0)
    shifts = np.diag(step)
    curvature = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            corners = [misfit(at + a * shifts[i] + b * shifts[j]) for a in (1, -1) for b in (1, -1)]
            curvature[i, j] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * step[i] * step[j])
    return curvature
