"""The neurons that a search by the gradient picks from: kept activations and computed ones tell the same."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import peak

from sklearn_gfs.selection import ComputedRows
from sklearn_gfs.selection._steepest_neurons import neurons_of


def computed(hidden):
    """Activations that are computed when they are read."""
    return ComputedRows(
        lambda some, neurons=None: hidden[some] if neurons is None else hidden[some][:, neurons],
        hidden.shape,
        hidden.dtype,
    )


@given(
    st.integers(1, 40),
    st.integers(1, 200),
    st.integers(1, 4),
    st.sampled_from(["f4", "f8"]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_neurons_agree_with_the_oracle(n_samples, n_neurons, n_outputs, dtype, kept, seed):
    rng = np.random.default_rng(seed)
    hidden, residual = (
        rng.standard_normal(shape).astype(dtype) for shape in ((n_samples, n_neurons), (n_outputs, n_samples))
    )
    neurons = neurons_of(hidden if kept else computed(hidden))
    share = rng.dirichlet(np.ones(n_samples))
    tolerance = {"rtol": 0, "atol": 1e-4 if dtype == "f4" else 1e-12}
    products = naive.transposed_product(residual.T.astype(float).tolist(), hidden.astype(float).tolist())
    np.testing.assert_allclose(neurons.products(residual), products, **tolerance)
    means = share @ hidden
    for found, expected in zip(neurons.means_and_variances(share), (means, share @ (hidden - means) ** 2), strict=True):
        np.testing.assert_allclose(found, expected, **tolerance)
    some = rng.permutation(n_neurons)[: rng.integers(1, n_neurons + 1)]
    for wanted in (some, np.arange(n_neurons)):
        rows = neurons.rows(wanted)
        np.testing.assert_array_equal(rows, hidden[:, wanted].T)
        assert rows.flags.c_contiguous


@pytest.mark.parametrize("n_outputs", [1, 3, 60])
def test_products_with_kept_activations_copy_none_of_them(n_outputs):
    hidden = np.ones((4000, 500), "f4")
    neurons, residual = neurons_of(hidden), np.ones((n_outputs, 4000), "f4")
    neurons.products(residual)
    assert peak(neurons.products, residual)[0] < hidden.nbytes / 4
