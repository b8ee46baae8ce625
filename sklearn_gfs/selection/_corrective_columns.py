"""
Which Gram columns a corrective selection will want next.

A look ahead from a few rows knows inner products by some percent of the norms of the atoms. What the picks leave of
atoms soon has norms no larger than that. So here all the atoms whose columns are known say first what they can, by
exact coefficients: those foreseen in vain tell what others have in common with them. Where a pass takes long, products
of what they leave are estimated from some rows; elsewhere they are taken for zero. The next picks are looked for among
the atoms that would take off the most now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpstrf

from sklearn_gfs._threads import threads_for
from sklearn_gfs._typing import Float64Array, FloatArray

from . import _corrective_kernels as kernels
from ._blocks import in_turns
from ._gram import Moments
from ._gram_columns import Costs, GramColumns, block_costs
from ._greedy_kernels import NEEDS_COLUMN, WIDTH
from ._protocol import Source
from ._thin import product

# Number of columns computed together.
_BLOCK = 16
# Number of atoms from which fewer columns are computed together: a pass over them is bound by memory, so that a few
# columns cost no more than one.
_MANY = 1536
# Number of blocks that are foreseen on trial, because each block makes the next estimates better.
_ON_TRIAL = 3
# Number of atoms among which the next picks are estimated.
_CANDIDATES = 384
# If rows are read for the estimates, one row in this number is read.
_ROWS = 8
# Largest number of these rows.
_MOST_ROWS = 2048
# Number of rows up to which all rows are read, if atoms are many: this takes less time than a block.
_FEW_ROWS = 8192
# Number of candidates if all rows are read.
_FEW_CANDIDATES = 64
# Measured cost of a pick, in foreseen columns. It includes columns that are not used and columns computed alone.
_FORESEEN = 2.4
# Measured nanoseconds of looking a step ahead.
_FORESEE = 1e5
# Measured cost of a pick among many atoms, in columns computed alone.
_CANDIDATE = 0.5
# Number of columns to keep for each pick, because several ridges share columns.
_PER_PICK = 4
# Largest number of columns that are estimated in addition to those that are returned.
_SPARE = 64
# Share of an atom's squared norm orthogonal to known atoms, below which the atom adds nothing to the estimates.
_LEAST_LEFT = 1e-4


class CorrectiveColumns(GramColumns):
    """Gram columns of a source of atoms, of which each is picked once, for selections one after the other."""

    _n_on_trial = _ON_TRIAL * _BLOCK

    def __init__(self, source: Source, k: int) -> None:
        # With the targets the first of many atoms fill one product.
        self._first_block = 0 if _has_many(source) else _BLOCK
        super().__init__(source, k)

    @property
    def _compares(self) -> bool:
        """Whether picks are looked for on all rows."""
        return bool(self.plan == "blocks" and _has_many(self.source) and self.source.n_rows <= _FEW_ROWS)

    @staticmethod
    def _n_kept(k: int) -> int:
        return _PER_PICK * k

    def _costs(self) -> Costs:
        n_rows, n_atoms, itemsize = self.source.n_rows, self.source.n_atoms, self.source.itemsize
        in_block = block_costs(n_rows, n_atoms, itemsize, self._n_new())
        return super()._costs()._replace(foreseen=in_block + _FORESEE)

    def _plan(self, k: int) -> str:
        if not self.source.has_samples:  # columns are there
            return "column"
        costs = self._costs()
        a_pick = _CANDIDATE * costs.alone if _has_many(self.source) else _FORESEEN * costs.foreseen
        totals = {
            "column": (k + 1) * costs.alone,
            "blocks": costs.alone + k * a_pick,
            "whole": costs.whole,
        }
        return min(totals, key=totals.__getitem__)

    def _n_new(self) -> int:
        return WIDTH if _has_many(self.source) else super()._n_new()

    def _n_preview(self) -> int:
        return super()._n_preview() * (1 if _has_many(self.source) else 2)

    def preview(self) -> Moments | None:
        """Estimate the moments from a few of the rows, where columns are to be foreseen from them."""
        return None if self._compares else super().preview()

    def _foresight_pays(self, state: Any) -> bool:
        """Whether it did so far; of many atoms a block costs little more than one column."""
        return _has_many(self.source) or super()._foresight_pays(state)

    def _wanted_next(
        self, step: int, n_new: int, n_others: int, problem: kernels.Problem, state: kernels.State
    ) -> NDArray[np.int64]:
        known = np.flatnonzero(self.slots >= 0)
        if not len(known) and not self._compares:
            store = self.slots.copy(), self.columns, self._n_columns
            return wanted_next(problem, state, step, (n_new, n_others), store, self._estimates)
        n_best = min(_FEW_CANDIDATES if self._compares else _CANDIDATES, self.source.n_atoms)
        best = np.argpartition(state.scores, n_best - 1)[:n_best]
        # One of the earlier picks stands for all.
        atoms = np.union1d(best, state.picks[[*range(min(step, 1)), *range(step, problem.n_settled)]])
        estimates = self._compared(atoms) if self._compares else self._estimated(known, atoms)
        slots = np.full(len(atoms), -1, dtype=np.int64)
        there = np.flatnonzero((self.slots[atoms] >= 0) & (state.counts[atoms] == 0))
        slots[there] = np.arange(len(there))
        columns = np.empty((len(there) + n_new + _SPARE, len(atoms)))
        columns[: len(there)] = self.columns[np.ix_(self.slots[atoms[there]], atoms)]
        found = wanted_next(
            problem.among(atoms),
            state.among(atoms, step, problem.n_settled),
            step,
            (n_new, n_others),
            (slots, columns, len(there)),
            estimates,
        )
        return atoms[found]

    def _compared(self, atoms: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], Float64Array]:
        """What gives products of some of these atoms with all of them, from all rows."""
        gram = self.source.among(atoms)
        return lambda some: gram[some]

    def _estimated(
        self, known: NDArray[np.int64], atoms: NDArray[np.int64]
    ) -> Callable[[NDArray[np.int64]], Float64Array]:
        """What estimates these products: what the known atoms say and, of long passes, some rows of the rest."""
        gram = self.columns[np.ix_(self.slots[known], known)]
        norms = np.diagonal(gram)
        scale = np.where(norms > 0, norms, np.inf) ** -0.5
        factor, order, rank, _ = dpstrf(gram * scale * scale[:, None], tol=_LEAST_LEFT, lower=0, overwrite_a=True)
        known = known[order[:rank] - 1]
        factor, scale = factor[:rank, :rank], scale[order[:rank] - 1]
        products = self.columns[np.ix_(self.slots[known], atoms)]
        said = solve_triangular(factor, products * scale[:, None], trans=1)
        left = []
        if _has_many(self.source) or self.source.is_computed:
            coefficients = scale[:, None] * solve_triangular(factor, said)
            left = in_turns(lambda turn: self._left(known, atoms, coefficients, turn), self.source.n_threads)

        def estimates(some: NDArray[np.int64]) -> Float64Array:
            columns: Float64Array = said[:, some].T @ said
            for rows in left:
                columns += product(rows[:, some], rows)
            return columns

        return estimates

    def _left(
        self, known: NDArray[np.int64], atoms: NDArray[np.int64], coefficients: Float64Array, turn: tuple[int, int]
    ) -> FloatArray:
        """What the known atoms leave of others on a turn's share of some rows."""
        n_rows = min(-(-self.source.n_rows // _ROWS), _MOST_ROWS)
        rows = self.source.sample(np.concatenate([atoms, known]), n_rows, turn)
        left = np.ascontiguousarray(rows[:, : len(atoms)])
        with threads_for(2.0 * left.size * len(known)):
            left -= rows[:, len(atoms) :] @ coefficients.astype(rows.dtype)
        return left


def _has_many(source: Source) -> bool:
    """Whether a pass over the atoms is bound by memory for up to `WIDTH` columns."""
    return bool(source.n_atoms >= _MANY and not source.is_computed)


def wanted_next(
    problem: kernels.Problem,
    state: kernels.State,
    step: int,
    wanted: tuple[int, int],
    store: tuple[NDArray[np.int64], Float64Array, int],
    estimates: Callable[[NDArray[np.int64]], Float64Array],
) -> NDArray[np.int64]:
    """
    Continue a selection, estimating each Gram column that is not there.

    Parameters
    ----------
    problem, state, step
        What is looked ahead from; the state is written over.
    wanted : tuple of int
        See `GramColumns._wanted_next`: n_new and n_others.
    store : tuple
        In which rows of the columns that of an atom stands, the columns, and the first of at least n_new free rows.
        All but the columns that are there is written over.
    estimates : callable
        Returns the columns of some atoms, a row each.
    """
    (n_new, n_others), (slots, columns, free) = wanted, store
    new: list[int] = []
    places: dict[int, int] = {}  # in which rows columns that were estimated stand
    while len(new) < n_new:
        step, reason, atom = problem.look_ahead(step, state, slots, columns)
        if reason != NEEDS_COLUMN:
            break
        if atom not in places:
            # Others may be wanted soon, and several columns cost little more than one. Each new atom needs a row.
            n_rows = len(columns) - free - (n_new - len(new) - 1)
            some = _contenders(atom, min(n_rows, WIDTH), np.where(slots < 0, state.scores, np.inf), list(places))
            columns[free : free + len(some)] = estimates(some)
            places.update(zip(some.tolist(), range(free, free + len(some)), strict=True))
            free += len(some)
        slots[atom] = places[atom]
        new.append(atom)
    others = np.flatnonzero(slots < 0)
    n_closest = min(-(len(new) + n_others) % WIDTH, n_new - len(new))
    closest = others[np.argsort(state.scores[others], kind="stable")[:n_closest]]
    return np.concatenate([np.array(new, dtype=np.int64), closest])


def _contenders(atom: int, n_atoms: int, scores: Float64Array, done: list[int]) -> NDArray[np.int64]:
    """One atom, and of the others that are not done those with the least scores, n_atoms in all."""
    scores[done] = np.inf
    scores[atom] = -np.inf
    best: NDArray[np.int64] = np.argpartition(scores, min(n_atoms, len(scores)) - 1)[:n_atoms]
    return best[scores[best] < np.inf]
