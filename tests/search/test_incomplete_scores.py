"""Points and runs without a score, paths that lack points, and parts without samples: each is told of by its name."""

import numpy as np
import pytest
from path_double import PathClassifier
from sklearn.datasets import load_iris

from sklearn_gfs import PretrainThresholdSearch, pretrain_threshold_curve

X, y = load_iris(return_X_y=True)
GRID = {"n_pretrain": [0, 5, 20], "k": [2, 3]}


class StopsEarly(PathClassifier):
    """Has no network after the first number of iterations."""

    def fit_path(self, X, y, *, n_pretrain, k=None, sample_weight=None):
        yield from (point for point in super().fit_path(X, y, n_pretrain=n_pretrain, k=k) if point.n_pretrain == 0)


class NeverDense(PathClassifier):
    """Yields subnetworks only."""

    def fit_path(self, X, y, *, n_pretrain, k=None, sample_weight=None):
        yield from (point for point in super().fit_path(X, y, n_pretrain=n_pretrain, k=k) if point.k is not None)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_best_score_is_told_where_others_are_missing():
    def scoring(estimator, X, y):
        if estimator.n_pretrain == 0:
            raise RuntimeError("no score")
        return 0.25

    search = PretrainThresholdSearch(PathClassifier(), **GRID, cv=3, target=2.0, scoring=scoring, refit=False)
    with pytest.warns(UserWarning, match=r"the best mean score on the test parts is 0\.25, the target 2"):
        search.fit(X, y)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_target_without_a_score_is_said_to_be_the_reason():
    def scoring(estimator, X, y):
        return np.nan if estimator.n_pretrain == 20 else 0.25

    search = PretrainThresholdSearch(PathClassifier(), **GRID, cv=3, scoring=scoring, refit=False)
    with pytest.warns(
        UserWarning, match=r"target, which has no score: that of the dense network after n_pretrain=20 on"
    ):
        search.fit(X, y)


@pytest.mark.parametrize(
    ("estimator", "point"),
    [(StopsEarly(), "n_pretrain=5, the dense network"), (NeverDense(), "n_pretrain=0, the dense")],
)
def test_a_path_that_lacks_a_point_is_named(estimator, point):
    message = f"fit_path of {type(estimator).__name__} yielded no point for {point}"
    with pytest.raises(ValueError, match=message):
        PretrainThresholdSearch(estimator, **GRID, cv=3).fit(X, y)
    with pytest.raises(ValueError, match=message):
        pretrain_threshold_curve(estimator, X, y, **GRID, train_sizes=[50, 100], n_repeats=1)


def test_a_fit_that_fails_on_its_way_is_still_a_failed_fit():
    class Fails(PathClassifier):
        def fit_path(self, X, y, *, n_pretrain, k=None, sample_weight=None):
            yield next(super().fit_path(X, y, n_pretrain=n_pretrain, k=k))
            raise RuntimeError("failed")

    with pytest.raises(ValueError, match="All the 18 fits failed"):
        PretrainThresholdSearch(Fails(), **GRID, cv=3).fit(X, y)


def test_a_test_part_leaves_samples_to_train_on():
    for sizes in ([1], [1.0]):
        with pytest.raises(ValueError, match=r"test_size=0\.99 leaves none of the 20 samples for training"):
            pretrain_threshold_curve(
                PathClassifier(), X[45:65], y[45:65], **GRID, train_sizes=sizes, score_on="test", test_size=0.99
            )


def test_a_run_without_scores_is_left_out_and_told_of():
    def scoring(estimator, X, y):
        return np.nan if len(X) < 60 else estimator.score(X, y)

    with pytest.warns(UserWarning, match="1 of 3 runs have no score; the fits leave them out") as told:
        curve = pretrain_threshold_curve(
            PathClassifier(), X, y, **GRID, train_sizes=[50, 75, 100], n_repeats=1, target="best", scoring=scoring
        )
    assert len(told) == 1
    np.testing.assert_array_equal(curve.last_n_pretrain, [[np.nan], [20], [20]])
    assert (curve.log_fit.n_thresholds, curve.log_fit.n_censored) == (2, 0)
