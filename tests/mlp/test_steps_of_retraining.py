"""How far gradient updates of re-training move what a subnetwork says: with many samples it is no mean for Adam."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.mlp import _trainer

STEP = 0.01


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # one step may be too long
@pytest.mark.parametrize("k", [5, 20])
@pytest.mark.parametrize("weight", [1e-3, 0.1, 0.5, 1, 2])
@pytest.mark.parametrize("cls", [GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor])
def test_a_step_of_adam_moves_output_weights_by_what_neurons_weigh(monkeypatch, cls, weight, k):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = X[:, 0] * X[:, 1] + X[:, 2]
    y = (y > 0).astype(int) if cls is GreedyPrunedMLPClassifier else (y - y.mean()) / y.std()
    monkeypatch.setattr(_trainer, "_OF_WEIGHT_ONE", len(X) / weight)
    settings = {"activation": "tanh", "n_hidden": 50, "k": k, "learning_rate_init": STEP, "random_state": 0}
    settings |= {"alpha": 0.0, "early_stopping": False, "retrain_solver": "adam", "n_pretrain": 20}
    before, after = (cls(n_retrain=n, **settings).fit(X, y) for n in (0, 1))
    counts = np.unique(before.selection_path_, return_counts=True)[1]
    expected = STEP * np.maximum(counts / k, min(weight, 1))
    np.testing.assert_allclose(np.abs(after.coefs_[1] - before.coefs_[1])[:, 0], expected, rtol=1e-2)


def test_penalties_at_the_start_and_at_the_end_of_retraining_are_of_the_same_kind(monkeypatch):
    monkeypatch.setattr(_trainer, "_OF_WEIGHT_ONE", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GreedyPrunedMLPClassifier(random_state=0).fit(np.eye(200, 5), np.arange(200) % 3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # one step may be too long
@pytest.mark.parametrize(("n_samples", "weighs"), [(150, 0.2), (700, 1.0)])
def test_sparse_data_of_fewer_samples_than_parameters_keep_the_mean(monkeypatch, n_samples, weighs):
    X = sparse.random(n_samples, 60, density=0.1, format="csr", random_state=0)
    y = X[:, :30].sum(axis=1).A1 > X[:, 30:].sum(axis=1).A1
    monkeypatch.setattr(_trainer, "_OF_WEIGHT_ONE", 1)
    settings = {"activation": "tanh", "n_hidden": 50, "k": 5, "learning_rate_init": STEP, "random_state": 0}
    settings |= {"alpha": 0.0, "early_stopping": False, "retrain_solver": "adam", "n_pretrain": 20}
    before, after = (GreedyPrunedMLPClassifier(n_retrain=n, **settings).fit(X, y) for n in (0, 1))
    counts = np.unique(before.selection_path_, return_counts=True)[1]
    expected = STEP * np.maximum(counts / 5, weighs)
    np.testing.assert_allclose(np.abs(after.coefs_[1] - before.coefs_[1])[:, 0], expected, rtol=1e-2)
