"""The automatic grid of a search: where it begins, where it ends, and that all folds share it."""

import numpy as np
import pytest
from path_double import OnlyFit, PathClassifier
from same_results import same_results
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from search.small import load_binary
from sklearn_gfs import PretrainThresholdSearch

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")


def test_automatic_grid_is_shared_by_all_folds():
    X, y = load_binary()
    search = PretrainThresholdSearch(PathClassifier(random_state=0), k=[3]).fit(X, y)
    budgets = search.n_pretrain_values_.tolist()
    assert budgets[:4] == [0, 16, 23, 32]
    assert budgets[-1] in {256, 512, 1024, 2048}
    assert np.isfinite(search.scores_).all()
    grid = GridSearchCV(PathClassifier(random_state=0), {"n_pretrain": budgets, "k": [3]}).fit(X, y)
    same_results(search, grid)
    listed = PretrainThresholdSearch(PathClassifier(random_state=0), n_pretrain=budgets, k=[3]).fit(X, y)
    assert listed.thresholds_ == search.thresholds_


def test_automatic_grid_doubles_its_end():
    # The dense score rises up to 700 iterations: 1024 brings 0.27 of it, 2048 no more.
    def scoring(estimator, X, y):
        return min(estimator.n_pretrain, 700) / 700

    search = PretrainThresholdSearch(PathClassifier(), scoring=scoring, cv=2, refit=False)
    assert search.fit(*load_iris(return_X_y=True)).n_pretrain_values_[-1] == 2048


def test_automatic_grid_without_a_path_leaves_zero_out():
    X, y = load_iris(return_X_y=True)
    search = PretrainThresholdSearch(OnlyFit(random_state=0), k=[1, 2], cv=2).fit(X, y)
    assert search.n_pretrain_values_[:2].tolist() == [16, 23]
    assert search.dense_scores_ is None
