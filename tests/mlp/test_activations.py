"""An activation is one object: a new one is added from outside, and every part of the package takes it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor, theory
from sklearn_gfs._activations import ACTIVATIONS, Activation

SMALL = {"n_pretrain": 200, "k": 10, "n_hidden": 50, "n_retrain": 200, "random_state": 0}


def softsign(values):
    values /= 1 + abs(values)


def softsign_slope(values):
    return (1 + abs(values)) ** -2.0


def times_softsign_slope(values, activated):
    values.mul_((1 - activated.abs()) ** 2)


@pytest.fixture
def _softsign(monkeypatch):
    activation = Activation(
        "softsign", 2.0, softsign, softsign_slope, softsign, times_softsign_slope, "Softsign", "Softsign"
    )
    monkeypatch.setitem(ACTIVATIONS, "softsign", activation)


@pytest.mark.usefixtures("_softsign")
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_an_activation_from_outside_is_fitted(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = (X[:, 0] > np.abs(X[:, 1]) - 0.5).astype(int)
    model = GreedyPrunedMLPClassifier(**SMALL, activation="softsign", loss=loss).fit(X, y)
    assert model.score(X, y) > 0.8
    hidden = X @ model.coefs_[0] + model.intercepts_[0]
    outputs = hidden / (1 + np.abs(hidden)) @ model.coefs_[1] + model.intercepts_[1]
    module = model.to_torch()
    np.testing.assert_allclose(module(torch.from_numpy(X)).detach().numpy(), outputs, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.predict(X), outputs[:, 0] > (0.5 if loss == "squared_error" else 0))


@pytest.mark.usefixtures("_softsign")
def test_the_theory_takes_an_activation_from_outside():
    X, weights = np.array([[2.0]]), (np.array([[-0.5]]), np.array([0.0]), np.array([[3.0]]))
    kernel = theory.network_kernel(X, *weights, activation="softsign").toarray()
    value, slope = -1 / 2, 1 / 4  # at -1
    # Derivatives with respect to the output weight, the hidden weight, and both intercepts.
    assert kernel == pytest.approx(value**2 + (3 * slope * 2) ** 2 + (3 * slope) ** 2 + 1)


def test_an_activation_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"'activation' parameter of .* must be a str among .*'relu'"):
        GreedyPrunedMLPRegressor(activation="softsign").fit([[0.0], [1.0]], [0.0, 1.0])


@given(seed=st.integers(0, 2**31 - 1), name=st.sampled_from(sorted(ACTIVATIONS)))
def test_values_and_slopes_agree_in_numpy_and_torch(seed, name):
    activation = ACTIVATIONS[name]
    z = np.random.default_rng(seed).normal(size=12)
    value, step = z.copy(), 1e-6
    activation.apply(value)
    in_torch = torch.from_numpy(z.copy())
    activation.apply_torch(in_torch)
    np.testing.assert_allclose(in_torch.numpy(), value, rtol=1e-12)
    above, below = z + step, z - step
    activation.apply(above)
    activation.apply(below)
    slope = torch.full((12,), 3.0, dtype=torch.float64)
    activation.times_slope(slope, in_torch)
    differences = (above - below) / (2 * step)
    np.testing.assert_allclose(slope.numpy(), 3 * differences, rtol=1e-4, atol=1e-4)
    given_z = z.copy()
    np.testing.assert_allclose(activation.slope(z), differences, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(z, given_z)  # the slope is a new array
