"""
Which Gram columns to compute, and which of them together.

A column computed alone is bound by memory, several together by arithmetic, and the whole Gram matrix costs half
as much a column again. Here belong the cost model that chooses, the preview that foresees which columns the
selection will want next, and the store of columns within scikit-learn's ``working_memory``. None of it changes
what is picked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config

from . import _greedy_kernels as kernels
from ._gram import block_rows
from ._typing import FloatArray

# Measured by ``benchmarks/selection.py costs`` on a server's core, in nanoseconds per byte of the atoms; only their
# ratios matter.
_READ = 0.12  # once through them, from memory
_READ_CACHED = 0.05  # once through them, where they fit the last cache
_MULTIPLY = 0.011  # one more column in a product of several
_CACHE = 2**24  # bytes that a last cache holds
_CALL = 2e4  # nanoseconds of a small product, its call included

_BLOCKS = (32, 96)  # fewest and most columns computed together
_WASTE = 1.25  # columns computed for each one wanted, when foreseen
_DISTINCT = 0.6  # share of the picks that are new atoms
_PREVIEW_ROWS = 512


def plan(n_rows: int, n_atoms: int, itemsize: int, k: int) -> str:
    """Cheapest way to the columns: "column" by column, in foreseen "blocks", or the "whole" matrix at once."""
    n_bytes = n_rows * n_atoms * itemsize
    read = n_bytes * (_READ_CACHED if n_bytes <= _CACHE else _READ)
    preview = _preview_rows(n_rows) * n_atoms * 8 * _READ_CACHED
    n_columns = max(_DISTINCT * min(k, n_atoms), 1.0)
    n_foreseen = _WASTE * n_columns
    costs = {
        "column": n_columns * (read + _CALL),
        "blocks": max(n_foreseen / _BLOCKS[0], 1.0) * (read + _CALL) + n_foreseen * (n_bytes * _MULTIPLY + preview),
        "whole": read + n_bytes * n_atoms * _MULTIPLY / 2 + _CALL,
    }
    return min(costs, key=costs.__getitem__)


def capacity(n_atoms: int, k: int) -> int:
    """How many columns to keep: those of all picks and of some foreseen in vain, if they fit the working memory."""
    return max(min(k + _BLOCKS[1], n_atoms, _fit(n_atoms)), 1)


def planned_bytes(n_rows: int, n_atoms: int, itemsize: int, k: int) -> int:
    """Memory that a selection for squared error takes beyond its input, by the plan for these sizes."""
    rows = block_rows(n_atoms * itemsize)
    if plan(n_rows, n_atoms, itemsize, k) == "whole" and n_atoms <= _fit(n_atoms):
        return n_atoms**2 * (2 * 8 + itemsize)  # the matrix, its product of output weights, and that of one block
    kept = 8 * n_atoms * capacity(n_atoms, k)
    foreseen = 8 * n_atoms * (capacity(n_atoms, k) + 2 * _preview_rows(n_rows))  # a copy with room, and the rows
    product = _BLOCKS[1] * ((8 + itemsize) * n_atoms + itemsize * rows)
    return kept + max(foreseen, product)


def _fit(n_atoms: int) -> int:
    return int(get_config()["working_memory"] * 2**20 // (8 * n_atoms))


def _preview_rows(n_rows: int) -> int:
    return min(-(-n_rows // 8), _PREVIEW_ROWS)


class GramColumns:
    """
    Gram columns of one source of atoms: those that are there, and how more are added.

    ``slots[i]`` says in which row of ``columns`` column i stands; below zero it is not there.
    """

    def __init__(self, source: Any, k: int) -> None:
        self.source = source
        n_atoms = source.n_atoms
        self._capacity = capacity(n_atoms, k)
        self.plan = plan(source.n_rows, n_atoms, source.itemsize, k)
        if self.plan == "whole" and n_atoms > _fit(n_atoms):
            self.plan = "blocks"
        if self.plan == "blocks" and not source.has_rows:
            self.plan = "column"
        self.forget()

    def forget(self) -> None:
        """Drop all columns."""
        self.slots = np.full(self.source.n_atoms, -1, dtype=np.int64)
        self.columns = np.empty((0 if self.plan == "whole" else self._capacity, self.source.n_atoms))
        self._n_columns = 0
        self._preview: FloatArray | None = None
        self._block = _BLOCKS[0]
        self._foreseen = np.zeros(0, dtype=np.int64)

    def add(self, atoms: NDArray[np.int64]) -> None:
        """Compute the columns of these atoms, at most as many as there is room for, the first in any case."""
        if self.plan == "whole":
            self.columns = self.source.whole()
            self.slots = np.arange(self.source.n_atoms)
            return
        if self._n_columns + len(atoms) > self._capacity:
            self.slots[:] = -1
            self._n_columns = 0
            atoms = atoms[: self._capacity]
        stop = self._n_columns + len(atoms)
        self.columns[self._n_columns : stop] = self.source.columns(atoms)
        self.slots[atoms] = np.arange(self._n_columns, stop)
        self._n_columns = stop

    def get(self, atom: int) -> NDArray[np.float64]:
        """Return one column, computed if need be."""
        if self.slots[atom] < 0:
            self.add(np.array([atom]))
        return self.columns[self.slots[atom]]

    def add_foreseen(self, atom: int, step: int, problem: kernels.Problem, state: kernels.State) -> None:
        """Compute the column that the selection needs now, and with it those it will probably need next."""
        atoms = [atom]
        if self.plan == "blocks" and self._capacity > 1:
            if len(self._foreseen):
                # A pass over the atoms costs as much as a dozen columns: look further than the last block served.
                used = np.count_nonzero(state.counts[self._foreseen])
                self._block = int(np.clip(3 * used, *_BLOCKS))
            block = min(self._block, self._capacity)
            atoms = list(dict.fromkeys([atom, *self._foresee(block, step, problem, state)]))[:block]
            self._foreseen = np.array(atoms)
        self.add(np.array(atoms))

    def _foresee(self, n_new: int, step: int, problem: kernels.Problem, state: kernels.State) -> list[int]:
        """
        Atoms without a column that the selection would pick next, going by a few of the rows.

        The state is exact up to this step, so that their error builds up only over the steps foreseen.
        """
        if self._preview is None:
            self._preview = self.source.preview(_preview_rows(self.source.n_rows))
        known = np.flatnonzero(self.slots >= 0)
        columns = np.empty((len(known) + n_new, self.source.n_atoms))
        columns[: len(known)] = self.columns[self.slots[known]]
        slots = np.full_like(self.slots, -1)
        slots[known] = np.arange(len(known))
        weights = self.source.output_weights
        atoms, n_atoms = kernels.foresee(
            step,
            n_new,
            problem._replace(tol=-1.0, precision=-np.inf),
            state._replace(**{name: array.copy() for name, array in state._asdict().items()}),
            slots,
            columns,
            len(known),
            self._preview,
            np.empty((0, 0)) if weights is None else weights,
        )
        return atoms[:n_atoms].tolist()
