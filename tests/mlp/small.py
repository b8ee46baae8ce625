"""What the tests of the estimators share: small parameters and small data."""

import numpy as np

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

SMALL = {"n_pretrain": 20, "k": 8, "n_hidden": 40, "n_retrain": 40, "random_state": 0}
ALL = [GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor]
SEEDS = range(5)


def blobs(n_samples=60, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % n_classes
    return rng.normal(size=(n_samples, 4)) + 2 * np.eye(n_classes, 4)[y], y
