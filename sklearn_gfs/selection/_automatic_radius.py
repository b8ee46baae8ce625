"""
The radius of the l1 ball that fits the data, by matching pursuit.

Here belongs the rule that finds it from inner products of any source. No tie is left to the precision of the products:
the radius scales everything that is selected afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array

from . import _greedy_kernels as kernels
from ._gram import ArrayAtoms, Moments
from ._protocol import Source

# Least gain of a step of matching pursuit, as a share of what is explained.
_LEAST_GAIN = 0.01
# Atoms whose products with the residual, over their norms, differ by less than this share of the norm of y are ties.
# Products in float32, and standardised values in float32, differ by less from exact ones.
TIE = 1e-6


def matching_pursuit(moments: Moments, column: Callable[[int], Float64Array]) -> tuple[float, NDArray[np.int64]]:
    """
    Sum of the coefficients that matching pursuit gives the atoms before its steps stop paying, and these atoms.

    It stops when a step explains less than a hundredth of what is explained so far. If y has nothing in common with the
    atoms, the sum is 0: no weights other than zeros lower the loss.
    """
    slopes, norms = moments.c.copy(), moments.norms
    coefs = np.zeros_like(slopes)
    explained, tie = 0.0, TIE * float(np.sqrt(moments.target_norm))
    while True:
        gains = np.divide((slopes**2).sum(axis=0), norms, out=np.zeros_like(norms), where=norms > 0)
        atom = kernels.choose(-np.sqrt(gains), np.any(coefs != 0, axis=0).astype(np.int64), tie)
        if gains[atom] <= _LEAST_GAIN * explained:
            break
        explained += gains[atom]
        step = slopes[:, atom] / norms[atom]
        coefs[:, atom] += step
        slopes -= np.outer(step, column(atom))
    lengths = np.sqrt((coefs**2).sum(axis=0))
    return float(lengths.sum()), np.flatnonzero(lengths)


def exact_radius(source: Source, moments: Moments, column: Callable[[int], Float64Array]) -> float:
    """Return the radius by the products of a source; after products in float32 the atoms found are pursued again."""
    radius, atoms = matching_pursuit(moments, column)
    if source.dtype == np.float64 or not len(atoms):
        return radius
    assert isinstance(source, ArrayAtoms)  # no other source of the search has products in float32
    gram, c = source.exact_moments(atoms)
    exact = Moments(c, np.diagonal(gram).copy(), moments.target_norm)
    return matching_pursuit(exact, lambda atom: gram[atom])[0]
