"""
The criteria of a plain greedy search: two losses, and scores of any kind.

A criterion holds the sum of the picks so far, returns the loss of the mean after each possible pick, and adds a pick.
The search itself is in ``_searching``. The fast search of ``sklearn_gfs.selection`` has criteria of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer

from sklearn_gfs._compat import called_by
from sklearn_gfs._typing import Float64Array
from sklearn_gfs._weights import of_order_one
from sklearn_gfs.selection import least_probability

from . import _score_kernels as kernels


class Criterion(ABC):
    """The criterion by which the t-th pick is chosen; smaller is better."""

    @abstractmethod
    def losses(self, t: int) -> Float64Array:
        """Return, for every model, the loss of the mean of t picks if the model is the last of them."""

    def size(self, t: int, model: int) -> float:  # noqa: ARG002
        """Return the size of the terms whose difference is this model's loss, for the rounding of the difference."""
        return 0.0

    @abstractmethod
    def add(self, model: int) -> None:
        """Add a pick to the sum."""


class LossCriterion(Criterion):
    """A convex loss of the mean, with its value and its Frank-Wolfe gap."""

    @abstractmethod
    def value(self, t: int) -> float:
        """Return the loss of the mean of the t picks so far."""

    @abstractmethod
    def gap(self, t: int) -> float:
        """Return an upper bound on the loss minus the least loss of all weighted means of the models."""


class SquaredErrorCriterion(LossCriterion):
    """
    Half the mean squared distance to y, from the products of the models' residuals.

    Parameters
    ----------
    products : ndarray of shape (n_models, n_models)
        Mean product of the residuals of every two models.
    """

    def __init__(self, products: Float64Array) -> None:
        self._products = products
        self._norms = np.diagonal(products).copy()
        self._with_sum = np.zeros(len(products))
        self._norm = self._largest_norm = 0.0

    @classmethod
    def of_outputs(cls, atoms: Float64Array, y: Float64Array, weight: Float64Array) -> SquaredErrorCriterion:
        """Return the criterion for outputs of shape (n_models, n_samples, n_columns)."""
        residuals = (atoms - y) * np.sqrt(weight)[:, None]
        flat = residuals.reshape(len(atoms), -1)
        return cls(flat @ flat.T)

    def losses(self, t: int) -> Float64Array:
        return (self._norm + 2.0 * self._with_sum + self._norms) / (2.0 * t * t)

    def size(self, t: int, model: int) -> float:
        return float(self._largest_norm + self._norms[model]) / (2.0 * t * t)

    def add(self, model: int) -> None:
        self._norm += 2.0 * self._with_sum[model] + self._norms[model]
        # The rounding error of the sum is relative to its largest value so far.
        self._largest_norm = max(self._largest_norm, self._norm)
        self._with_sum += self._products[model]

    def value(self, t: int) -> float:
        return float(self._norm / (2.0 * t * t))

    def gap(self, t: int) -> float:
        return max(float(self._norm / (t * t) - self._with_sum.min() / t), 0.0)


class LogLossCriterion(LossCriterion):
    """
    The negative log-likelihood under a mean of probabilities.

    Parameters
    ----------
    own : ndarray of shape (n_models, n_samples)
        Probability that each model gives each sample's own class.
    weight : ndarray of shape (n_samples,)
        Weights that add up to one.
    """

    def __init__(self, own: Float64Array, weight: Float64Array) -> None:
        self._own = np.maximum(own, least_probability(own.dtype))
        self._weight = weight
        self._total = np.zeros(len(weight))
        self._floor = -float(np.log(self._own.max(axis=0)) @ weight)

    def losses(self, t: int) -> Float64Array:
        heights = [float(np.log(self._total + own) @ self._weight) for own in self._own]
        return np.log(t) - np.array(heights)

    def size(self, t: int, model: int) -> float:  # noqa: ARG002
        return 1.0

    def add(self, model: int) -> None:
        self._total += self._own[model]

    def value(self, t: int) -> float:
        return float(np.log(t) - np.log(self._total) @ self._weight)

    def gap(self, t: int) -> float:
        steepest = float((self._own @ (self._weight / self._total)).max())
        return max(min(t * steepest - 1.0, self.value(t) - self._floor), 0.0)


Evaluate = Callable[[Float64Array, Float64Array, int], Float64Array]


class Score(Criterion):
    """
    Minus a score of the mean.

    Parameters
    ----------
    atoms : ndarray of shape (n_models, n_samples, n_columns)
        Outputs of the models.
    evaluate : callable
        Takes the sum of the picks so far, the atoms and t; returns a score for every model.
    """

    def __init__(self, atoms: Float64Array, evaluate: Evaluate) -> None:
        self._atoms, self._evaluate = atoms, evaluate
        self._total = np.zeros(atoms.shape[1:])

    def losses(self, t: int) -> Float64Array:
        scores = self._evaluate(self._total, self._atoms, t)
        if not np.isfinite(scores).all():
            raise ValueError("scoring gives a score that is not finite for some of the models")
        return -scores

    def add(self, model: int) -> None:
        self._total += self._atoms[model]


