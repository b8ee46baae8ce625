"""What held-out losses decide: differences that are noise are small beside what has been learnt, and what is left."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from sklearn_gfs import GreedyPrunedMLPClassifier
from sklearn_gfs.mlp._retraining import noise_of


@pytest.mark.parametrize("seed", [0, 2])
def test_a_little_that_can_be_learnt_slowly_is_learnt(seed):
    """Of twelve classes the features tell some tenths of the log loss at most, and that only in squares of a board."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 5, size=(12_000, 6))
    square = (np.floor(X[:, 0]) + 5 * np.floor(X[:, 1])).astype(int)
    y = np.where(rng.uniform(size=12_000) < 0.3, square * 5 % 12, rng.integers(0, 12, size=12_000))
    model = GreedyPrunedMLPClassifier(random_state=seed).fit(X[:6000], y[:6000])
    assert log_loss(y[6000:], model.predict_proba(X[6000:])) < 2.39  # of constants 2.48, at best 2.19


@pytest.mark.parametrize(
    ("loss", "constant", "noise"), [(0.1, 2.0, 0.001), (2.4, 2.5, 0.001), (1.25, 2.5, 0.0125), (3.0, 2.5, 0.0)]
)
def test_noise_is_a_part_of_what_is_learnt_or_left(loss, constant, noise):
    assert noise_of(loss, constant) == pytest.approx(noise)
