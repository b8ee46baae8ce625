"""Networks whose activations take more memory than there is: the same selection, in what there is."""

import numpy as np
import pytest
import torch
from memory import peak
from scipy import sparse
from sklearn import config_context

from mlp.small import blobs
from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.mlp import _layer, _pruning, _searches
from sklearn_gfs.mlp._inner_products import InnerProducts
from sklearn_gfs.mlp._layer import HiddenLayer
from sklearn_gfs.network._device import room_on
from sklearn_gfs.selection import _gram_computed

SETTINGS = {"n_pretrain": 20, "k": 20, "n_hidden": 300, "n_retrain": 20, "random_state": 0, "selection_samples": None}
# Megabytes that hold neither activations nor sums over samples.
LITTLE = 0.2


def spy(monkeypatch, owner, name):
    """Return a list to which every call of this function adds its arguments."""
    calls, original = [], getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *a, **k: calls.append(a) or original(*a, **k))
    return calls


@pytest.fixture(params=["cpu", "cpu:0"])
def device(request, monkeypatch):
    """Fit on the processor, or on what takes all the ways of another device."""
    monkeypatch.setattr("sklearn_gfs.mlp._parameters.find_device", lambda _: request.param)
    return request.param


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", ["dense", "sparse", "weighted"])
def test_a_selection_in_little_memory_is_the_same(monkeypatch, loss, early_stopping, kind):
    monkeypatch.setattr(_gram_computed, "_BLOCK_BYTES", 2**15)
    X, y = blobs(400)
    weight = np.arange(400) % 3 + 0.5 if kind == "weighted" else None
    X = sparse.csr_array(np.where(np.abs(X) < 0.5, 0, X)) if kind == "sparse" else X
    model = GreedyPrunedMLPClassifier(**SETTINGS, loss=loss, early_stopping=early_stopping)
    expected = vars(model.fit(X, y, weight)).copy()
    computed = spy(monkeypatch, HiddenLayer, "computed")
    with config_context(working_memory=LITTLE):
        model.fit(X, y, weight)
    assert len(computed) == 1 + early_stopping
    np.testing.assert_array_equal(model.selection_path_, expected["selection_path_"])
    np.testing.assert_allclose(model.selection_losses_, expected["selection_losses_"], rtol=1e-6)
    np.testing.assert_allclose(model.duality_gaps_, expected["duality_gaps_"], rtol=1e-4, atol=1e-6)
    assert model.dense_loss_ == pytest.approx(expected["dense_loss_"], rel=1e-6)
    np.testing.assert_allclose(model.coefs_[1], expected["coefs_"][1], rtol=1e-3, atol=1e-5)


def test_automatic_pretraining_in_little_memory(monkeypatch):
    X, y = blobs(400)
    model = GreedyPrunedMLPClassifier(**SETTINGS | {"n_pretrain": "auto"}).fit(X, y)
    n_pretrain, picks = model.n_pretrain_, model.selection_path_
    computed = spy(monkeypatch, HiddenLayer, "computed")
    with config_context(working_memory=LITTLE):
        model.fit(X, y)
    assert computed
    assert model.n_pretrain_ == n_pretrain
    np.testing.assert_array_equal(model.selection_path_, picks)


@pytest.mark.parametrize("n_features", [10, 200])
def test_sums_are_taken_where_neurons_are_fewer_than_features(monkeypatch, n_features):
    X = np.random.default_rng(0).normal(size=(8000, n_features))
    y = X[:, 0] + np.abs(X[:, 1])
    model = GreedyPrunedMLPRegressor(**SETTINGS | {"n_hidden": 120, "n_retrain": 0}, early_stopping=False).fit(X, y)
    picks, losses, gaps = model.selection_path_, model.selection_losses_, model.duality_gaps_
    sums, computed = spy(monkeypatch, InnerProducts, "statistics"), spy(monkeypatch, HiddenLayer, "computed")
    with config_context(working_memory=3):
        model.fit(X, y)
    assert (len(sums), len(computed)) == ((1, 0) if n_features == 200 else (0, 1))
    np.testing.assert_array_equal(model.selection_path_, picks)
    np.testing.assert_allclose(model.selection_losses_, losses, rtol=1e-6)
    np.testing.assert_allclose(model.duality_gaps_, gaps, rtol=1e-4)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_memory_is_bounded(monkeypatch, loss):
    """A selection takes the working memory and a few pieces, however many samples and neurons there are."""
    monkeypatch.setattr(_gram_computed, "_BLOCK_BYTES", 2**19)
    monkeypatch.setattr(_layer, "_PIECE_BYTES", 2**19)
    X, y = blobs(8000)
    model = GreedyPrunedMLPClassifier(**SETTINGS | {"n_hidden": 4000, "n_retrain": 0, "batch_size": 16}, loss=loss)
    model.set_params(early_stopping=False)
    with config_context(working_memory=4):
        model.fit(X[:500], y[:500])  # whatever is imported and compiled on first use
        in_little, _ = peak(model.fit, X, y)
    # The activations alone would be 128 MB, the Gram matrix as much.
    assert in_little < 24 * 2**20


def test_by_default_as_many_samples_as_can_be_kept(monkeypatch):
    X, y = blobs(400)
    drawn = spy(monkeypatch, _searches, "draw")
    monkeypatch.setattr(_searches, "_LEAST_SAMPLES", 100)
    monkeypatch.setattr(_searches, "_MOST_SAMPLES", 300)
    model = GreedyPrunedMLPClassifier(
        **SETTINGS | {"selection_samples": "auto"}, loss="squared_error", early_stopping=False
    )
    for working_memory, n_drawn in ((1, 300), (4 * 300 * 150 / 2**20, 150), (0.01, 100)):
        drawn.clear()
        with config_context(working_memory=working_memory):
            model.fit(X, y)
        assert [arguments[3] for arguments in drawn] == [n_drawn, _pruning._MEASURED]
        assert len(model.selection_path_) == 20


def test_wide_layers_are_computed_in_pieces(monkeypatch):
    monkeypatch.setattr(_layer, "_PIECE_BYTES", 2**18)
    sizes, compute = [], _layer.hidden_activations
    monkeypatch.setattr(
        _layer, "hidden_activations", lambda X, *a: sizes.append(X.shape[0] * 300 * 4) or compute(X, *a)
    )
    X, y = blobs(900)
    GreedyPrunedMLPClassifier(**SETTINGS).fit(X, y)
    assert 0 < max(sizes) <= 2**18


def test_the_room_on_a_gpu_is_what_is_free(monkeypatch):
    for name, answer in (
        ("mem_get_info", (6 * 2**30, 80 * 2**30)),
        ("memory_reserved", 3 * 2**30),
        ("memory_allocated", 2**30),
    ):
        monkeypatch.setattr(torch.cuda, name, lambda _, answer=answer: answer)
    with config_context(working_memory=10):
        assert room_on("cuda") == 4 * 2**30
        assert room_on("cpu") == room_on("cpu:0") == 10 * 2**20
