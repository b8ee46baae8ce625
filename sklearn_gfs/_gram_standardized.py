"""
Inner products of columns less their mean, over their standard deviation.

Here belong the ways to standardise without a copy: block by block for large arrays, by algebra for sparse matrices.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._gram import ArrayAtoms, Moments, SparseAtoms
from ._typing import Float64Array


class StandardizedAtoms(ArrayAtoms):
    """Columns less their mean, over their standard deviation, block by block: for arrays too large to copy."""

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

    def _rows(self, samples: slice) -> Float64Array:
        """Some samples' rows in float64."""
        return (super()._rows(samples) - self.mean) / self.scale

    def _blocks(self, dtype: Any = None) -> Iterator[tuple[Any, Float64Array, Float64Array | None]]:
        for block, y, weight in super()._blocks(np.float64):
            standardized = (block - self.mean) / self.scale
            yield standardized.astype(self.dtype if dtype is None else dtype, copy=False), y, weight

    def outputs(self, atom: int) -> Float64Array:
        """Output of one atom on every sample, (n_samples, 1), in float64."""
        return (super().outputs(atom) - self.mean[atom]) / self.scale[atom]


class StandardizedSparseAtoms(SparseAtoms):
    """
    Columns of a sparse matrix less their mean, over their standard deviation, by algebra.

    The matrix itself stays as sparse as it is; y must have been centred.
    """

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

    def moments(self) -> Moments:
        """Inner products of the atoms with the target, and the squared norms."""
        raw = super().moments()
        return Moments(raw.c / self.scale, (raw.norms - self.mean**2) / self.scale**2, raw.target_norm)

    def columns(self, atoms: NDArray[np.int64], dtype: Any = None) -> Float64Array:
        """Gram columns of the given atoms, as the rows of a (len(atoms), n_atoms) array."""
        raw = super().columns(atoms, dtype)
        raw -= np.outer(self.mean[atoms], self.mean)
        raw /= self.scale
        raw /= self.scale[atoms, None]
        return raw

    def outputs(self, atom: int) -> Float64Array:
        """Output of one atom on every sample, (n_samples, 1), in float64."""
        return (super().outputs(atom) - self.mean[atom]) / self.scale[atom]
