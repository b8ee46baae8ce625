"""
Inner products that are known already: sums over samples that were taken before.

Here belongs the source of the selection that has no samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array

from ._gram import Moments


class GramAtoms:
    """Atoms known only by their inner products: nothing can be looked up on the samples."""

    def __init__(
        self,
        gram: Float64Array,
        moments: Moments,
        *,
        means: Float64Array | None = None,
        output_weights: Float64Array | None = None,
        pivots: Float64Array | None = None,
    ) -> None:
        self.gram = gram
        self._pivots = pivots  # what the atoms lack in the Gram matrix, whose products are about the means
        self.means = np.zeros(len(gram)) if means is None else means  # of the atoms, before output weights
        self.raw_norms = np.diagonal(gram) + self.means**2  # where the products are about the means
        self.output_weights = output_weights
        self._moments = moments
        self.n_targets = len(moments.c)
        self.n_atoms = len(gram)
        self.n_rows = 0  # reading a column costs nothing
        self.itemsize = gram.itemsize
        self.dtype = np.dtype(np.float64)
        self.has_samples = False
        self.has_rows = False

    def promote(self, *, about_y: bool) -> bool:  # noqa: ARG002
        """Nothing better than float64 products."""
        return False

    def has_target(self) -> bool:
        """Whether y is not zero on every sample, as far as sums can tell."""
        return self._moments.target_norm > 0 or bool(self._moments.c.any())

    def nonzero(self, atoms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these atoms are not zero on every sample, as far as sums can tell."""
        found = (np.diagonal(self.gram)[atoms] > 0) | (self.means[atoms] != 0)
        return found if self.output_weights is None else found & (self.output_weights[atoms] != 0).any(axis=1)

    def moments(self, atoms: NDArray[np.int64] | None = None, out: Float64Array | None = None) -> Moments:
        """Inner products of the atoms with the target, and the squared norms; and the atoms' columns, into out."""
        if atoms is not None:
            self.columns(atoms, out)
        return self._moments

    def whole(self) -> Float64Array:
        """The Gram matrix itself, where it needs no change."""
        unchanged = self.output_weights is None and self._pivots is None
        return self.gram if unchanged else self.columns(np.arange(self.n_atoms))

    def columns(self, atoms: NDArray[np.int64], out: Float64Array | None = None) -> Float64Array:
        """Gram columns of the given atoms, as the rows of a (len(atoms), n_atoms) array."""
        out = np.empty((len(atoms), self.n_atoms)) if out is None else out
        np.take(self.gram, atoms, axis=0, out=out, mode="clip")
        if self._pivots is not None:
            out += np.outer(self._pivots[atoms], self._pivots)
        if self.output_weights is not None:
            out *= self.output_weights[atoms] @ self.output_weights.T
        return out
