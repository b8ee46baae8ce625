"""
Gram columns that several selections from one source share.

Here belong columns that are computed once for several selections, one by one or all at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array

from ._gram import Moments
from ._gram_columns import capacity, column_costs
from ._protocol import Source


class SharedColumns:
    """
    A source whose moments and Gram columns are computed once, in float64; other methods are those of the source.

    Parameters
    ----------
    source : ArrayAtoms
        A source with samples; without samples all products are known already.
    n_columns : int
        Expected number of columns that are read one by one. If the whole matrix takes less time, it is computed.
    """

    def __init__(self, source: Source, n_columns: int) -> None:
        source.promote(about_y=False)
        self._source = source
        self._moments = source.moments()
        self.n_rows, self.has_rows = source.n_rows, source.has_rows
        self._slots = np.full(source.n_atoms, -1, dtype=np.int64)
        self._columns = np.empty((0, source.n_atoms))
        self._n_columns, self._capacity = 0, capacity(source.n_atoms, source.n_atoms)
        costs = column_costs(source.n_rows, source.n_atoms, source.itemsize)
        if self._capacity == source.n_atoms and costs.whole <= n_columns * costs.alone:
            self.whole()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def moments(self, atoms: NDArray[np.int64] | None = None, out: Float64Array | None = None) -> Moments:
        """Return products with the target and squared norms of all atoms; write Gram columns of `atoms` into `out`."""
        if atoms is not None:
            self.columns(atoms, out)
        return self._moments

    def whole(self) -> Float64Array:
        """Return the whole Gram matrix; later columns are read from it."""
        if self._n_columns < self._source.n_atoms:
            matrix = self._source.whole()
            if self._capacity < self._source.n_atoms:
                return matrix
            self._columns, self._slots = matrix, np.arange(self._source.n_atoms)
            self._n_columns, self.n_rows, self.has_rows = self._source.n_atoms, 0, False
        return self._columns

    def columns(self, atoms: NDArray[np.int64], out: Float64Array | None = None) -> Float64Array:
        """Return Gram columns of the given atoms, as the rows of a (len(atoms), n_atoms) array."""
        new = atoms[self._slots[atoms] < 0]
        if self._n_columns + len(new) > self._capacity:
            return self._source.columns(atoms, out)
        if len(new):
            end = self._n_columns + len(new)
            if end > len(self._columns):
                room = np.empty((min(2 * end, self._capacity), self._source.n_atoms))
                room[: self._n_columns] = self._columns[: self._n_columns]
                self._columns = room
            self._source.columns(new, self._columns[self._n_columns : end])
            self._slots[new] = np.arange(self._n_columns, end)
            self._n_columns = end
        return self._columns.take(self._slots[atoms], axis=0, out=out)
