"""Inputs are standardised by one object, the same in NumPy, in torch, in projections and in coefficients."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sklearn_gfs.network._standardisation import Standardisation


def standardised(X, mean, inverse_scale):
    """Standardise in plain loops."""
    return np.array(
        [[(x - m) * s for x, m, s in zip(row, mean, inverse_scale, strict=True)] for row in X.tolist()]
    ).reshape(X.shape)


@given(seed=st.integers(0, 2**31 - 1), centred=st.booleans(), is_sparse=st.booleans())
def test_every_way_to_standardise_is_the_same(seed, centred, is_sparse):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rng.integers(1, 9), rng.integers(1, 6))) * rng.integers(0, 2, size=1)
    n_features = X.shape[1]
    mean, inverse_scale = rng.normal(size=n_features), np.maximum(rng.normal(size=n_features), 0)
    expected = standardised(X, mean if centred else np.zeros(n_features), inverse_scale)
    standardisation = Standardisation(mean if centred else None, inverse_scale)

    given_X = sparse.csr_array(X) if is_sparse else X.copy()
    found = standardisation.apply(given_X)
    assert sparse.issparse(found) == (is_sparse and not centred)
    np.testing.assert_array_equal(found.toarray() if sparse.issparse(found) else found, expected)
    assert found is given_X or (is_sparse and centred)  # in place
    tensor = torch.from_numpy(X.copy())
    assert standardisation.in_torch("cpu").apply(tensor) is tensor
    np.testing.assert_array_equal(tensor.numpy(), expected)

    direction = rng.normal(size=n_features)
    along = standardisation.project(sparse.csr_array(X) if is_sparse else X, direction)
    shift = standardised(np.zeros((1, n_features)), mean, inverse_scale) @ direction if is_sparse and centred else 0.0
    np.testing.assert_allclose(along + shift, expected @ direction, atol=1e-12)

    coef, intercept = rng.normal(size=(n_features, 3)), rng.normal(size=3)
    folded, shifted = standardisation.folded_into(coef, intercept)
    np.testing.assert_allclose(X @ folded + shifted, expected @ coef + intercept, atol=1e-12)


@pytest.mark.parametrize("mean", [None, np.ones(2)])
def test_the_precision_is_that_of_the_inputs(mean):
    standardisation = Standardisation(mean, np.ones(2)).astype(np.float32)
    assert {part.dtype for part in standardisation if part is not None} == {np.dtype(np.float32)}
    for X in (np.ones((3, 2), np.float32), sparse.csr_array(np.ones((3, 2), np.float32))):
        assert standardisation.apply(X).dtype == np.float32
