"""
What sample weights may be, and their unit, for everything that takes them.

Here belongs the one check of weights; how they enter a sum is the affair of whoever sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._plain import check_plain


def check_weight(sample_weight: Any, n_samples: int, name: str = "sample_weight") -> NDArray[np.float64] | None:
    """Return the weights of the samples as a new array; they are finite, not negative, and not all zero."""
    return None if sample_weight is None else check_values(_real_numbers(sample_weight, name), n_samples, name)


def check_values(weight: NDArray[np.float64], n_samples: int, name: str = "sample_weight") -> NDArray[np.float64]:
    """Return an array of real numbers, if these can be the weights of so many samples."""
    if weight.shape != (n_samples,):
        raise ValueError(f"{name} has shape {weight.shape}; it must be ({n_samples},), one number for each sample")
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError(f"{name} must be finite and not negative")
    if not weight.any():
        raise ValueError(f"Sample weights must contain at least one non-zero number: {name} is zero everywhere")
    return weight


def relative_weight(sample_weight: Any, n_samples: int, name: str = "sample_weight") -> NDArray[np.float64] | None:
    """Return the weights in a unit of their own, for sums over these samples alone."""
    weight = check_weight(sample_weight, n_samples, name)
    return None if weight is None else of_order_one(weight)


def _real_numbers(value: Any, name: str) -> NDArray[np.float64]:
    """Convert to float64 what is an array of real numbers; a mask, an imaginary part or a unit would be lost."""
    check_plain(**{name: value})
    if hasattr(value, "toarray"):
        raise TypeError(f"{name} is sparse; it must be dense")
    refused = f"{name} must be an array of real numbers, got "
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    if array.dtype.kind not in "biufO":
        raise TypeError(f"{refused}dtype {array.dtype}")
    if array.dtype.kind == "O" and any(isinstance(item, str | bytes) for item in array.flat):
        raise TypeError(f"{refused}strings")  # NumPy would read them
    try:
        return np.array(array, dtype=np.float64)
    except OverflowError as error:  # a Python integer that no float holds
        raise ValueError(f"{name} must be finite and not negative") from error
    except (TypeError, ValueError) as error:  # objects that are no numbers
        raise TypeError(f"{refused}{value!r}") from error


def of_order_one(weight: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Multiply by the power of two for which the largest is at least 1 and below 2; ratios stay what they are."""
    scaled: NDArray[np.float64] = np.ldexp(weight, 1 - np.frexp(weight.max())[1])
    return scaled
