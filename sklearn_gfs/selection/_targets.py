"""
What y is to the selector: numbers, or the labels of classes, which become indicators.

Labels that stand for columns of the atoms, as the function takes them, are in ``_labels``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.preprocessing import label_binarize
from sklearn.utils.multiclass import check_classification_targets

from sklearn_gfs._compat import type_of_target
from sklearn_gfs._plain import labels_of
from sklearn_gfs._target_kind import holds_numbers
from sklearn_gfs._typing import Float64Array


def _look_like_labels(y: Any) -> bool:
    return type_of_target(y) in ("binary", "multiclass") and not holds_numbers(y)


# Whether y holds labels, by the names of the types of targets.
_HOLDS_LABELS: dict[str, Callable[[Any], bool]] = {
    "auto": _look_like_labels,
    "continuous": lambda _: False,
    "multiclass": lambda _: True,
}


def check_target_type(target_type: Any) -> Callable[[Any], bool]:
    """Return what says whether y holds labels, or raise an error that names what is allowed."""
    found = _HOLDS_LABELS.get(target_type) if isinstance(target_type, str) else None
    if found is None:
        raise ValueError(f"target_type={target_type!r} is not known; it must be 'auto', 'continuous' or 'multiclass'")
    return found


def classes_of(y: NDArray[Any], classes: Any) -> NDArray[Any]:
    """Return the labels: those that are named, or those of y."""
    check_classification_targets(y)
    return np.unique(y) if classes is None else labels_of(classes)


def target_of(y: Any, classes: NDArray[Any] | None, *, averaged: bool) -> Float64Array:
    """Return labels, or continuous targets as (n_samples, n_targets); means of columns can be of one target."""
    y = y.toarray() if sparse.issparse(y) else y
    target = numbers_of(y) if classes is None else indicators_of(y, classes)
    if averaged and target.shape[1] > 1:
        raise ValueError(
            f"y holds {target.shape[1]} {'targets' if classes is None else 'classes'}; hull='convex' approximates one "
            "target, or two classes, by a mean of columns. Take hull='l1', or greedy_forward_selection, whose atoms "
            "may have several outputs."
        )
    return target


def numbers_of(y: NDArray[Any]) -> Float64Array:
    """Return continuous targets as (n_samples, n_targets)."""
    if y.dtype.kind not in "biuf" and any(isinstance(value, str | bytes) for value in y.flat):
        raise ValueError(f"y of shape {y.shape} holds strings; it must hold numbers, or one label a sample")
    return y.reshape(len(y), -1).astype(np.float64)


def indicators_of(y: NDArray[Any], classes: NDArray[Any]) -> Float64Array:
    """Return labels as indicators, one for each class; two classes need one."""
    if y.ndim == 2 and y.shape[1] > 1:
        raise ValueError(f"y has shape {y.shape}; with target_type='multiclass' it must hold one label a sample")
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(
            f"y holds labels {unknown.tolist()} that are not among the classes {classes.tolist()}; the first "
            "call to partial_fit must have them all, in y or in classes. If y holds numbers, set "
            "target_type='continuous'."
        )
    if len(classes) == 1:
        raise ValueError(f"y holds one class, {classes.tolist()[0]!r}; at least two are needed")
    return label_binarize(y, classes=classes).astype(np.float64)
