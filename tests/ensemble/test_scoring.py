"""Scores that ensembles select by: what is refused before any model is fitted."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import make_scorer, max_error, r2_score
from sklearn.model_selection import KFold

from sklearn_gfs import GreedyEnsembleRegressor

X, Y = load_diabetes(return_X_y=True)
WEIGHT = np.random.default_rng(0).uniform(0.5, 2.0, len(Y))


class Counting(Ridge):
    """A model that counts its fits."""

    n_fits = 0

    def fit(self, X, y, sample_weight=None):
        Counting.n_fits += 1
        return super().fit(X, y, sample_weight)


def fitted(scoring, weight=WEIGHT, **settings):
    Counting.n_fits = 0
    models = [("ridge", Counting()), ("line", LinearRegression())]
    return GreedyEnsembleRegressor(models, 3, scoring=scoring, **settings).fit(X, Y, weight)


def without(estimator, X, y):
    return -np.abs(estimator.predict(X) - y).max()


WITHOUT = {
    "name": "neg_max_error",
    "function": without,
    "lambda": lambda estimator, X, y: -np.abs(estimator.predict(X) - y).max(),
    "made": make_scorer(max_error, greater_is_better=False),
    "positional": lambda estimator, X, y, sample_weight, /: without(estimator, X, y),
}


@pytest.mark.parametrize("scoring", WITHOUT.values(), ids=WITHOUT)
def test_weights_need_a_score_that_takes_them(scoring):
    with pytest.raises(ValueError, match=r"scoring=.* takes no sample_weight.*leave"):
        fitted(scoring)
    assert Counting.n_fits == 0
    if scoring is not WITHOUT["positional"]:
        assert len(fitted(scoring, None).selection_scores_) == 3
    models = [("ridge", Ridge().fit(X, Y))]
    with pytest.raises(ValueError, match=r"takes no sample_weight"):
        GreedyEnsembleRegressor(models, scoring=scoring, cv="prefit").fit(X, Y, WEIGHT)


def counted(estimator, X, y, sample_weight=None):
    return r2_score(y, estimator.predict(X), sample_weight=sample_weight)


class Callable:
    def __call__(self, estimator, X, y, **kwargs):
        return counted(estimator, X, y, **kwargs)


TAKING = {
    "name": "r2",
    "loop": "neg_mean_absolute_error",
    "function": counted,
    "partial": functools.partial(counted),
    "object": Callable(),
    "made": make_scorer(r2_score),
    "made of others": make_scorer(lambda y, found, **kwargs: 1.0 + r2_score(y, found, **kwargs)),
}


@pytest.mark.parametrize("scoring", TAKING.values(), ids=TAKING)
def test_scores_that_take_weights_get_them(scoring):
    found, unweighted = fitted(scoring, cv=KFold(3)), fitted(scoring, None, cv=KFold(3))
    assert found.selection_scores_[0] != unweighted.selection_scores_[0]
    assert Counting.n_fits > 0


def test_an_unknown_score_is_refused_before_models_are_fitted():
    for weight in (None, WEIGHT):
        with pytest.raises(ValueError, match="scoring"):
            fitted("neg_maximum_error", weight)
        assert Counting.n_fits == 0
