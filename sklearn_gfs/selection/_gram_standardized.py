"""
Inner products of columns less their mean, over their standard deviation.

Here belong the ways to standardise without a copy: block by block for large arrays, by algebra for sparse matrices,
and what keeps the algebra exact where columns are far from zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sklearn_gfs._chunks import row_chunks, working_memory
from sklearn_gfs._typing import Float64Array, FloatArray

from ._gram import ArrayAtoms, Moments, SparseAtoms

# Where the squared mean of a column is more than this share of its mean square, their difference has lost digits.
_DISTANT = 0.99


def shifted(X: Any, share: Float64Array) -> tuple[Any, Float64Array]:
    """
    Return a sparse matrix in float64 whose columns are not far from zero, and what must be added to them.

    Far away, beside its deviation, is only a column of which next to nothing is zero: the squared mean is at most the
    stored share of the weight times the mean square. So a column less its mean is as sparse as it was.
    """
    X = X.tocsc().astype(np.float64, copy=False)
    mean = X.T @ share
    distant = mean**2 > _DISTANT * (X.multiply(X).T @ share)
    pivot = np.where(distant, mean, 0.0)
    if distant.any():
        near = sparse.csc_array(X[:, distant].toarray() - mean[distant])
        order = np.argsort(np.concatenate([np.flatnonzero(~distant), np.flatnonzero(distant)]))
        X = sparse.hstack([X[:, ~distant], near], format="csc")[:, order]
    return X, pivot


class _Standardized(ArrayAtoms):
    """What both ways share: the means and scales, and single columns."""

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
        """Some atoms on some samples, (n_rows, len(atoms), 1), in float64."""
        return (super()._values(atoms, rows) - self.mean[atoms, None]) / self.scale[atoms, None]


class StandardizedAtoms(_Standardized):
    """Columns less their mean, over their standard deviation, block by block: for arrays too large to copy."""

    def _rows(self, samples: slice) -> FloatArray:
        return self._as_read(self.atoms[samples])

    def _as_read(self, rows: Any) -> NDArray[Any]:
        return np.asarray((rows - self.mean) / self.scale, dtype=self.dtype)


class StandardizedSparseAtoms(_Standardized, SparseAtoms):
    """
    Columns of a sparse matrix less their mean, over their standard deviation, by algebra.

    The matrix itself stays as sparse as it is; y must have been centred.
    """

    def moments(self, atoms: NDArray[np.int64] | None = None, out: Float64Array | None = None) -> Moments:
        """Inner products of the atoms with the target, and the squared norms; and the atoms' columns, into out."""
        raw = super().moments()
        if atoms is not None:
            self.columns(atoms, out)
        return Moments(raw.c / self.scale, (raw.norms - self.mean**2) / self.scale**2, raw.target_norm)

    def columns(self, atoms: NDArray[np.int64], out: Float64Array | None = None) -> Float64Array:
        """Gram columns of the given atoms, as the rows of a (len(atoms), n_atoms) array."""
        raw = super().columns(atoms, out)
        raw -= np.outer(self.mean[atoms], self.mean)
        raw /= self.scale
        raw /= self.scale[atoms, None]
        return raw


def mean_and_scale(X: Any, weight: Float64Array | None) -> tuple[Any, Float64Array, Float64Array, Float64Array]:
    """
    Return X, mean and standard deviation of every column in float64, and what the columns were shifted by.

    Only sparse columns far from zero are shifted; of a dense array the second pass goes about the first's means.
    """
    n_samples, n_features = X.shape
    share = np.full(n_samples, 1.0 / n_samples) if weight is None else weight / weight.sum()
    mean, rest, squares, pivot = np.zeros((4, n_features))
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused below
        if sparse.issparse(X):
            X, pivot = shifted(X, share)
            rest, squares = X.T @ share, X.multiply(X).T @ share
        else:
            blocks = list(row_chunks(n_samples, 8 * n_features))
            for rows in blocks:
                mean += share[rows] @ X[rows].astype(np.float64)
            for rows in blocks:
                deviation = X[rows] - mean
                rest += share[rows] @ deviation
                squares += share[rows] @ deviation**2
        # Without the second term what rounding leaves of a mean would make a column vary that is constant.
        scale = np.sqrt(np.maximum(squares - rest**2, 0.0))
    if not np.isfinite(scale).all():
        raise ValueError("X holds values so large that the variance of a column overflows; scale X down")
    return X, mean + rest, scale, pivot


def standardized_columns(
    X: Any,
    y: Float64Array,
    weight: Float64Array | None,
    units: tuple[Float64Array, Float64Array],
    atoms: NDArray[np.int64],
) -> ArrayAtoms:
    """The columns that vary, standardised once where a copy fits in the working memory, else whenever read."""
    mean, scale = units
    if len(atoms) < X.shape[1]:
        X, mean, scale = X[:, atoms], mean[atoms], scale[atoms]
    if sparse.issparse(X):
        return StandardizedSparseAtoms(X, y, weight, mean=mean, scale=scale)
    if X.nbytes > working_memory():
        return StandardizedAtoms(X, y, weight, mean=mean, scale=scale)
    standardized = np.empty(X.shape, dtype=X.dtype)
    for rows in row_chunks(X.shape[0], 8 * X.shape[1]):
        standardized[rows] = (X[rows] - mean) / scale
    return ArrayAtoms(standardized, y, weight)
