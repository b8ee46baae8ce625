"""
The one rule for what functions of the theory take: finite real numbers, one or several, of any type that holds such.

Every check returns float64, so that no integer overflows on the way, or says which parameter is wrong and what is
allowed.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sklearn_gfs._plain import check_plain
from sklearn_gfs._tensors import from_tensor

# Largest sum of squares for which sums of such sums stay finite.
LARGEST_SQUARE = 1e300


def number(name: str, value: Any, *, least: float = 0.0, above: bool = False, whole: bool = False) -> float:
    """Return one number, not below (or `above`) the least; an array without dimensions is a number."""
    noun = "a finite whole number" if whole else "a finite number"
    allowed = f"{noun} {'greater than' if above else 'of at least'} {least:g}"
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        got = f"an array of shape {np.shape(value)}" if np.ndim(value) else f"{value!r} of type {type(value).__name__}"
        raise TypeError(f"{name} must be {allowed}, got {got}")
    result = _float(value)
    if not math.isfinite(result) or result < least or (above and result == least) or (whole and result % 1):
        raise ValueError(f"{name} must be {allowed}, got {_shown(value)}")
    return result


def flag(name: str, value: Any) -> bool:
    """Return a bool; raise an error for text and numbers."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {_shown(value)} of type {type(value).__name__}")
    return bool(value)


def array(name: str, values: Any, *, least: float = -math.inf, whole: bool = False) -> NDArray[np.float64]:
    """Return an array of floats; raise an error if a value is below `least`."""
    noun = "whole numbers" if whole else "numbers"
    allowed = f"finite real {noun}" if least == -math.inf else f"finite {noun} of at least {least:g}"
    what = f"{name} must be {allowed}"
    check_plain(**{name: values})
    if sparse.issparse(values):
        raise TypeError(f"{what} in a plain array, got a {type(values).__name__}")
    result = np.asarray(from_tensor(name, values))
    if result.dtype.kind == "O":
        result = _from_objects(what, result)
    if result.dtype.kind not in "iufb" or (result.ndim == 0 and result.dtype.kind == "b"):
        raise TypeError(f"{what}, got {_shown(values)} of dtype {result.dtype}")
    with np.errstate(over="ignore"):  # infinity is refused below
        result = result.astype(np.float64, copy=False)
    if not np.isfinite(result).all() or (result < least).any() or (whole and (result % 1).any()):
        raise ValueError(f"{what}, got {_shown(values)}")
    return result


def squarable(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values; raise an error if sums of their squares could overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        square = float(np.einsum("i,i->", values.ravel(), values.ravel()))
    if not square < LARGEST_SQUARE:
        raise ValueError(f"{name} must not be too large for their squares, whose sum is {square:g}")
    return values


def picks(k: Any) -> NDArray[np.float64]:
    """Return one number of picks or several."""
    numbers_of_picks = array("k", k, least=1, whole=True)
    if numbers_of_picks.size == 0:
        raise ValueError(f"k must be finite whole numbers of at least 1, got {k!r}")
    return numbers_of_picks


def bound(loss: Any, term: Any, factor: Any = 1.0) -> NDArray[np.float64]:
    """Return loss + term * factor; a bound that overflows is infinite, which is still a valid bound."""
    with np.errstate(over="ignore"):
        return np.asarray(loss + term * factor)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer or a fraction beyond all floats
        return math.inf if value > 0 else -math.inf


def _from_objects(what: str, values: NDArray[Any]) -> NDArray[np.float64]:
    """Return an array of Python's numbers, or of columns of several types, as floats."""
    for value in values.flat:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(f"{what}, got {value!r} of type {type(value).__name__}")
    return np.array([_float(value) for value in values.flat]).reshape(values.shape)


def _shown(value: Any) -> str:
    """Return the value as text for a message; of a large array only its shape."""
    if np.ndim(value) and np.size(value) > 10:
        return f"an array of shape {np.shape(value)}"
    shown = repr(value)
    return shown if len(shown) <= 100 else f"{shown[:50]}..."
