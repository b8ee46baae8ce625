"""Targets that grow with features of long tails: neurons that saturate could not follow."""

import numpy as np
import pytest
from scipy import sparse

from mlp.small import SMALL
from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPRegressor
from sklearn_gfs.mlp._tails import grows_with_tails


def long_tails(n_samples, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.pareto(2, (n_samples, 6))
    return X, X[:, 0] + 2 * X[:, 1] - X[:, 2] + 0.5 * rng.standard_normal(n_samples)


def test_long_tails_are_followed():
    X, y = long_tails(2300)
    scores = {
        activation: GreedyPrunedMLPRegressor(activation=activation, random_state=0)
        .fit(X[:300], y[:300])
        .score(X[300:], y[300:])
        for activation in ("auto", "relu", "tanh")
    }
    assert scores["auto"] == scores["relu"] > scores["tanh"] + 0.01


@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPRegressor])
def test_the_activation_depends_on_both_tails(cls):
    X, y = long_tails(300)
    rng = np.random.default_rng(1)
    model = cls(**SMALL)
    assert model.fit(X, y).activation_ == "relu"
    assert next(model.fit_path(X, y, n_pretrain=[5], k=[3])).estimator.activation_ == "relu"
    assert model.fit(X, np.log(np.abs(y))).activation_ == "tanh"  # targets have no tail
    assert model.fit(rng.permutation(X), y).activation_ == "tanh"  # other samples are extreme
    assert model.fit(X > 1, y).activation_ == "tanh"
    assert model.fit(sparse.csr_array(X), y).activation_ == "tanh"
    assert model.set_params(activation="tanh").fit(X, y).activation_ == "tanh"
    assert model.set_params(activation="auto").fit(X, np.stack([np.log(np.abs(y)), y], axis=1)).activation_ == "relu"


def test_what_weighs_nothing_has_no_tails():
    X, y = long_tails(300)
    weight = (np.abs(y - y.mean()) < 3 * y.std()).astype(float)
    assert grows_with_tails(X, y[:, None], None)
    assert not grows_with_tails(X, y[:, None], weight)
    assert not grows_with_tails(X, np.zeros((300, 1)), None)


def test_a_network_that_goes_on_keeps_its_activation():
    X, y = long_tails(300)
    model = GreedyPrunedMLPRegressor(**SMALL, warm_start=True).fit(X, y)
    assert model.fit(np.log(X), np.log(np.abs(y))).activation_ == "relu"
    assert model.partial_fit(np.log(X), y).activation_ == "relu"
