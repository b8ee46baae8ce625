"""
The statistics of the selection: inner products of the atoms with each other and with y.

Each source reads atoms in one form of storage, and has the methods of ``_protocol``. The callers decide the order in
which products are computed. Here are arrays with one value for each sample and atom; other layouts are in
``_gram_layouts``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._threads import threads_for
from sklearn_gfs._typing import Float64Array, FloatArray

from ._blocks import COPIED, add_up, batches, block_rows, threads_to_read
from ._constant import rounding_of
from ._greedy_kernels import add_squares
from ._thin import product


class Moments(NamedTuple):
    """Inner products with the target, (n_directions, n_atoms), the squared norms of the atoms, and of y."""

    c: Float64Array
    norms: Float64Array
    target_norm: float


class ArrayAtoms:
    """
    Atoms held in memory, or in a memory map, as an array; subclasses say how a block of rows is read.

    With ``output_weights`` B, atom i is the outer product of column i and row i of B. The (n_samples, n_atoms,
    n_outputs) array of all outer products never exists: the Gram matrix is (H'H) * (B B') elementwise.
    """

    is_computed = False  # whether reading the atoms once costs far more than products with them
    is_shared = True  # whether several threads can read blocks at a time

    def __init__(
        self,
        atoms: Any,
        y: Float64Array,
        sample_weight: Float64Array | None,
        *,
        output_weights: Float64Array | None = None,
    ) -> None:
        self.atoms = atoms
        self._y = y
        self._about_y = False  # whether products are those of the atoms less y
        self._pivots: Float64Array | None = None  # products are those of the atoms less these
        self.rounding = rounding_of(atoms)  # variance of a constant atom, as a share of its mean square
        self.sample_weight = None if sample_weight is None else _without_units(sample_weight)
        self.output_weights = output_weights
        self.n_targets = y.shape[1]  # columns of c before output weights contract them
        self.n_samples = atoms.shape[0]
        self.n_atoms = atoms.shape[1]
        self.dtype = atoms.dtype
        self.has_samples = True
        self.has_rows = True  # whether a few rows can be read for a preview
        self.n_rows = atoms.shape[0]  # of the matrix whose columns are the atoms
        self.itemsize = atoms.dtype.itemsize
        self._scale = 1.0 / (self.n_samples if self.sample_weight is None else self.sample_weight.sum())

    @property
    def y(self) -> Float64Array:
        """Target of the atoms, (n_samples, n_outputs): zero if products are those of the atoms minus y."""
        return np.zeros_like(self._y) if self._about_y else self._y

    def preview(self, n_rows: int) -> tuple[FloatArray, Moments]:
        """
        Return about `n_rows` rows, evenly spaced over the samples, of shape (n_rows, n_atoms), and their moments.

        The rows are scaled so that their inner products are estimates of those of the atoms.
        """
        rows, some, scale = self._some_rows(n_rows)
        y = self._y[some].reshape(len(rows), -1)
        if self._about_y:
            rows, y = rows - y, np.zeros_like(y)
        with np.errstate(over="ignore", invalid="ignore"), threads_for(2.0 * rows.size * y.shape[1]):
            rows = np.multiply(rows, scale, dtype=self.dtype, casting="same_kind")
            y = np.multiply(y, scale, dtype=self.dtype, casting="same_kind")
            c, norms = (y.T @ rows).astype(np.float64), squared_norms(rows)
            return rows, self._contracted(c, norms, float(np.vdot(y, y)))

    def _rows(self, samples: slice) -> FloatArray:
        """Return the rows of some samples."""
        return np.asarray(self.atoms[samples])

    def _some_rows(self, n_rows: int, turn: tuple[int, int] = (0, 1)) -> tuple[FloatArray, slice, Float64Array]:
        """Return about `n_rows` raw rows, their samples, and their scale; with `turn` those of this turn only."""
        step = -(-self.n_rows // n_rows)
        some = slice(turn[0] * step, None, turn[1] * step)
        rows = self._rows(some) if self._pivots is None else self._rows(some) - self._pivots
        scale = np.full((len(rows), 1), np.sqrt(self._scale * self.n_rows / len(rows) / turn[1]))
        if self.sample_weight is not None:
            weight = self.sample_weight[some]
            scale *= np.sqrt(np.repeat(weight, len(rows) // len(weight)))[:, None]
        return rows, some, scale

    def sample(self, atoms: NDArray[np.int64], n_rows: int, turn: tuple[int, int] = (0, 1)) -> FloatArray:
        """Return some atoms on about `n_rows` rows, scaled as in the preview; with `turn` those of this turn only."""
        rows, _, scale = self._some_rows(n_rows, turn)
        taken = np.multiply(rows[:, atoms], scale, dtype=self.dtype, casting="same_kind")
        return np.ascontiguousarray(taken)

    def promote(self, *, about_y: bool) -> bool:
        """
        Switch to more exact products, and say whether there were any: in float64 and, where asked for, about y.

        The mean of atoms less y is as far from zero as the mean of the atoms is from y, and is no difference of large
        values. With output weights an atom less y is no longer an outer product, so there the atoms stay as they are.
        """
        before = self.dtype, self._about_y
        self.dtype = np.dtype(np.float64)
        self._about_y = about_y and self.output_weights is None
        return before != (self.dtype, self._about_y)

    def take_off(self, pivots: Float64Array) -> None:
        """Switch to products of the atoms less these, one for each atom; products must be in float64 already."""
        self._pivots = pivots

    @property
    def n_threads(self) -> int:
        """Number of threads that read the atoms at the same time."""
        return threads_to_read(self.atoms.nbytes) if self.is_shared else 1

    def _add_up(self, add: Callable[..., None], *totals: Float64Array) -> None:
        """Call `add` with every block, as (matrix, y, weights), and the totals, in several threads."""

        def work(turn: tuple[int, int], *totals: Float64Array) -> None:
            # Infinite or invalid products are the caller's to find: what is not finite stays so in the sums.
            with np.errstate(over="ignore", invalid="ignore"):
                for block, y, weight in self._read(turn):
                    add(block, y, weight, *totals)

        add_up(work, self.n_threads, *totals)

    def _read(self, turn: tuple[int, int] = (0, 1)) -> Iterator[tuple[Any, Float64Array, Float64Array | None]]:
        """Yield blocks of rows as (matrix, y, weights): of the atoms minus y, or minus pivots, if products are."""
        for block, y, weight in self._blocks(turn):
            if self._about_y:
                block = self._less(block, self._like(y, block))
                yield block, np.zeros_like(y), weight
            elif self._pivots is not None:
                yield self._less(block, self._like(self._pivots, block)), y, weight
            else:
                yield block, y, weight

    def _less(self, block: Any, taken: Any) -> Any:
        """Return the block minus y or pivots, in place if the block is a copy."""
        return np.subtract(block, taken, out=None if np.may_share_memory(block, self.atoms) else block)

    def _blocks(self, turn: tuple[int, int] = (0, 1)) -> Iterator[tuple[Any, Float64Array, Float64Array | None]]:
        """Yield blocks of rows as (matrix, y, weights), atoms in the columns, for one turn; see `batches`."""
        step = self._step()
        for start in range(turn[0] * step, self.n_samples, turn[1] * step):
            rows = slice(start, start + step)
            weight = None if self.sample_weight is None else self.sample_weight[rows]
            block = self._as_read(self.atoms[rows])
            if block.itemsize not in block.strides:  # BLAS takes rows or columns that are contiguous
                block = np.ascontiguousarray(block)
            yield block, self._y[rows], weight

    def _step(self) -> int:
        """Return the number of samples of a block."""
        step = block_rows(self.n_atoms * self.dtype.itemsize)
        copied = self._about_y or self._pivots is not None or self.dtype != self.atoms.dtype
        return step // COPIED if copied else step

    @staticmethod
    def _like(values: Any, block: Any) -> Any:
        """Return the values as an array of the same type and dtype as the block."""
        return values.astype(block.dtype, copy=False)

    def _as_read(self, rows: Any) -> NDArray[Any]:
        """Return rows of the array as rows of the atoms, in the dtype of the products."""
        return np.asarray(rows, dtype=self.dtype)

    def _product(self, left: Any, block: Any) -> Any:
        """Return left' block."""
        return product(self._like(left, block), block)

    def _take(self, block: Any, atoms: NDArray[np.int64], weight: Float64Array | None) -> Any:
        """Return some columns of a block, dense, times the weights of the samples."""
        taken = block[:, atoms]
        return taken if weight is None else taken * self._like(weight, taken)[:, None]

    def _beside(self, targets: Float64Array, taken: Any) -> Any:
        """Return targets and columns of a block in one matrix."""
        return np.concatenate([self._like(targets, taken), taken], axis=1)

    def _squared_norms(self, block: Any, weight: Float64Array | None) -> Any:
        """Return the squared norms of the columns of a block."""
        if not block.flags.c_contiguous:
            weight = np.ones(len(block)) if weight is None else weight
            return np.einsum("ij,ij,i->j", block, block, self._like(weight, block))
        out = np.zeros(block.shape[1])
        add_squares(block, np.empty(0) if weight is None else weight, out)
        return out

    def moments(
        self,
        atoms: NDArray[np.int64] | None = None,
        out: Float64Array | None = None,
        products: Float64Array | None = None,
    ) -> Moments:
        """
        Inner products of the atoms with the target, and the squared norms.

        With atoms, their Gram columns are made on the same way through the data and put into the rows of ``out``. What
        they are before output weights is put into those of ``products``.
        """
        c, norms, target_norm = np.zeros((self.n_targets, self.n_atoms)), np.zeros(self.n_atoms), np.zeros(1)

        def add(block: Any, y: Any, weight: Any, c: Any, norms: Any, target_norm: Any, out: Any = None) -> None:
            weighted = y if weight is None else y * weight[:, None]
            target_norm += float(np.vdot(y, weighted))
            norms += self._squared_norms(block, weight)
            if atoms is None or out is None:
                c += self._product(weighted, block)
            else:
                both = self._product(self._beside(weighted, self._take(block, atoms, weight)), block)
                c += both[: self.n_targets]
                out += both[self.n_targets :]

        if atoms is None or out is None:
            self._add_up(add, c, norms, target_norm)
        else:
            out[:] = 0.0
            self._add_up(add, c, norms, target_norm, out)
            self._scale_columns(atoms, out, products)
        return self._contracted(c * self._scale, norms * self._scale, float(target_norm[0]) * self._scale)

    def variances(self, means: Float64Array, atoms: NDArray[np.int64]) -> Float64Array:
        """
        Variances of some columns, whose means are about these, from the columns less these means.

        Mean squares less squared means would lose the digits of a column that varies little.
        """
        squares, left = np.zeros((2, len(atoms)))

        def add(block: Any, _: Any, weight: Any, squares: Any, left: Any) -> None:
            some = block if len(atoms) == self.n_atoms else self._take(block, atoms, None)
            near = some - self._like(means, block)
            squares += self._squared_norms(near, weight)
            left += self._product(np.ones((len(near), 1)) if weight is None else weight[:, None], near)[0]

        self._add_up(add, squares, left)
        variances: Float64Array = np.maximum(squares * self._scale - (left * self._scale) ** 2, 0.0)
        return variances

    @np.errstate(over="ignore", invalid="ignore")
    def _contracted(self, c: Float64Array, norms: Float64Array, target_norm: float) -> Moments:
        """Return the moments of the atoms, given those of the columns before output weights."""
        if self.output_weights is None:
            return Moments(c, norms, target_norm)
        return Moments(
            (c * self.output_weights.T).sum(axis=0, keepdims=True),
            norms * (self.output_weights**2).sum(axis=1),
            target_norm,
        )

    def columns(
        self, atoms: NDArray[np.int64], out: Float64Array | None = None, products: Float64Array | None = None
    ) -> Float64Array:
        """
        Gram columns of the given atoms, as the rows of a (len(atoms), n_atoms) array.

        What they are before output weights is put into the rows of ``products``.
        """
        out = np.empty((len(atoms), self.n_atoms)) if out is None else out
        out[:] = 0.0

        def add(block: Any, _: Any, weight: Any, out: Any) -> None:
            out += self._product(self._take(block, atoms, weight), block)

        self._add_up(add, out)
        self._scale_columns(atoms, out, products)
        return out

    def among(self, atoms: NDArray[np.int64]) -> Float64Array:
        """Return the Gram matrix of the given atoms, with the same products as Gram columns have."""
        gram = np.zeros((len(atoms), len(atoms)))

        def add(block: Any, _: Any, weight: Any, gram: Any) -> None:
            taken = self._take(block, atoms, None if weight is None else np.sqrt(weight))
            gram += self._product(taken, taken)

        self._add_up(add, gram)
        gram *= self._scale
        if self.output_weights is not None:
            gram *= self.output_weights[atoms] @ self.output_weights[atoms].T
        return gram

    def _scale_columns(self, atoms: NDArray[np.int64], out: Float64Array, products: Float64Array | None) -> None:
        """Divide sums by the weight to means, in ``products``, too; apply output weights to the Gram columns."""
        if products is not None:
            np.multiply(out, self._scale, out=products)
        if self.output_weights is None:
            out *= self._scale
        else:
            out *= (self.output_weights[atoms] * self._scale) @ self.output_weights.T

    def whole(self) -> Float64Array:
        """Return the whole Gram matrix, by symmetric products, which cost half of its columns."""
        total: Any = None
        for block, _, weight in self._read():
            weighted = block if weight is None else block * np.sqrt(weight)[:, None].astype(block.dtype, copy=False)
            of_block = weighted.T @ weighted
            # The product of a single block is read once more only, below.
            total = of_block if total is None else np.add(total, of_block, dtype=np.float64)
        if self.output_weights is None:
            return np.multiply(total, self._scale, dtype=np.float64)
        factors = (self.output_weights * self._scale) @ self.output_weights.T
        return np.multiply(total, factors, out=factors)

    def exact_moments(self, atoms: NDArray[np.int64]) -> tuple[Float64Array, Float64Array]:
        """Return the Gram matrix of the given atoms, and their products with y, in float64."""
        y, weight = self.y, self.sample_weight
        gram = np.zeros((len(atoms), len(atoms)))
        c = np.zeros((self.n_targets, len(atoms)))
        n_values = self._y.shape[1] if self._about_y or self.atoms.ndim == 3 else 1

        def work(turn: tuple[int, int], gram: Float64Array, c: Float64Array) -> None:
            for rows in batches(self.n_samples, len(atoms) * n_values, turn):
                values, targets = self._values(atoms, rows), y[rows]
                if self._about_y:
                    values = values - self._y[rows, None]
                values = values.transpose(0, 2, 1).reshape(-1, len(atoms))
                targets = targets.reshape(len(values), -1)
                if weight is not None:
                    root = np.sqrt(np.repeat(weight[rows], n_values))[:, None]
                    values, targets = values * root, targets * root
                with threads_for(2.0 * values.size * len(atoms)):
                    gram += values.T @ values  # a symmetric product takes half the time
                    c += targets.T @ values

        add_up(work, self.n_threads, gram, c)
        gram *= self._scale
        c *= self._scale
        if self.output_weights is not None:
            chosen = self.output_weights[atoms]
            gram *= chosen @ chosen.T
            c = (c * chosen.T).sum(axis=0, keepdims=True)
        return gram, c

    def row_weights(self) -> Float64Array:
        """Return the weights of the samples, adding up to one, in a column."""
        weight = np.ones(self.n_samples) if self.sample_weight is None else self.sample_weight
        return weight[:, None] * self._scale

    def outputs(self, atoms: NDArray[np.int64], rows: slice = slice(None)) -> Float64Array:
        """Return outputs of some atoms on some samples, (n_rows, len(atoms), n_outputs or 1), in float64."""
        values = self._values(atoms, rows)
        if self._about_y:
            values = values - self._y[rows, None]
        return values if self.output_weights is None else values * self.output_weights[atoms]

    def _values(self, atoms: NDArray[np.int64], rows: slice) -> Float64Array:
        """Return some atoms on some samples, (n_rows, len(atoms), n_outputs or 1), in float64."""
        values = np.asarray(self.atoms[rows, atoms], dtype=np.float64)
        return values.reshape(*values.shape[:2], -1)

    def combined(self, atoms: NDArray[np.int64], coefs: Float64Array, rows: slice) -> Float64Array:
        """Return the sum of some neurons' outputs times coefficients on some samples, (n_rows, n_outputs)."""
        assert self.output_weights is not None
        weights, values = self.output_weights[atoms] * coefs, self._values(atoms, rows)[:, :, 0]
        with threads_for(2.0 * len(values) * weights.size):
            total: Float64Array = values @ weights
        return total

    def has_target(self) -> bool:
        """Whether y is nonzero on some sample of positive weight."""
        return bool(self._y[self.row_weights()[:, 0] > 0].any())

    def nonzero(self, atoms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return a mask of these atoms that are nonzero on some sample of positive weight."""
        counts = self.row_weights()[:, 0] > 0
        found = np.zeros(len(atoms), dtype=bool)
        for rows in batches(self.n_samples, len(atoms)):
            found |= (self._values(atoms, rows)[counts[rows]] != 0).any(axis=(0, 2))
        return found if self.output_weights is None else found & (self.output_weights[atoms] != 0).any(axis=1)


def squared_norms(rows: FloatArray) -> Float64Array:
    """Return the squared norms of the columns of contiguous rows."""
    norms = np.zeros(rows.shape[1])
    add_squares(rows, np.empty(0), norms)
    return norms


def _without_units(sample_weight: Float64Array) -> Float64Array:
    """Return the weights times a power of two, so that they are at most one and not rounded."""
    return np.ldexp(sample_weight, -np.frexp(sample_weight.max())[1])
