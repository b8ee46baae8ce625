"""
The curvature of a loss as second-order steps and the evidence use it: a matrix, or fewer rows whose products it is.

Each takes what is added to its diagonal and says what follows; where its numbers come from is in ``_objective``.

What LAPACK does runs on one thread. SciPy's threads and NumPy's are two pools. Those of one that have finished wait,
busy, for a while, and keep those of the other from the processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

from sklearn_gfs._threads import one_thread

if TYPE_CHECKING:
    from sklearn_gfs._typing import Float64Array


class Curvature(Protocol):
    """A positive semi-definite matrix G, to which diagonals of positive numbers are added."""

    @property
    def mean(self) -> float:
        """Mean of the diagonal of G."""

    def along(self, vector: Float64Array) -> float:
        """Return v' G v."""

    def solve(self, diagonal: Float64Array, vector: Float64Array) -> Float64Array | None:
        """Return x of (G + diagonal) x = vector; None where rounding has made that indefinite."""

    def variances(self, diagonal: Float64Array) -> Float64Array | None:
        """Return the diagonal of the inverse of G + diagonal; None as above."""

    def factor(self, diagonal: Float64Array) -> Float64Array | None:
        """Return the Cholesky factor of G + diagonal in the lower half of a matrix; None as above."""


class WholeCurvature:
    """G itself."""

    def __init__(self, matrix: Float64Array) -> None:
        self._matrix = matrix
        self.mean = float(np.mean(np.diag(matrix)))

    def along(self, vector: Float64Array) -> float:
        """Return v' G v."""
        return float(vector @ (self._matrix @ vector))

    def factor(self, diagonal: Float64Array) -> Float64Array | None:
        """Return the Cholesky factor of G + diagonal in the lower half of a matrix."""
        matrix = self._matrix.copy()
        matrix.flat[:: len(matrix) + 1] += diagonal
        with one_thread():
            factor, failed = dpotrf(matrix.T, lower=1, overwrite_a=1)
        return None if failed else factor

    def solve(self, diagonal: Float64Array, vector: Float64Array) -> Float64Array | None:
        """Return x of (G + diagonal) x = vector."""
        with one_thread():
            factor = self.factor(diagonal)
            return None if factor is None else dpotrs(factor, vector, lower=1)[0]

    def variances(self, diagonal: Float64Array) -> Float64Array | None:
        """Return the diagonal of the inverse of G + diagonal."""
        with one_thread():
            factor = self.factor(diagonal)
            return None if factor is None else np.diag(dpotri(factor, lower=1, overwrite_c=1)[0]).copy()


class RowsCurvature:
    """
    G = R' R for R of fewer rows than columns, by the identity of Sherman, Morrison and Woodbury.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_parameters)
    """

    def __init__(self, rows: Float64Array) -> None:
        self._rows = rows
        self.mean = float(np.vdot(rows, rows)) / rows.shape[1]

    def along(self, vector: Float64Array) -> float:
        """Return v' G v."""
        return float(np.sum((self._rows @ vector) ** 2))

    def _factor(self, diagonal: Float64Array) -> Float64Array | None:
        scaled = self._rows / np.sqrt(diagonal)
        matrix = scaled @ scaled.T  # of an array and itself: half the operations
        matrix.flat[:: len(matrix) + 1] += 1
        with one_thread():
            factor, failed = dpotrf(matrix, lower=1)
        return None if failed else factor

    def solve(self, diagonal: Float64Array, vector: Float64Array) -> Float64Array | None:
        """Return x of (G + diagonal) x = vector."""
        factor = self._factor(diagonal)
        if factor is None:
            return None
        scaled = vector / diagonal
        with one_thread():
            return scaled - self._rows.T @ dpotrs(factor, self._rows @ scaled, lower=1)[0] / diagonal

    def variances(self, diagonal: Float64Array) -> Float64Array | None:
        """Return the diagonal of the inverse of G + diagonal."""
        factor = self._factor(diagonal)
        if factor is None:
            return None
        with one_thread():
            explained = np.einsum("ij,ij->j", self._rows, dpotrs(factor, self._rows, lower=1)[0])
        return np.asarray(np.maximum(1 - explained / diagonal, 0) / diagonal)

    def factor(self, diagonal: Float64Array) -> Float64Array | None:
        """Return the Cholesky factor of G + diagonal in the lower half of a matrix."""
        return WholeCurvature(self._rows.T @ self._rows).factor(diagonal)
