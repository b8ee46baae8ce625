"""
Laws of the pre-training threshold in the number of samples, and the public object of their fits.

The methods of fitting belong in ``_law_fits``, the measurement of thresholds in ``_curve``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from ._law_fits import LAWS, least_squares, most_likely

_CONFIDENCE = 0.95


def _reach(n_thresholds: int) -> float:
    """Return the half-width of a confidence interval, in standard deviations."""
    return float(student_t.ppf((1 + _CONFIDENCE) / 2, n_thresholds - 2)) if n_thresholds > 2 else np.inf


class ScalingFit(NamedTuple):
    """
    A law fitted to thresholds by least squares.

    "log" is a + b ln(n_samples), "power" is c n_samples^p. Where some thresholds are only known to lie beyond a number
    of iterations, the fit is the most likely one for errors that are normally distributed.

    Parameters
    ----------
    law : {"log", "power"}
        Which law.
    coef : ndarray of shape (2,)
        The coefficients a and b, or c and p; NaN where the thresholds don't determine them.
    low : ndarray of shape (2,)
        Lower ends of the 95 % confidence intervals of the coefficients; infinite with two thresholds only, and where
        the likelihood has no strict maximum.
    high : ndarray of shape (2,)
        Upper ends of the same intervals.
    covariance : ndarray of shape (2, 2)
        Covariance of the coefficients.
    r2 : float
        Share of the thresholds' variance that the law explains. NaN where the thresholds are all equal or don't
        determine the law, and where some of them are only known to lie beyond a number of iterations.
    n_thresholds : int
        Number of thresholds it was fitted to.
    n_censored : int, default=0
        Number of these thresholds that are only known to lie beyond a number of iterations.

    See Also
    --------
    pretrain_threshold_curve : What returns it.

    Examples
    --------
    >>> from sklearn_gfs import ScalingFit
    >>> ScalingFit._fields
    ('law', 'coef', 'low', 'high', 'covariance', 'r2', 'n_thresholds', 'n_censored')
    """

    law: str
    coef: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    covariance: NDArray[np.float64]
    r2: float
    n_thresholds: int
    n_censored: int = 0

    @classmethod
    def from_thresholds(cls, law: str, n_samples: Any, thresholds: Any, beyond: Any = None) -> ScalingFit:
        """
        Fit a law to thresholds that were measured somehow.

        Both laws are fitted on the same scale, that of the thresholds.

        Parameters
        ----------
        law : {"log", "power"}
            Which law.
        n_samples : array-like of shape (n_runs,)
            Number of samples of each run.
        thresholds : array-like of shape (n_runs,)
            Threshold of each run, none infinite. A NaN is left out, unless `beyond` gives a bound.
        beyond : array-like of shape (n_runs,), default=None
            Lower bound of a threshold that is NaN; NaN if nothing is known about it.

        Returns
        -------
        ScalingFit
            The fit. Its coefficients are NaN with thresholds of fewer than two numbers of samples. Those of the power
            law are NaN, too, where all thresholds are 0, and where a greater exponent is always better. This is so if
            only the thresholds at the smallest, or at the largest, number of samples are not 0.

        Raises
        ------
        ValueError
            If `law` is neither of the two, a number of samples is not positive, or the arrays differ in shape. Also if
            a threshold or a bound is infinite.

        See Also
        --------
        pretrain_threshold_curve : Measures thresholds and fits both laws.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import ScalingFit
        >>> ScalingFit.from_thresholds("power", [100, 400, 1600], [10, 20, 40]).coef.round(3).tolist()
        [1.0, 0.5]
        >>> fit = ScalingFit.from_thresholds("log", [100, 400, 1600, 6400], [10, 21, 29, np.nan], beyond=[50] * 4)
        >>> fit.n_thresholds, fit.n_censored
        (4, 1)
        """
        if law not in LAWS:
            raise ValueError(f"law must be one of {sorted(LAWS)}, got {law!r}.")
        sizes, values = np.asarray(n_samples, dtype=float), np.asarray(thresholds, dtype=float)
        known = None if beyond is None else np.asarray(beyond, dtype=float)
        if sizes.ndim != 1 or values.shape != sizes.shape or (known is not None and known.shape != sizes.shape):
            shapes = [array.shape for array in (sizes, values, known) if array is not None]
            raise ValueError(f"n_samples, thresholds and beyond must be columns of one length, got shapes {shapes}.")
        if not (np.isfinite(sizes) & (sizes > 0)).all():
            raise ValueError(f"n_samples must be positive numbers, got {n_samples!r}.")
        for name, array in (("thresholds", values), ("beyond", known)):
            if array is not None and np.isinf(array).any():
                raise ValueError(
                    f"{name} must not be infinite, got {array.tolist()}. A threshold that was not reached is a NaN, "
                    "with the last number of iterations in beyond where this is known."
                )
        return fit_law(law, sizes, values, known)

    def predict(self, n_samples: Any) -> NDArray[np.float64]:
        """
        Return the law's threshold for each number of samples.

        Beyond the sizes that were measured the law is an extrapolation.

        Parameters
        ----------
        n_samples : array-like of shape (n_sizes,)
            Numbers of samples.

        Returns
        -------
        ndarray of shape (n_sizes,)
            Thresholds, in gradient updates.

        See Also
        --------
        band : Confidence band of the same.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import ScalingFit
        >>> coef = np.array([3.0, 0.5])
        >>> fit = ScalingFit("power", coef, coef, coef, np.zeros((2, 2)), r2=1.0, n_thresholds=3)
        >>> fit.predict([64]).round(3).tolist()
        [24.0]
        """
        return np.asarray(LAWS[self.law](np.asarray(n_samples, dtype=float), *self.coef))

    def band(self, n_samples: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Return the 95 % confidence band of the law.

        The band is that of the mean threshold, to first order in the coefficients.

        Parameters
        ----------
        n_samples : array-like of shape (n_sizes,)
            Numbers of samples.

        Returns
        -------
        low : ndarray of shape (n_sizes,)
            Lower end of the band, in gradient updates.
        high : ndarray of shape (n_sizes,)
            Upper end of the band.

        See Also
        --------
        predict : The law itself.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import ScalingFit
        >>> coef, covariance = np.array([3.0, 2.0]), np.diag([1.0, 0.0])
        >>> fit = ScalingFit("log", coef, coef - [2, 0], coef + [2, 0], covariance, r2=0.9, n_thresholds=1000)
        >>> low, high = fit.band([1])
        >>> low.round(2).tolist(), high.round(2).tolist()
        ([1.04], [4.96])
        """
        sizes = np.asarray(n_samples, dtype=float)
        first, second = self.coef
        if self.law == "log":
            slopes = np.stack([np.ones_like(sizes), np.log(sizes)])
        else:
            slopes = np.stack([sizes**second, first * np.log(sizes) * sizes**second])
        middle = self.predict(sizes)
        if np.isinf(self.covariance).any():
            return middle - np.inf, middle + np.inf
        deviation = np.sqrt(np.maximum(np.einsum("is,ij,js->s", slopes, self.covariance, slopes), 0))
        reach = _reach(self.n_thresholds) * deviation
        return middle - reach, middle + reach


