"""
Inner products of standardised columns.

Here belong standardisation without a copy, block by block for large arrays and by algebra for sparse matrices, and the
shift that keeps the algebra exact for columns far from zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array, FloatArray

from ._gram import ArrayAtoms, Moments
from ._gram_layouts import SparseAtoms, less_pivots

# Ratio of a column's squared mean to its mean square above which their difference has lost digits.
_DISTANT = 0.99


def shifted(X: Any, share: Float64Array) -> tuple[Any, Float64Array]:
    """
    Return a sparse matrix in float64 whose columns are not far from zero, and what must be added to them.

    A column is far from zero, compared with its deviation, only if nearly all its values are stored. The squared mean
    is at most the stored share of the weight times the mean square. So a column minus its mean is as sparse as it was.
    """
    X = X.tocsc().astype(np.float64, copy=False)
    mean = X.T @ share
    distant = mean**2 > _DISTANT * (X.multiply(X).T @ share)
    pivot = np.where(distant, mean, 0.0)
    return less_pivots(X, pivot) if distant.any() else X, pivot


class _Standardized(ArrayAtoms):
    """Base of both ways to standardise: means and scales, and single columns."""

    def __init__(
        self,
        atoms: Any,
        y: Float64Array,
        sample_weight: Float64Array | None,
        *,
        mean: Float64Array,
        scale: Float64Array,
    ) -> None:
        super().__init__(atoms, y, sample_weight)
        self.mean = mean
        self.scale = scale

    def _values(self, atoms: NDArray[np.int64], rows: slice) -> Float64Array:
        """Return some atoms on some samples, (n_rows, len(atoms), 1), in float64."""
        return (super()._values(atoms, rows) - self.mean[atoms, None]) / self.scale[atoms, None]


class StandardizedAtoms(_Standardized):
    """Standardised columns, block by block, for arrays too large to copy."""

    def _rows(self, samples: slice) -> FloatArray:
        return self._as_read(self.atoms[samples])

    def _as_read(self, rows: Any) -> NDArray[Any]:
        return np.asarray((rows - self.mean) / self.scale, dtype=self.dtype)


class StandardizedSparseAtoms(_Standardized, SparseAtoms):
    """
    Standardised columns of a sparse matrix, by algebra.

    The matrix itself stays as sparse as it is; y must have been centred.
    """

    def moments(
        self,
        atoms: NDArray[np.int64] | None = None,
        out: Float64Array | None = None,
        products: Float64Array | None = None,
    ) -> Moments:
        """Return products with the target and squared norms of all atoms; write Gram columns of `atoms` into `out`."""
        raw = super().moments()
        if atoms is not None:
            self.columns(atoms, out, products)
        return Moments(raw.c / self.scale, (raw.norms - self.mean**2) / self.scale**2, raw.target_norm)

    def columns(
        self, atoms: NDArray[np.int64], out: Float64Array | None = None, products: Float64Array | None = None
    ) -> Float64Array:
        """Gram columns of the given atoms, as the rows of a (len(atoms), n_atoms) array, without output weights."""
        raw = super().columns(atoms, out)
        raw -= np.outer(self.mean[atoms], self.mean)
        raw /= self.scale
        raw /= self.scale[atoms, None]
        if products is not None:
            products[...] = raw
        return raw
