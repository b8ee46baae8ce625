"""Sparse data of many features of which most are zero everywhere, as hashed words are: the others make the network."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.mlp._given import PathData

SMALL = {"n_pretrain": 20, "k": 8, "n_hidden": 60, "random_state": 0}
N_FEATURES = 3000


@pytest.fixture
def hashed():
    """Return wide X, the features that are stored, X of these only, and targets."""
    rng = np.random.default_rng(0)
    known = np.sort(rng.permutation(N_FEATURES)[:30])
    few = rng.normal(size=(200, 30)) * (rng.uniform(size=(200, 30)) < 0.2)
    few[0] = 1
    few = sparse.csr_array(few)
    wide = sparse.csr_array((few.data, known[few.indices], few.indptr), shape=(200, N_FEATURES))
    y = few.toarray() @ rng.normal(size=30)
    return wide, known, few, y


def assert_same(wide, few, known):
    np.testing.assert_array_equal(wide.coefs_[0][known], few.coefs_[0])
    assert wide.coefs_[0].shape[0] == N_FEATURES
    assert np.count_nonzero(np.delete(wide.coefs_[0], known, axis=0)) == 0
    assert wide.coefs_[0].dtype == few.coefs_[0].dtype
    for one, other in zip([wide.coefs_[1], *wide.intercepts_], [few.coefs_[1], *few.intercepts_], strict=True):
        np.testing.assert_array_equal(one, other)


def test_features_that_are_never_stored_change_nothing(hashed):
    X, known, few, y = hashed
    labels = (y > np.median(y)).astype(int)
    wide = GreedyPrunedMLPClassifier(**SMALL).fit(X, labels)
    assert_same(wide, GreedyPrunedMLPClassifier(**SMALL).fit(few, labels), known)
    np.testing.assert_array_equal(wide.predict(X.toarray()), wide.predict(X))
    *_, last = GreedyPrunedMLPClassifier(**SMALL).fit_path(X, labels, n_pretrain=[20], k=[8])
    np.testing.assert_array_equal(last.estimator.coefs_[0], wide.coefs_[0])


def test_validation_data_may_store_other_features(hashed):
    X, known, few, y = hashed
    X_val = sparse.csr_array(X[:50] + sparse.random(50, N_FEATURES, density=0.01, random_state=1, format="csr"))
    fits = [
        GreedyPrunedMLPRegressor(**SMALL).fit(inputs, y, X_val=inputs_val, y_val=y[:50])
        for inputs, inputs_val in ((X, X_val), (few, X_val[:, known]))
    ]
    assert_same(*fits, known)


@pytest.mark.parametrize("convert", [sparse.csc_array, lambda X: X.toarray(), lambda X: np.asfortranarray(X.toarray())])
def test_validation_data_may_be_stored_otherwise(convert):
    X = sparse.csr_array(sparse.random(200, 100, density=0.03, random_state=0, format="csr"))  # few, read as they are
    labels = (X.sum(axis=1) > np.median(X.sum(axis=1))).astype(int)
    model = GreedyPrunedMLPClassifier(**SMALL, n_retrain=100)
    one = clone(model).fit(X, labels, X_val=X[:50], y_val=labels[:50])
    other = clone(model).fit(X, labels, X_val=convert(X[:50]), y_val=labels[:50])
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])
    np.testing.assert_allclose(one.validation_loss_curve_, other.validation_loss_curve_, rtol=1e-6)


def test_the_uncertainty_is_that_of_the_features_that_are_stored(hashed):
    X, known, few, y = hashed
    wide, narrow = (GreedyPrunedMLPRegressor(**SMALL, retrain_solver="lm").fit(inputs, y) for inputs in (X, few))
    assert_same(wide, narrow, known)
    for one, other in zip(wide.predict(X, return_std=True), narrow.predict(few, return_std=True), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_dense_network_that_is_kept_has_all_features(hashed):
    X, *_, y = hashed
    model = GreedyPrunedMLPRegressor(**SMALL, warm_start=True).fit(X, y)
    model.set_params(n_pretrain=30).fit(X[:, ::-1], y)  # others are stored now
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(GreedyPrunedMLPRegressor(**SMALL).partial_fit(X, y).partial_fit(X[:, ::-1], y).predict(X)).all()


def test_features_are_left_out_where_that_saves_memory(hashed):
    X, known, few, y = hashed

    def features_of(X):
        return PathData(X, y[:, None], None, True, None).of_stored_features(60).features

    kept, n_features = features_of(X)
    assert (kept.tolist(), n_features) == (known.tolist(), N_FEATURES)
    assert features_of(few) is None
    assert features_of(X.toarray()) is None
    assert features_of(X[:, known[0] : known[0] + 1] * 0) is None  # nothing would be left
    assert features_of(sparse.hstack([few, sparse.csr_array((200, 1))], format="csr")) is None
