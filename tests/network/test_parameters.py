"""The parameters of a network: how they begin, and what pruning keeps of them."""

import numpy as np
import pytest

from network.small import make_network
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network._parameters import initial_network, prune


def test_pruning_keeps_each_pick_once_with_its_count():
    network = make_network(np.random.default_rng(3))
    pruned = prune(network, np.array([4, 1, 4, 4]))
    np.testing.assert_array_equal(pruned.hidden_coef, network.hidden_coef[:, [1, 4]])
    np.testing.assert_array_equal(pruned.output_coef, network.output_coef[[1, 4]])
    np.testing.assert_array_equal(pruned.weights, [0.25, 0.75])


@pytest.mark.parametrize(("activation", "variance"), [("identity", 1), ("logistic", 4), ("relu", 2), ("tanh", 1)])
def test_initial_preactivations_have_the_variance_of_their_activation(activation, variance):
    rng = np.random.RandomState(8)
    network = initial_network((5, 40_000, 1), ACTIVATIONS[activation], squared_norm=3.0, dtype=np.float64, rng=rng)
    x = np.sqrt(3.0 / 5) * np.ones(5)
    assert np.var(x @ network.hidden_coef) == pytest.approx(variance, rel=0.03)
    assert np.std(network.hidden_intercept) == pytest.approx(0.5, rel=0.03)
    assert np.std(network.output_coef) == pytest.approx(0.5, rel=0.03)
