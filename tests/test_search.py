"""PretrainThresholdSearch: GridSearchCV's numbers from one training run per fold."""

import numpy as np
import pytest
from path_double import OnlyFit, PathClassifier, PathRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_gfs import PretrainThresholdSearch

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")

BUDGETS, SIZES = [0, 5, 1, 30], [4, 1, 2]


# Folds that fail are what some of these checks provoke; the search then warns, as GridSearchCV does.
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@parametrize_with_checks(
    [
        PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 10], k=[1, 3], cv=2),
        PretrainThresholdSearch(PathRegressor(), n_pretrain=[0, 10], k=[1, 3], cv=2),
        PretrainThresholdSearch(PathClassifier(), cv=2, error_score="raise"),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)


def same_results(search, grid):
    """Assert that a search and a GridSearchCV agree in all but times."""
    for key, expected in grid.cv_results_.items():
        if "time" in key:
            assert len(search.cv_results_[key]) == len(expected)
        elif key == "params":
            assert search.cv_results_[key] == expected
        else:
            np.testing.assert_array_equal(search.cv_results_[key], expected, err_msg=key)
    assert search.best_params_ == grid.best_params_
    assert search.best_score_ == grid.best_score_
    assert search.best_index_ == grid.best_index_


@pytest.mark.parametrize("k", [None, SIZES])
@pytest.mark.parametrize(
    ("estimator", "load", "scoring"),
    [
        (PathClassifier(random_state=0), load_iris, None),
        (PathClassifier(random_state=0), load_breast_cancer, "roc_auc"),
        (PathRegressor(random_state=0), load_diabetes, "neg_mean_squared_error"),
        (make_pipeline(StandardScaler(), PathClassifier(random_state=0)), load_iris, None),
        (make_pipeline(StandardScaler(), make_pipeline(PathClassifier(random_state=0))), load_iris, None),
        (OnlyFit(random_state=0), load_iris, "neg_log_loss"),
    ],
)
def test_equals_grid_search(estimator, load, scoring, k):
    X, y = load(return_X_y=True)
    search = PretrainThresholdSearch(estimator, n_pretrain=BUDGETS, k=k, scoring=scoring, return_train_score=True).fit(
        X, y
    )
    prefix = search.cv_results_["params"][0].copy().popitem()[0].rpartition("__")[0]
    names = [f"{prefix}__{name}" if prefix else name for name in ("n_pretrain", "k")]
    values = dict(zip(names, [BUDGETS] if k is None else [BUDGETS, SIZES], strict=False))
    grid = GridSearchCV(estimator, values, scoring=scoring, return_train_score=True).fit(X, y)
    same_results(search, grid)
    assert set(search.cv_results_) >= set(grid.cv_results_)
