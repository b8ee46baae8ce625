"""Features that float32 hardly tells apart are named; predictions would silently be wrong."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from mlp.small import SMALL
from sklearn_gfs import GreedyPrunedMLPRegressor


def shifted(ratio, n_features=3):
    X = np.random.default_rng(0).normal(size=(200, n_features))
    return X + ratio, X[:, 0]


@pytest.mark.parametrize(("n_features", "named"), [(1, "Columns 0 of X"), (7, "Columns 0, 1, 2, 3, 4, ... of X")])
def test_features_that_float32_loses_are_named(n_features, named):
    X, y = shifted(1e6, n_features)
    with pytest.warns(UserWarning, match=f"{named} vary so little .* float32 .* float64"):
        GreedyPrunedMLPRegressor(**SMALL).fit(X.astype(np.float32), y)


@pytest.mark.parametrize(("ratio", "dtype"), [(1e5, np.float32), (1e8, np.float64)])
def test_others_are_not(ratio, dtype):
    X, y = shifted(ratio)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GreedyPrunedMLPRegressor(**SMALL).fit(X.astype(dtype), y)


def test_sparse_features_are_not_shifted():
    X = sparse.csr_array(np.eye(20, dtype=np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GreedyPrunedMLPRegressor(**SMALL).fit(X, np.arange(20.0))
