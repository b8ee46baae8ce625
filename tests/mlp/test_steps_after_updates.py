"""Classes for which steps take too long to be the first: steps are tried after gradient updates, and may take over."""

import numpy as np
import pytest
from sklearn.datasets import make_classification

from sklearn_gfs import GreedyPrunedMLPClassifier
from sklearn_gfs.mlp import _other_trials
from sklearn_gfs.mlp._searches import SearchByGradient
from sklearn_gfs.mlp._trial import Trials
from sklearn_gfs.network import LevenbergMarquardt, _step_cost


def interaction(n_samples, n_features, seed):
    """The sign of a product of two features, among many of no use."""
    X = np.random.default_rng(seed).normal(size=(n_samples, n_features))
    return X, X[:, 0] * X[:, 1] + 0.5 * X[:, 2] > 0


@pytest.fixture
def kinds(monkeypatch):
    """Make steps expensive; record the solver of each trial and its largest number of iterations."""
    monkeypatch.setattr(_step_cost, "_MOST_OF_CLASSES", 0.0)
    monkeypatch.setattr(_step_cost, "_MORE_A_NUMBER", 0.0)
    seen, attempt = [], Trials.attempt

    def record(self, pruned, phase, how, **more):
        seen.append((how.steps, how.schedule.n_iterations))
        return attempt(self, pruned, phase, how, **more)

    monkeypatch.setattr(Trials, "attempt", record)
    return seen


def test_steps_that_get_ahead_take_over(kinds, monkeypatch):
    (X, y), (X_test, y_test) = interaction(400, 40, 0), interaction(2000, 40, 1)
    model = GreedyPrunedMLPClassifier(random_state=0).fit(X, y)
    assert [steps for steps, _ in kinds[:3]] == [None, LevenbergMarquardt, LevenbergMarquardt]
    assert kinds[1][1] < kinds[2][1]  # a few of them first
    assert model.score(X_test, y_test) > 0.9
    monkeypatch.setattr(_step_cost, "_MOST_TRIED", 0.0)
    kinds.clear()
    by_updates = GreedyPrunedMLPClassifier(random_state=0).fit(X, y)
    assert LevenbergMarquardt not in [steps for steps, _ in kinds]
    assert by_updates.score(X_test, y_test) < 0.8


def test_steps_that_do_not_get_ahead_end_soon(kinds):
    X, y = interaction(300, 40, 0)
    GreedyPrunedMLPClassifier(random_state=0).fit(X, np.random.default_rng(3).permutation(y))
    assert [n for steps, n in kinds if steps is LevenbergMarquardt] == [6]


@pytest.mark.parametrize("better", [0.0, np.inf])
def test_cheap_steps_of_several_classes_are_tried_to_their_end(kinds, monkeypatch, better):
    monkeypatch.setattr(_other_trials, "_BETTER", better)  # no loss is lower, or every loss is
    monkeypatch.setattr(_other_trials, "_SURE_OF_STEPS", -np.inf)
    monkeypatch.setattr(SearchByGradient, "by_squares", lambda *_: None)
    X, y = make_classification(240, 6, n_informative=4, n_classes=4, n_clusters_per_class=1, random_state=0)
    model = GreedyPrunedMLPClassifier(random_state=0).fit(X, y)
    assert kinds == [(None, kinds[0][1]), (LevenbergMarquardt, LevenbergMarquardt.n_steps)]
    by_updates = GreedyPrunedMLPClassifier(random_state=0, retrain_solver="adam").fit(X, y)
    assert np.array_equal(model.coefs_[0], by_updates.coefs_[0]) == (better == 0)


@pytest.mark.parametrize("parameters", [{"n_retrain": 300}, {"retrain_solver": "adam"}, {"loss": "squared_error"}])
def test_who_asks_for_updates_gets_updates(kinds, parameters):
    GreedyPrunedMLPClassifier(random_state=0, **parameters).fit(*interaction(300, 40, 0))
    assert {steps for steps, _ in kinds} == {None}
