"""
The curvature of a loss, for second-order steps and for the evidence: a matrix G, or rows R with G = R' R.

Methods take a diagonal that is added to G. ``_objective`` computes the matrix or the rows.

LAPACK runs on one thread. SciPy and NumPy have a pool of threads each. Threads that have finished keep the processor
busy for a while, which slows down the threads of the other pool.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs, dtrtri

from sklearn_gfs._threads import one_thread

from ._jacobian import JacobianRows

if TYPE_CHECKING:
    from sklearn_gfs._typing import Float64Array, FloatArray, IntArray

# Least diagonal in an inverse from rows, as a share of the mean curvature. Directions without a penalty need it.
_LEAST = 1e-6
# Least diagonal in an inverse of a matrix, as a share of the mean curvature. It exceeds the rounding of float64 in a
# matrix of a few thousand parameters, and the rounding of its Cholesky factor to float32.
_LEAST_OF_MATRIX = 1e-9
# Factor by which this least diagonal grows until the Cholesky factorisation succeeds.
_GROWTH = 10.0


class Curvature(Protocol):
    """A positive semi-definite matrix G, to which positive diagonals are added."""

    @property
    def mean(self) -> float:
        """Mean of the diagonal of G."""

    def along(self, vector: Float64Array) -> float:
        """Return v' G v."""

    def solve(self, diagonal: Float64Array, vector: Float64Array) -> Float64Array | None:
        """Return the solution x of (G + diagonal) x = vector; None if rounding has made G + diagonal indefinite."""

    def left_open(self, penalty: Float64Array, diagonal: Float64Array, groups: IntArray) -> Float64Array | None:
        """
        Return for each group the sum of the penalty times the diagonal of the inverse of G + diagonal.

        Parameters with the group -1 belong to no group. Return None if G + diagonal is indefinite by rounding.
        """

    def inverse(self, diagonal: Float64Array) -> Inverse | None:
        """Return the inverse of G + diagonal in a form that takes little memory; None if G is zero or not finite."""


class WholeCurvature:
    """G itself."""

    def __init__(self, matrix: Float64Array) -> None:
        self._matrix = matrix
        self.mean = float(np.mean(np.diag(matrix)))

    def along(self, vector: Float64Array) -> float:
        """Return v' G v."""
        return float(vector @ (self._matrix @ vector))

    def _factor(self, diagonal: Float64Array) -> Float64Array | None:
        matrix = self._matrix.copy()
        matrix.flat[:: len(matrix) + 1] += diagonal
        with one_thread():
            factor, failed = dpotrf(matrix.T, lower=1, overwrite_a=1)
        return None if failed else factor

    def solve(self, diagonal: Float64Array, vector: Float64Array) -> Float64Array | None:
        """Return the solution x of (G + diagonal) x = vector."""
        with one_thread():
            factor = self._factor(diagonal)
            return None if factor is None else dpotrs(factor, vector, lower=1)[0]

    def left_open(self, penalty: Float64Array, diagonal: Float64Array, groups: IntArray) -> Float64Array | None:
        """Return for each group the sum of the penalty times the diagonal of the inverse of G + diagonal."""
        with one_thread():
            factor = self._factor(diagonal)
            if factor is None:
                return None
            inverse = dtrtri(factor, lower=1, overwrite_c=1)[0].T  # inverse of the factor, in half the operations
        shares, members = penalty * np.einsum("ij,ij->i", inverse, inverse), groups >= 0
        return np.bincount(groups[members], weights=shares[members]).astype(np.float64, copy=False)

    def inverse(self, diagonal: Float64Array) -> Inverse | None:
        """Return the inverse of G + diagonal; very small values of the diagonal are raised to `_LEAST_OF_MATRIX`."""
        least = _LEAST_OF_MATRIX * self.mean
        while 0 < least <= self.mean:
            factor = self._factor(np.maximum(diagonal, least))
            if factor is not None:
                return WholeInverse(factor[np.tril_indices(len(factor))].astype(np.float32))
            least *= _GROWTH
        return None


