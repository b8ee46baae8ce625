"""When products of matrices with few columns are made by the package's own loop, and its work space."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_gfs._emitter import host
from sklearn_gfs._requirements import numba_for
from sklearn_gfs._threads import threads_for
from sklearn_gfs._typing import Float64Array

from ._thin_kernels import ROWS, SUMMED, TILES, add_thin_product

# Least and largest number of columns of the left matrix; with more columns libraries are equally fast.
_LEFT = (2, 48)
# Least number of columns of the right matrix.
_COLUMNS = 96
# Number of values of the right matrix from which a product takes longer than its preparation.
_VALUES = 2**17
# Bytes of a cache line.
_LINE = 64


def product(left: Any, right: Any) -> Any:
    """Return left' right for few columns of `left`, by this loop or by a library, whichever is faster."""
    if is_thin(left, right):
        return thin_product(left, right)
    with threads_for(2.0 * left.shape[1] * right.size):
        # One column alone is a product with a vector, which reads the matrix once and packs nothing.
        return left.T @ right if left.shape[1] > 1 else (left[:, 0] @ right)[None]


def is_thin(left: Any, right: Any) -> bool:
    """Whether `thin_product` is faster than a library: it was in all measurements within these bounds."""
    (n_rows, n_columns), size = right.shape, right.itemsize
    fits = _LEFT[0] <= left.shape[1] <= _LEFT[1] and n_columns >= _COLUMNS and n_rows * n_columns >= _VALUES
    is_read = right.strides[1] == size and right.strides[0] >= n_columns * size and right.strides[0] % size == 0
    return fits and is_read and right.dtype in (np.float32, np.float64) and _is_compiled()


def _is_compiled() -> bool:
    """Whether loops are compiled, for a processor that multiplies and adds in one instruction."""
    return host()[1] and not numba_for("Greedy forward selection").config.DISABLE_JIT


def thin_product(left: Any, right: Any) -> Float64Array:
    """Left' right, added up in float64 from sums over some rows in the dtype of the matrices."""
    (n_rows, n_left), n_columns, size, n_floats = left.shape, right.shape[1], right.itemsize, host()[0]
    height, n_vectors = TILES[n_floats]
    width = n_vectors * n_floats * 4 // size
    n_panels, n_strips = -(-n_left // height), -(-n_columns // width)
    n_sums = n_strips * n_panels * height * width
    room = np.empty(n_sums + width * ROWS + _LINE // size, right.dtype)
    sums = room[-room.ctypes.data % _LINE // size :][:n_sums]
    sums[:] = 0
    totals, left = np.zeros(n_sums if n_rows > SUMMED else 0), _readable(left, right.dtype, height)
    add_thin_product(
        left.ctypes.data, n_left, right.ctypes.data, right.strides[0] // size, n_rows, n_columns, n_panels,
        (height, width), sums.ctypes.data + sums.nbytes, sums.ctypes.data, sums, totals,
    )  # fmt: skip
    tiles = (totals if len(totals) else sums).reshape(n_strips, n_panels, height, width).transpose(1, 2, 0, 3)
    out, n_whole = np.empty((n_panels * height, n_columns)), n_strips - 1
    out[:, : n_whole * width].reshape(n_panels, height, n_whole, width)[...] = tiles[:, :, :n_whole]
    out[:, n_columns - width :].reshape(n_panels, height, width)[...] = tiles[:, :, n_whole]
    return out[:n_left]


def _readable(left: Any, dtype: Any, height: int) -> Any:
    """Return the left matrix in C order; if a tile could read beyond its last row, memory of zeros follows."""
    n_rows, n_left = left.shape
    if n_left % height == 0:
        return np.ascontiguousarray(left, dtype)
    room = np.zeros(n_rows * n_left + height, dtype)
    room[: n_rows * n_left].reshape(n_rows, n_left)[...] = left
    return room
