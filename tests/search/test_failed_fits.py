"""Fits and scores that fail at some points: they are marked as GridSearchCV marks them, and the search goes on."""

import warnings

import numpy as np
import pytest
from path_double import OnlyFit, PathClassifier
from same_results import same_results
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV

from sklearn_gfs import PretrainThresholdSearch

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")


class Fragile(PathClassifier):
    """Fails in the folds whose training part lacks sample 0, once it has been trained for a while."""

    def fit_path(self, X, y, **kwargs):
        for point in super().fit_path(X, y, **kwargs):
            if point.n_pretrain >= 10 and not (load_iris().data[0] == X).all(axis=1).any():
                raise RuntimeError("diverged")
            yield point


def test_failures_are_marked():
    X, y = load_iris(return_X_y=True)
    parameters = {"n_pretrain": [0, 5, 10, 20], "k": [1, 2]}
    search = PretrainThresholdSearch(Fragile(), **parameters, target="best", refit=False)
    with (
        pytest.warns(FitFailedWarning, match=r"4 fits failed out of a total of 40(.|\n)*RuntimeError: diverged"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X, y)
    grid = GridSearchCV(Fragile(), parameters, refit=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grid.fit(X, y)
    same_results(search, grid)
    assert np.isnan(search.cv_results_["split0_test_score"]).sum() == 4
    assert np.isnan(search.cv_results_["split0_dense_test_score"]).sum() == 4
    assert search.threshold_ in {0, 5}
    with pytest.raises(RuntimeError, match="diverged"):
        search.set_params(error_score="raise").fit(X, y)
    with pytest.warns(FitFailedWarning):
        search.set_params(error_score=-1.0).fit(X, y)
    assert (search.cv_results_["split0_test_score"] == -1).sum() == 4


@pytest.mark.parametrize("n_pretrain", ["auto", [0, 5]])
@pytest.mark.parametrize("estimator", [PathClassifier(k=0), OnlyFit(k=0)])
def test_all_fits_failed(estimator, n_pretrain):
    search = PretrainThresholdSearch(estimator, n_pretrain=n_pretrain)
    with pytest.raises(ValueError, match=r"All the \d+ fits failed(.|\n)*k must be at least 1, got 0"):
        search.fit(*load_iris(return_X_y=True))


def test_scoring_that_fails():
    def scoring(estimator, X, y):
        if estimator.n_pretrain:
            raise RuntimeError("no score")
        return 0.5

    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 5], scoring=scoring, target="best", cv=2)
    with pytest.warns(UserWarning, match="no score"), pytest.warns(UserWarning, match="non-finite"):
        search.fit(X, y)
    assert search.threshold_ == 0
    with pytest.raises(ValueError, match="scoring must return a number"):
        search.set_params(scoring=lambda *_: "good").fit(X, y)


def test_failures_where_a_callable_gives_several_scores():
    def both(estimator, X, y):
        return {"right": estimator.score(X, y), "wrong": 1 - estimator.score(X, y)}

    X, y = load_iris(return_X_y=True)
    parameters = {"n_pretrain": [0, 5, 10], "k": [1, 2]}
    search = PretrainThresholdSearch(Fragile(), **parameters, scoring=both, refit="right", error_score=-1.0)
    grid = GridSearchCV(Fragile(), parameters, scoring=both, refit="right", error_score=-1.0)
    for fitted in (search, grid):
        with pytest.warns(FitFailedWarning):
            fitted.fit(X, y)
    same_results(search, grid)
    assert (search.cv_results_["split0_dense_test_wrong"] == -1).tolist() == [False, False, True] * 2
