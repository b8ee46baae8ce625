"""
What sample weights may be, and their unit, for everything that takes them.

Here belongs the one check of weights; how they enter a sum is the affair of whoever sums.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._plain import check_plain
from ._tensors import from_tensor
from ._typing import Float64Array, FloatArray

# Largest weight, in units, that may be a number of copies; larger weights hardly come from counting.
_MOST_COPIES = 1000
# Largest deviation of weights from multiples of a unit that counts as rounding, as a share of the largest weight.
_ROUNDING = 1e-9
# Largest number of copies of the rarest samples, if weights come from counting.
_MOST_OF_RAREST = 2


def check_weight(sample_weight: Any, n_samples: int, name: str = "sample_weight") -> Float64Array | None:
    """Return the weights of the samples as a new array; they are finite, not negative, and not all zero."""
    return None if sample_weight is None else check_values(_real_numbers(sample_weight, name), n_samples, name)


def check_values(weight: Float64Array, n_samples: int, name: str = "sample_weight") -> Float64Array:
    """Return the array of weights if they are valid for `n_samples` samples; raise an error otherwise."""
    if weight.shape != (n_samples,):
        raise ValueError(f"{name} has shape {weight.shape}; it must be ({n_samples},), one number for each sample")
    wrong = weight[~(np.isfinite(weight) & (weight >= 0))]
    if len(wrong):
        raise ValueError(f"{name} must be finite and not negative, but holds {wrong[0]:g}")
    if not weight.any():
        raise ValueError(f"Sample weights must contain at least one non-zero number: {name} is zero everywhere")
    return weight


def relative_weight(sample_weight: Any, n_samples: int, name: str = "sample_weight") -> Float64Array | None:
    """Return the weights in a unit of their own, for sums over these samples alone."""
    weight = check_weight(sample_weight, n_samples, name)
    return None if weight is None else of_order_one(weight)


def _real_numbers(value: Any, name: str) -> Float64Array:
    """Convert to float64 what is an array of real numbers; a mask, an imaginary part or a unit would be lost."""
    check_plain(**{name: value})
    if hasattr(value, "toarray"):
        raise TypeError(f"{name} is sparse; it must be dense")
    refused = f"{name} must be an array of real numbers, got "
    array = np.asarray(from_tensor(name, value))
    if array.dtype.kind not in "biufO":
        raise TypeError(f"{refused}dtype {array.dtype}")
    if array.dtype.kind == "O" and any(isinstance(item, str | bytes) for item in array.flat):
        raise TypeError(f"{refused}strings")  # NumPy would read them
    try:
        return np.array(array, dtype=np.float64)
    except OverflowError as error:  # a Python integer that no float holds
        raise ValueError(
            f"{name} must be finite and not negative, but holds an integer too large for a float"
        ) from error
    except (TypeError, ValueError) as error:  # objects that are no numbers
        raise TypeError(f"{refused}{value!r}") from error


def of_order_one(weight: NDArray[np.floating[Any]]) -> Float64Array:
    """Multiply by the power of two for which the largest is at least 1 and below 2; ratios stay what they are."""
    scaled: Float64Array = np.ldexp(weight, 1 - np.frexp(weight.max())[1])
    return scaled


def count_copies(weight: FloatArray | None, n_samples: int) -> FloatArray:
    """
    Say for how many samples each one stands; a read-only array.

    Weights that are all multiples of a unit are numbers of copies if the least is once or twice the unit. A weight of
    two is then the same as two samples. Other weights are importances: each sample stands for itself.
    """
    unit = None if weight is None else _common_unit(np.unique(weight))
    if weight is None or unit is None:
        return np.broadcast_to(1.0, n_samples)  # a single number
    return np.rint(weight / unit)


def as_counts(weight: Float64Array) -> Float64Array:
    """Return the weights in the unit in which they add up to the number of samples that they stand for."""
    weight = of_order_one(weight)
    positive = weight[weight > 0]
    counts: Float64Array = weight * (count_copies(positive, len(positive)).sum() / weight.sum())
    return counts


def _common_unit(values: FloatArray) -> float | None:
    """Return the largest number of which all values, ascending and positive, are multiples; None for one too small."""
    unit = largest = float(values[-1])
    if values[0] < largest / _MOST_COPIES:
        return None
    for value in values[:-1].tolist():
        # Euclid's algorithm. The nearest multiple is subtracted, so that rounding leaves a number close to zero.
        rest = value
        while rest > _ROUNDING * largest:
            unit, rest = rest, abs(math.remainder(unit, rest))
        if unit < (1 - _ROUNDING) * max(largest / _MOST_COPIES, values[0] / _MOST_OF_RAREST):
            return None
    return unit
