"""
The outputs of a model, in one form for all models: a column for each class, or for each target.

Here belong the choice of a model's method, the order of columns, and probabilities for models without them.
``_fitting`` chooses the models and the samples.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from sklearn_gfs._typing import Float64Array
from sklearn_gfs.selection import LARGEST_VALUE, PROBABILITY_RANGE

from ._calibration import Calibration, fit_calibration

# Methods in the order in which "auto" looks for them.
METHODS = ("predict_proba", "decision_function", "predict")


def method_of(name: str, estimator: Any, stack_method: str) -> str:
    """Return the name of the method that gives a classifier's outputs."""
    for method in METHODS if stack_method == "auto" else (stack_method,):
        if hasattr(estimator, method):
            return method
    raise ValueError(
        f"the estimator {name!r}, {type(estimator).__name__}, does not implement the method {stack_method}"
    )


def numbers_of(estimator: Any, X: Any) -> Float64Array:
    """Return a regressor's predictions, a column for each target."""
    values = np.asarray(estimator.predict(X), dtype=np.float64)
    return values.reshape(len(values), -1)


def check_n_targets(who: str, outputs: Float64Array, n_targets: int) -> None:
    """Raise an error if a regressor's number of targets is not `n_targets`."""
    n_predicted = outputs.shape[1]
    if n_predicted != n_targets:
        plural = "" if n_predicted == 1 else "s"
        raise ValueError(f"{who} predicts {n_predicted} target{plural} and y has {n_targets}; both must be equal")


def check_finite(who: str, outputs: Float64Array) -> None:
    """Raise an error if predictions are not finite."""
    if not np.isfinite(outputs).all():
        kind = "NaN" if np.isnan(outputs).any() else "infinity"
        raise ValueError(f"{who} predicts {kind}; all predictions must be finite numbers")


def check_range(who: str, outputs: Float64Array, *, shares: bool) -> None:
    """Raise an error if the fast search can't compare predictions: no probabilities, or squares that are too large."""
    least, most = outputs.min(), outputs.max()
    low, high = PROBABILITY_RANGE
    if shares and not (least >= low and most <= high):
        wrong = least if least < low else most
        raise ValueError(f"{who} predicts probabilities such as {wrong:g}; they must be between 0 and 1")
    largest = max(-least, most)
    if not largest <= LARGEST_VALUE:
        raise ValueError(
            f"{who} predicts values up to {largest:g}, too large for their squares; leave it out, or scale y down"
        )


def votes_of(estimator: Any, method: str, X: Any, classes: NDArray[Any]) -> Float64Array:
    """
    Return a classifier's outputs: probabilities, values of a decision function, or indicators of predicted labels.

    The outputs have a column for each of the classes, or fewer if the decision function has fewer. A class that the
    estimator has not seen gets probability zero, or the least of the sample's values.
    """
    if method == "predict":
        return (np.asarray(estimator.predict(X)).reshape(-1, 1) == classes).astype(np.float64)
    values = np.asarray(getattr(estimator, method)(X), dtype=np.float64)
    seen = np.asarray(estimator.classes_)
    columns = np.searchsorted(classes, seen)
    if len(seen) > len(classes) or (classes[np.minimum(columns, len(classes) - 1)] != seen).any():
        raise ValueError(
            f"{type(estimator).__name__} has the classes {seen.tolist()}; they must be among {classes.tolist()}"
        )
    if len(seen) == len(classes):
        return values.reshape(len(values), -1)
    if values.ndim == 1:
        values = np.column_stack([-values, values]) if len(seen) == 2 else values[:, None]
    if values.shape[1] != len(seen):
        raise ValueError(
            f"{type(estimator).__name__} saw {len(seen)} of {len(classes)} classes in a fold, and its {method} has "
            f"{values.shape[1]} columns, of which none is known to belong to a class"
        )
    whole = np.zeros((len(values), len(classes)))
    if method == "decision_function":
        whole += values.min(axis=1, keepdims=True)
    whole[:, columns] = values
    return whole


class VoteLink(NamedTuple):
    """A logistic regression from outputs that are no probabilities to probabilities."""

    scale: float
    model: Any

    def __call__(self, votes: Float64Array, n_classes: int) -> Float64Array:
        whole = np.zeros((len(votes), n_classes))
        whole[:, self.model.classes_] = self.model.predict_proba(votes / self.scale)
        return whole


def fit_link(votes: Float64Array, y: NDArray[np.int64], weight: Float64Array | None) -> VoteLink:
    """
    Return the logistic regression of the classes on the votes (Platt 1999).

    Its few coefficients are fitted on votes for samples that the model has not seen.
    """
    scale = float(np.sqrt(np.average(np.square(votes), axis=0, weights=weight).max())) or 1.0
    return VoteLink(scale, LogisticRegression(max_iter=1000).fit(votes / scale, y, sample_weight=weight))


class Reading(NamedTuple):
    """A function from a model's outputs to calibrated outputs; outputs that are no probabilities become some first."""

    link: VoteLink | None = None
    calibration: Calibration | None = None

    def __call__(self, outputs: Float64Array, n_classes: int) -> Float64Array:
        """Return the calibrated outputs, with a column for each class or target."""
        values = outputs if self.link is None else self.link(outputs, n_classes)
        return values if self.calibration is None else self.calibration(values)


def fit_reading(
    outputs: Float64Array, y: NDArray[Any], weight: Float64Array | None, n_classes: int, *, vote: bool, calibrate: bool
) -> Reading:
    """Return the reading of a model, fitted to its outputs on unseen samples; `vote` means outputs of another kind."""
    reading = Reading(link=fit_link(outputs, y, weight) if vote else None)
    if calibrate:
        reading = reading._replace(calibration=fit_calibration(reading(outputs, n_classes), y, weight))
    return reading
