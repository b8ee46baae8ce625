"""What the tests of the estimators share: small parameters and data, and what makes two fits equal."""

import numpy as np

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs.network._training import Training

SMALL = {"n_pretrain": 20, "k": 8, "n_hidden": 40, "n_retrain": 40, "random_state": 0}
ALL = [GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor]
SEEDS = range(5)
# Names of attributes that say what a fit learnt; two fits are equal when these are.
ARRAYS = ["selection_path_", "selection_counts_", "selection_losses_", "duality_gaps_"]
CURVES = ["loss_curve_", "retrain_loss_curve_", "validation_loss_curve_", "dense_loss_", "n_pretrain_", "n_retrain_"]


def blobs(n_samples=60, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % n_classes
    return rng.normal(size=(n_samples, 4)) + 2 * np.eye(n_classes, 4)[y], y


def problem(n_samples=90, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 4))
    return X, np.digitize(X[:, 0] + 0.3 * X[:, 1], np.linspace(-0.5, 0.5, n_classes - 1))


def an_update_a_second(monkeypatch):
    """Have the clock count updates, whatever the machine does meanwhile; return the trainings' names, one an update."""
    update, made = Training._update, []
    monkeypatch.setattr(Training, "_update", lambda by, n: made.extend([by.name] * n) or update(by, n))
    monkeypatch.setattr("sklearn_gfs.network._watch.time.monotonic", lambda: len(made))
    return made


def assert_equal_fits(one, other):
    for name in ("coefs_", "intercepts_"):
        for first, second in zip(getattr(one, name), getattr(other, name), strict=True):
            np.testing.assert_array_equal(first, second)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in CURVES:
        assert getattr(one, name) == getattr(other, name)
