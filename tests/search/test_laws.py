"""Fits of the laws against fits by brute force, where thresholds are equal, zero or beyond the last iteration."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm, t

from sklearn_gfs import ScalingFit

SIZES = np.array([100.0, 200, 400, 800, 1600])
GRID = np.array([0.0, 16, 23, 32, 45])


def tables(n_tables, first=0):
    """Yield sizes and thresholds of a coarse grid, as runs have them: many are equal."""
    rng = np.random.default_rng(0)
    for _ in range(n_tables):
        yield np.repeat(SIZES[:4], 2), rng.choice(GRID[first:], size=8)


def least_squares_by_steps(x, y):
    """The power law's least squares: the exponents by small steps, and the best factor of each."""
    powers = (x / x.max())[None] ** np.linspace(-30, 30, 60_001)[:, None]
    factors = powers @ y / (powers**2).sum(axis=1)
    return ((y - factors[:, None] * powers) ** 2).sum(axis=1).min()


def misfit(law, x, y, beyond, parameters):
    """Minus the log-likelihood of a law with these coefficients, of a centred and scaled form, and a deviation."""
    level, slope, log_deviation = parameters
    u = np.log(x / x.mean())
    mean = level + slope * u if law == "log" else level * np.exp(slope * u)
    deviation, known = np.exp(log_deviation), np.isfinite(y)
    value = -norm.logpdf(y[known], mean[known], deviation).sum()
    return value - norm.logsf(beyond[~known], mean[~known], deviation).sum()


@pytest.mark.parametrize("y", [[16, 23, 23, 23, 16], [16, 16, 16, 16, 16], [0, 0, 0, 0, 16], [45, 32, 23, 16, 0]])
def test_the_logarithm_is_a_linear_regression(y):
    fit = ScalingFit.from_thresholds("log", SIZES, y)
    design = np.stack([np.ones(5), np.log(SIZES)], axis=1)
    coef, *_ = np.linalg.lstsq(design, np.array(y, dtype=float))
    covariance = np.sum((y - design @ coef) ** 2) / 3 * np.linalg.inv(design.T @ design)
    reach = t.ppf(0.975, 3) * np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(fit.coef, coef, atol=1e-9)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose([fit.low, fit.high], [coef - reach, coef + reach], rtol=1e-6, atol=1e-9)


def test_the_power_law_is_the_best_of_all_exponents():
    for x, y in tables(60):
        fit = ScalingFit.from_thresholds("power", x, y)
        least = least_squares_by_steps(x, y)
        assert np.sum((y - fit.predict(x)) ** 2) <= least * (1 + 1e-6) + 1e-9, y
        assert np.isfinite(fit.low).all(), y
        if np.ptp(y):
            assert (fit.low < fit.high).all(), y


@pytest.mark.parametrize("y", [[0, 0, 0, 0, 16], [16, 0, 0, 0, 0]])
def test_no_power_law_is_best_if_only_one_end_is_not_zero(y):
    """The greater the exponent is, the better is the fit."""
    fit = ScalingFit.from_thresholds("power", SIZES, y)
    assert np.isnan([*fit.coef, *fit.low, *fit.high]).all()
    assert np.isnan(fit.predict(SIZES)).all()


@pytest.mark.parametrize("law", ["log", "power"])
@pytest.mark.parametrize("y", [[16, 16, 16, 16, np.nan], [16, 16, 16.001, 16, np.nan], [0, 0, 16, 16, np.nan]])
def test_equal_thresholds_and_a_run_beyond(law, y):
    """The likelihood has no closed form; no other start of a general optimiser ends higher."""
    y, beyond = np.repeat(y, 2), np.full(10, 64.0)
    x = np.repeat(SIZES, 2)
    fit = ScalingFit.from_thresholds(law, x, y, beyond=beyond)
    middle = np.log(x.mean())
    slope = fit.coef[1]
    level = fit.coef[0] + slope * middle if law == "log" else fit.coef[0] * np.exp(slope * middle)
    ours = min(misfit(law, x, y, beyond, (level, slope, deviation)) for deviation in np.linspace(-3, 6, 2000))
    starts = [(first, second, 2.0) for first in (10, 30, 60) for second in (0.0, 0.5, 2.0, 20.0)]
    options = {"maxiter": 10_000, "xatol": 1e-9, "fatol": 1e-9}
    others = [
        minimize(lambda p: misfit(law, x, y, beyond, p), start, method="Nelder-Mead", options=options).fun
        for start in starts
    ]
    assert ours <= min(others) + 1e-3
    assert slope > 0
    assert (fit.low < fit.coef).all()
    assert (fit.coef < fit.high).all()


def test_intervals_of_a_fit_with_runs_beyond_are_never_points():
    for i, (x, y) in enumerate(tables(25, first=1)):
        cut = np.where(y == y.max(), np.nan, y)
        if len(np.unique(x[np.isfinite(cut)])) < 2:
            continue
        for law in ("log", "power"):
            fit = ScalingFit.from_thresholds(law, x, cut, beyond=np.full(8, 32.0))
            assert np.isnan(fit.coef).all() or (fit.low < fit.high).all(), (i, law)


def test_two_thresholds_have_an_infinite_band():
    for law in ("log", "power"):
        fit = ScalingFit.from_thresholds(law, [100, 200], [16, 16])
        low, high = fit.band([50, 150, 400])
        np.testing.assert_array_equal([low, high], [[-np.inf] * 3, [np.inf] * 3])


@pytest.mark.parametrize("law", ["log", "power"])
@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_change_nothing(law, unit):
    y = np.array([10, 21, 29, 45, np.nan])
    one = ScalingFit.from_thresholds(law, SIZES, y, beyond=np.full(5, 60.0))
    other = ScalingFit.from_thresholds(law, 7 * SIZES, unit * y, beyond=np.full(5, 60.0 * unit))
    np.testing.assert_allclose(other.predict(7 * SIZES), unit * one.predict(SIZES), rtol=1e-4)
    np.testing.assert_allclose(other.band(7 * SIZES), np.multiply(unit, one.band(SIZES)), rtol=1e-2)
