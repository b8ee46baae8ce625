"""scikit-learn's networks, pruned: what is selected, and what is solved for."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.neural_network import MLPRegressor

from sklearn_gfs import SelectionStatistics, greedy_forward_selection, prune_network
from sklearn_gfs.mlp._layers import RIDGES

from .trained import ACTIVATIONS, KINDS, inputs, outputs, trained_mlp


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(12,), (12, 9), (9, 8, 7)])
def test_agrees_with_plain_loops(sizes, activation):
    X = inputs()
    network = trained_mlp(X, "multiclass", sizes, activation)
    k = [5, 4, 3][: len(sizes)]
    small = prune_network(network, X, k=k)
    coefs, intercepts = naive.pruned_network(network.coefs_, network.intercepts_, ACTIVATIONS[activation], X, k, RIDGES)
    assert small.hidden_layer_sizes == tuple(coef.shape[1] for coef in coefs[:-1])
    expected = naive.layered_outputs(coefs, intercepts, ACTIVATIONS[activation], X)
    np.testing.assert_allclose(outputs(small, X), expected, atol=2e-4 * np.ptp(expected))


def test_agrees_with_plain_loops_on_weighted_samples():
    X, weight = inputs(), np.random.default_rng(1).uniform(0.1, 3, 80)
    network = trained_mlp(X, "numbers", (12, 9))
    small = prune_network(network, X, k=4, sample_weight=weight)
    coefs, intercepts = naive.pruned_network(
        network.coefs_, network.intercepts_, ACTIVATIONS["relu"], X, [4, 4], RIDGES, weight
    )
    expected = naive.layered_outputs(coefs, intercepts, ACTIVATIONS["relu"], X)
    np.testing.assert_allclose(outputs(small, X), expected, atol=2e-4 * np.ptp(expected))


@given(
    st.sampled_from(list(ACTIVATIONS)),
    st.sampled_from(list(KINDS)),
    st.lists(st.integers(1, 8), min_size=1, max_size=3),
    st.one_of(st.integers(1, 9), st.floats(0.1, 1.0)),
    st.booleans(),
    st.integers(0, 2**16),
)
@pytest.mark.filterwarnings("ignore:k=. is above")
def test_what_is_left_is_smaller_and_its_neurons_are_those_of_the_network(activation, kind, sizes, k, corrective, seed):
    X = inputs(30, 3, seed)
    network = trained_mlp(X, kind, tuple(sizes), activation, seed)
    small = prune_network(network, X, k=k, corrective=corrective)
    asked = [min(k, size) if isinstance(k, int) else max(round(k * size), 1) for size in sizes]
    assert all(1 <= left <= most for left, most in zip(small.hidden_layer_sizes, asked, strict=True))
    assert [coef.shape for coef in small.coefs_] == list(
        zip((3, *small.hidden_layer_sizes), (*small.hidden_layer_sizes, small.n_outputs_), strict=True)
    )
    assert small.predict(X).shape == network.predict(X).shape
    before = np.vstack([network.coefs_[0], network.intercepts_[0]])
    after = np.vstack([small.coefs_[0], small.intercepts_[0]])
    assert all((before == neuron[:, None]).all(axis=0).any() for neuron in after.T)


@pytest.mark.parametrize("corrective", [True, False])
@pytest.mark.parametrize("k", [1.0, [12, 9], (1.0, 9)])
def test_with_all_neurons_the_network_is_the_same(k, corrective):
    X = inputs()
    network = trained_mlp(X, "multiclass", (12, 9))
    small = prune_network(network, X, k=k, corrective=corrective)
    np.testing.assert_array_equal(small.predict_proba(X), network.predict_proba(X))
    np.testing.assert_array_equal(small.coefs_[1], network.coefs_[1])


def test_a_layer_that_stays_whole_makes_good_what_the_one_before_lost():
    X = inputs()
    network = trained_mlp(X, "numbers", (20, 6), "tanh")
    small = prune_network(network, X, k=[5, 6])
    assert small.hidden_layer_sizes == (5, 6)
    error = np.mean((outputs(small, X) - outputs(network, X)) ** 2)
    small.coefs_[2], small.intercepts_[2] = network.coefs_[2], network.intercepts_[2]
    assert error < np.mean((outputs(small, X) - outputs(network, X)) ** 2)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_copies_of_neurons_are_not_needed(activation):
    X = inputs()
    network = trained_mlp(X, "numbers", (15, 12), activation)
    for layer, kept in ((0, 5), (1, 4)):
        n_copies = network.coefs_[layer].shape[1] // kept
        network.coefs_[layer] = np.tile(network.coefs_[layer][:, :kept], n_copies)
        network.intercepts_[layer] = np.tile(network.intercepts_[layer][:kept], n_copies)
    small = prune_network(network, X, k=[5, 4])
    np.testing.assert_allclose(outputs(small, X), outputs(network, X), atol=1e-4)


def test_the_mean_of_picks_takes_the_place_of_the_sum_over_neurons():
    X = inputs()
    network = trained_mlp(X, "numbers", (30,))
    small = prune_network(network, X, k=7, corrective=False)
    hidden = ACTIVATIONS["relu"](X @ network.coefs_[0] + network.intercepts_[0])
    path = greedy_forward_selection(
        hidden, outputs(network, X), 7, output_weights=30 * network.coefs_[1], offset=network.intercepts_[1]
    )
    mean = (hidden * path.counts) @ (30 * network.coefs_[1]) / 7 + network.intercepts_[1]
    np.testing.assert_allclose(outputs(small, X), mean, rtol=1e-10)
    np.testing.assert_allclose(path.losses[-1], 0.5 * np.mean(np.sum((mean - outputs(network, X)) ** 2, axis=1)))


def test_nothing_is_lost_where_neurons_say_nothing():
    X = inputs()
    network = trained_mlp(X, "numbers", (6, 5))
    network.intercepts_[0][:] = -100.0
    small = prune_network(network, X, k=3)
    assert small.hidden_layer_sizes == (1, 1)
    np.testing.assert_allclose(outputs(small, X), outputs(network, X), rtol=1e-12)


def test_sparse_inputs_and_other_layouts_make_no_difference():
    X = inputs() * (inputs(seed=1) > 0)
    network = trained_mlp(X, "multiclass", (12, 9))
    expected = outputs(prune_network(network, X, k=4), X)
    for other in (sparse.csr_array(X), sparse.csc_matrix(X), np.asfortranarray(X), X.tolist()):
        np.testing.assert_allclose(outputs(prune_network(network, other, k=4), X), expected, rtol=1e-9)


def test_float32_stays_float32():
    X = inputs().astype(np.float32)
    network = trained_mlp(X, "multiclass", (12, 9))
    small = prune_network(network, X, k=4)
    assert {array.dtype for array in (*small.coefs_, *small.intercepts_)} == {np.dtype(np.float32)}
    assert small.predict_proba(X).dtype == np.float32


def test_samples_that_weigh_nothing_are_as_if_they_were_not_there():
    X, weight = inputs(), np.repeat([1.0, 0.0], 40)
    network = trained_mlp(X, "number", (12, 9))
    for y in (None, KINDS["number"](X)):
        some = prune_network(network, X[:40], None if y is None else y[:40], k=4)
        for unit in (1.0, 1e-200):
            weighted = prune_network(network, X, y, k=4, sample_weight=unit * weight)
            np.testing.assert_array_equal(outputs(weighted, X), outputs(some, X))


def test_memory_does_not_grow_with_the_number_of_samples(monkeypatch):
    X = inputs(300)
    network = trained_mlp(X, "numbers", (12, 9))
    expected = outputs(prune_network(network, X, k=4), X)
    sizes = []
    update = SelectionStatistics.update
    monkeypatch.setattr("sklearn_gfs.mlp._layers.CHUNK_ROWS", 50)
    monkeypatch.setattr(
        SelectionStatistics, "update", lambda self, *data: sizes.append(len(data[0])) or update(self, *data)
    )
    np.testing.assert_allclose(outputs(prune_network(network, X, k=4), X), expected, rtol=1e-6)
    assert sizes == [50] * 12


def test_few_samples_do_not_make_wild_weights():
    X = inputs(2000)
    network = trained_mlp(X, "numbers", (40,))
    small = prune_network(network, X[:30], k=35)
    errors = np.mean((outputs(small, X) - outputs(network, X)) ** 2, axis=0)
    assert (errors < 0.3 * outputs(network, X).var(axis=0)).all()


def test_a_poisson_regressor_keeps_its_outputs():
    X = inputs()
    if "loss" not in MLPRegressor().get_params():
        pytest.skip("scikit-learn < 1.7 has no Poisson loss")
    y = np.round(np.exp(X[:, 0]))
    network = MLPRegressor("poisson", hidden_layer_sizes=20, random_state=0).partial_fit(X, y)
    small = prune_network(network, X, k=10)
    np.testing.assert_allclose(small.predict(X), network.predict(X), rtol=0.2)
    refitted = prune_network(network, X, y, k=10)
    losses = [np.mean(model.predict(X) - y * np.log(model.predict(X))) for model in (refitted, small)]
    assert losses[0] < losses[1]


@pytest.mark.parametrize("distance", [1e5, 1e7, 1e10])
@pytest.mark.parametrize("kind", KINDS)
def test_neurons_far_from_zero_for_their_spread_vary(kind, distance):
    X = inputs()
    network = trained_mlp(X, kind, (20,), "identity")
    near = prune_network(network, X, k=6)
    network.intercepts_[0] += distance
    network.intercepts_[1] -= distance * network.coefs_[1].sum(axis=0)
    small = prune_network(network, X, k=6)
    np.testing.assert_allclose(outputs(small, X), outputs(near, X), atol=1e-13 * distance)
