"""Training that does not descend: what it leaves is called what it is."""

import re
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_friedman1
from sklearn.exceptions import ConvergenceWarning

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

SMALL = {"k": 10, "n_hidden": 50, "random_state": 0}
ABOVE = "Pre-training ended at a training loss of .*, above the .* that it began with.* learning_rate_init"


@pytest.mark.parametrize(
    ("cls", "parameters", "step"),
    [
        (GreedyPrunedMLPClassifier, {}, 1e3),
        (GreedyPrunedMLPClassifier, {"loss": "log_loss"}, 1e3),
        (GreedyPrunedMLPClassifier, {"early_stopping": False}, 30.0),
        (GreedyPrunedMLPClassifier, {"n_pretrain": "auto"}, 1e3),
        (GreedyPrunedMLPRegressor, {"solver": "sgd"}, 1e12),
        (GreedyPrunedMLPRegressor, {"solver": "sgd", "batch_size": None, "momentum": 0.99}, 1e12),
        (GreedyPrunedMLPRegressor, {"n_pretrain": 1}, 1e3),
        (GreedyPrunedMLP, {"n_retrain": 0}, 1e3),
    ],
    ids=str,
)
def test_pretraining_that_ends_above_its_beginning_says_so(cls, parameters, step):
    X, y = load_digits(return_X_y=True) if cls is not GreedyPrunedMLPRegressor else make_friedman1(500, random_state=0)
    model = cls(**SMALL | {"n_pretrain": 100} | parameters, learning_rate_init=step)
    with pytest.warns(ConvergenceWarning, match=ABOVE) as caught:
        model.fit(X[:500], y[:500])
    assert caught[0].filename == __file__
    assert f"(it was {step:g})" in str(caught[0].message)


def test_retraining_that_ends_above_its_beginning_says_so():
    X, y = make_friedman1(500, random_state=0)
    for parameters in ({"n_retrain": 50, "early_stopping": False}, {"n_retrain": 50}):
        model = GreedyPrunedMLPRegressor(**SMALL, n_pretrain=50, **parameters, warm_start=True).fit(X, y)
        with pytest.warns(ConvergenceWarning, match=r"[Rr]e-training ended at a training loss of .*learning_rate_init"):
            model.set_params(learning_rate_init=1e2).fit(X, y)


def test_a_path_says_so_too():
    X, y = make_friedman1(300, random_state=0)
    path = GreedyPrunedMLPRegressor(**SMALL, learning_rate_init=1e3).fit_path(X, y, n_pretrain=[0, 50])
    with pytest.warns(ConvergenceWarning) as caught:
        assert len(list(path)) == 4
    assert any(re.match(ABOVE, str(warning.message)) for warning in caught)


def test_a_part_of_data_says_so_too():
    X, y = make_friedman1(300, random_state=0)
    model = GreedyPrunedMLPRegressor(**SMALL, n_pretrain=50).partial_fit(X, y)
    with pytest.warns(ConvergenceWarning, match=ABOVE):
        model.set_params(learning_rate_init=1e3).partial_fit(X, y)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("n_pretrain", [0, 1, 2, 5, 30])
@pytest.mark.parametrize("batch_size", [1, 8, None])
def test_training_on_noise_is_no_divergence(solver, n_pretrain, batch_size):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 3)), rng.standard_t(2, size=80)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parameters = {"solver": solver, "n_pretrain": n_pretrain, "batch_size": batch_size}
        GreedyPrunedMLPRegressor(**SMALL, n_retrain=40, **parameters).fit(X, y)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("seed", range(4))
def test_where_nothing_is_to_be_learnt_nothing_diverges(early_stopping, loss, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.uniform(size=(8, 10)), np.arange(8) % 2
    parameters = {"random_state": seed, "early_stopping": early_stopping, "n_retrain": 300}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Only one class has a weight.
        path = GreedyPrunedMLPClassifier(**parameters, loss=loss).fit_path(
            X, y, n_pretrain=[0, 1, 4, 64, 512], sample_weight=y
        )
        assert len(list(path)) == 10
        GreedyPrunedMLPRegressor(**parameters, n_pretrain=1).fit(X, np.full(8, 1e6))