class RowsCurvature:
    """
    G = R' R for R of fewer rows than columns, by the identity of Sherman, Morrison and Woodbury.

    The diagonal's value for a coefficient is a factor of its neuron times a factor of its feature. Groups are those of
    `JacobianRows.forms`.

    Parameters
    ----------
    rows : JacobianRows
    """

    def __init__(self, rows: JacobianRows) -> None:
        self._rows = rows
        self.mean = rows.squared_norm() / rows.n_columns

    def along(self, vector: Float64Array) -> float:
        """Return v' G v."""
        return float(np.sum(self._rows.times(vector) ** 2))

    def _factor(self, diagonal: Float64Array) -> Float64Array | None:
        """Return the Cholesky factor of I + S S'; S are the rows, their columns over the root of the diagonal."""
        with np.errstate(over="ignore"):
            inverse = 1 / diagonal
        if not np.isfinite(inverse).all():  # the curvature is zero, and so is a value of the diagonal
            return None
        matrix = self._rows.gram(inverse)
        matrix.flat[:: len(matrix) + 1] += 1
        with one_thread():
            factor, failed = dpotrf(matrix.T, lower=1, overwrite_a=1)
        return None if failed else factor

    def solve(self, diagonal: Float64Array, vector: Float64Array) -> Float64Array | None:
        """Return x of (G + diagonal) x = vector."""
        factor = self._factor(diagonal)
        if factor is None:
            return None
        scaled = vector / diagonal
        with one_thread():
            explained = dpotrs(factor, self._rows.times(scaled), lower=1)[0]
        return np.asarray(scaled - self._rows.transposed_times(explained) / diagonal)

    def left_open(self, penalty: Float64Array, diagonal: Float64Array, groups: IntArray) -> Float64Array | None:  # noqa: ARG002
        """Return for each group the sum of the penalty times the diagonal of the inverse of G + diagonal."""
        factor = self._factor(diagonal)
        if factor is None:
            return None
        with one_thread():
            inverse = dpotri(factor, lower=1, overwrite_c=1)[0].T  # one triangle, which counts twice in quadratic forms
        inverse *= 2
        inverse.flat[:: len(inverse) + 1] /= 2
        left = self._rows.sums(penalty / diagonal) - self._rows.forms(inverse, penalty / diagonal**2)
        return np.asarray(np.maximum(left, 0.0))

    def inverse(self, diagonal: Float64Array) -> Inverse | None:
        """Return the inverse of G + diagonal; values of zero in the diagonal are raised to `_LEAST`."""
        if self.mean <= 0:
            return None
        least = max(_LEAST * self.mean, np.finfo(np.float64).tiny)
        return RowsInverse(self._rows.astype(np.float32), self._rows.at_least(diagonal, least))


class Inverse(Protocol):
    """The inverse A of a positive definite matrix, in a form that takes little memory."""

    def forms(self) -> Callable[[JacobianRows], Float64Array]:
        """Return a function that returns v' A v for each row v of a Jacobian."""


class WholeInverse(NamedTuple):
    """
    The inverse of any positive definite matrix.

    Parameters
    ----------
    packed : ndarray of shape (n * (n + 1) / 2,)
        Cholesky factor of the matrix, its lower triangle row by row.
    """

    packed: FloatArray

    def forms(self) -> Callable[[JacobianRows], Float64Array]:
        """Return a function that returns v' A v for each row v of a Jacobian."""
        n = math.isqrt(2 * len(self.packed))
        lower = np.zeros((n, n))
        lower[np.tril_indices(n)] = self.packed

        def of(vectors: JacobianRows) -> Float64Array:
            spread = solve_triangular(lower, vectors.written_out().T, lower=True, check_finite=False)
            return np.asarray(np.einsum("ij,ij->j", spread, spread))

        return of


class RowsInverse(NamedTuple):
    """
    The inverse of R' R + diagonal, for R of few rows.

    Parameters
    ----------
    rows : JacobianRows
        The rows R, with n columns.
    diagonal : ndarray of shape (n,)
        Positive values.
    """

    rows: JacobianRows
    diagonal: Float64Array

    def forms(self) -> Callable[[JacobianRows], Float64Array]:
        """Return a function that returns v' A v for each row v of a Jacobian."""
        rows, weights = self.rows.astype(np.float64), 1 / self.diagonal
        lower = np.linalg.cholesky(rows.gram(weights) + np.eye(rows.n_rows))

        def of(vectors: JacobianRows) -> Float64Array:
            known = solve_triangular(lower, rows.products(vectors, weights), lower=True, check_finite=False)
            return np.asarray(np.maximum(vectors.squared_norms(weights) - np.einsum("ij,ij->j", known, known), 0.0))

        return of
