"""Weights that minimise a loss and a penalty: the closed form for the squared error, slopes of zero for any loss."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import cholesky
from scipy.special import log_softmax, softmax

from sklearn_gfs.selection import minimise_penalised

OPTIONS = {"maxiter": 1000, "ftol": 0.0, "gtol": 1e-10}


def drawn(seed, n_columns, n_outputs):
    rng = np.random.default_rng(seed)
    columns, start = rng.normal(size=(30, n_columns)), rng.normal(size=(n_columns, n_outputs))
    penalties = rng.uniform(0.1, 2, n_columns)
    return rng, columns, start, penalties, cholesky(columns.T @ columns + np.diag(penalties))


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 3))
def test_squared_errors_have_a_closed_form(seed, n_columns, n_outputs):
    rng, columns, start, penalties, factor = drawn(seed, n_columns, n_outputs)
    y = rng.normal(size=(30, n_outputs))

    def value_and_residual(outputs):
        return 0.5 * np.sum((outputs - y) ** 2), outputs - y

    weights = minimise_penalised(value_and_residual, columns, factor, penalties, start, **OPTIONS)
    expected = np.linalg.solve(columns.T @ columns + np.diag(penalties), columns.T @ y)
    np.testing.assert_allclose(weights, expected, atol=1e-6)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(2, 3))
def test_slopes_of_the_log_loss_vanish(seed, n_columns, n_outputs):
    rng, columns, start, penalties, factor = drawn(seed, n_columns, n_outputs)
    y = np.eye(n_outputs)[rng.integers(0, n_outputs, 30)]

    def value_and_residual(outputs):
        return -np.sum(y * log_softmax(outputs, axis=1)), softmax(outputs, axis=1) - y

    weights = minimise_penalised(value_and_residual, columns, factor, penalties, start, **OPTIONS)
    slopes = columns.T @ (softmax(columns @ weights, axis=1) - y) + penalties[:, None] * weights
    np.testing.assert_allclose(slopes, 0, atol=1e-5)
