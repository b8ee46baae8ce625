"""
Which Gram columns a corrective selection will want next.

A look ahead from a few rows knows inner products by some percent of the norms of the atoms. What the picks leave of
atoms soon has norms no larger than that. So here all the atoms whose columns are known are taken off the rows first, by
their exact coefficients: only products of what these leave are estimated. The next picks are looked for among the atoms
that would take off the most now.
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

from ._gram import Moments
from ._gram_columns import Costs, GramColumns, block_costs, wanted_next
from ._greedy_kernels import WIDTH
from ._thin import product

# Columns computed together. Of many atoms fewer, as these cost no more than one: memory is what a pass waits for.
_BLOCK = 16
_MANY = 1536
# Picks are looked for on one of so many rows, on at most so many (of many atoms the second), among so many atoms. Few
# rows of many atoms are all read in less time than a block takes: then they are, of fewer atoms.
_ROWS, _MOST_ROWS, _CANDIDATES = 8, (1024, 2048), 384
_FEW_ROWS, _FEW_CANDIDATES = 8192, 64
# Measured: a pick costs as much as so many columns that are foreseen, those in vain and those computed alone counted;
# and the nanoseconds of a step ahead.
_FORESEEN, _FORESEE = 2.4, 2e5
# Measured: of many atoms a pick costs this share of a column computed alone.
_CANDIDATE = 0.5
# Columns to keep for a pick: several ridges share them.
_PER_PICK = 4
# Columns that are estimated besides those wanted at most.
_SPARE = 64
# An atom of which the others leave less than this share of its squared norm says nothing more than these.
_LEAST_LEFT = 1e-4


class CorrectiveColumns(GramColumns):
    """Gram columns of a source of atoms, of which each is picked once, for selections one after the other."""

    def __init__(self, source: Any, k: int) -> None:
        # With the targets the first of many atoms fill one product.
        self._first_block = 0 if _has_many(source) else _BLOCK
        super().__init__(source, k)

    def forget(self) -> None:
        """Drop all columns."""
        super().forget()
        self._sampled = np.empty(0, dtype=np.int64)  # atoms whose columns are known, and some rows of them
        self._known_rows: FloatArray = np.empty((0, 0))

    @property
    def _compares(self) -> bool:
        """Whether picks are looked for on all rows."""
        return bool(self.plan == "blocks" and _has_many(self.source) and self.source.n_rows <= _FEW_ROWS)

    @staticmethod
    def _n_kept(k: int) -> int:
        return _PER_PICK * k

    def _costs(self) -> Costs:
        n_rows, n_atoms, itemsize = self.source.n_rows, self.source.n_atoms, self.source.itemsize
        product = block_costs(n_rows, n_atoms, itemsize, self._n_new(None))
        return super()._costs()._replace(foreseen=product + _FORESEE)

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

    def _n_new(self, state: Any) -> int:  # noqa: ARG002
        return WIDTH if _has_many(self.source) else self._first_block

    def _n_preview(self) -> int:
        return super()._n_preview() * (1 if _has_many(self.source) else 2)

    def preview(self) -> Moments | None:
        """Estimate the moments from a few of the rows, where columns are to be foreseen from them."""
        return None if self._compares else super().preview()

    def _foresight_pays(self, state: Any) -> bool:
        """Whether it did so far; of many atoms so many columns cost little more than one."""
        return _has_many(self.source) or super()._foresight_pays(state)

    def _wanted_next(self, step: int, n_new: int, n_others: int, problem: Any, state: Any) -> NDArray[np.int64]:
        known = np.flatnonzero(self.slots >= 0)
        if not len(known) and not self._compares:
            return super()._wanted_next(step, n_new, n_others, problem, state)
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
        """What estimates these products: what the known atoms say of them, and from some rows what those leave."""
        n_rows = min(-(-self.source.n_rows // _ROWS), _MOST_ROWS[_has_many(self.source)])
        new = np.setdiff1d(known, self._sampled)
        if len(self._sampled) + len(new) > len(known):  # some were dropped
            self._sampled, self._known_rows, new = known[:0], np.empty((0, 0)), known
        read = self.source.sample(new, n_rows)
        self._known_rows = np.concatenate([self._known_rows, read], axis=1) if len(self._sampled) else read
        self._sampled = known = np.concatenate([self._sampled, new])
        gram = self.columns[np.ix_(self.slots[known], known)]
        norms = np.diagonal(gram)
        scale = np.where(norms > 0, norms, np.inf) ** -0.5
        factor, order, rank, _ = dpstrf(gram * scale * scale[:, None], tol=_LEAST_LEFT, lower=0, overwrite_a=True)
        found = order[:rank] - 1
        factor, scale = factor[:rank, :rank], scale[found]
        products = self.columns[np.ix_(self.slots[known[found]], atoms)]
        said = solve_triangular(factor, products * scale[:, None], trans=1)
        coefficients = scale[:, None] * solve_triangular(factor, said)
        rows = self.source.sample(atoms, n_rows)
        with threads_for(2.0 * rows.size * rank):
            rows -= self._known_rows[:, found] @ coefficients.astype(rows.dtype)

        def estimates(some: NDArray[np.int64]) -> Float64Array:
            columns: Float64Array = said[:, some].T @ said
            columns += product(rows[:, some], rows)
            return columns

        return estimates


def _has_many(source: Any) -> bool:
    """Whether a pass over the atoms waits for memory until it has made as many columns as a product is wide."""
    return bool(source.n_atoms >= _MANY and not source.is_computed)
