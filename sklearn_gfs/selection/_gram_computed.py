"""
Inner products of atoms that are computed anew whenever they are read, because they take too much memory to be kept.

Here belong rows that a function computes, and the sources that read them. The caller passes the function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._chunks import row_batches, rows_at_once
from sklearn_gfs._typing import Float64Array, FloatArray, IntArray

from ._gram import ArrayAtoms, Moments
from ._gram_torch import TorchAtoms

# Largest size of a block in main memory, in bytes.
_BLOCK_BYTES = 2**25
# Largest size of a block on a device, in bytes; starting an operation there costs more, so blocks are larger.
_DEVICE_BLOCK_BYTES = 2**28
# Least and largest number of rows of a block.
_BLOCK_ROWS = (64, 4096)


class ComputedRows:
    """
    A matrix of atoms, a row for each sample, whose elements are computed when they are read.

    Parameters
    ----------
    compute : callable
        Given a slice of the samples, and the indices of some atoms or None for all, returns a new array or tensor.
    shape : tuple of int
        (n_samples, n_atoms).
    dtype : numpy dtype
        float32 or float64.
    on_device : bool
        Whether the function returns tensors.
    """

    ndim = 2

    def __init__(
        self,
        compute: Callable[[slice, IntArray | None], Any],
        shape: tuple[int, int],
        dtype: np.dtype[Any],
        *,
        on_device: bool = False,
    ) -> None:
        self._compute = compute
        self.shape, self.dtype, self.on_device = shape, dtype, on_device

    def __getitem__(self, wanted: slice | tuple[slice, IntArray]) -> Any:
        samples, atoms = wanted if isinstance(wanted, tuple) else (wanted, None)
        return self._compute(samples, atoms)

    def pieces(self) -> Iterator[slice]:
        """Yield slices of samples; the atoms of each have the size of a block in main memory."""
        return row_batches(self.shape[0], _rows_of(self.shape[1] * self.dtype.itemsize))

    def source(
        self, y: Float64Array, sample_weight: Float64Array | None, output_weights: Float64Array | None
    ) -> ArrayAtoms:
        """Return the source of inner products of these atoms."""
        kind: type[ArrayAtoms] = _ComputedTensors if self.on_device else _ComputedArrays
        return kind(self, y, sample_weight, output_weights=output_weights)


class _ComputedArrays(ArrayAtoms):
    """Atoms whose blocks are computed in main memory."""

    is_computed, is_shared = True, False

    def preview(self, n_rows: int) -> tuple[FloatArray, Moments]:
        """Return about `n_rows` rows, at most those of a block; see `ArrayAtoms`."""
        return super().preview(min(n_rows, self._step()))

    def _less(self, block: Any, taken: Any) -> Any:
        block -= taken
        return block

    def _step(self) -> int:
        return _rows_of(self.n_atoms * self.dtype.itemsize)


class _ComputedTensors(TorchAtoms):
    """Atoms whose blocks are computed in tensors on a device."""

    is_computed = True

    def preview(self, n_rows: int) -> tuple[FloatArray, Moments]:
        """Return about `n_rows` rows, at most those of a block in main memory; see `ArrayAtoms`."""
        return super().preview(min(n_rows, _rows_of(self.n_atoms * self.dtype.itemsize)))

    def _step(self) -> int:
        return int(np.clip(_DEVICE_BLOCK_BYTES // (self.n_atoms * self.dtype.itemsize), *_BLOCK_ROWS))

    def promote(self, *, about_y: bool) -> bool:
        """Switch to more exact products on the device of the tensors; return whether products changed."""
        return ArrayAtoms.promote(self, about_y=about_y)

    def _values(self, atoms: NDArray[np.int64], rows: slice) -> Float64Array:
        return np.asarray(self.atoms[rows, atoms].cpu(), dtype=np.float64)[:, :, None]


def _rows_of(row_bytes: int) -> int:
    """Return the number of rows that are computed at once in main memory."""
    return rows_at_once(row_bytes, _BLOCK_BYTES, *_BLOCK_ROWS)
