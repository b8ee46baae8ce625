"""Inner products of atoms with several outputs, and of atoms in sparse matrices: how a block of them is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sklearn_gfs._typing import Float64Array, FloatArray

from ._blocks import COPIED, block_rows
from ._constant import rounding_of
from ._gram import ArrayAtoms


class StackedAtoms(ArrayAtoms):
    """Atoms with several outputs, (n_samples, n_atoms, n_outputs): every output of a sample is a row."""

    def __init__(self, atoms: Any, y: Float64Array, sample_weight: Float64Array | None) -> None:
        super().__init__(atoms, y, sample_weight)
        self.n_targets = 1
        self.n_rows = atoms.shape[0] * atoms.shape[2]

    def _rows(self, samples: slice) -> FloatArray:
        """Some samples' rows, one for each output."""
        return super()._rows(samples).transpose(0, 2, 1).reshape(-1, self.n_atoms)

    def _blocks(self, turn: tuple[int, int] = (0, 1)) -> Iterator[tuple[Any, Float64Array, Float64Array | None]]:
        n_outputs = self.atoms.shape[2]
        step = max(block_rows(self.n_atoms * self.dtype.itemsize) // n_outputs // COPIED, 1)
        for start in range(turn[0] * step, self.n_samples, turn[1] * step):
            rows = slice(start, start + step)
            block = np.ascontiguousarray(self.atoms[rows].transpose(0, 2, 1), dtype=self.dtype)
            weight = None if self.sample_weight is None else np.repeat(self.sample_weight[rows], n_outputs)
            yield block.reshape(-1, self.n_atoms), self._y[rows].reshape(-1, 1), weight


def less_pivots(X: Any, pivots: Float64Array) -> Any:
    """Return a sparse matrix, by columns, whose columns with a pivot other than zero are dense, and less it."""
    moved = pivots != 0.0
    near = sparse.csc_array(X[:, moved].toarray() - pivots[moved])
    order = np.argsort(np.concatenate([np.flatnonzero(~moved), np.flatnonzero(moved)]))
    return sparse.hstack([X[:, ~moved], near], format="csc")[:, order]


class SparseAtoms(ArrayAtoms):
    """Atoms in the columns of a SciPy sparse matrix; only the columns asked for are made dense."""

    is_shared = False

    def __init__(
        self,
        atoms: Any,
        y: Float64Array,
        sample_weight: Float64Array | None,
        *,
        output_weights: Float64Array | None = None,
    ) -> None:
        super().__init__(atoms.tocsc().astype(np.float64, copy=False), y, sample_weight, output_weights=output_weights)
        self.rounding = rounding_of(atoms)
        self._near = self.atoms  # less pivots
        self.n_rows = max(self.atoms.nnz // self.n_atoms, 1)
        self.has_rows = False

    def _blocks(self, turn: tuple[int, int] = (0, 1)) -> Iterator[tuple[Any, Float64Array, Float64Array | None]]:  # noqa: ARG002
        yield self._near, self._y, self.sample_weight

    def take_off(self, pivots: Float64Array) -> None:
        """Switch to products of the atoms less these; nearly all values of an atom with a pivot must be stored."""
        self._near = less_pivots(self.atoms, pivots)

    def promote(self, *, about_y: bool) -> bool:  # noqa: ARG002
        """Return False: products are in float64 already."""
        return False

    def variances(self, means: Float64Array, atoms: NDArray[np.int64]) -> Float64Array:
        """Variances of some columns, of which nearly all values are stored; see `ArrayAtoms`."""
        near, share = self._near[:, atoms].toarray() - means, self.row_weights()[:, 0]
        variances: Float64Array = np.maximum(share @ near**2 - (share @ near) ** 2, 0.0)
        return variances

    def whole(self) -> Float64Array:
        """Return the whole Gram matrix."""
        return self.columns(np.arange(self.n_atoms))

    def _product(self, left: Any, block: Any) -> Any:
        return (block.T @ left).T

    def _take(self, block: Any, atoms: NDArray[np.int64], weight: Float64Array | None) -> Any:
        return super()._take(block[:, atoms].toarray(), np.arange(len(atoms)), weight)

    def _squared_norms(self, block: Any, weight: Float64Array | None) -> Any:
        return block.multiply(block).T @ (np.ones(block.shape[0]) if weight is None else weight)

    def _values(self, atoms: NDArray[np.int64], rows: slice) -> Float64Array:
        """Return some atoms on some samples, (n_rows, len(atoms), 1), in float64."""
        return self.atoms[:, atoms][rows].toarray()[:, :, None]