ScalingFit.__module__ = "sklearn_gfs"  # its public home, which pickles name


def fit_law(
    law: str, n_samples: NDArray[Any], thresholds: NDArray[np.float64], beyond: NDArray[np.float64] | None = None
) -> ScalingFit:
    """
    Fit a law to thresholds: by least squares, or by the likelihood where `beyond` bounds some of them.

    Parameters
    ----------
    law : {"log", "power"}
        Which law.
    n_samples : ndarray of shape (n_runs,)
        Numbers of samples.
    thresholds : ndarray of shape (n_runs,)
        Thresholds; a NaN is left out, unless `beyond` gives a bound.
    beyond : ndarray of shape (n_runs,), default=None
        Lower bound of a threshold that is NaN; NaN if nothing is known about it.

    Returns
    -------
    ScalingFit
        NaN coefficients where the thresholds do not determine the law.
    """
    known = np.isfinite(thresholds)
    x, y = n_samples[known].astype(float), thresholds[known]
    censored = np.zeros(len(known), dtype=bool) if beyond is None else ~known & np.isfinite(beyond)
    n_censored = int(censored.sum())
    n_thresholds = len(y) + n_censored
    if beyond is not None and n_censored:
        found = most_likely(law, x, y, n_samples[censored].astype(float), beyond[censored])
    else:
        found = least_squares(law, x, y)
    if found is None:
        nothing = np.full(2, np.nan)
        return ScalingFit(law, nothing, nothing, nothing, np.full((2, 2), np.nan), np.nan, n_thresholds, n_censored)
    spread, r2 = float(((y - y.mean()) ** 2).sum()), np.nan
    if spread and not n_censored:
        r2 = 1 - float(((y - LAWS[law](x, *found.coef)) ** 2).sum()) / spread
    reach = np.sqrt(np.diag(found.covariance)) * _reach(n_thresholds)
    low, high = found.coef - reach, found.coef + reach
    return ScalingFit(law, found.coef, low, high, found.covariance, r2, n_thresholds, n_censored)
