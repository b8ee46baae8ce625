"""Units, precision, repetition: what must not change a result, and what is left alone."""

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits

from mlp.small import ALL, SMALL, blobs
from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.mlp._searches import SearchByProducts
from sklearn_gfs.network import _small
from sklearn_gfs.network._small import SmallLoop


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_of_features_and_targets_do_not_matter(scale):
    X, _ = blobs()
    y = np.sin(X[:, 0]) + X[:, 1]
    model = GreedyPrunedMLPRegressor(**SMALL).fit(X, y)
    scaled = GreedyPrunedMLPRegressor(**SMALL).fit(scale * X + scale, scale * y - 3 * scale)
    np.testing.assert_array_equal(scaled.selection_path_, model.selection_path_)
    np.testing.assert_allclose(scaled.selection_losses_, model.selection_losses_, rtol=1e-6)
    np.testing.assert_allclose(scaled.predict(scale * X + scale), scale * model.predict(X) - 3 * scale, rtol=1e-4)


def test_float32_stays_float32():
    X, y = blobs()
    model = GreedyPrunedMLPClassifier(**SMALL).fit(X.astype(np.float32), y)
    assert {array.dtype for array in (*model.coefs_, *model.intercepts_)} == {np.dtype(np.float32)}
    assert model.predict_proba(X.astype(np.float32)).dtype == np.float32
    double = GreedyPrunedMLPClassifier(**SMALL).fit(X, y)
    assert np.mean(double.predict(X) == model.predict(X.astype(np.float32))) > 0.95


@pytest.mark.parametrize(
    ("n_features", "batch_size", "dtype"), [(600, 128, np.float32), (400, 128, np.float64), (600, None, np.float64)]
)
def test_large_networks_of_few_samples_are_trained_in_float32(n_features, batch_size, dtype):
    X = np.random.default_rng(0).normal(size=(40, n_features))
    settings = {"batch_size": batch_size, "n_pretrain": 1, "n_retrain": 0, "warm_start": True}
    model = GreedyPrunedMLPRegressor(**settings, random_state=0).fit(X, X[:, 0])
    assert model._dense_state[0].training.network.hidden_coef.dtype == dtype
    assert model.predict(X).dtype == np.float64


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_sparse_features(kind):
    X, y = blobs()
    X[np.abs(X) < 0.7] = 0
    model = GreedyPrunedMLPClassifier(**SMALL).fit(kind(X), y)
    assert model.score(kind(X), y) > 0.8
    np.testing.assert_allclose(model.predict_proba(kind(X)), model.predict_proba(X))


@pytest.mark.parametrize("cls", ALL)
def test_an_integer_random_state_repeats(cls):
    X, y = blobs()
    first, second = (cls(**SMALL).fit(X, y) for _ in range(2))
    for name in ("coefs_", "intercepts_"):
        for one, other in zip(getattr(first, name), getattr(second, name), strict=True):
            np.testing.assert_array_equal(one, other)
    other_seed = cls(**SMALL).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(other_seed.coefs_[0], first.coefs_[0])


@pytest.mark.parametrize("n_pretrain", [20, "auto"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sums", [False, True])
def test_activations_too_large_to_keep_are_read_chunk_by_chunk(monkeypatch, weighted, n_pretrain, sums):
    X, y = blobs(150)
    weight = np.random.default_rng(0).integers(1, 4, size=150) if weighted else None
    model = GreedyPrunedMLPClassifier(**SMALL).set_params(n_pretrain=n_pretrain)
    kept = clone(model).fit(X, y, weight)
    monkeypatch.setattr("sklearn_gfs.mlp._layer.CHUNK_ROWS", 32)
    monkeypatch.setattr(SearchByProducts, "_sums_pay", lambda *_: sums)
    with config_context(working_memory=0.01):
        read = clone(model).fit(X, y, weight)
    np.testing.assert_array_equal(read.selection_path_, kept.selection_path_)
    np.testing.assert_allclose(read.selection_losses_, kept.selection_losses_, rtol=1e-7)
    assert read.dense_loss_ == pytest.approx(kept.dense_loss_)
    np.testing.assert_array_equal(read.predict_proba(X), kept.predict_proba(X))


def test_no_global_state_is_touched():
    import torch

    def global_state():
        return np.random.mtrand._rand.get_state()[1].tolist()

    X, y = blobs()
    before = (global_state(), torch.get_rng_state().tolist())
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    GreedyPrunedMLP(**SMALL).fit(X, y)
    assert (global_state(), torch.get_rng_state().tolist()) == before
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, dtype)


@pytest.mark.parametrize(("batch_size", "in_loop"), [(128, True), (None, False)])
def test_few_samples_are_retrained_in_the_loop_unless_a_full_batch_is_asked_for(monkeypatch, batch_size, in_loop):
    X, y = (array[:120] for array in load_digits(return_X_y=True))
    runs, run = [], SmallLoop.run
    monkeypatch.setattr(SmallLoop, "run", lambda *arguments: runs.append(1) or run(*arguments))
    parameters = {"n_pretrain": 20, "n_retrain": 300, "batch_size": batch_size, "random_state": 0}
    model = GreedyPrunedMLPClassifier(**parameters).fit(X, y)
    assert bool(runs) == in_loop
    assert model.coefs_[0].dtype == np.float64
    with monkeypatch.context() as patch:
        patch.setattr(_small, "is_known", lambda *_: False)
        in_torch = GreedyPrunedMLPClassifier(**parameters).fit(X, y)
    assert model.n_retrain_ == in_torch.n_retrain_ > 0
    np.testing.assert_allclose(model.predict_proba(X), in_torch.predict_proba(X), atol=0.01)
