"""Checks of arrays and of lists of classes, and their conversion to plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np


def check_plain(**arrays: Any) -> None:
    """
    Refuse masked values and complex numbers, of which a part would be lost, and ``np.matrix`` as scikit-learn does.

    Raises
    ------
    ValueError
        If a value is masked or complex.
    TypeError
        If an array is a ``np.matrix``.
    """
    for name, value in arrays.items():
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, np.ma.MaskedArray) and np.ma.is_masked(part):
                raise ValueError(
                    f"{name} holds masked values, and the mask would be lost. Fill them (numpy.ma.filled), or leave "
                    "these samples out"
                )
            if isinstance(part, np.matrix):
                raise TypeError(f"np.matrix is not supported: {name} is one; convert it to an array with np.asarray")
            dtype = str(getattr(part, "dtype", ""))
            if dtype.removeprefix("torch.").startswith("complex"):
                raise ValueError(f"Complex data not supported: {name} has dtype {dtype}")


def check_one_kind(**targets: Any) -> None:
    """
    Refuse targets that are objects or a list of several kinds, or of which some are missing; None is no targets.

    Sorting them, or making numbers of them, would fail with a message that names neither.

    Raises
    ------
    ValueError
        If values are of several kinds, such as numbers and text, or missing.
    """
    for name, y in targets.items():
        if isinstance(y, list | tuple):
            _check_list([value for row in y for value in _values_of(row)], name)
        if not hasattr(y, "__array__") or str(getattr(y, "dtype", "")).startswith("torch."):
            continue
        values = np.asarray(y)
        if values.dtype == object:
            _check_objects(values.ravel().tolist(), name)


def _missing_in(name: str) -> ValueError:
    each = "class must be a label" if name == "classes" else "sample must have a value"
    return ValueError(f"{name} holds missing values; each {each}")


def check_listed(classes: Any) -> None:
    """
    Refuse `classes` that are no sequence: the places of a set or of an iterator say nothing, and text is one label.

    Raises
    ------
    TypeError
        If it is neither a list nor an array.
    """
    is_listed = isinstance(classes, Sequence) and not isinstance(classes, str | bytes)
    if not (is_listed or (hasattr(classes, "__array__") and np.ndim(classes))):
        raise TypeError(f"classes must be a list or an array of labels, got {classes!r}.")


def labels_of(classes: Any) -> np.ndarray:
    """
    Return the labels that `classes` names, each once and in order.

    Raises
    ------
    TypeError
        If it is neither a list nor an array.
    ValueError
        If it holds what is no label, or labels of several kinds.
    """
    check_listed(classes)
    check_plain(classes=classes)
    check_one_kind(classes=classes)
    try:
        values = plain_array(classes)
    except ValueError:
        raise ValueError(f"classes must be one list of labels, got {classes!r}.") from None
    check_plain(classes=values)  # a list may hold complex numbers
    if values.dtype.kind in "fmM" and np.isnan(values).any():
        raise _missing_in("classes")
    if values.dtype.kind == "f":
        odd = values[np.isinf(values) | (values != np.floor(values))].tolist()
    else:
        odd = [value for value in values.flat if not isinstance(value, str)] if values.dtype.kind == "O" else []
    if odd:
        raise ValueError(f"classes holds {odd[0]!r}; a label is a whole number, text or a truth value.")
    return np.unique(values)


def plain_array(y: Any) -> np.ndarray:
    """Return y as an array, numbers stored as objects (columns of a nullable dtype, for instance) as numbers."""
    values = np.asarray(y)
    if values.dtype.kind == "O" and all(isinstance(value, Real) for value in values.flat):
        values = np.asarray(values.tolist())
    return values


def _values_of(row: Any) -> list[Any] | tuple[Any, ...]:
    """Return the values of a row of a list: one, or one for each target."""
    return row if isinstance(row, list | tuple) else (row,)


def _check_list(values: list[Any], name: str) -> None:
    if any(value is None for value in values):
        raise _missing_in(name)
    # Of some text NumPy would make text of all.
    if len({issubclass(kind, str | bytes) for kind in set(map(type, values))}) > 1:
        _check_objects(values, name)


def _check_objects(values: list[Any], name: str) -> None:
    types = set(map(type, values))
    if types != {str} and any(map(_is_missing, values)):
        raise _missing_in(name)
    kinds = set(map(_kind_of, types))
    if len(kinds) > 1:
        raise ValueError(f"{name} holds values of several kinds, {' and '.join(sorted(kinds))}; they must be of one")


def _kind_of(kind: type) -> str:
    if issubclass(kind, int | float | np.number | np.bool_):
        return "number"
    return "str" if issubclass(kind, str) else kind.__name__


def _is_missing(value: Any) -> bool:
    equal = value == value  # noqa: PLR0124 - not so for NaN and NaT, and undecided for pandas' NA
    if isinstance(equal, bool | np.bool_):
        return value is None or not equal
    return not hasattr(equal, "__len__")
