"""Standard deviations of predictions where the network fits its targets closely, or exactly."""

import numpy as np
import pytest
from sklearn.datasets import make_friedman1

from sklearn_gfs import GreedyPrunedMLPRegressor


def squares(n_samples, noise, rng):
    X = rng.normal(size=(n_samples, 5))
    return X, X[:, 0] ** 2 + noise * rng.normal(size=n_samples)


def sines(n_samples, noise, rng):
    X = rng.uniform(0, 6, size=(n_samples, 1))
    return X, np.sin(X[:, 0]) + noise * rng.normal(size=n_samples)


@pytest.mark.parametrize(
    ("draw", "n_samples", "noise"), [(squares, 300, 0.0), (squares, 300, 0.05), (sines, 200, 1e-3), (sines, 200, 0.0)]
)
def test_close_fits_have_deviations_that_cover(draw, n_samples, noise):
    rng = np.random.default_rng(0)
    model = GreedyPrunedMLPRegressor(retrain_solver="lm", random_state=0).fit(*draw(n_samples, noise, rng))
    X, y = draw(2000, noise, rng)
    predicted, deviations = model.predict(X, return_std=True)
    assert np.isfinite(deviations).all()
    assert deviations.min() > 0
    assert np.median(deviations) < 0.1
    # Without noise what is left are the network's own errors, which are not those of a Gaussian.
    of_one, of_two = ((0.6, 0.8), (0.92, 0.99)) if noise else ((0.5, 0.95), (0.8, 1.0))
    assert of_one[0] < np.mean(np.abs(y - predicted) < deviations) < of_one[1]
    assert of_two[0] < np.mean(np.abs(y - predicted) < 2 * deviations) <= of_two[1]


def test_close_fits_of_several_outputs_have_deviations():
    X, y = make_friedman1(900, random_state=0)
    targets = np.column_stack([y, 1000 * X[:, 0]])
    model = GreedyPrunedMLPRegressor(k=20, n_hidden=200, retrain_solver="lm", random_state=0).fit(X, targets)
    deviations = model.predict(X, return_std=True)[1]
    assert (deviations > 0).all()
    assert (deviations < 0.3 * targets.std(axis=0)).all()
