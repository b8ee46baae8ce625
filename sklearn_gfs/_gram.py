"""
Where the statistics of the selection come from: inner products of the atoms with each other and with y.

Each source knows one way in which atoms are stored and offers the same few products, as means over the
(weighted) samples in float64. The order in which they are asked for is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._greedy_kernels import add_squares
from ._typing import Float64Array, FloatArray

# Rows are read in blocks that stay in the last cache while all their products are made. The sums of the blocks
# are float64, so that the error of float32 products does not grow with n_samples.
_BLOCK_BYTES = 2**23
BLOCK_ROWS = (1024, 8192)


class Moments(NamedTuple):
    """Inner products with the target, (n_directions, n_atoms), the squared norms of the atoms, and of y."""

    c: Float64Array
    norms: Float64Array
    target_norm: float


class ArrayAtoms:
    """
    Atoms held in memory, or in a memory map, as an array; subclasses say how a block of rows is read.

    With ``output_weights`` B, atom i is the outer product of column i and row i of B, and what would be an
    (n_samples, n_atoms, n_outputs) array never exists: the Gram matrix is (H'H) * (B B') elementwise.
    """

    def __init__(
        self,
        atoms: Any,
        y: Float64Array,
        sample_weight: Float64Array | None,
        *,
        output_weights: Float64Array | None = None,
    ) -> None:
        self.atoms = atoms
        self.y = y
        self.sample_weight = sample_weight
        self.output_weights = output_weights
        self.n_targets = y.shape[1]  # columns of c before output weights contract them
        self.n_samples = atoms.shape[0]
        self.n_atoms = atoms.shape[1]
        self.dtype = atoms.dtype
        self.has_samples = True
        self.has_rows = True  # whether a few rows can be read for a preview
        self.n_rows = atoms.shape[0]  # of the matrix whose columns are the atoms
        self.itemsize = atoms.dtype.itemsize
        self._scale = 1.0 / (self.n_samples if sample_weight is None else sample_weight.sum())

    def preview(self, n_rows: int) -> tuple[FloatArray, Moments]:
        """
        About as many rows, evenly spaced over the samples, as (n_rows, n_atoms), and their moments.

        They are scaled so that inner products of these are estimates of those of the atoms.
        """
        some = slice(None, None, -(-self.n_rows // n_rows))
        rows = self._rows(some)
        y = self.y[some].reshape(len(rows), -1)
        scale = np.full((len(rows), 1), np.sqrt(self._scale * self.n_rows / len(rows)))
        if self.sample_weight is not None:
            weight = self.sample_weight[some]
            scale *= np.sqrt(np.repeat(weight, len(rows) // len(weight)))[:, None]
        with np.errstate(over="ignore", invalid="ignore"):
            rows = np.multiply(rows, scale, dtype=self.dtype, casting="same_kind")
            y = np.multiply(y, scale, dtype=self.dtype, casting="same_kind")
            c, norms = (y.T @ rows).astype(np.float64), (rows * rows).sum(axis=0, dtype=np.float64)
            return rows, self._contracted(c, norms, float(np.vdot(y, y)))

    def _rows(self, samples: slice) -> FloatArray:
        """Some samples' rows."""
        return np.asarray(self.atoms[samples])

    def promote(self) -> bool:
        """Switch the products to float64; False when they were already."""
        before, self.dtype = self.dtype, np.dtype(np.float64)
        return before != self.dtype

    def _blocks(self) -> Iterator[tuple[Any, Float64Array, Float64Array | None]]:
        """Blocks of rows as (matrix, y, weights), atoms in the columns."""
        step = block_rows(self.n_atoms * self.dtype.itemsize)
        for start in range(0, self.n_samples, step):
            rows = slice(start, start + step)
            weight = None if self.sample_weight is None else self.sample_weight[rows]
            block = self._as_read(self.atoms[rows])
            if block.itemsize not in block.strides:  # BLAS takes rows or columns that are contiguous
                block = np.ascontiguousarray(block)
            yield block, self.y[rows], weight

    def _as_read(self, rows: Any) -> NDArray[Any]:
        """Rows of the array as those of the atoms, in the dtype of the products."""
        return np.asarray(rows, dtype=self.dtype)

    def _product(self, left: Any, block: Any) -> Any:
        """Left' block."""
        left = left.astype(block.dtype, copy=False)
        # One column alone is a product with a vector, which reads the block once and packs nothing.
        return left.T @ block if left.shape[1] > 1 else (left[:, 0] @ block)[None]

    def _take(self, block: Any, atoms: NDArray[np.int64], weight: Float64Array | None) -> Any:
        """Columns of a block, dense, times the weights of the samples."""
        taken = block[:, atoms]
        return taken if weight is None else taken * weight[:, None].astype(taken.dtype, copy=False)

    def _beside(self, targets: Float64Array, taken: Any) -> Any:
        """Targets and columns of a block in one matrix."""
        return np.concatenate([targets.astype(taken.dtype, copy=False), taken], axis=1)

    def _squared_norms(self, block: Any, weight: Float64Array | None) -> Any:
        """Squared norms of the columns of a block."""
        if not block.flags.c_contiguous:
            weight = np.ones(len(block)) if weight is None else weight
            return np.einsum("ij,ij,i->j", block, block, weight.astype(block.dtype, copy=False))
        out = np.zeros(block.shape[1])
        add_squares(block, np.empty(0) if weight is None else weight, out)
        return out

    def moments(self, atoms: NDArray[np.int64] | None = None, out: Float64Array | None = None) -> Moments:
        """
        Inner products of the atoms with the target, and the squared norms.

        With atoms, their Gram columns are made on the same way through the data and put into the rows of ``out``.
        """
        c = np.zeros((self.n_targets, self.n_atoms))
        norms = np.zeros(self.n_atoms)
        target_norm = 0.0
        if out is not None:
            out[:] = 0.0
        # Infinite or invalid products are the caller's to find: what is not finite stays so in the sums.
        with np.errstate(over="ignore", invalid="ignore"):
            for block, y, weight in self._blocks():
                weighted = y if weight is None else y * weight[:, None]
                target_norm += float(np.vdot(y, weighted))
                norms += self._squared_norms(block, weight)
                if atoms is None or out is None:
                    c += self._product(weighted, block)
                else:
                    product = self._product(self._beside(weighted, self._take(block, atoms, weight)), block)
                    c += product[: self.n_targets]
                    out += product[self.n_targets :]
        if atoms is not None and out is not None:
            self._scale_columns(atoms, out)
        return self._contracted(c * self._scale, norms * self._scale, target_norm * self._scale)

    def _contracted(self, c: Float64Array, norms: Float64Array, target_norm: float) -> Moments:
        """Moments of the atoms, from those of the columns that output weights make atoms of."""
        if self.output_weights is None:
            return Moments(c, norms, target_norm)
        return Moments(
            (c * self.output_weights.T).sum(axis=0, keepdims=True),
            norms * (self.output_weights**2).sum(axis=1),
            target_norm,
        )

    def columns(self, atoms: NDArray[np.int64], out: Float64Array | None = None) -> Float64Array:
        """Gram columns of the given atoms, as the rows of a (len(atoms), n_atoms) array."""
        out = np.empty((len(atoms), self.n_atoms)) if out is None else out
        out[:] = 0.0
        for block, _, weight in self._blocks():
            out += self._product(self._take(block, atoms, weight), block)
        self._scale_columns(atoms, out)
        return out

    def _scale_columns(self, atoms: NDArray[np.int64], out: Float64Array) -> None:
        """Make means of the sums, and products of the atoms of those of their columns."""
        if self.output_weights is None:
            out *= self._scale
        else:
            out *= (self.output_weights[atoms] * self._scale) @ self.output_weights.T

    def whole(self) -> Float64Array:
        """Compute the whole Gram matrix, by symmetric products that cost half of what its columns would."""
        total: Any = None
        for block, _, weight in self._blocks():
            weighted = block if weight is None else block * np.sqrt(weight)[:, None].astype(block.dtype, copy=False)
            product = weighted.T @ weighted
            # The product of a single block is read once more only, below.
            total = product if total is None else np.add(total, product, dtype=np.float64)
        if self.output_weights is None:
            return np.multiply(total, self._scale, dtype=np.float64)
        factors = (self.output_weights * self._scale) @ self.output_weights.T
        return np.multiply(total, factors, out=factors)

    def exact_moments(self, atoms: NDArray[np.int64]) -> tuple[Float64Array, Float64Array]:
        """Gram matrix of the given atoms among themselves, and their products with y, in float64."""
        gram = np.zeros((len(atoms), len(atoms)))
        c = np.zeros((self.n_targets, len(atoms)))
        for block, y, weight in self._blocks():
            taken = np.asarray(self._take(block, atoms, None), dtype=np.float64)
            weighted = taken if weight is None else taken * weight[:, None]
            gram += weighted.T @ taken
            c += y.T @ weighted
        gram *= self._scale
        c *= self._scale
        if self.output_weights is not None:
            chosen = self.output_weights[atoms]
            gram *= chosen @ chosen.T
            c = (c * chosen.T).sum(axis=0, keepdims=True)
        return gram, c

    def row_weights(self) -> Float64Array:
        """Weights of the samples, adding up to one, in a column."""
        weight = np.ones(self.n_samples) if self.sample_weight is None else self.sample_weight
        return weight[:, None] * self._scale

    def outputs(self, atom: int) -> Float64Array:
        """Output of one atom on every sample, (n_samples, n_outputs) or (n_samples, 1), in float64."""
        column = np.asarray(self.atoms[:, atom], dtype=np.float64)[:, None]
        return column if self.output_weights is None else column * self.output_weights[atom]


