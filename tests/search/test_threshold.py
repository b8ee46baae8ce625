"""The threshold of a search: what decides it, and the model that is fitted with it."""

import numpy as np
import pytest
from path_double import PathClassifier
from same_results import same_results
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

import sklearn_gfs.search._outcome
import sklearn_gfs.search._run
from search.small import load_binary
from sklearn_gfs import PretrainThresholdSearch

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")


def test_threshold_and_refit():
    X, y = load_binary()
    search = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=[0, 5, 20, 80], k=[1, 5, 20]).fit(X, y)
    means = search.cv_results_["mean_test_score"].reshape(3, 4)
    target = search.cv_results_["mean_dense_test_score"][3]
    assert search.target_score_ == target
    expected = {
        k: next((t for t, score in zip([0, 5, 20, 80], row, strict=True) if score >= target - 0.01), None)
        for k, row in zip([1, 5, 20], means, strict=True)
    }
    assert search.thresholds_ == expected
    assert search.threshold_ == min(t for t in expected.values() if t is not None)
    assert search.thresholds_[search.threshold_params_["k"]] == search.threshold_
    assert search.cv_results_["params"][search.threshold_index_] == search.threshold_params_
    assert search.best_estimator_.get_params()["n_pretrain"] == search.threshold_
    expected_coef = PathClassifier(random_state=0, **search.threshold_params_).fit(X, y).coef_
    np.testing.assert_array_equal(search.best_estimator_.coef_, expected_coef)
    np.testing.assert_array_equal(search.predict(X), search.best_estimator_.predict(X))
    assert search.score(X, y) == search.best_estimator_.score(X, y)
    assert search.refit_time_ > 0
    assert search.n_features_in_ == 30
    assert search.classes_.tolist() == [0, 1]


def test_scores_that_rise_and_fall_are_not_sustained():
    # The score is the parameter itself, read off a table: 0.9 is reached at 10 and lost at 20.
    curve = {0: 0.1, 10: 0.9, 20: 0.5, 40: 0.95}

    def scoring(estimator, X, y):
        return curve[estimator.n_pretrain]

    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=list(curve), target=0.9, tol=0, scoring=scoring)
    search.fit(X, y)
    assert (search.threshold_, search.sustained_) == (10, False)
    assert (search.best_params_, search.best_estimator_.n_pretrain) == ({"n_pretrain": 40}, 10)
    assert search.thresholds_ == {3: 10}
    assert search.sustained_by_k_ == {3: False}
    search.set_params(target="best").fit(X, y)
    assert (search.threshold_, search.sustained_) == (40, True)
    search.set_params(target="best", tol=0.5).fit(X, y)
    assert (search.threshold_, search.sustained_) == (10, True)


@pytest.mark.filterwarnings("error:No point reached the target")
def test_no_point_reaches_the_target():
    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 20], k=[1, 2], target=2.0)
    with pytest.warns(
        UserWarning, match=r"No point reached the target: the best mean score on the test parts is 0\."
    ) as w:
        search.fit(X, y)
    assert w[0].filename == __file__
    assert search.threshold_ is None
    assert search.thresholds_ == {1: None, 2: None}
    assert search.threshold_params_ is search.threshold_index_ is None
    assert search.sustained_ is False
    assert search.best_estimator_.get_params()["n_pretrain"] == search.best_params_["n_pretrain"]
    assert search.best_estimator_.get_params()["k"] == search.best_params_["k"]


def test_train_scores_decide_where_asked_to():
    X, y = load_iris(return_X_y=True)
    parameters = {"n_pretrain": [0, 20], "k": [1, 2]}
    search = PretrainThresholdSearch(PathClassifier(), **parameters, score_on="train", target="best").fit(X, y)
    grid = GridSearchCV(PathClassifier(), parameters, return_train_score=True).fit(X, y)
    same_results(search, grid)
    assert search.target_score_ == grid.cv_results_["mean_train_score"].max()
    np.testing.assert_array_equal(search.scores_.mean(-1).T.ravel(), grid.cv_results_["mean_train_score"])


def test_one_fold_is_enough_for_a_number():
    X, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 20], cv=[(order[:100], order[100:])]).fit(X, y)
    assert search.n_splits_ == 1
    assert search.scores_.shape == (2, 1, 1)


@pytest.mark.parametrize(("tol", "threshold"), [(0, 40), ("0%", 40), ("5%", 20), ("12%", 10), (4.0, 20)])
@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_a_tolerance_in_percent_of_an_error(tol, threshold, unit):
    # The error falls from 110 to 80, in any unit; a number as tolerance has the unit of the score.
    curve = {0: -110.0, 10: -89.0, 20: -83.0, 40: -80.0}

    def scoring(estimator, X, y):
        return curve[estimator.n_pretrain] * unit

    X, y = load_iris(return_X_y=True)
    tol = tol * unit if isinstance(tol, float) else tol
    for target in ("dense", "best", -80.0 * unit):
        search = PretrainThresholdSearch(PathClassifier(), n_pretrain=list(curve), target=target, tol=tol, cv=2)
        assert search.set_params(scoring=scoring).fit(X, y).threshold_ == threshold
        assert search.target_score_ == -80.0 * unit


def test_the_time_of_the_final_fit(monkeypatch):
    class Clock:
        now = 0.0

        @classmethod
        def perf_counter(cls):
            cls.now += 2.5
            return cls.now

    monkeypatch.setattr(sklearn_gfs.search._outcome, "time", Clock)
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0], cv=2).fit(*load_iris(return_X_y=True))
    assert search.refit_time_ == 2.5
