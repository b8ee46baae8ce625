"""
Products of a tall matrix with few columns of another: the loop, and the tile that it writes with vector instructions.

Libraries of linear algebra copy both matrices into an order of their own first, which takes longer than the product
where one of them has few columns. Here rows are read where they are, and those that come next are read ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._emitter import Emitter, host, operation
from sklearn_gfs._jit import inlined, jit

# Rows of a tile, and vectors in a row, by the floats in a register: sums, terms and factors fit into the registers.
TILES = {16: (8, 2), 8: (4, 3), 4: (8, 2)}
# Rows whose tile is in the first cache, and columns of which so many rows, and those read ahead, are in the second.
ROWS, _COLUMNS = 32, 1024
# Rows whose products are added up in the precision of the matrices.
_SUMMED = 1024


def _tile(
    e: Emitter, left: Any, right: Any, right_row: Any, sums: Any, n: Any, ahead: Any = None, copy: Any = None
) -> None:
    n_rows, n_vectors = TILES[host()[0]]
    places = [left, right, *([ahead, copy] if copy else [])]
    row = e.number(n_vectors * e.width)
    steps = [e.number(n_rows), right_row, *([right_row, row] if copy else [])]

    def vectors_from(start: Any) -> list[Any]:
        return [e.address(start, e.number(v * e.width)) for v in range(n_vectors)]

    def term(_: Any, *carried: Any) -> Sequence[Any]:
        at, added = carried[: len(places)], carried[len(places) :]
        rights = [e.load(place) for place in vectors_from(at[1])]
        if copy:
            e.read_ahead(at[2], n_vectors)
            for vector, place in zip(rights, vectors_from(at[3]), strict=True):
                e.store(vector, place)
        new = []
        for i in range(n_rows):
            value = e.splat(e.load_one(e.address(at[0], e.number(i))))
            new += [e.fma(value, rights[v], added[i * n_vectors + v]) for v in range(n_vectors)]
        return [*(e.address(place, step) for place, step in zip(at, steps, strict=True)), *new]

    start = [*places, *[e.constant(0)] * (n_rows * n_vectors)]
    products = e.loop(n, 1, start, term)[len(places) :]
    for i, product in enumerate(products):
        place = e.address(sums, e.number(i * e.width))
        e.store(e.at.fadd(e.load(place), product), place)


@operation(5, like=True)
def add_tile(e: Emitter, *arguments: Any) -> None:
    """
    Add the product of some columns on the left, transposed, with a strip on the right to the sums of a tile.

    The arguments are the left columns' address, row after row; that of the strip, and the distance of its rows; that of
    the sums, and the number of rows.
    """
    _tile(e, *arguments)


@operation(7, like=True)
def add_first_tile(e: Emitter, *arguments: Any) -> None:
    """Do the same; read another strip with this distance of rows ahead, and copy the first one to the last address."""
    _tile(e, *arguments)


@inlined
def deal(left: NDArray[np.floating[Any]], start: int, n: int, height: int, work: NDArray[np.floating[Any]]) -> None:
    """Copy some rows of the left columns, so that those of each tile stand together."""
    for i in range(left.shape[0]):
        first = i // height * ROWS * height + i % height
        for r in range(n):
            work[first + r * height] = left[i, start + r]


@inlined
def collect(
    work: NDArray[np.floating[Any]], first: int, tile: tuple[int, int], n_panels: int, out: NDArray[np.float64]
) -> None:
    """Add the sums of all tiles, which start there, to the product, and set them to zero."""
    (height, width), (n_left, n_columns) = tile, out.shape
    zero = work.dtype.type(0)
    for strip in range((n_columns + width - 1) // width):
        column = min(strip * width, n_columns - width)
        done = strip * width - column  # the last strip may go over some columns again
        for i in range(n_left):
            base = first + (strip * n_panels * height + i) * width
            for j in range(done, width):
                out[i, column + j] += work[base + j]
    for i in range(first, work.shape[0]):
        work[i] = zero


@jit
def add_thin_product(
    left: NDArray[np.floating[Any]],
    right: int,
    row: int,
    tile: tuple[int, int],
    work: NDArray[np.floating[Any]],
    at_left: int,
    out: NDArray[np.float64],
) -> None:
    """
    Add left' right to ``out``.

    Parameters
    ----------
    left : ndarray of shape (n_left, n_rows)
        The left columns, each contiguous.
    right : int
        Address of the other matrix, whose rows are contiguous; it has at least as many columns as a tile.
    row : int
        Distance of its rows, in numbers.
    tile : tuple of int
        Rows and columns of a tile.
    work : ndarray of shape (work_size,)
        Where it is worked, filled with zeros: the left columns of some rows, the right ones of a tile, and the sums of
        the tiles.
    at_left : int
        Address of the work space, where a line of the caches starts.
    out : ndarray of shape (n_left, n_columns)
    """
    (height, width), (n_left, n_columns), n_rows = tile, out.shape, left.shape[1]
    zero, size = work.dtype.type(0), work.itemsize
    n_panels, n_strips, chunk = (n_left + height - 1) // height, (n_columns + width - 1) // width, _COLUMNS // width
    first_sum = (n_panels * height + width) * ROWS
    at_copy, at_sums = at_left + n_panels * height * ROWS * size, at_left + first_sum * size
    for begin in range(0, n_rows, _SUMMED):
        end = min(begin + _SUMMED, n_rows)
        for some in range(0, n_strips, chunk):
            last = min(some + chunk, n_strips)
            for start in range(begin, end, ROWS):
                n = min(ROWS, end - start)
                deal(left, start, n, height, work)
                # Next come the rows below, or the first ones of the chunk beside.
                ahead = ROWS * row
                if start + ROWS >= end:
                    ahead = (begin - start) * row + chunk * width if last < n_strips else ROWS * row - some * width
                for strip in range(some, last):
                    place = right + (start * row + min(strip * width, n_columns - width)) * size
                    sums = at_sums + strip * n_panels * height * width * size
                    add_first_tile(at_left, place, row, sums, n, place + ahead * size, at_copy, zero)
                    for panel in range(1, n_panels):
                        panel_left = at_left + panel * height * ROWS * size
                        add_tile(panel_left, at_copy, width, sums + panel * height * width * size, n, zero)
        collect(work, first_sum, tile, n_panels, out)
