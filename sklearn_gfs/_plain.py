"""What is refused wherever an array comes in, since it would lose something on the way to an array of floats."""

from __future__ import annotations

from typing import Any

import numpy as np

_MISSING = "{} holds missing values; each sample must have a value"


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


def _values_of(row: Any) -> list[Any] | tuple[Any, ...]:
    """Return the values of a row of a list: one, or one for each target."""
    return row if isinstance(row, list | tuple) else (row,)


def _check_list(values: list[Any], name: str) -> None:
    if any(value is None for value in values):
        raise ValueError(_MISSING.format(name))
    # Of some text NumPy would make text of all.
    if len({issubclass(kind, str | bytes) for kind in set(map(type, values))}) > 1:
        _check_objects(values, name)


def _check_objects(values: list[Any], name: str) -> None:
    types = set(map(type, values))
    if types != {str} and any(map(_is_missing, values)):
        raise ValueError(_MISSING.format(name))
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
