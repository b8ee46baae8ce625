"""What counts as a variance by rounding: the limit below which an atom is constant, by the precision of its values."""

from __future__ import annotations

from typing import Any

import numpy as np

# Variance of a constant atom by rounding, as a share of its mean square. Values that a network computes have errors of
# many times the rounding of their precision. In float32 a few units are all that its digits allow.
_ROUNDING = {np.dtype(np.float32): 1e-13, np.dtype(np.float64): (100 * np.finfo(np.float64).eps) ** 2}
# That of float64: of the least inexact values.
LEAST_ROUNDING = _ROUNDING[np.dtype(np.float64)]


def rounding_of(atoms: Any) -> float:
    """Return the variance of a constant atom, as a share of its mean square, given an array of the atoms."""
    return _ROUNDING.get(np.dtype(str(atoms.dtype).removeprefix("torch.")), LEAST_ROUNDING)
