"""
Targets of the estimators: labels or continuous targets to arrays for training, network outputs to predictions.

Each function takes the estimator whose fitted attributes it reads or sets; parameters and training are elsewhere.
"""

from __future__ import annotations

import reprlib
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, column_or_1d, validate_data

from sklearn_gfs._compat import count_samples, type_of_target
from sklearn_gfs._plain import check_listed, check_one_kind, check_plain, labels_of, plain_array
from sklearn_gfs._target_kind import dense_column
from sklearn_gfs._typing import FloatArray
from sklearn_gfs._weights import relative_weight
from sklearn_gfs.network import LOSSES

from ._class_weight import ClassFactors
from ._links import LINKS, inside


class Encoded(NamedTuple):
    """The training data of a fit, validated and as arrays."""

    X: Any
    targets: FloatArray  # of shape (n_samples, n_outputs)
    holds_numbers: bool  # whether the targets are continuous


def _validate(estimator: Any, X: Any, y: Any, *, again: bool, y_numeric: bool = False) -> tuple[Any, Any]:
    """Return validated X and y of a fit; with `again` X must have the features of the earlier fit."""
    check_plain(X=X, y=y)
    check_one_kind(y=y)
    checked: tuple[Any, Any] = validate_data(
        estimator,
        X,
        y,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        multi_output=True,
        y_numeric=y_numeric,
        reset=not again,
    )
    return checked