class StackedAtoms(ArrayAtoms):
    """Atoms with several outputs, (n_samples, n_atoms, n_outputs): every output of a sample is a row."""

    def __init__(self, atoms: Any, y: Float64Array, sample_weight: Float64Array | None) -> None:
        super().__init__(atoms, y, sample_weight)
        self.n_targets = 1
        self.n_rows = atoms.shape[0] * atoms.shape[2]

    def _rows(self, samples: slice) -> FloatArray:
        """Some samples' rows, one for each output."""
        return super()._rows(samples).transpose(0, 2, 1).reshape(-1, self.n_atoms)

    def _blocks(self) -> Iterator[tuple[Any, Float64Array, Float64Array | None]]:
        n_outputs = self.atoms.shape[2]
        step = max(block_rows(self.n_atoms * self.dtype.itemsize) // n_outputs, 1)
        for start in range(0, self.n_samples, step):
            rows = slice(start, start + step)
            block = np.ascontiguousarray(self.atoms[rows].transpose(0, 2, 1), dtype=self.dtype)
            weight = None if self.sample_weight is None else np.repeat(self.sample_weight[rows], n_outputs)
            yield block.reshape(-1, self.n_atoms), self.y[rows].reshape(-1, 1), weight

    def outputs(self, atom: int) -> Float64Array:
        """Output of one atom on every sample, (n_samples, n_outputs), in float64."""
        return np.asarray(self.atoms[:, atom, :], dtype=np.float64)


class SparseAtoms(ArrayAtoms):
    """Atoms in the columns of a SciPy sparse matrix; only the columns asked for are made dense."""

    def __init__(
        self,
        atoms: Any,
        y: Float64Array,
        sample_weight: Float64Array | None,
        *,
        output_weights: Float64Array | None = None,
    ) -> None:
        super().__init__(atoms.tocsc().astype(np.float64, copy=False), y, sample_weight, output_weights=output_weights)
        self.n_rows = max(self.atoms.nnz // self.n_atoms, 1)
        self.has_rows = False

    def _blocks(self) -> Iterator[tuple[Any, Float64Array, Float64Array | None]]:
        yield self.atoms, self.y, self.sample_weight

    def whole(self) -> Float64Array:
        """Compute the whole Gram matrix."""
        return self.columns(np.arange(self.n_atoms))

    def _product(self, left: Any, block: Any) -> Any:
        return (block.T @ left).T

    def _take(self, block: Any, atoms: NDArray[np.int64], weight: Float64Array | None) -> Any:
        return super()._take(block[:, atoms].toarray(), np.arange(len(atoms)), weight)

    def _squared_norms(self, block: Any, weight: Float64Array | None) -> Any:
        return block.multiply(block).T @ (np.ones(block.shape[0]) if weight is None else weight)

    def outputs(self, atom: int) -> Float64Array:
        """Output of one atom on every sample, (n_samples, n_outputs) or (n_samples, 1), in float64."""
        column = self.atoms[:, [atom]].toarray()
        return column if self.output_weights is None else column * self.output_weights[atom]


class GramAtoms:
    """Atoms known only by their inner products: nothing can be looked up on the samples."""

    def __init__(self, gram: Float64Array, moments: Moments, *, output_weights: Float64Array | None = None) -> None:
        self.gram = gram
        self.output_weights = output_weights
        self._moments = moments
        self.n_targets = len(moments.c)
        self.n_atoms = len(gram)
        self.n_rows = 0  # reading a column costs nothing
        self.itemsize = gram.itemsize
        self.dtype = np.dtype(np.float64)
        self.has_samples = False
        self.has_rows = False

    def promote(self) -> bool:
        """Nothing better than float64 products."""
        return False

    def moments(self, atoms: NDArray[np.int64] | None = None, out: Float64Array | None = None) -> Moments:
        """Inner products of the atoms with the target, and the squared norms; and the atoms' columns, into out."""
        if atoms is not None:
            self.columns(atoms, out)
        return self._moments

    def whole(self) -> Float64Array:
        """The Gram matrix itself, where it needs no change."""
        return self.gram if self.output_weights is None else self.columns(np.arange(self.n_atoms))

    def columns(self, atoms: NDArray[np.int64], out: Float64Array | None = None) -> Float64Array:
        """Gram columns of the given atoms, as the rows of a (len(atoms), n_atoms) array."""
        out = np.empty((len(atoms), self.n_atoms)) if out is None else out
        np.take(self.gram, atoms, axis=0, out=out, mode="clip")
        if self.output_weights is not None:
            out *= self.output_weights[atoms] @ self.output_weights.T
        return out


def block_rows(row_bytes: int) -> int:
    """How many rows of this size to read at a time."""
    return int(np.clip(_BLOCK_BYTES // row_bytes, *BLOCK_ROWS))
