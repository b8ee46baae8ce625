"""
Weights of classes: the factors of a sample's weight that its labels give.

The factors come from the training samples, and hold for the validation samples, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.utils import compute_class_weight

from sklearn_gfs._typing import FloatArray
from sklearn_gfs._weights import of_order_one

# Exponent of two below which each product is zero in float64.
_LEAST_EXPONENT = -1100


class ClassFactors:
    """
    A factor for each class, or for both values of each label of a multilabel `y`.

    Parameters
    ----------
    class_weight : dict, list of dict or "balanced"
        The estimator's parameter.
    targets : ndarray of shape (n_samples, n_outputs)
        Indicators of the training samples' classes.
    weight : ndarray of shape (n_samples,) or None
        Weights of the training samples. "balanced" counts samples by these, so that a whole weight is the same as
        repetition.
    classes : ndarray of shape (n_classes,)
        The labels, in order.
    several : bool
        Whether the targets are multilabel.
    partial : bool
        Whether the samples are a part of all, which may lack some classes.
    """

    def __init__(
        self,
        class_weight: Any,
        targets: FloatArray,
        weight: FloatArray | None,
        *,
        classes: np.ndarray,
        several: bool,
        partial: bool,
    ) -> None:
        self._class_weight, self._several = class_weight, several
        if isinstance(class_weight, str):
            if partial:
                raise ValueError(
                    f"class_weight={class_weight!r} needs all samples at once; pass partial_fit a dict of weights."
                )
            n_values = 2 if several else len(classes)
            self._columns = [_balancing(codes, weight, n_values) for codes in self._codes(targets)]
        else:
            self._columns = self._given(classes, targets.shape[1])
        if not all((np.isfinite(column) & (column >= 0)).all() for column in self._columns):
            raise ValueError(f"class_weight={class_weight!r} must hold finite numbers that are not negative.")

    def _given(self, classes: np.ndarray, n_outputs: int) -> list[FloatArray]:
        """Return the factors that the user has given, an array for each column of labels."""
        given, is_list = self._class_weight, isinstance(self._class_weight, list)
        if not self._several:
            if is_list:
                raise ValueError(f"class_weight={given!r} is a list, which is for multilabel y; pass a dict.")
            return [_of_values(given, classes)]
        if not is_list or len(given) != n_outputs or not all(isinstance(one, dict) for one in given):
            raise ValueError(
                f"class_weight={given!r} must be 'balanced' or a list of dicts for multilabel y, one for each of "
                f"{n_outputs} columns."
            )
        return [_of_values(one, np.arange(2)) for one in given]

    def _codes(self, targets: FloatArray) -> list[Any]:
        """Return the index of each sample's value, for each column of labels."""
        if self._several or targets.shape[1] == 1:
            return [column.astype(np.intp) for column in targets.T]
        return [targets.argmax(axis=1)]

    def weigh(self, targets: FloatArray, weight: FloatArray | None, samples: str = "samples") -> FloatArray:
        """Return weights of samples multiplied by the factors; `samples` names these in the message of an error."""
        pairs = zip(self._columns, self._codes(targets), strict=True)
        factors = (column[codes] for column, codes in pairs)
        products = _products(itertools.chain(factors, () if weight is None else (weight,)))
        if not products.any():
            raise ValueError(f"The weights of all {samples} are zero; class_weight was {self._class_weight!r}.")
        return of_order_one(products)


def _products(arrays: Iterable[FloatArray]) -> FloatArray:
    """
    Return the products of these arrays, in a unit in which the largest product is near one.

    Products of many factors may leave the range of floats. So exponents are kept apart, which changes no digit.
    """
    products, exponents = np.ones(1), np.zeros(1, dtype=np.int64)
    for factors in arrays:
        digits, of_factors = np.frexp(factors)
        products, of_digits = np.frexp(products * digits)
        exponents = exponents + of_factors + of_digits
    largest = exponents.max(where=products > 0, initial=-(2**62))
    return np.ldexp(products, np.maximum(exponents - largest, _LEAST_EXPONENT))


def _of_values(class_weight: dict[Any, float], values: np.ndarray) -> FloatArray:
    return np.asarray(compute_class_weight(class_weight, classes=values, y=values), dtype=np.float64)


def _balancing(codes: Any, weight: FloatArray | None, n_values: int) -> FloatArray:
    """
    Return the inverse frequencies of the values of a column.

    scikit-learn's `compute_class_weight` does the same, but counts every sample as one.
    """
    frequencies = np.bincount(codes, weight, minlength=n_values)
    mean = frequencies.sum() / np.count_nonzero(frequencies)
    # A class of weight zero needs no factor.
    return np.divide(mean, frequencies, out=np.ones(n_values), where=frequencies > 0)
