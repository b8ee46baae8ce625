"""
Inner products of atoms minus their means over the samples, for a selection with a free intercept.

Here belongs the algebra that centres the products of another source, so that sparse matrices, memory maps and tensors
are not copied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array, FloatArray

from ._gram import ArrayAtoms, Moments, squared_norms

# Largest deviation of a target from its mean that counts as rounding, as a share of the mean.
_ROUNDING = 1e-14


def beside_ones(y: Float64Array, weight: Float64Array | None) -> tuple[Float64Array, Float64Array]:
    """Return the centred targets with a column of ones, whose products are the atoms' means, and the targets' means."""
    mean = np.average(y, axis=0, weights=weight)
    left = y - mean
    left -= np.average(left, axis=0, weights=weight)  # the rounding error of the first subtraction
    left[:, np.abs(left).max(axis=0) <= _ROUNDING * np.abs(mean)] = 0.0
    return np.concatenate([left, np.ones((len(y), 1))], axis=1), mean


class CentredAtoms:
    """
    The atoms of a source less their means; the last target of the source is one on every sample.

    Attributes
    ----------
    rounding : float
        Variance of a constant atom by rounding, as a share of its mean square.
    means : ndarray of shape (n_atoms,)
        Means of the atoms, once the moments have been read.
    raw_norms : ndarray of shape (n_atoms,)
        Squared norms of what is read of the atoms before means are taken off, likewise.
    """

    output_weights = None

    def __init__(self, source: ArrayAtoms) -> None:
        self._source = source
        self.n_targets = source.n_targets - 1
        self.n_atoms, self.n_rows, self.itemsize = source.n_atoms, source.n_rows, source.itemsize
        self.has_samples, self.has_rows = source.has_samples, source.has_rows
        self.is_computed, self.rounding = source.is_computed, source.rounding
        self._target_norm = float(np.sum(source.row_weights() * self.y**2))
        self.means = self.raw_norms = np.zeros(source.n_atoms)
        # What is taken off the atoms when they are read, and the means of what that leaves.
        self._pivots = self._left = np.zeros(source.n_atoms)

    @property
    def y(self) -> Float64Array:
        """Targets minus their means."""
        return self._source.y[:, :-1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Precision of the products."""
        return self._source.dtype

    @property
    def n_threads(self) -> int:
        """Number of threads that read the atoms at the same time."""
        return self._source.n_threads

    def promote(self, *, about_y: bool) -> bool:  # noqa: ARG002
        """Switch to products in float64; return whether the precision changed."""
        return self._source.promote(about_y=False)

    def approach(self, atoms: NDArray[np.int64]) -> None:
        """Take their means off some atoms whenever they are read: products of large values lose digits."""
        self._pivots = self._pivots.copy()
        self._pivots[atoms] = self.means[atoms]
        self._source.take_off(self._pivots)

    def preview(self, n_rows: int) -> tuple[FloatArray, Moments]:
        """Return about `n_rows` rows, scaled so that their inner products are estimates, and their moments."""
        rows, moments = self._source.preview(n_rows)
        rows -= rows.mean(axis=0)
        return rows, Moments(moments.c[:-1], squared_norms(rows), self._target_norm)

    def sample(self, atoms: NDArray[np.int64], n_rows: int, turn: tuple[int, int] = (0, 1)) -> FloatArray:
        """Return some atoms on about `n_rows` rows, scaled as in the preview; with `turn` those of this turn only."""
        rows = self._source.sample(atoms, n_rows, turn)
        rows -= rows.mean(axis=0)
        return rows

    def moments(self, atoms: NDArray[np.int64] | None = None, out: Float64Array | None = None) -> Moments:
        """Return products with the target and squared norms of all atoms; write Gram columns of `atoms` into `out`."""
        raw = self._source.moments(atoms, out)
        self._left = raw.c[-1]
        self.means = self._pivots + self._left
        if atoms is not None and out is not None:
            out -= np.outer(self._left[atoms], self._left)
        self.raw_norms = raw.norms
        norms = np.maximum(raw.norms - self._left**2, 0.0)
        return Moments(np.ascontiguousarray(raw.c[:-1]), norms, self._target_norm)

    def columns(self, atoms: NDArray[np.int64], out: Float64Array | None = None) -> Float64Array:
        """Return Gram columns of the given atoms, as the rows of a (len(atoms), n_atoms) array."""
        columns = self._source.columns(atoms, out)
        columns -= np.outer(self._left[atoms], self._left)
        return columns

    def among(self, atoms: NDArray[np.int64]) -> Float64Array:
        """Return the Gram matrix of the given atoms among themselves."""
        gram = self._source.among(atoms)
        gram -= np.outer(self._left[atoms], self._left[atoms])
        return gram

    def whole(self) -> Float64Array:
        """Return the whole Gram matrix."""
        gram = self._source.whole()
        gram -= np.outer(self._left, self._left)
        return gram

    def variances(self, atoms: NDArray[np.int64]) -> Float64Array:
        """Return squared norms of some atoms, exact even if the means are large."""
        return self._source.variances(self._left[atoms], atoms)

    def row_weights(self) -> Float64Array:
        """Return the weights of the samples, adding up to one, in a column."""
        return self._source.row_weights()

    def outputs(self, atoms: NDArray[np.int64], rows: slice = slice(None)) -> Float64Array:
        """Return outputs of some atoms on some samples, with their means, (n_rows, len(atoms), 1), in float64."""
        return self._source.outputs(atoms, rows)

    def has_target(self) -> bool:
        """Whether y varies."""
        return bool(self.y[self.row_weights()[:, 0] > 0].any())

    def nonzero(self, atoms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return a mask of these atoms that are nonzero on some sample of positive weight."""
        return self._source.nonzero(atoms)
