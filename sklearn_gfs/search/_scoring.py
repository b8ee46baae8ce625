"""
The scores of one fold: fitted estimators in, floats out.

A scorer validates the labels and the inputs anew for each of dozens of estimators. If the score is the accuracy, both
are validated once here. The scorer itself gives the first score; the others are counts of correct predictions.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from copy import copy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from sklearn_gfs._compat import (
    PassthroughScorer,
    Scorer,
    score_estimator,
    scorers_by_name,
    scores_predictions,
    type_of_target,
)
from sklearn_gfs._fit_path import prediction_on


class Part(NamedTuple):
    """Samples on which estimators are scored, and metadata for the scorer."""

    X: Any
    y: Any
    params: Mapping[str, Any]


class _Failed(float):
    """The score of a point that could not be scored; the type distinguishes it from a real score of the same value."""


class Scoring:
    """
    Scores fitted estimators on the parts of one fold.

    Parameters
    ----------
    scorer : callable
        A scorer as scikit-learn's searches use it.
    error_score : "raise" or float
        Score of a point that can't be scored.
    test : Part
    train : Part or None
    """

    def __init__(self, scorer: Any, error_score: Any, test: Part, train: Part | None) -> None:
        self._scorer, self._error_score = scorer, error_score
        self._parts = {"test_scores": test} | ({} if train is None else {"train_scores": train})
        # For each part the scorer, or a faster stand-in.
        self._called = {name: _counting(scorer, part) for name, part in self._parts.items()}

    def __call__(self, estimator: Any) -> dict[str, Any]:
        """Return the scores of an estimator, the seconds for the test part's scores, and whether any score failed."""
        start = time.perf_counter()
        found = {"test_scores": self._on(estimator, "test_scores")}
        score_time = time.perf_counter() - start
        if "train_scores" in self._parts:
            found["train_scores"] = self._on(estimator, "train_scores")
        each = [
            score for scores in found.values() for score in (scores.values() if isinstance(scores, dict) else [scores])
        ]
        plain = {
            part: {name: float(score) for name, score in scores.items()} if isinstance(scores, dict) else float(scores)
            for part, scores in found.items()
        }
        return plain | {"score_time": score_time, "failed": any(isinstance(score, _Failed) for score in each)}

    def _on(self, estimator: Any, name: str) -> Any:
        error_score = self._error_score if self._error_score == "raise" else _Failed(self._error_score)
        X, y, params = self._parts[name]
        return score_estimator(estimator, X, y, self._called[name], params, error_score)

    def failure(self) -> dict[str, Any]:
        """Return the scores of a point that could not be fitted."""
        scorers = scorers_by_name(self._scorer)
        score = self._error_score if scorers is None else dict.fromkeys(scorers, self._error_score)
        return {name: copy(score) for name in self._parts} | {"score_time": 0.0, "failed": True}


def _counting(scorer: Any, part: Part) -> Any:
    """Return a counting stand-in if the scorer may return the accuracy on this part, else the scorer."""
    may_count = isinstance(scorer, PassthroughScorer | Scorer) and part.y is not None and not part.params
    return _Counting(scorer) if may_count else scorer


class _Counting:
    """
    A stand-in for a scorer: for estimators whose score is the accuracy it counts correct predictions.

    All estimators were fitted to the same samples, so that inputs may be validated for all of them at once.
    """

    def __init__(self, scorer: Any) -> None:
        self._scorer = scorer
        self._kind: Any = None  # type of the estimators, known after the first score
        self._labels: Any = None
        self._prediction: Any = None

    def __call__(self, estimator: Any, X: Any, y: Any) -> Any:
        if type(estimator) is self._kind:
            predicted, labels = self._prediction(estimator), self._labels
            if getattr(predicted, "shape", None) == labels.shape and predicted.dtype.kind == labels.dtype.kind:
                return float(np.mean(predicted == labels))
        score, labels = self._scorer(estimator, X, y), np.asarray(y)
        if _is_accuracy(self._scorer, estimator) and labels.ndim == 1 and _are_labels(labels):
            self._kind, self._labels = type(estimator), labels
            self._prediction = prediction_on(estimator, X)
        return score


def _are_labels(y: NDArray[Any]) -> bool:
    """Whether the accuracy treats y as labels of classes, and equal labels as one class."""
    return y.dtype.kind in "biuUO" and type_of_target(y) in {"binary", "multiclass"}


def _is_accuracy(scorer: Any, estimator: Any) -> bool:
    """Whether the scorer returns the share of labels that this estimator predicts correctly."""
    if isinstance(scorer, PassthroughScorer):  # the estimator's own score
        return getattr(type(estimator), "score", None) is ClassifierMixin.score
    return scores_predictions(scorer, accuracy_score)
