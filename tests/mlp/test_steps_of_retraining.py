"""How far gradient updates of re-training move what a subnetwork says: it is no mean over its neurons for Adam."""

import warnings

import numpy as np
import pytest

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

STEP = 0.01


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # one step may be too long
@pytest.mark.parametrize("corrective", [False, True])
@pytest.mark.parametrize("k", [5, 20])
@pytest.mark.parametrize("cls", [GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor])
def test_a_first_step_of_adam_moves_output_weights_by_its_length_whatever_the_number_of_picks(cls, k, corrective):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = X[:, 0] * X[:, 1] + X[:, 2]
    y = (y > 0).astype(int) if cls is GreedyPrunedMLPClassifier else (y - y.mean()) / y.std()
    settings = {"activation": "tanh", "n_hidden": 50, "k": k, "corrective": corrective, "learning_rate_init": STEP}
    settings |= {"alpha": 0.0, "early_stopping": False, "retrain_solver": "adam", "random_state": 0}
    before, after = (cls(n_pretrain=20, n_retrain=n, **settings).fit(X, y) for n in (0, 1))
    np.testing.assert_allclose(np.abs(after.coefs_[1] - before.coefs_[1]), STEP, rtol=1e-2)


def test_penalties_at_the_start_and_at_the_end_of_retraining_are_of_the_same_kind():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GreedyPrunedMLPClassifier(random_state=0).fit(np.eye(200, 5), np.arange(200) % 3)
