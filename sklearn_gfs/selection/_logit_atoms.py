"""
Atoms that logits are computed from: what a corrective selection for the log loss reads of them.

Samples are read in blocks and in float64, whatever the dtype of the atoms.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._chunks import PIECE_BYTES, row_chunks
from sklearn_gfs._typing import Float64Array

from ._constant import rounding_of


class LogitAtoms(NamedTuple):
    """
    Atoms, weights and offset from which logits are computed, and the classes.

    Parameters
    ----------
    atoms : ndarray of shape (n_samples, n_atoms) or (n_samples, n_atoms, n_outputs)
        Of two dimensions each atom has a weight for each output, of three a single one.
    means : ndarray of shape (n_atoms,) or None
        Means of the atoms, beside a free intercept.
    norms : ndarray of shape (n_atoms,)
        Mean squares of the atoms, less their means where there are such.
    y : ndarray of shape (n_samples,), dtype int64
        Classes.
    weight : ndarray of shape (n_samples,)
        Weights of the samples, adding up to one.
    offset : ndarray of shape (n_outputs,)
        Added to the logits; a single output is the logit of the second of two classes.
    """

    atoms: Any
    means: Float64Array | None
    norms: Float64Array
    y: NDArray[np.int64]
    weight: Float64Array
    offset: Float64Array

    @classmethod
    def of(
        cls, atoms: Any, y: NDArray[np.int64], weight: Float64Array, offset: Float64Array, *, free_intercept: bool
    ) -> LogitAtoms:
        """Return the atoms with their means, where the intercept is free, and their norms."""
        means, norms = _means_and_norms(atoms, weight, free_intercept=free_intercept)
        return cls(atoms, means, norms, y, weight, offset)

    def column(self, atom: int) -> Float64Array:
        """Return the outputs of an atom in float64, with a row for each sample, or for each output of a sample."""
        column = np.asarray(self.atoms[:, atom], dtype=np.float64).ravel()
        return column if self.means is None else column - self.means[atom]

    def columns(self, some: slice) -> Float64Array:
        """Return the outputs of some atoms in float64, each as ``column`` does."""
        block = np.asarray(self.atoms[:, some], dtype=np.float64)
        if self.means is not None:
            return block - self.means[some]
        return block if block.ndim == 2 else block.swapaxes(1, 2).reshape(-1, block.shape[1])

    def of_columns(self, columns: Float64Array) -> LogitAtoms:
        """Return other atoms, of which these are the columns, for the same samples."""
        if self.atoms.ndim == 3:
            columns = columns.reshape(len(self.y), -1, columns.shape[1]).swapaxes(1, 2)
        return self._replace(atoms=columns, means=None)

    def along(self, residual: Float64Array) -> Float64Array:
        """
        Products of all atoms with a residual, (n_atoms, n_targets).

        They are made in float64 whatever the atoms are: next to atoms whose means are large, slopes are small.
        """
        total = np.zeros((self.atoms.shape[1], residual.shape[1] if self.atoms.ndim == 2 else 1))
        for rows in row_chunks(len(residual), 8 * self.atoms[0].size, PIECE_BYTES):
            block, some = self.atoms[rows].astype(np.float64, copy=False), residual[rows]
            product = block.T @ some if block.ndim == 2 else np.einsum("sno,so->n", block, some)
            total += product.reshape(total.shape)
        if self.means is not None:
            total -= np.outer(self.means, residual.sum(axis=0))
        return total

    def bends_along(self, p: Float64Array, slopes: Float64Array) -> Float64Array:
        """Return second derivatives of the loss along all atoms, in their steepest directions, at probabilities p."""
        bends = np.zeros(len(slopes))
        lengths = np.sqrt((slopes**2).sum(axis=1, keepdims=True))
        ways = np.divide(slopes, lengths, out=np.zeros_like(slopes), where=lengths > 0)
        for rows in row_chunks(len(p), 8 * self.atoms[0].size, PIECE_BYTES):
            block, some = self.atoms[rows].astype(np.float64, copy=False), p[rows]
            if block.ndim == 3:
                spread = np.einsum("sno,so->sn", block**2, some) - np.einsum("sno,so->sn", block, some) ** 2
            else:
                centred = block if self.means is None else block - self.means
                spread = centred**2 * (some @ (ways**2).T - (some @ ways.T) ** 2)
            bends += self.weight[rows] @ spread
        return np.maximum(bends, 0.0)


def _means_and_norms(
    atoms: Any, weight: Float64Array, *, free_intercept: bool
) -> tuple[Float64Array | None, Float64Array]:
    """Return the means of the atoms, or None without a free intercept, and mean squares about the means."""
    flat = atoms.reshape(*atoms.shape[:2], -1)
    means, squares, left = np.zeros((3, atoms.shape[1]))
    if free_intercept:
        for rows in row_chunks(len(flat), 8 * flat[0].size):
            means += weight[rows] @ flat[rows, :, 0].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite are refused later
        for rows in row_chunks(len(flat), 8 * flat[0].size):
            values = flat[rows] - means[:, None]
            squares += np.einsum("s,sno->n", weight[rows], values.astype(np.float64) ** 2)
            left += np.einsum("s,sno->n", weight[rows], values)
    norms = squares - left**2 if free_intercept else squares
    if not np.isfinite(norms).all():
        raise ValueError("atoms contain NaN, infinity or values too large for their squares")
    # A column whose variance is only rounding is constant.
    norms[norms <= rounding_of(atoms) * (means**2 + norms)] = 0.0
    return means + left if free_intercept else None, norms
