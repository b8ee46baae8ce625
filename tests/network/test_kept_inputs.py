"""Inputs that are standardised once: the same numbers as batch by batch, and only where they are small."""

import numpy as np
import pytest
from mlp.small import SMALL, blobs
from scipy import sparse

from sklearn_gfs import GreedyPrunedMLPClassifier
from sklearn_gfs.network import _data
from sklearn_gfs.network._data import standardised_once
from sklearn_gfs.network._samples import Samples
from sklearn_gfs.network._standardisation import Standardisation

RNG = np.random.default_rng(0)
X = RNG.normal(loc=1e3, size=(50, 3))
SCALE = np.array([0.3, 7.0, 0.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mean", [None, X.mean(axis=0)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_batches_of_kept_inputs_are_those_that_are_standardised_one_by_one(monkeypatch, dtype, mean, order):
    monkeypatch.setattr(_data, "CHUNK_ROWS", 16)
    data, targets, rows = np.array(X, dtype, order=order), X[:, :2].astype(np.float32), np.arange(50)
    standardisation = Standardisation(mean, SCALE)
    kept = standardised_once(data, standardisation, np.float32)
    assert kept.dtype == np.float32
    assert kept.flags.c_contiguous
    one_by_one = Samples(data, targets, standardisation, rows)
    some = RNG.permutation(rows)[:20]
    for expected, found in zip(one_by_one.gather(some)[:2], Samples(kept, targets, None, rows).gather(some)[:2],
                               strict=True):  # fmt: skip
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


@pytest.mark.parametrize("data", [sparse.csr_array(X), np.ones((2**19, 5)), np.full((2, 3), 1e300)])
def test_sparse_large_and_overflowing_inputs_are_not_kept(data):
    assert standardised_once(data, Standardisation(None, np.ones(data.shape[1])), np.float32) is None


@pytest.mark.parametrize("changed", [{}, {"loss": "log_loss"}, {"batch_size": None}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fit_does_not_depend_on_whether_inputs_are_kept(monkeypatch, changed, dtype):
    data, y = blobs()
    model = GreedyPrunedMLPClassifier(**{**SMALL, "batch_size": 16, **changed})
    coefs = []
    for most in (2**23, 0):
        monkeypatch.setattr(_data, "_MOST_KEPT_BYTES", most)
        coefs.append(model.fit(data.astype(dtype), y).coefs_)
    for kept, expected in zip(*coefs, strict=True):
        np.testing.assert_array_equal(kept, expected)


def test_a_sample_of_weight_zero_may_hold_anything():
    data, y = blobs()
    model, weight = GreedyPrunedMLPClassifier(**SMALL, batch_size=16), np.ones(len(y))
    data = data.astype(np.float64)
    weight[3] = 0
    expected = model.fit(data, y, weight).coefs_
    data[3] = 1e300
    for found, coef in zip(model.fit(data, y, weight).coefs_, expected, strict=True):
        np.testing.assert_array_equal(found, coef)
