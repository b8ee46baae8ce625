"""Automatic pre-training where little is learnt at first: products of effects of categories begin on a plateau."""

import numpy as np
import pytest

from sklearn_gfs import GreedyPrunedMLPClassifier

N_TRAIN, N_LEVELS = 3000, 20


@pytest.mark.parametrize("seed", [0, 1])
def test_pretraining_does_not_end_on_a_plateau(seed):
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, N_LEVELS, (2 * N_TRAIN, 4))
    one, other = rng.normal(size=(2, 4, N_LEVELS))[:, np.arange(4), levels].sum(axis=-1)
    X, y = np.hstack([np.eye(N_LEVELS)[column] for column in levels.T]), (one * other > 0).astype(int)
    model = GreedyPrunedMLPClassifier(n_retrain=500, random_state=0).fit(X[:N_TRAIN], y[:N_TRAIN])
    assert model.n_pretrain_ == 320
    assert model.score(X[N_TRAIN:], y[N_TRAIN:]) > 0.9
