"""The parameters of a network: how they begin, and what pruning keeps of them."""

import numpy as np
import pytest

from network.small import make_network
from sklearn_gfs import GreedyPath
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network._parameters import initial_network, prune


def test_pruning_keeps_each_pick_once_with_its_count():
    network = make_network(np.random.default_rng(3))
    picks, counts = np.array([4, 1, 4, 4]), np.array([0, 1, 0, 0, 3])
    pruned = prune(network, GreedyPath(picks, np.zeros(4), np.zeros(4), counts, counts / 4))
    np.testing.assert_array_equal(pruned.hidden_coef, network.hidden_coef[:, [1, 4]])
    np.testing.assert_array_equal(pruned.output_coef, network.output_coef[[1, 4]])
    np.testing.assert_array_equal(pruned.weights, [0.25, 0.75])


@pytest.mark.parametrize("picks", [[4, 1], [3], []])
@pytest.mark.parametrize("size", [1.0, 0.0])
def test_pruning_takes_the_weights_that_were_solved_for(picks, size):
    network = make_network(np.random.default_rng(3))
    n_hidden, n_outputs = network.output_coef.shape
    weights = np.zeros((n_hidden, n_outputs))
    weights[picks] = size * np.random.default_rng(4).normal(size=(len(picks), n_outputs))
    intercept = np.arange(n_outputs) + 0.5
    none = np.zeros(len(picks))
    path = GreedyPath(np.array(picks, dtype=int), none, none, weights[:, 0] != 0, weights, intercept=intercept)
    pruned = prune(network, path)
    kept = sorted(picks) or [0]
    np.testing.assert_array_equal(pruned.hidden_coef, network.hidden_coef[:, kept])
    np.testing.assert_allclose(pruned.output_coef * pruned.weights[:, None], weights[kept], rtol=1e-12)
    np.testing.assert_array_equal(pruned.output_intercept, intercept)
    assert (pruned.weights > 0).all()
    if size and picks:
        assert np.linalg.norm(pruned.output_coef) == pytest.approx(np.linalg.norm(network.output_coef[kept]))


@pytest.mark.parametrize(("activation", "variance"), [("identity", 1), ("logistic", 4), ("relu", 2), ("tanh", 1)])
def test_initial_preactivations_have_the_variance_of_their_activation(activation, variance):
    rng = np.random.RandomState(8)
    network = initial_network((5, 40_000, 1), ACTIVATIONS[activation], squared_norm=3.0, dtype=np.float64, rng=rng)
    x = np.sqrt(3.0 / 5) * np.ones(5)
    assert np.var(x @ network.hidden_coef) == pytest.approx(variance, rel=0.03)
    assert np.std(network.hidden_intercept) == pytest.approx(0.5, rel=0.03)
    assert np.std(network.output_coef) == pytest.approx(0.5, rel=0.03)
