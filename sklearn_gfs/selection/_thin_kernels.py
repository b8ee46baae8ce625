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
from sklearn_gfs._jit import jit

# Number of rows of a tile, and number of registers in a row, by the number of floats in a register. Sums, terms and
# factors then fit into the registers.
TILES = {16: (8, 2), 8: (4, 3), 4: (8, 2)}
# Number of rows of the matrices for which a tile's columns stay in the first cache.
ROWS = 32
# Number of columns for which these rows, and the rows that are prefetched, stay in the second cache.
_COLUMNS = 1024
# Number of rows whose products are added up in the precision of the matrices; sums of these are float64.
SUMMED = 1024


def _tile(
    e: Emitter,
    left: Any,
    left_row: Any,
    right: Any,
    right_row: Any,
    sums: Any,
    n: Any,
    ahead: Any = None,
    copy: Any = None,
) -> None:
    n_rows, n_vectors = TILES[host()[0]]
    places = [left, right, *([ahead, copy] if copy else [])]
    row = e.number(n_vectors * e.width)
    steps = [left_row, right_row, *([right_row, row] if copy else [])]

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
    products = e.loop(n, 1, start, term, unrolled=True)[len(places) :]
    for i, product in enumerate(products):
        place = e.address(sums, e.number(i * e.width))
        e.store(e.at.fadd(e.load(place), product), place)


@operation(6, like=True)
def add_tile(e: Emitter, *arguments: Any) -> None:
    """
    Add the product of some columns on the left, transposed, with a strip on the right to the sums of a tile.

    The arguments are the left columns' address, and the distance of their rows; those of the strip; the address of the
    sums, and the number of rows.
    """
    _tile(e, *arguments)


@operation(8, like=True)
def add_first_tile(e: Emitter, *arguments: Any) -> None:
    """Do the same; read another strip with this distance of rows ahead, and copy the first one to the last address."""
    _tile(e, *arguments)


@jit
def add_thin_product(
    left: int,
    left_row: int,
    right: int,
    right_row: int,
    n_rows: int,
    n_columns: int,
    n_panels: int,
    tile: tuple[int, int],
    at_copy: int,
    at_sums: int,
    sums: NDArray[np.floating[Any]],
    totals: NDArray[np.float64],
) -> None:
    """
    Add left' right to the totals, tile after tile; if `totals` is empty, the result is in the sums.

    Parameters
    ----------
    left, right : int
        Addresses of the matrices, whose rows are contiguous. The left matrix must be readable up to the height of a
        tile beyond its end. The right matrix must not have fewer columns than a tile.
    left_row, right_row : int
        Distances of their rows, in elements.
    n_rows, n_columns : int
        Number of rows of both, number of columns of the right matrix.
    n_panels : int
        Number of tiles one below the other.
    tile : tuple of int
        Rows and columns of a tile.
    at_copy : int
        Address of the room for some rows of a tile.
    at_sums : int
        Address of the sums, where a line of the caches starts.
    sums : ndarray of shape (n_strips * n_panels * height * width,)
        Zeros, in the dtype of the matrices.
    totals : ndarray of shape (n_strips * n_panels * height * width,) or (0,)
        Of more than ``SUMMED`` rows. Of the last strip, which ends with the last column, some columns may be those of
        the strip before.
    """
    height, width = tile
    zero, size = sums.dtype.type(0), sums.itemsize
    n_strips, chunk = (n_columns + width - 1) // width, _COLUMNS // width
    for begin in range(0, n_rows, SUMMED):
        end = min(begin + SUMMED, n_rows)
        for some in range(0, n_strips, chunk):
            last = min(some + chunk, n_strips)
            for start in range(begin, end, ROWS):
                n = min(ROWS, end - start)
                some_left = left + start * left_row * size
                # Next come the rows below, or the first ones of the chunk beside.
                ahead = ROWS * right_row
                if start + ROWS >= end:
                    ahead += (begin - start - ROWS) * right_row + chunk * width if last < n_strips else -some * width
                for strip in range(some, last):
                    place = right + (start * right_row + min(strip * width, n_columns - width)) * size
                    tiles = at_sums + strip * n_panels * height * width * size
                    add_first_tile(some_left, left_row, place, right_row, tiles, n, place + ahead * size, at_copy, zero)
                    for panel in range(1, n_panels):
                        panel_left = some_left + panel * height * size
                        add_tile(panel_left, left_row, at_copy, width, tiles + panel * height * width * size, n, zero)
        for i in range(totals.shape[0]):
            totals[i] += sums[i]
            sums[i] = zero
