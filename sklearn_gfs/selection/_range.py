"""Whether values are of a size whose squares, and their products, the selection can compare; nothing here computes."""

from __future__ import annotations

import math

import numpy as np

from ._gram import Moments
from ._protocol import Source

# Least and largest mean square, by the precision of the products: within a sum of products no term overflows, and none
# that counts loses digits. In float64 that holds for the squares of the products as well.
_RANGE = {np.dtype(np.float32): (1e-30, 1e28), np.dtype(np.float64): (1e-150, 1e150)}
# Largest value whose square is in this range.
LARGEST_VALUE = math.sqrt(_RANGE[np.dtype(np.float64)][1])


def find_fault(source: Source, moments: Moments, *, signed: bool) -> str | None:
    """
    Say what can't be compared in the precision of the source, if anything.

    Among atoms of ordinary size one that vanishes is as good as zero, unless it may be taken many times over, on the l1
    ball, or y vanishes too. In float32, where better products are at hand, no atom may vanish.
    """
    low, high = _RANGE[source.dtype]
    largest = moments.norms.max()
    if not moments.target_norm <= high:
        return "y (less the offset) holds values too large for their squares; scale y and the atoms down"
    if not (largest <= high and np.isfinite(moments.c).all()):
        return "atoms (or output_weights) contain NaN, infinity or values too large for their squares"
    strict = signed or source.dtype == np.float32
    if strict and moments.target_norm < low and source.has_target():
        return "y (less the offset) holds values so small that their squares vanish; scale y and the atoms up"
    small = np.flatnonzero(moments.norms < low)
    if len(small) and (strict or moments.target_norm < low or largest < low):
        vanishing = small[source.nonzero(small)]
        if len(vanishing):
            return (
                "atoms (or output_weights) hold values so small that their squares vanish, those of atom "
                f"{vanishing[0]} among them; scale the atoms and y up, or set such values to zero"
            )
    return None


def check_radius(radius: float, moments: Moments) -> None:
    """Refuse a radius with which the atoms are too large for their squares."""
    if not radius * np.sqrt(moments.norms.max()) <= LARGEST_VALUE:
        raise ValueError(f"radius={radius!r} makes the atoms too large for their squares; it must be less")