class StoredClassifier(ClassifierMixin, BaseEstimator):
    """A stand-in for an ensemble that a scorer gets: its predictions are stored, and do not depend on X."""

    def __init__(self, classes: NDArray[Any] | None = None, probabilities: Float64Array | None = None) -> None:
        self.classes = classes
        self.probabilities = probabilities

    @property
    def classes_(self) -> NDArray[Any]:
        return np.asarray(self.classes)

    def predict_proba(self, X: Any) -> Float64Array:  # noqa: ARG002
        return np.asarray(self.probabilities)

    def predict(self, X: Any) -> NDArray[Any]:
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class StoredRegressor(RegressorMixin, BaseEstimator):
    """A stand-in like `StoredClassifier`, for continuous predictions."""

    def __init__(self, numbers: Float64Array | None = None) -> None:
        self.numbers = numbers

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> Float64Array:  # noqa: ARG002
        numbers = np.asarray(self.numbers)
        return numbers[:, 0] if numbers.shape[1] == 1 else numbers


def check_scoring(scoring: Any, *, weighted: bool) -> None:
    """Raise an error if there is no such scorer, or if samples have weights and the scorer takes none."""
    scorer = get_scorer(scoring)
    if weighted and not _takes_weights(called_by(scorer)):
        raise ValueError(
            f"scoring={scoring!r} takes no sample_weight, so that it can't score weighted samples; pass a score that "
            "does, or leave sample_weight out"
        )


def _takes_weights(function: Any) -> bool:
    """Whether a function may be called with a keyword `sample_weight`; true where its signature is not known."""
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    named = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    return any(
        one.kind is Parameter.VAR_KEYWORD or (one.name == "sample_weight" and one.kind in named) for one in parameters
    )


def evaluation(
    scoring: Any, scorer: Any, X: Any, y: Any, codes: Any, classes: NDArray[Any] | None, weight: Float64Array | None
) -> Evaluate:
    """
    Return a function that computes the scores of candidates: a compiled loop for some names, else the scorer.

    Parameters
    ----------
    scoring, scorer : str or callable, callable
        The parameter `scoring`, and its scorer.
    X, y : array-like
        Samples and their targets as the user passed them.
    codes : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Indices of the classes, or continuous targets.
    classes : ndarray of shape (n_classes,) or None
        The labels.
    weight : ndarray of shape (n_samples,) or None
        Weights of the samples.
    """
    # Sums of weights, and products of these, stay finite. A scorer gets the weights as they are.
    of_order = None if weight is None else of_order_one(weight)
    shares = np.ones(len(codes)) if of_order is None else of_order
    if classes is not None and scoring in ("accuracy", "balanced_accuracy"):
        if scoring == "balanced_accuracy":
            sizes = np.bincount(codes, weights=shares, minlength=len(classes))
            of_class = sizes[codes]
            shares = np.divide(shares, of_class, out=np.zeros(len(codes)), where=of_class > 0)
        shares = shares / shares.sum()
        return lambda total, atoms, _: _filled(kernels.add_hits, total, atoms, codes, shares)
    if classes is None and scoring == "neg_mean_absolute_error":
        shares = shares / (shares.sum() * codes.shape[1])
        return lambda total, atoms, t: -_filled(kernels.add_absolute_errors, total, atoms, float(t), codes, shares)
    if classes is not None and len(classes) == 2 and scoring == "roc_auc":
        areas = Areas(codes == 1, of_order)
        return lambda total, atoms, _: np.array([areas.of(total[:, 1] + atom[:, 1]) for atom in atoms])

    told = {} if weight is None else {"sample_weight": weight}

    def score(total: Float64Array, atom: Float64Array, t: int) -> float:
        mean = (total + atom) / t
        stored = StoredRegressor(mean) if classes is None else StoredClassifier(classes, mean)
        return float(scorer(stored, X, y, **told))

    return lambda total, atoms, t: np.array([score(total, atom, t) for atom in atoms])


def _filled(kernel: Any, total: Float64Array, atoms: Float64Array, *rest: Any) -> Float64Array:
    out = np.zeros(len(atoms))
    kernel(total, atoms, *rest, out)
    return out


class Areas:
    """
    The areas under the ROC curve of candidates for two classes.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Whether a sample is of the second class.
    weight : ndarray of shape (n_samples,) or None
        Weights of the samples, the largest of order one.
    """

    def __init__(self, y: NDArray[np.bool_], weight: Float64Array | None) -> None:
        self._parts = [np.flatnonzero(~y), np.flatnonzero(y)]
        self._weights = [None if weight is None else weight[part] for part in self._parts]
        self._ones = [np.ones(len(part)) for part in self._parts]
        sums = [
            ones.sum() if some is None else some.sum() for some, ones in zip(self._weights, self._ones, strict=True)
        ]
        self._pairs = float(sums[0] * sums[1])

    def of(self, score: Float64Array) -> float:
        """Return the share of pairs of a sample of each class in which the second class has the larger score."""
        ordered: list[Float64Array] = []
        for part, weight, ones in zip(self._parts, self._weights, self._ones, strict=True):
            if weight is None:
                ordered += [np.sort(score[part]), ones]
            else:
                order = np.argsort(score[part])
                ordered += [score[part][order], weight[order]]
        return float(kernels.pairs_in_order(*ordered) / self._pairs) if self._pairs > 0 else np.nan
