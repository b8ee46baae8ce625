"""
Estimates of the Gram columns that a selection for squared error will need next, from the columns that are known.

Known columns give the inner products of the projections of all atoms on the known atoms. For trained neurons, after
some dozens of columns, these are nearly the whole products. So most foreseen columns are used, and far fewer than all
are computed. Before the first block no column is known, and a few rows are read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._threads import one_thread
from sklearn_gfs._typing import Float64Array

from . import _greedy_kernels as kernels
from ._gram import Moments
from ._gram_columns import GramColumns

# Number of columns computed together. With fewer columns the estimates start from exact values more often, but there
# are more passes over the atoms.
_BLOCK = 24
# Number of blocks that are foreseen on trial; known columns make the estimates of the next block better.
_ON_TRIAL = 1
# Share of the largest squared norm below which the part of an atom orthogonal to the known atoms counts as rounding.
_ROUNDING = 1e-3

# Difference of estimated scores, as a share of their terms, below which they are ties. Duplicates of a pick are not
# foreseen.
_TIE = 1e-6


class PivotedColumns(GramColumns):
    """A store of Gram columns, from which the next columns are foreseen."""

    _first_block = _BLOCK
    _n_on_trial = _ON_TRIAL * _BLOCK

    def forget(self) -> None:
        """Drop all columns."""
        super().forget()
        n_atoms = self.source.n_atoms
        # Inner products of the columns of this matrix, times the unit, estimate those of the atoms before output
        # weights. They are exact for products with atoms whose columns are known.
        self._base = np.empty((len(self.columns), n_atoms), dtype=np.float32)
        self._n_base, self._unit = 0, 1.0
        # Atoms, and their columns before output weights, that are not in the base yet.
        self._unread: list[tuple[NDArray[np.int64], Float64Array]] = []
        weights = self._output_weights if len(self._output_weights) else np.ones((1, n_atoms))
        self._largest_weight = float(np.abs(weights).max()) or 1.0
        self._weights = (weights / self._largest_weight).astype(np.float32)

    def moments(self, atoms: NDArray[np.int64]) -> Moments:
        """Return the moments of all atoms, and add the columns of some on the same way through the data."""
        if self.plan != "blocks" or not len(atoms):
            return super().moments(atoms)
        moments: Moments = self._noted(self.source.moments, atoms[: self._capacity])
        return moments

    def add(self, atoms: NDArray[np.int64]) -> None:
        """Compute the columns of the first of these atoms: at least one, at most the number that the store holds."""
        if self.plan != "blocks":
            super().add(atoms)
        else:
            self._noted(self.source.columns, atoms[: self._capacity])

    def _noted(self, read: Callable[..., Any], atoms: NDArray[np.int64]) -> Any:
        """Return the result of `read` for these atoms, and store their columns before output weights."""
        room = self._room(atoms)
        if self.source.output_weights is None:
            found, products = read(atoms, room), room.copy()
        else:
            products = np.empty_like(room)
            found = read(atoms, room, products)
        self._unread.append((atoms, products))
        return found

    def _learn(self) -> None:
        """Add rows of a Cholesky factor to the base, from the new columns."""
        atoms, products = (np.concatenate(some)[-len(self._base) :] for some in zip(*self._unread, strict=True))
        self._unread, n_new = [], len(atoms)
        size = products[np.arange(n_new), atoms].max()
        if self._n_base + n_new > len(self._base) or self._n_base == 0:
            self._n_base, self._unit = 0, size
        if not 0.0 < size < np.inf:
            return
        known, new = self._base[: self._n_base], self._base[self._n_base :][:n_new]
        with one_thread(), np.errstate(over="ignore", invalid="ignore"):
            left = (products / self._unit).astype(np.float32)
            left -= known[:, atoms].T @ known
            if not np.isfinite(left).all():
                return
            among = left[:, atoms].astype(np.float64)
            among[np.diag_indices(n_new)] += _ROUNDING * size / self._unit
            factor = np.linalg.inv(np.linalg.cholesky(among))
            np.matmul(factor.astype(np.float32), left, out=new)
        self._n_base += n_new

    def _rows_in_float32(self) -> tuple[NDArray[np.float32], float]:
        """Return the preview's rows in a unit in which float32 has their products, and the unit of these."""
        largest = np.abs(self._rows).max(initial=0.0)
        unit = math.ldexp(1.0, math.frexp(largest)[1]) if 0.0 < largest < np.inf else 1.0
        return (self._rows / unit).astype(np.float32, copy=False), unit**2

    def _foresight_pays(self, state: Any) -> bool:
        """Whether it did so far; where atoms are computed, single columns never pay."""
        return self.source.is_computed or super()._foresight_pays(state)

    def _wanted_next(self, step: int, n_new: int, n_others: int, problem: Any, state: Any) -> NDArray[np.int64]:
        if self._unread:
            self._learn()
        base, unit = (self._base[: self._n_base], self._unit) if self._n_base else self._rows_in_float32()
        n_atoms = self.source.n_atoms
        ahead = kernels.Ahead(
            base=base,
            weights=self._weights,
            unit=float(unit * self._largest_weight**2),
            tie=_TIE,
            found=np.full(n_new, -1, dtype=np.int64),
            estimates=np.empty((n_new, n_atoms)),
            work=np.empty((2, n_atoms), dtype=np.float32),
        )
        kernels.squared_error_steps(
            step, len(state.picks), problem, state, self.slots, self.columns, -1, np.ones(len(state.s)), ahead
        )
        found = ahead.found[ahead.found >= 0]
        n_found = len(found)
        n_closest = min(-(n_found + n_others) % kernels.WIDTH, n_new - n_found)
        if n_closest == 0:
            return found
        is_there = self.slots >= 0
        is_there[found] = True
        others = np.flatnonzero(~is_there)
        closest = others[np.argsort(state.scores[others], kind="stable")[:n_closest]]
        return np.concatenate([found, closest])
