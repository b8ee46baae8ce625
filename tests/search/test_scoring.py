"""Scores of one fold: what is counted, and when the scorer itself is asked."""

from __future__ import annotations

from functools import wraps

import numpy as np
import pytest
import sklearn.metrics
from path_double import PathClassifier, PathRegressor
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score, get_scorer, make_scorer

from sklearn_gfs import GreedyPrunedMLPClassifier, PretrainThresholdSearch
from sklearn_gfs.search._scoring import Part, Scoring

pytestmark = pytest.mark.filterwarnings("ignore:No point reached the target")

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["one", "two", "three"])


class Constant(ClassifierMixin, BaseEstimator):
    """Predicts what it is told, or fails."""

    def __init__(self, predicted=None):
        self.predicted = predicted

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        if self.predicted is None:
            raise RuntimeError("nothing to predict")
        return np.resize(self.predicted, len(X))


class OwnScore(Constant):
    def score(self, X, y, sample_weight=None):
        return 0.25


@pytest.fixture
def asked(monkeypatch):
    """Record how often scikit-learn computes an accuracy."""
    calls = []

    def record(*args, **kwargs):
        calls.append(args)
        return accuracy_score(*args, **kwargs)

    monkeypatch.setattr(sklearn.metrics, "accuracy_score", record)
    return calls


def scores_of(estimators, y, scorer=None, error_score="raise", **params):
    scorer = sklearn.metrics.check_scoring(estimators[0], scorer)
    score = Scoring(scorer, error_score, Part(X, y, params), Part(X[::3], y[::3], params))
    found = [score(estimator) for estimator in estimators]
    return [one["test_scores"] for one in found], [one["train_scores"] for one in found], found


@pytest.mark.parametrize(
    "y",
    [Y, Y == 1, NAMES[Y], NAMES[Y].astype(object), Y.astype(np.uint8), Y.tolist()],
    ids=["int", "bool", "str", "object", "uint8", "list"],
)
@pytest.mark.parametrize("scorer", [None, "accuracy"])
def test_the_accuracy_is_counted_after_the_first_score(y, scorer, asked):
    estimators = [Constant(np.unique(y)[[i]]).fit(X, y) for i in range(len(np.unique(y)))]
    test, train, _ = scores_of(estimators, np.asarray(y) if isinstance(y, list) else y, scorer)
    assert test == [accuracy_score(y, estimator.predict(X)) for estimator in estimators]
    assert train == [accuracy_score(y[::3], estimator.predict(X[::3])) for estimator in estimators]
    assert all(type(score) is float for score in test)
    if scorer is None:
        assert len(asked) == 2  # once for each part


@pytest.mark.parametrize(
    ("y", "predicted"),
    [(Y.astype(float), 1.0), (Y, np.array([1.0])), (NAMES[Y], np.array(["two"], dtype=object))],
    ids=["fractions would be refused", "another type", "objects"],
)
def test_what_may_be_no_label_is_scored_by_the_scorer(y, predicted, asked):
    estimators = [Constant(predicted).fit(X, y) for _ in range(3)]
    test, _, _ = scores_of(estimators, y)
    assert test == [accuracy_score(y, estimators[0].predict(X))] * 3
    assert len(asked) == 6


def test_other_scorers_are_asked_every_time(asked):
    estimators = [Constant(label).fit(X, Y) for label in range(3)]
    balanced = get_scorer("balanced_accuracy")
    assert scores_of(estimators, Y, "balanced_accuracy")[0] == [balanced(one, X, Y) for one in estimators]
    assert scores_of([OwnScore(label).fit(X, Y) for label in range(3)], Y)[0] == [0.25] * 3
    for options, expected in (({"greater_is_better": False}, -1 / 3), ({"normalize": False}, 50)):
        assert scores_of(estimators, Y, make_scorer(accuracy_score, **options))[0] == pytest.approx([expected] * 3)
    weight = np.arange(150)
    expected = [accuracy_score(Y, one.predict(X), sample_weight=weight) for one in estimators]
    scorer = sklearn.metrics.check_scoring(estimators[0], None)
    score = Scoring(scorer, "raise", Part(X, Y, {"sample_weight": weight}), None)
    assert [score(one)["test_scores"] for one in estimators] == expected


def test_estimators_of_another_kind_are_asked_anew():
    several = [Constant(0).fit(X, Y), OwnScore(1).fit(X, Y), Constant(1).fit(X, Y)]
    assert scores_of(several, Y)[0] == pytest.approx([1 / 3, 0.25, 1 / 3])


def test_predictions_that_fail_get_the_error_score():
    several = [Constant(0).fit(X, Y), Constant().fit(X, Y), Constant(1).fit(X, Y)]
    with pytest.raises(RuntimeError, match="nothing to predict"):
        scores_of(several, Y)
    with pytest.warns(UserWarning, match="Scoring failed"):
        test, _, found = scores_of(several, Y, error_score=np.nan)
    assert [one["failed"] for one in found] == [False, True, False]
    np.testing.assert_allclose(test, [1 / 3, np.nan, 1 / 3])


def test_numbers_are_scored_by_the_scorer():
    search = PretrainThresholdSearch(PathRegressor(), n_pretrain=[0, 5], cv=3).fit(X, Y.astype(float))
    assert np.isfinite(search.scores_).all()


class Reversing:
    def predict(self, X):
        return super().predict(X)[::-1]


class Reversed(GreedyPrunedMLPClassifier):
    def predict(self, X):
        return super().predict(X)[::-1]


class Wrapped(GreedyPrunedMLPClassifier):
    @wraps(GreedyPrunedMLPClassifier.predict)
    def predict(self, X):
        return super().predict(X)[::-1]


class Mixed(Reversing, GreedyPrunedMLPClassifier):
    pass


class Renamed(GreedyPrunedMLPClassifier):
    pass


@pytest.mark.parametrize("kind", [GreedyPrunedMLPClassifier, Renamed, Reversed, Wrapped, Mixed])
def test_inputs_are_checked_once_a_part(kind, monkeypatch):
    checked, inputs = [], GreedyPrunedMLPClassifier._inputs
    model = kind(n_hidden=30, n_retrain=0, random_state=0)
    points = [point.estimator for point in model.fit_path(X, Y, n_pretrain=[0, 30], k=[2, 5])]
    expected = [accuracy_score(Y, estimator.predict(X)) for estimator in points]
    assert len(set(expected)) > 2
    monkeypatch.setattr(kind, "_inputs", lambda self, X: checked.append(len(X)) or inputs(self, X))
    assert scores_of(points, Y)[0] == expected
    if kind in {Reversed, Wrapped, Mixed}:
        assert len(checked) == 12
    else:
        assert sorted(checked) == [50, 50, 150, 150]  # for the scorer, and for what is counted


def test_classifiers_of_others_are_counted_too(asked):
    search = PretrainThresholdSearch(PathClassifier(), n_pretrain=[0, 5, 9], cv=3).fit(X, Y)
    assert search.scores_.shape[-1] == 3
    assert len(asked) < 3 * 3
