"""Inputs larger than memory: they are read in pieces, never copied as a whole, and may be read-only."""

import numpy as np
import pytest
from memory import peak
from scipy import sparse

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.network import CHUNK_ROWS, Samples

SMALL = {"n_pretrain": 10, "k": 5, "n_hidden": 10, "n_retrain": 20, "random_state": 0}
SHAPE = (20_000, 200)


@pytest.fixture
def on_disk(tmp_path):
    """Return a function that gives a read-only array in a file."""

    def make(dtype=np.float64, order="C"):
        path = tmp_path / f"{np.dtype(dtype).name}{order}.npy"
        X = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=SHAPE, fortran_order=order == "F")
        X[...] = np.random.default_rng(0).normal(size=SHAPE)
        X.flush()
        return np.load(path, mmap_mode="r")

    return make


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_a_file_is_not_copied_into_memory(on_disk, monkeypatch, dtype, weighted, task):
    # Pieces as small, against the file, as they would be against one that is larger than memory.
    for module in ("_chunks", "network._samples"):
        monkeypatch.setattr(f"sklearn_gfs.{module}.CHUNK_BYTES", 2**20)
    for module in ("network._data", "network._samples", "mlp._layer"):
        monkeypatch.setattr(f"sklearn_gfs.{module}.CHUNK_ROWS", 512)
    X = on_disk(dtype)
    cls = GreedyPrunedMLPClassifier if task == "classes" else GreedyPrunedMLPRegressor
    y = (X[:, 0] > 0).astype(int) if task == "classes" else np.array(X[:, 0])
    weight = (np.arange(len(y)) % 7 > 0).astype(float) if weighted else None
    model = cls(**SMALL)
    model.fit(X[:1000], y[:1000])  # whatever is imported and compiled on first use
    assert peak(model.fit, X, y, weight)[0] < 0.55 * X.nbytes
    assert peak(np.array, X)[0] > 0.9 * X.nbytes
    # The same numbers as from memory.
    coefs = model.coefs_
    for array, again in zip(coefs, model.fit(np.array(X), y, weight).coefs_, strict=True):
        np.testing.assert_array_equal(array, again)


def test_parts_of_a_file_can_be_fitted(on_disk):
    X = on_disk()
    model = GreedyPrunedMLPRegressor(**SMALL)
    for start in range(0, len(X), 5000):
        model.partial_fit(X[start : start + 5000], X[start : start + 5000, 0])
    assert model.n_pretrain_ == 40


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_read_only_inputs_are_left_alone(on_disk, order, loss):
    X = on_disk(np.float32, order)[:500]
    y = (X[:, 0] > 0).astype(int)
    weight = np.ones(500)
    for array in (y, weight):
        array.setflags(write=False)
    parameters = {**SMALL, "loss": loss}
    expected = GreedyPrunedMLPClassifier(**parameters).fit(np.array(X, order="C"), y, weight)
    model = GreedyPrunedMLPClassifier(**parameters).fit(X, y, weight)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


@pytest.mark.parametrize("kind", [sparse.csc_array, sparse.csr_matrix, sparse.coo_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_inputs_of_every_kind_give_the_same(kind, dtype):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(200, 30)) * (rng.uniform(size=(200, 30)) < 0.2)).astype(dtype)
    y = X[:, 0] - X[:, 1]
    weight = rng.integers(0, 3, size=200)
    model = GreedyPrunedMLPRegressor(**SMALL)
    expected = model.fit(sparse.csr_array(X), y, weight).predict(X)
    given = kind(X)
    before = given.copy()
    np.testing.assert_allclose(model.fit(given, y, weight).predict(given), model.predict(X), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(model.predict(X), expected)
    assert (given != before).nnz == 0


def test_sparse_inputs_are_never_made_dense_as_a_whole():
    X = sparse.random(20_000, 500, density=0.002, format="csr", random_state=0)
    y = np.asarray(X[:, [0]].todense())[:, 0] + np.random.default_rng(0).normal(size=20_000)
    model = GreedyPrunedMLPRegressor(**SMALL)
    model.fit(X[:1000], y[:1000])
    assert peak(model.fit, X, y)[0] < 0.25 * 8 * 20_000 * 500


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_weights_are_exact_in_full_batch_without_the_samples_that_weigh_nothing(loss):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 3))
    y = (X[:, 0] > 0).astype(int)
    weight = rng.integers(0, 3, size=80)
    model = GreedyPrunedMLPClassifier(**{**SMALL, "loss": loss, "batch_size": None})
    kept = weight > 0
    with_zeros = model.fit(X, y, weight).predict_proba(X)
    np.testing.assert_allclose(model.fit(X[kept], y[kept], weight[kept]).predict_proba(X), with_zeros, rtol=1e-9)


def test_activations_of_a_sample_are_not_kept_where_they_are_cheap():
    X = np.random.default_rng(0).normal(size=(20_000, 20))
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    model = GreedyPrunedMLPClassifier(**{**SMALL, "n_hidden": 1000})
    model.fit(X[:1000], y[:1000])
    # Those of the 10 000 samples drawn would be 40 MB. A few pieces, and some numbers for each sample, are held.
    assert peak(model.fit, X, y)[0] < 20e6


@pytest.mark.parametrize("order", ["C", "F"])
def test_held_out_samples_are_gathered_once_and_in_pieces(monkeypatch, order):
    X = np.asarray(np.random.default_rng(0).normal(size=(60_000, 40)), order=order)
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    gathered, everything = [], Samples.everything
    monkeypatch.setattr(Samples, "everything", lambda self: gathered.append(peak(everything, self)) or gathered[-1][1])
    GreedyPrunedMLPClassifier(**{**SMALL, "n_pretrain": "auto", "validation_fraction": 0.5}).fit(X, y)
    assert len(gathered) == 1
    # In float32, as they are trained on, with a chunk in float64 besides.
    assert gathered[0][0] < (1.3 * 4 * 30_000 + 2 * 8 * CHUNK_ROWS) * 40


def test_a_fit_on_many_samples_holds_few_numbers_for_each():
    X = np.random.default_rng(0).normal(size=(200_000, 20)).astype(np.float32)
    y = np.argmax(X[:, :7], axis=1)
    model = GreedyPrunedMLPClassifier(**{**SMALL, "n_pretrain": "auto", "n_retrain": 2000})
    model.fit(X[:1000], y[:1000])
    # Orders and shuffles, a byte for each class, and a tenth of the inputs that is held out.
    assert peak(model.fit, X, y)[0] < 70 * len(X)
