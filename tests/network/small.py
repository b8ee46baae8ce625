"""What the tests of the network share: losses, settings, a small network and samples for it."""

import numpy as np

from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network._losses import LOSSES
from sklearn_gfs.network._parameters import initial_network
from sklearn_gfs.network._samples import Samples
from sklearn_gfs.network._solvers import SOLVERS
from sklearn_gfs.network._standardisation import Standardisation
from sklearn_gfs.network._training import TrainingSettings

SQUARED_ERROR, LOG_LOSS = LOSSES["squared_error"], LOSSES["log_loss"]
SETTINGS = TrainingSettings(ACTIVATIONS["relu"], SQUARED_ERROR, SOLVERS["adam"], None, 0.9, 16, 0.0)


def make_network(rng, *, n_features=4, n_hidden=6, n_outputs=2, activation="relu"):
    network = initial_network(
        (n_features, n_hidden, n_outputs), ACTIVATIONS[activation], squared_norm=4.0, dtype=float, rng=rng
    )
    return network._replace(weights=rng.dirichlet(np.ones(n_hidden)), output_intercept=rng.normal(size=n_outputs))


def make_samples(rng, *, n_samples=40, n_features=4, n_outputs=2):
    X = rng.normal(size=(n_samples, n_features))
    targets = np.stack([np.sin(X @ rng.normal(size=n_features)) for _ in range(n_outputs)], axis=1)
    return Samples(X, targets, Standardisation(np.zeros(n_features), np.ones(n_features)), np.arange(n_samples))


def batch_of(samples):
    return samples.everything()


def assert_equal(one, other):
    """Two trainings are the same: losses, networks and moments."""
    assert one.losses == other.losses
    for array, expected in zip(one.network(), other.network(), strict=True):
        np.testing.assert_array_equal(array, expected)
    for array, expected in zip(one.state().moments, other.state().moments, strict=True):
        np.testing.assert_array_equal(array, expected)