def encode_classes(
    estimator: Any, X: Any, y: Any, *, classes: Any = None, partial: bool = False, again: bool = False
) -> Encoded:
    """
    Validate X and labels; return X and one-hot targets.

    With `again` the classes are those of the earlier fit, unless `may_name_others` allows others. Only with `partial`
    may y lack some classes.
    """
    X, y = _validate(estimator, X, dense_column(y), again=again)
    check_classification_targets(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if not again or may_name_others(estimator, classes):
        estimator._label_binarizer = _fit_binarizer(y, classes, partial=partial)
        estimator.classes_ = estimator._label_binarizer.classes_
    if has_several_labels(estimator):
        _check_names(classes, len(estimator.classes_))
    elif classes is not None and not np.array_equal(labels_of(classes), estimator.classes_):
        raise ValueError(
            f"classes={classes!r} is not what the dense network was trained on, {_shown(estimator.classes_)}. Pass "
            "these classes or none, or clone the estimator to begin with others."
        )
    targets = _encode_labels(estimator, y, "y", "y holds classes that are not in classes_")
    if again and not partial:
        _check_that_no_class_lacks(estimator, y)
    return Encoded(X, targets, holds_numbers=False)


def may_name_others(estimator: Any, classes: Any) -> bool:
    """Whether `classes` are named and may differ from those of an earlier fit, which has kept no dense network."""
    return classes is not None and not hasattr(estimator, "_dense_state")


def _shown(labels: np.ndarray) -> str:
    """Return labels as text for a message, abbreviated if there are many."""
    return reprlib.repr(labels.tolist())


def _check_that_no_class_lacks(estimator: Any, y: Any) -> None:
    if not has_several_labels(estimator) and (lacking := set(estimator.classes_.tolist()) - set(_distinct(y))):
        raise ValueError(
            f"y lacks the classes {sorted(lacking)} of the fit before. With warm_start=True y must hold all of them. "
            "Use partial_fit for parts that lack classes, or warm_start=False for a new fit."
        )


def _check_names(classes: Any, n_labels: int) -> None:
    """Raise an error if the number of names of multilabel columns is not `n_labels`. The names have no effect."""
    if classes is None:
        return
    check_listed(classes)
    if len(classes) != n_labels:
        raise ValueError(f"classes names {len(classes)} labels and y has {n_labels} columns; they must be as many.")


def _fit_binarizer(y: Any, classes: Any, *, partial: bool) -> LabelBinarizer:
    """Return a binarizer fitted to `classes` if y may lack some, else to y; multilabel y has a column per class."""
    name = "y"
    if partial and not type_of_target(y).startswith("multilabel"):
        if classes is None:
            raise ValueError(
                "classes must be passed on the first call to partial_fit: all labels that y may ever hold."
            )
        name, y = "classes", labels_of(classes)
        if not len(y):
            raise ValueError("classes is empty; a classifier needs at least two classes.")
    binarizer = LabelBinarizer().fit(y)
    if len(binarizer.classes_) < 2:
        raise ValueError(
            f"{name} holds one class, {binarizer.classes_.tolist()[0]!r}; a classifier needs at least two classes."
        )
    return binarizer


def _encode_labels(estimator: Any, y: Any, name: str, if_unknown: str) -> Any:
    """
    Return boolean targets with a column for each class; for two classes only the column of the second.

    Labels of another kind than the estimator's, and unknown classes, raise an error.
    """
    binarizer = estimator._label_binarizer
    several = has_several_labels(estimator)
    y = y.tocsr() if several and sparse.issparse(y) else plain_array(dense_column(y))
    if y.dtype.kind == "f":
        assert_all_finite(y, input_name=name)
    if several:
        shaped = y.ndim == 2 and y.shape[1] == len(binarizer.classes_)
        if not shaped or y.dtype.kind not in "biuf" or not set(_distinct(y)) <= {0, 1}:
            raise ValueError(
                f"{name} must hold a column of 0 and 1 for each of {len(binarizer.classes_)} labels, as multilabel "
                "targets do."
            )
        return (y.toarray() if sparse.issparse(y) else y) != 0
    if y.ndim == 2 and y.shape[1] > 1:
        raise ValueError(f"{name} has {y.shape[1]} columns, but the labels of this fit are one column.")
    y = column_or_1d(y)
    unknown = set(_distinct(y)) - set(binarizer.classes_.tolist())
    if unknown:
        shown = _shown(binarizer.classes_)
        raise ValueError(f"{if_unknown}: {sorted(unknown, key=str)}. classes_ holds {shown}.")
    codes = np.searchsorted(binarizer.classes_, y)[:, None]
    return codes == np.arange(1 if len(binarizer.classes_) == 2 else 0, len(binarizer.classes_))


def _distinct(y: Any) -> list[Any]:
    """Return the distinct values; values of different types, which can't be sorted, may be repeated."""
    if sparse.issparse(y):
        return [0, *np.unique(y.data).tolist()]
    values: list[Any] = y.ravel().tolist() if y.dtype == object else np.unique(y).tolist()
    return values


def encode_numbers(estimator: Any, X: Any, y: Any, *, again: bool = False) -> tuple[Any, FloatArray]:
    """
    Validate X and continuous targets; return X and targets of shape (n_samples, n_outputs).

    With `again` the number of outputs must be that of the earlier fit.
    """
    _check_that_numbers(y, "y")
    X, y = _validate(estimator, X, y, again=again, y_numeric=True)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    # For arrays of Python objects only check_array finds missing values.
    targets = check_array(y.reshape(len(y), -1), dtype=np.float64, input_name="y")
    if again:
        if targets.shape[1] != estimator.n_outputs_:
            raise ValueError(f"y has {targets.shape[1]} outputs, but the network has {estimator.n_outputs_}.")
    else:
        _refuse_tiny(targets)
        vars(estimator).pop("classes_", None)  # of an earlier fit on classes
        estimator._one_column = y.ndim == 1
    return X, targets


def _check_that_numbers(y: Any, name: str) -> None:
    """
    Raise an error for continuous targets that are sparse, or text, dates or durations.

    As floats dates and durations depend on a unit, and a missing one is a huge value.
    """
    if sparse.issparse(y):
        raise TypeError(f"{name} is sparse; numbers to be fitted must be dense, as {name}.toarray() is.")
    first = np.ravel(np.asarray(y))[:1].tolist()
    if first and isinstance(first[0], str):
        raise ValueError(
            f"{name} holds text, for instance {first[0]!r}; a regressor needs numbers, a classifier takes labels."
        )
    dtype = np.asarray(y).dtype
    if dtype.kind in "mM":
        raise ValueError(
            f"{name} holds dates or times (dtype {dtype}); a regressor needs numbers. Convert them, for instance to "
            "days since the first."
        )


def _refuse_tiny(targets: FloatArray) -> None:
    """Raise an error for targets whose variation is so small that their variance underflows."""
    limits = np.finfo(np.float64)
    with np.errstate(over="ignore"):  # values that are too large are refused where variances are computed
        spread = np.ptp(targets, axis=0)
    rounding = len(targets) * limits.eps * np.abs(targets).max(axis=0)
    if ((spread > rounding) & (spread < np.sqrt(limits.tiny))).any():
        raise ValueError("y holds values so small that a variance underflows; scale y up.")


def validate_weights(sample_weight: Any, X: Any, name: str = "sample_weight") -> FloatArray | None:
    """Return validated sample weights, all multiplied by a common factor, which has no effect on a fit."""
    return relative_weight(sample_weight, count_samples(X), name)


def encode_validation(
    estimator: Any,
    X_val: Any,
    y_val: Any,
    sample_weight_val: Any,
    *,
    dtype: Any,
    n_outputs: int,
    factors: ClassFactors | None,
) -> tuple[Any, FloatArray, FloatArray | None] | None:
    """
    Return validated inputs, targets of `n_outputs` columns and weights of validation samples; None without any.

    The weights are multiplied by the `factors` of the classes, so that the loss is the one that is trained.
    """
    if X_val is None:
        for name, value in (("y_val", y_val), ("sample_weight_val", sample_weight_val)):
            if value is not None:
                raise ValueError(f"{name} was passed without X_val; pass X_val and y_val, or neither.")
        return None
    if y_val is None:
        raise ValueError("X_val was passed without y_val; pass both, or neither.")
    if not estimator.early_stopping:
        raise ValueError("X_val needs early_stopping=True. Set early_stopping=True, or leave X_val out.")
    check_plain(X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val)
    check_one_kind(y_val=y_val)
    X_val = _check_inputs_again(estimator, X_val, dtype)
    targets = _encode_again(estimator, y_val)
    if targets.shape[1] != n_outputs:
        raise ValueError(f"y_val has {targets.shape[1]} outputs, but y has {n_outputs}.")
    if X_val.shape[0] != len(targets):
        raise ValueError(f"X_val has {X_val.shape[0]} samples, but y_val has {len(targets)}.")
    weight = validate_weights(sample_weight_val, X_val, "sample_weight_val")
    if factors is not None:
        weight = factors.weigh(targets, weight, "validation samples")
    return X_val, targets, weight


def _check_inputs_again(estimator: Any, X: Any, dtype: Any) -> Any:
    """Return validation inputs, checked as the training inputs were; messages name X_val."""
    try:
        checked = check_array(X, accept_sparse="csr", dtype=dtype, input_name="X_val")
        if checked.shape[1] != estimator.n_features_in_:
            raise ValueError(f"X_val has {checked.shape[1]} features, but X has {estimator.n_features_in_}.")
        validate_data(estimator, X, skip_check_array=True, reset=False)  # names of the features
    except ValueError as error:
        raise ValueError(str(error) if "X_val" in str(error) else f"X_val: {error}") from error
    return checked


def _encode_again(estimator: Any, y: Any) -> FloatArray:
    """Return validation targets, encoded as the training targets were."""
    if hasattr(estimator, "classes_"):
        return _encode_labels(estimator, y, "y_val", "y_val holds classes that y does not")
    _check_that_numbers(y, "y_val")
    targets = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y_val")
    return targets.reshape(len(targets), -1)


def fitted_on_numbers(estimator: Any) -> bool:
    """Say whether the estimator has been fitted, and not on classes."""
    return hasattr(estimator, "coefs_") and not hasattr(estimator, "classes_")


def has_several_labels(estimator: Any) -> bool:
    """Say whether the estimator has been given multilabel targets."""
    return hasattr(estimator, "classes_") and estimator._label_binarizer.y_type_ == "multilabel-indicator"


def activation_name(estimator: Any) -> str:
    """Return the name of the activation of an estimator that has its data; "auto" depends on the kind of targets."""
    chosen = "relu" if hasattr(estimator, "classes_") or estimator._has_tails else "tanh"
    return chosen if estimator.activation == "auto" else str(estimator.activation)


def loss_name(estimator: Any) -> str:
    """Return the name of the loss of an estimator that has its targets; "auto" depends on the kind of targets."""
    chosen = "log_loss" if hasattr(estimator, "classes_") else "squared_error"
    return chosen if estimator.loss == "auto" else str(estimator.loss)


def out_activation(estimator: Any, n_outputs: int) -> str:
    """Return scikit-learn's name of the output activation."""
    return LOSSES[loss_name(estimator)].for_labels(several=has_several_labels(estimator)).out_activation(n_outputs)


def decode(estimator: Any, outputs: FloatArray) -> np.ndarray:
    """Return predictions from outputs: classes if the estimator was fitted on classes, else continuous values."""
    if not hasattr(estimator, "classes_"):
        return outputs.ravel() if estimator._one_column else outputs
    scores = LINKS[estimator.out_activation_].scores(outputs)
    labels: np.ndarray = estimator._label_binarizer.inverse_transform(scores)
    return labels


def probabilities(estimator: Any, outputs: FloatArray) -> FloatArray:
    """Return probabilities from outputs: of the classes, or for multilabel targets of each label."""
    link = LINKS[estimator.out_activation_]
    return inside(link.scores(outputs)) if has_several_labels(estimator) else link.of_classes(outputs)


def log_probabilities(estimator: Any, outputs: FloatArray) -> FloatArray:
    """Return the logarithms of the `probabilities` of these outputs."""
    if has_several_labels(estimator):
        return np.log(probabilities(estimator, outputs))
    return LINKS[estimator.out_activation_].log_of_classes(outputs)
