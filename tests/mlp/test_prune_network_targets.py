"""Pruning for targets: the output layer of a pruned network is refitted, as far as samples that are left out agree."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.special import expit, softmax
from torch import nn

from sklearn_gfs import prune_network
from sklearn_gfs.mlp._refitting import FAMILIES, PENALTIES, Data, _along_penalties, refit

from .test_prune_network_torch import evaluated, sequential
from .trained import KINDS, inputs, outputs, trained_mlp


def loss(model, X, y):
    if not hasattr(model, "classes_"):
        return np.mean((model.predict(X) - y) ** 2)
    probabilities = model.predict_proba(X)
    if probabilities.shape == np.shape(y):
        return -np.mean(np.log(np.where(y, probabilities, 1 - probabilities)))
    return -np.mean(np.log(probabilities[np.arange(len(X)), np.searchsorted(model.classes_, y)]))


@pytest.mark.parametrize("kind", KINDS)
def test_other_samples_are_predicted_better(kind):
    X, others = inputs(400), inputs(2000, seed=1)
    network = trained_mlp(X, kind, (30, 20))
    kept = prune_network(network, X, k=[15, 10])
    refitted = prune_network(network, X, KINDS[kind](X), k=[15, 10])
    assert loss(refitted, others, KINDS[kind](others)) < 0.8 * loss(kept, others, KINDS[kind](others))
    assert refitted.coefs_[1].shape == (15, 10)


@pytest.mark.parametrize("kind", KINDS)
def test_targets_that_tell_nothing_change_little(kind):
    X, others = inputs(400), inputs(2000, seed=1)
    network = trained_mlp(X, kind, (30,))
    y = KINDS[kind](np.random.default_rng(5).normal(size=X.shape))
    noise = 1e-3 if kind.startswith("number") else 1.0  # of numbers as much as the outputs vary would be much
    y = network.predict(X) + noise * y if kind.startswith("number") else network.predict(X)
    refitted = prune_network(network, X, y, k=20)
    assert np.mean(refitted.predict(others) == network.predict(others)) > 0.9 or kind.startswith("number")
    if kind.startswith("number"):
        assert (
            np.mean((outputs(refitted, others) - outputs(network, others)) ** 2) < 0.05 * outputs(network, others).var()
        )


def test_with_all_neurons_the_network_is_the_same():
    X = inputs()
    network = trained_mlp(X, "multiclass", (12,))
    small = prune_network(network, X, KINDS["multiclass"](X), k=1.0)
    np.testing.assert_array_equal(small.predict_proba(X), network.predict_proba(X))


@given(st.sampled_from(list(FAMILIES)), st.integers(1, 6), st.integers(1, 3), st.integers(0, 2**16))
def test_each_penalty_has_its_minimum(name, n_neurons, n_outputs, seed):
    rng = np.random.default_rng(seed)
    hidden, targets, given_layer = drawn(rng, name, 40, n_neurons, n_outputs)
    share = rng.uniform(0.1, 1, 40)
    share /= share.sum()
    family = FAMILIES[name]
    centred = hidden - share @ hidden
    size = np.mean(share @ centred**2) * np.sum(share**2)
    layers = _along_penalties(Data(hidden, targets, share), given_layer, family, PENALTIES)
    for penalty, (coef, intercept) in zip(PENALTIES[:-1], layers[:-1], strict=True):
        slopes = share[:, None] * (family(hidden @ coef + intercept)[1] - targets)
        np.testing.assert_allclose(slopes.sum(axis=0), 0, atol=2e-3)
        cost = penalty * size * (coef - given_layer[0])
        np.testing.assert_allclose(centred.T @ slopes, -cost, atol=4e-3 * (1 + np.abs(cost).max()))


def drawn(rng, name, n_samples, n_neurons, n_outputs):
    hidden = rng.normal(size=(n_samples, n_neurons)) + 1
    given_layer = 0.3 * rng.normal(size=(n_neurons, n_outputs)), 0.3 * rng.normal(size=n_outputs)
    signal = hidden @ rng.normal(size=(n_neurons, n_outputs)) / n_neurons
    if name == "identity":
        targets = signal + rng.normal(size=signal.shape)
    elif name == "exp":
        targets = rng.poisson(np.exp(np.minimum(signal, 2))).astype(float)
    elif name == "logistic":
        targets = (rng.uniform(size=signal.shape) < expit(signal)).astype(float)
    else:
        targets = np.array([rng.multinomial(1, p) for p in softmax(signal, axis=1)], dtype=float)
    return hidden, targets, given_layer


@pytest.mark.parametrize("name", FAMILIES)
def test_the_family_is_a_loss_with_its_slope(name):
    family, point, step = FAMILIES[name], np.array([[0.3, -1.2, 0.8]]), 1e-6
    slopes = [(family(point + step * unit)[0] - family(point - step * unit)[0]) / (2 * step) for unit in np.eye(3)]
    np.testing.assert_allclose(np.ravel(slopes), family(point)[1][0], rtol=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("n_samples", [2, 4, 30])
def test_with_few_samples_nothing_runs_away(name, n_samples):
    rng = np.random.default_rng(0)
    hidden, targets, given_layer = drawn(rng, name, n_samples, 5, 2)
    coef, intercept = refit(hidden, targets, None, *given_layer, FAMILIES[name])
    assert np.isfinite(coef).all()
    assert np.isfinite(intercept).all()
    same = refit(np.ones_like(hidden), targets, None, *given_layer, FAMILIES[name])
    np.testing.assert_array_equal(same[0], given_layer[0])


def test_many_samples_are_left_out_once(monkeypatch):
    rng, calls = np.random.default_rng(0), []
    along = _along_penalties
    monkeypatch.setattr("sklearn_gfs.mlp._refitting._along_penalties", lambda *a: calls.append(1) or along(*a))
    for n_samples, expected in ((9_000, 6), (11_000, 2)):
        hidden, targets, given_layer = drawn(rng, "identity", n_samples, 3, 1)
        calls.clear()
        refit(hidden, targets, None, *given_layer, FAMILIES["identity"])
        assert len(calls) == expected


def test_sparse_and_column_targets():
    X = inputs()
    network = trained_mlp(X, "multilabel", (12,))
    y = KINDS["multilabel"](X)
    expected = outputs(prune_network(network, X, y, k=5), X)
    np.testing.assert_array_equal(outputs(prune_network(network, X, sparse.csr_array(y), k=5), X), expected)
    network = trained_mlp(X, "number", (12,))
    y = KINDS["number"](X)
    expected = outputs(prune_network(network, X, y, k=5), X)
    np.testing.assert_array_equal(outputs(prune_network(network, X, y[:, None].tolist(), k=5), X), expected)


@pytest.mark.parametrize(
    ("kind", "last", "make_y"),
    [
        ("multiclass", [], lambda y: y),
        ("multiclass", [], torch.tensor),
        ("multiclass", [nn.LogSoftmax(1)], lambda y: y),
        ("multiclass", [nn.Softmax(1), nn.Identity()], lambda y: np.eye(3)[y]),
        ("binary", [], lambda y: y == 1),
        ("binary", [nn.Sigmoid()], lambda y: torch.tensor(y, dtype=torch.float32)),
        ("multilabel", [], lambda y: y),
        ("numbers", [nn.Dropout(0.5)], lambda y: y),
    ],
)
def test_torch_networks_are_refitted_as_those_of_scikit_learn(kind, last, make_y):
    X = inputs(200)
    mlp = trained_mlp(X, kind, (12,))
    network = nn.Sequential(*sequential(4, 12, mlp.n_outputs_), *last)
    for linear, coef, intercept in zip((network[0], network[2]), mlp.coefs_, mlp.intercepts_, strict=True):
        linear.weight.data, linear.bias.data = torch.tensor(coef.T), torch.tensor(intercept)
    y = KINDS[kind](X)
    expected = outputs(prune_network(mlp, X, y, k=5), X)
    coded = np.searchsorted(mlp.classes_, y) if hasattr(mlp, "classes_") and y.ndim == 1 else y
    small = prune_network(network, X, make_y(coded), k=5)
    np.testing.assert_allclose(evaluated(small[:3], X), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("last", [[], [nn.Softmax(1)], [nn.LogSoftmax(1)]], ids=["none", "softmax", "log-softmax"])
@pytest.mark.parametrize(
    "make_y",
    [
        lambda y: y[:, None],
        lambda y: torch.tensor(y)[:, None],
        lambda y: y[:, None].tolist(),
        lambda y: y.astype(object),
        lambda y: y.astype(object)[:, None],
    ],
)
def test_a_column_of_classes_and_integers_in_objects_are_classes(make_y, last):
    X = inputs()
    y = np.unique(KINDS["multiclass"](X), return_inverse=True)[1]
    network = nn.Sequential(*sequential(4, 12, 3), *last)
    small, expected = (prune_network(network, X, some, k=5) for some in (make_y(y), y))
    torch.testing.assert_close(small[2].weight, expected[2].weight)


@pytest.mark.parametrize("last", [[], [nn.Softmax(1)], [nn.Sigmoid()]], ids=["none", "softmax", "sigmoid"])
@pytest.mark.parametrize(
    "make_y",
    [
        lambda y: y,
        lambda y: y.astype(object),
        lambda y: y.tolist(),
        lambda y: y.astype("S"),
        lambda _: np.tile(["0", "1"], 40),
        lambda _: np.arange(80).astype("datetime64[D]"),
    ],
)
def test_other_than_numbers_are_told_what_to_be(make_y, last):
    X = inputs()
    network = nn.Sequential(*sequential(4, 12, 3), *last)
    with pytest.raises(ValueError, match=r"y must hold numbers: integers are classes .* floats are continuous"):
        prune_network(network, X, make_y(KINDS["multiclass"](X)), k=5)


def test_a_column_of_other_numbers_is_told_its_shape():
    X, network = inputs(), sequential(4, 12, 3)
    with pytest.raises(ValueError, match="y has 80 samples and 1 outputs; X has 80 samples, and the network 3"):
        prune_network(network, X, X[:, :1], k=5)
    with pytest.raises(ValueError, match="y must hold classes from 0 to 2"):
        prune_network(network, X, np.full((80, 1), 3), k=5)
