"""The search over this package's own estimators: GridSearchCV's numbers, and thresholds on real data."""

import pickle
import sys

import numpy as np
import pytest
from same_results import same_results
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_gfs import (
    GreedyPrunedMLP,
    GreedyPrunedMLPClassifier,
    GreedyPrunedMLPRegressor,
    PretrainThresholdSearch,
    SelectionPathDisplay,
)

SMALL = {"n_hidden": 20, "n_retrain": 5, "random_state": 0}
GRID = {"n_pretrain": [20, 0, 5], "k": [6, 2]}

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")


# Folds that fail are what some of these checks provoke; the search then warns, as GridSearchCV does.
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@parametrize_with_checks(
    [
        PretrainThresholdSearch(
            estimator(n_hidden=100, n_retrain=40, random_state=0), n_pretrain=[0, 60], k=[30], target="best", cv=2
        )
        for estimator in (GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor)
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)


def load_halves(return_X_y=True):
    """Return the diabetes data with targets that are no integers, which would pass for classes."""
    X, y = load_diabetes(return_X_y=True)
    return X, y + 0.5


@pytest.mark.parametrize(
    ("estimator", "load", "scoring"),
    [
        (GreedyPrunedMLPClassifier(**SMALL), load_iris, "neg_log_loss"),
        (GreedyPrunedMLPRegressor(**SMALL), load_diabetes, None),
        (GreedyPrunedMLP(**SMALL), load_halves, None),
        (make_pipeline(MinMaxScaler(), GreedyPrunedMLP(**SMALL)), load_iris, None),
    ],
)
def test_equals_grid_search(estimator, load, scoring):
    X, y = load(return_X_y=True)
    search = PretrainThresholdSearch(estimator, **GRID, cv=3, scoring=scoring, return_train_score=True).fit(X, y)
    prefix = "greedyprunedmlp__" if hasattr(estimator, "steps") else ""
    values = {prefix + name: value for name, value in GRID.items()}
    grid = GridSearchCV(estimator, values, cv=3, scoring=scoring, return_train_score=True).fit(X, y)
    same_results(search, grid)
    refitted = clone(estimator).set_params(**(search.threshold_params_ or search.best_params_)).fit(X, y)
    np.testing.assert_array_equal(search.predict(X), refitted.predict(X))


def test_equals_grid_search_with_weights():
    X, y = load_diabetes(return_X_y=True)
    weight = np.random.default_rng(0).uniform(0.1, 2, size=len(y))
    network = GreedyPrunedMLPRegressor(**SMALL)
    search = PretrainThresholdSearch(network, **GRID, cv=3).fit(X, y, sample_weight=weight)
    same_results(search, GridSearchCV(network, GRID, cv=3).fit(X, y, sample_weight=weight))
    assert search.best_score_ != PretrainThresholdSearch(network, **GRID, cv=3).fit(X, y).best_score_


def test_without_the_path_the_results_are_the_same():
    class OnlyFit(GreedyPrunedMLPClassifier):
        """Hides the path from the search, and keeps it for its own ``fit``."""

        def __getattribute__(self, name):
            if name == "fit_path" and sys._getframe(1).f_globals["__name__"].startswith("sklearn_gfs.search."):
                raise AttributeError(name)
            return super().__getattribute__(name)

    X, y = load_iris(return_X_y=True)
    settings = GRID | {"cv": 3, "target": "best"}
    shared = PretrainThresholdSearch(GreedyPrunedMLPClassifier(**SMALL), **settings).fit(X, y)
    own_fits = PretrainThresholdSearch(OnlyFit(**SMALL), **settings).fit(X, y)
    assert own_fits.dense_scores_ is None
    np.testing.assert_array_equal(own_fits.scores_, shared.scores_)
    assert own_fits.thresholds_ == shared.thresholds_


def test_digits_have_a_threshold():
    X, y = load_digits(return_X_y=True)
    network = GreedyPrunedMLPClassifier(n_hidden=100, n_retrain=0, random_state=0)
    search = PretrainThresholdSearch(network, n_pretrain=[0, 10, 40, 160, 320], k=[5, 20, 80], cv=2, target=0.75, tol=0)
    search.fit(X[:1200], y[:1200])
    # The more picks, the less pre-training; five neurons do not get there at all.
    reached = [np.inf if value is None else value for value in search.thresholds_.values()]
    assert reached == sorted(reached, reverse=True)
    assert search.thresholds_[5] is None
    assert 0 < search.threshold_ < 320
    assert search.best_estimator_.n_pretrain == search.threshold_
    assert SelectionPathDisplay.from_estimator(search.best_estimator_).dense_line_ is not None


def test_what_rises_and_what_falls_again():
    X, y = load_digits(return_X_y=True)
    network = GreedyPrunedMLPClassifier(n_hidden=100, n_retrain=50, loss="squared_error", random_state=0)
    search = PretrainThresholdSearch(
        network, n_pretrain=[0, 40, 320], k=[5, 80], cv=2, target="best", tol=0.05, refit=False
    ).fit(X[:1200], y[:1200])
    few, many = search.scores_.mean(axis=-1).T
    # Five picks are best from a network that is trained a little; eighty gain from all the training there is.
    assert few.argmax() == 1
    assert (np.diff(many) > 0).all()
    assert search.sustained_by_k_ == {5: False, 80: True}
    five = clone(search).set_params(k=[5]).fit(X[:1200], y[:1200])
    assert (five.threshold_, five.sustained_) == (40, False)


def test_nested_pickled_and_restored():
    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(GreedyPrunedMLPClassifier(**SMALL), n_pretrain=[0, 20], k=[6], cv=2)
    nested = cross_validate(make_pipeline(MinMaxScaler(), search), X, y, cv=2, return_estimator=True)
    assert len(nested["estimator"]) == 2
    fitted = nested["estimator"][0]
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_the_refit_has_no_time_limit_where_the_folds_had_none(in_pipeline):
    X, y = load_iris(return_X_y=True)
    limited, free = (GreedyPrunedMLPClassifier(**SMALL, max_time=max_time) for max_time in (1e-9, None))
    if in_pipeline:
        limited, free = make_pipeline(MinMaxScaler(), limited), make_pipeline(MinMaxScaler(), free)
    search, expected = (
        PretrainThresholdSearch(model, n_pretrain=[30], k=[6], cv=3).fit(X, y) for model in (limited, free)
    )
    np.testing.assert_array_equal(search.scores_, expected.scores_)
    np.testing.assert_array_equal(search.predict_proba(X), expected.predict_proba(X))


def test_the_refit_has_the_time_limit_that_fits_of_single_points_had():
    X, y = load_iris(return_X_y=True)
    limited = GreedyPrunedMLPClassifier(**SMALL, n_pretrain=30, max_time=1e-9)
    with pytest.warns(ConvergenceWarning, match="max_time was over"):
        search = PretrainThresholdSearch(limited, param="k", n_pretrain=[6], cv=3).fit(X, y)
    assert search.best_estimator_.n_pretrain_ < 30
