"""
Which Gram columns a corrective selection will want next.

A look ahead from a few rows knows inner products by some percent of the norms of the atoms. What the picks leave of
atoms soon has norms no larger than that, so here the picks are taken off the rows first, by their exact coefficients.
Where there are many atoms, the best of them are compared on all the rows instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from sklearn_gfs._threads import threads_for
from sklearn_gfs._typing import Float64Array, FloatArray

from ._gram import Moments
from ._gram_columns import Costs, GramColumns, block_costs, preview_costs
from ._greedy_kernels import WIDTH

# Columns computed together. Further ahead too many are foreseen in vain.
_BLOCK = 16
# So many times the rows that foresee other selections: each of these picks is a new atom, so more hangs on foresight.
_ROWS = 2
# Measured: a pick costs as much as so many columns that are foreseen, those in vain and those computed alone counted;
# and the nanoseconds of a step ahead besides its products.
_FORESEEN, _FORESEE = 2.4, 4e4
# Of many times as many atoms, so many that would take off the most now are those among which picks are looked for.
# All their products cost about as much as one pass over the atoms. Measured: a pick then costs this share of a pass.
_CANDIDATES, _MANY, _CANDIDATE = 64, 24, 0.6
# Columns to keep for a pick: several ridges share them.
_PER_PICK = 4


class CorrectiveColumns(GramColumns):
    """Gram columns of a source of atoms, of which each is picked once, for selections one after the other."""

    _first_block = _BLOCK

    def forget(self) -> None:
        """Drop all columns."""
        super().forget()
        self._state: Any = None  # whose picks have been taken off
        self._n_taken = 0
        self._left: FloatArray = np.empty((0, 0))  # of the rows
        self._candidates: NDArray[np.int64] | None = None

    @staticmethod
    def _n_kept(k: int) -> int:
        return _PER_PICK * k

    def _costs(self) -> Costs:
        costs = super()._costs()
        n_rows, n_atoms, itemsize = self.source.n_rows, self.source.n_atoms, self.source.itemsize
        product = block_costs(n_rows, n_atoms, itemsize, _BLOCK)
        return costs._replace(foreseen=product + preview_costs(self._n_preview(), n_atoms, itemsize) + _FORESEE)

    def _plan(self, k: int) -> str:
        if not self.source.has_samples:  # columns are there
            return "column"
        costs = self._costs()
        a_pick = _CANDIDATE * costs.alone if self._has_many() else _FORESEEN * costs.foreseen
        totals = {
            "column": (k + 1) * costs.alone,
            "blocks": costs.alone + k * a_pick,
            "whole": costs.whole,
        }
        return min(totals, key=totals.__getitem__)

    def _n_new(self, state: Any) -> int:  # noqa: ARG002
        return self._first_block

    def _n_preview(self) -> int:
        return _ROWS * super()._n_preview()

    def add_foreseen(self, atom: int, step: int, problem: Any, state: Any) -> None:
        """Compute the column that the selection needs now, and with it those it will probably need next."""
        if self._has_candidates():
            self.add(self._among_candidates(atom, step, problem, state))
        else:
            super().add_foreseen(atom, step, problem, state)

    def _has_many(self) -> bool:
        """Whether there are so many atoms that a few of them on all the rows foresee more than all on a few rows."""
        return bool(self.source.n_atoms >= _MANY * _CANDIDATES and not self.source.is_computed)

    def _has_candidates(self) -> bool:
        """Whether the next picks are looked for among a few atoms."""
        return self.plan == "blocks" and self._has_many()

    def preview(self) -> Moments | None:
        """Estimate the moments from a few of the rows, where columns are to be foreseen from them."""
        return None if self._has_candidates() else super().preview()

    def _among_candidates(self, atom: int, step: int, problem: Any, state: Any) -> NDArray[np.int64]:
        """Atoms that the selection would pick next, this one first, if there were only those that are the best now."""
        best = np.argpartition(state.scores, _CANDIDATES)[:_CANDIDATES]
        best = np.union1d(best, [atom])
        self._candidates, self._products = best, self.source.among(best)
        ahead = state.copied()
        ahead.free[:] = False
        ahead.free[best] = state.free[best]
        found = self._wanted_next(step, WIDTH, 0, problem.unstoppable(), ahead)
        self._candidates = None
        return found

    def _foresee(self, n_new: int, n_others: int, step: int, problem: Any, state: Any) -> NDArray[np.int64]:
        if state is not self._state:
            self._state, self._n_taken, self._left = state, 0, self._rows.copy()
        if step > self._n_taken:
            new = slice(self._n_taken, step)
            picks, rows = state.picks[new], state.rows[new]
            # Directions of the new picks on the rows, orthogonal as the picks are on all samples.
            with threads_for(2.0 * self._left.size * len(rows)):
                directions = solve_triangular(rows[:, picks], self._left[:, picks].T, trans=1).T
                self._left -= directions.astype(self._left.dtype) @ rows.astype(self._left.dtype)
            self._n_taken = step
        return super()._foresee(n_new, n_others, step, problem, state)

    def estimate(self, atom: int, out: Float64Array | None = None) -> Float64Array:
        """Estimate one column: exact as far as the picks go, and from the rows what they leave."""
        if self._candidates is not None:
            column = np.zeros(self.source.n_atoms) if out is None else out
            column[:] = 0.0
            column[self._candidates] = self._products[np.searchsorted(self._candidates, atom)]
            return column
        read, self._rows = self._rows, self._left
        column = super().estimate(atom, out)
        self._rows = read
        rows = self._state.rows[: self._n_taken]
        column += rows[:, atom] @ rows
        return column
