"""Training and selecting on another device; "cpu:0" takes all the ways of one, on the machine at hand."""

import pickle

import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor, prune_network
from sklearn_gfs.mlp._layer import HiddenLayer
from sklearn_gfs.network._device import find_device

SMALL = {"n_pretrain": 20, "k": 8, "n_hidden": 40, "n_retrain": 40, "random_state": 0}


def problem(n_samples=90):
    X = np.random.default_rng(0).normal(size=(n_samples, 4))
    return X, np.digitize(X[:, 0] + 0.3 * X[:, 1], [-0.5, 0.5])


def holds_torch(value):
    """Tell whether there is a torch object anywhere in fitted state."""
    if isinstance(value, dict):
        return any(map(holds_torch, value.values()))
    if isinstance(value, list | tuple):
        return any(map(holds_torch, value))
    return type(value).__module__.startswith("torch")


@pytest.fixture
def elsewhere(monkeypatch):
    """Let every fit run on a device that is not called "cpu"."""
    monkeypatch.setattr("sklearn_gfs.mlp._parameters.find_device", lambda _: "cpu:0")


@pytest.mark.parametrize("activation", ["identity", "logistic", "relu", "tanh"])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_another_device_gives_the_same_network(monkeypatch, activation, loss):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, activation=activation, loss=loss)
    here = model.fit(X, y)
    kept, keep = [], HiddenLayer.kept
    monkeypatch.setattr(HiddenLayer, "kept", lambda *a: kept.append(keep(*a)) or kept[-1])
    monkeypatch.setattr("sklearn_gfs.mlp._parameters.find_device", lambda _: "cpu:0")
    there = GreedyPrunedMLPClassifier(**SMALL, activation=activation, loss=loss).fit(X, y)
    assert {type(hidden) for hidden in kept} == {torch.Tensor}
    np.testing.assert_array_equal(there.selection_path_, here.selection_path_)
    np.testing.assert_allclose(there.predict_proba(X), here.predict_proba(X), rtol=1e-6, atol=1e-9)
    assert there.dense_loss_ == pytest.approx(here.dense_loss_)


@pytest.mark.usefixtures("elsewhere")
def test_nothing_of_torch_stays():
    X, y = problem()
    model = GreedyPrunedMLP(**SMALL, warm_start=True).fit(X, y).set_params(n_pretrain=30).fit(X, y)
    assert not holds_torch(vars(model))
    assert holds_torch({"a": [(torch.zeros(1),)]})
    assert b"torch" not in pickle.dumps(model)


@pytest.mark.usefixtures("elsewhere")
def test_weights_sparse_inputs_and_automatic_pretraining():
    X, y = problem()
    X[np.abs(X) < 0.7] = 0
    model = GreedyPrunedMLPRegressor(**SMALL).set_params(n_pretrain="auto")
    weight = np.random.default_rng(0).uniform(0, 2, size=len(y))
    from_sparse = model.fit(sparse.csr_array(X), X[:, :2], weight).predict(X)
    model.fit(X, X[:, :2], weight, X_val=X, y_val=X[:, :2])
    assert np.isfinite(from_sparse).all()
    assert model.score(X, X[:, :2]) > 0.5


@pytest.mark.parametrize("available", [False, True])
def test_the_device_is_found(monkeypatch, available):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert find_device("cpu") == "cpu"
    assert find_device("auto") == ("cuda" if available else "cpu")
    if available:
        assert find_device("cuda") == "cuda"


@pytest.mark.parametrize(
    ("built", "message"),
    [(None, "built without CUDA"), ("12.8", "built for CUDA 12.8, but no GPU answers")],
)
@pytest.mark.parametrize("method", ["fit", "fit_path"])
def test_a_gpu_that_is_not_there(monkeypatch, built, message, method):
    X, y = problem()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built)
    model = GreedyPrunedMLPClassifier(**SMALL, device="cuda")
    with pytest.raises(ValueError, match=f"device='cuda' was asked for, but torch finds no CUDA device: .*{message}"):
        model.fit(X, y) if method == "fit" else model.fit_path(X, y, n_pretrain=[1])
    np.testing.assert_array_equal(
        model.set_params(device="auto").fit(X, y).coefs_[0], model.set_params(device="cpu").fit(X, y).coefs_[0]
    )


def test_an_unknown_device_is_refused():
    X, y = problem()
    with pytest.raises(ValueError, match=r"'device' parameter of .* must be a str among"):
        GreedyPrunedMLPClassifier(device="tpu").fit(X, y)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_gpu_learns_the_same(loss, solver):
    X, y = problem(500)
    parameters = {**SMALL, "loss": loss, "solver": solver, "early_stopping": False}
    here = GreedyPrunedMLPClassifier(**parameters).fit(X, y)
    there = GreedyPrunedMLPClassifier(**parameters, device="cuda").fit(X, y)
    assert np.mean(here.predict(X) == there.predict(X)) > 0.95
    again = GreedyPrunedMLPClassifier(**parameters, device="cuda").fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), there.predict_proba(X))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
@pytest.mark.parametrize("selection_samples", ["auto", None, 200])
def test_a_gpu_with_little_room_selects_the_same(monkeypatch, selection_samples):
    X, y = problem(500)
    model = GreedyPrunedMLPClassifier(**SMALL, device="cuda", selection_samples=selection_samples).fit(X, y)
    picks, losses, gaps = model.selection_path_, model.selection_losses_, model.duality_gaps_
    monkeypatch.setattr("sklearn_gfs.mlp._layer.room_on", lambda _: 1000)
    model.fit(X, y)
    np.testing.assert_array_equal(model.selection_path_, picks)
    np.testing.assert_allclose(model.selection_losses_, losses, rtol=1e-6)
    np.testing.assert_allclose(model.duality_gaps_, gaps, rtol=1e-3, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
@pytest.mark.parametrize("labels", [False, True])
def test_a_network_is_pruned_where_it_is(labels):
    X, y = problem(500)
    linears = [torch.nn.Linear(n_inputs, n_outputs).double() for n_inputs, n_outputs in ((4, 40), (40, 30), (30, 3))]
    here = torch.nn.Sequential(linears[0], torch.nn.ReLU(), linears[1], torch.nn.Tanh(), linears[2])
    there = pickle.loads(pickle.dumps(here)).cuda()
    targets = y if labels else None
    small = prune_network(here, X, targets, k=0.2)
    for inputs in (X, torch.tensor(X), torch.tensor(X).cuda()):
        pruned = prune_network(there, inputs, targets, k=0.2)
        assert {parameter.device.type for parameter in pruned.parameters()} == {"cuda"}
        expected = small(torch.tensor(X)).detach().numpy()
        outputs = pruned(torch.tensor(X).cuda()).detach().cpu().numpy()
        np.testing.assert_allclose(outputs, expected, atol=1e-5 * np.ptp(expected))
