"""
Which Gram columns to compute, and which of them together.

A column computed alone is bound by memory, several together by arithmetic. In the whole Gram matrix a column costs half
of that. Here belong the cost model that chooses, the preview of a few rows, and the store of columns within
scikit-learn's ``working_memory``. Subclasses estimate which columns a selection will need next. The picks do not depend
on these choices.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._chunks import working_memory
from sklearn_gfs._typing import Float64Array, FloatArray

from . import _greedy_kernels as kernels
from ._gram import Moments
from ._protocol import Source
from ._thin import product

# Measured on a server's core, in nanoseconds per byte of the atoms; only their ratios matter. Of single columns by
# ``benchmarks/selection.py plans``, whose selections find the atoms in the cache or don't, of several by ``costs``.
_READ = 0.06  # once through them, from memory
_READ_CACHED = 0.037  # once through them, where they fit the last cache
_MULTIPLY = 0.006  # one more column in a product of several
_SQUARE = 0.0032  # each column of the whole matrix
_CACHE = 2**25  # bytes that a last cache holds
_CALL = 2e4  # nanoseconds of a small product, or a step of the selection, its call included

_TINY = np.finfo(np.float64).tiny
_FORESEEN_BLOCK = 32  # number of columns computed together, in the cost of a foreseen one
_LARGEST_BLOCK = 96  # largest number of columns computed together
_PREVIEW_ROWS = 512  # largest number of rows of the preview
# Number of distinct atoms among k picks, over k ** (2 / 3), by the number of outputs. Measured by
# ``benchmarks/selection.py plans``. With several outputs the value is between those of trained and random networks.
# With one output these differ tenfold, and the value is near that of random networks, because the whole matrix would be
# the most expensive error.
_DISTINCT = {"one": 0.5, "several": 4.0}
# Number of foreseen atoms: the first value, plus the second for each atom that is picked.
_FORESEEN = 20, 1.15


class Costs(NamedTuple):
    """Nanoseconds of a column computed alone, of a foreseen column in a block, and of the whole matrix."""

    alone: float
    foreseen: float
    whole: float


def column_costs(n_rows: int, n_atoms: int, itemsize: int) -> Costs:
    """Return the costs of columns of atoms of this size."""
    n_bytes, alone = n_rows * n_atoms * itemsize, _alone(n_rows, n_atoms, itemsize)
    return Costs(
        alone=alone,
        foreseen=block_costs(n_rows, n_atoms, itemsize, _FORESEEN_BLOCK)
        + preview_costs(_preview_rows(n_rows), n_atoms, itemsize),
        whole=2 * alone + n_bytes * n_atoms * _SQUARE,
    )


def _alone(n_rows: int, n_atoms: int, itemsize: int) -> float:
    """Return the nanoseconds of a column computed alone."""
    n_bytes = n_rows * n_atoms * itemsize
    return n_bytes * (_READ_CACHED if n_bytes <= _CACHE else _READ) + _CALL


def block_costs(n_rows: int, n_atoms: int, itemsize: int, n_columns: int) -> float:
    """Return the nanoseconds of one of n_columns columns that are computed together."""
    return _alone(n_rows, n_atoms, itemsize) / n_columns + n_rows * n_atoms * itemsize * _MULTIPLY


def preview_costs(n_rows: float, n_atoms: int, itemsize: int) -> float:
    """Return the nanoseconds of a column that is estimated from n_rows rows."""
    return n_rows * n_atoms * itemsize * _READ_CACHED + _CALL


def plan(n_rows: int, n_atoms: int, itemsize: int, k: int, directions: str = "one") -> str:
    """
    Return the cheapest plan: "column" by column, in foreseen "blocks", or the "whole" matrix at once.

    `directions` says whether the atoms share "one" target or, by their output weights, approximate "several". The plan
    "blocks" changes to single columns if few of the foreseen atoms are picked.
    """
    costs = column_costs(n_rows, n_atoms, itemsize)
    n_columns = min(max(_DISTINCT[directions] * k ** (2 / 3), 1.0), k, n_atoms)
    n_foreseen = max(_FORESEEN[0] + _FORESEEN[1] * n_columns, kernels.WIDTH)
    # An estimate takes one row for each known column, on average half of all columns.
    foreseen = block_costs(n_rows, n_atoms, itemsize, _FORESEEN_BLOCK) + preview_costs(n_columns / 2, n_atoms, itemsize)
    totals = {
        "column": (n_columns + 1) * costs.alone,  # one for the products with y
        "blocks": costs.alone + min(n_foreseen * foreseen, n_columns * costs.alone),
        "whole": costs.whole,
    }
    return min(totals, key=totals.__getitem__)


def capacity(n_atoms: int, k: int) -> int:
    """Return the number of columns to keep: of all picks and some unused columns, if the working memory holds them."""
    return max(min(k + _LARGEST_BLOCK, n_atoms, _fit(n_atoms)), 1)


def _fit(n_atoms: int) -> int:
    return int(working_memory() // (8 * n_atoms))


def _preview_rows(n_rows: int) -> int:
    return min(-(-n_rows // 8), _PREVIEW_ROWS)


class GramColumns(ABC):
    """
    A store of Gram columns of one source of atoms.

    ``slots[i]`` is the row of ``columns`` that holds column i, or negative if the column is not computed yet.
    """

    _first_block: int  # columns computed together
    _n_on_trial: int  # columns that are foreseen before the question whether foresight pays

    def __init__(self, source: Source, k: int) -> None:
        self.source = source
        n_atoms = source.n_atoms
        self._capacity = capacity(n_atoms, self._n_kept(k))
        self._block = min(_LARGEST_BLOCK, self._capacity)
        self.plan = self._plan(k)
        if self.plan == "whole" and n_atoms > _fit(n_atoms):
            self.plan = "blocks"
        # If each pass computes the atoms anew, a pass is expensive, and computes many columns. The whole matrix would
        # not fit into memory: atoms are computed anew because memory is short.
        if source.is_computed:
            self.plan, self._first_block = "blocks", _LARGEST_BLOCK
        if self.plan == "blocks" and not (source.has_rows and self._capacity > 1):
            self.plan = "column"
        weights = source.output_weights
        self._output_weights = np.empty((0, 0)) if weights is None else np.ascontiguousarray(weights.T)
        self.forget()

    @staticmethod
    def _n_kept(k: int) -> int:
        """Return the number of columns to keep for k picks, without unused foreseen columns."""
        return k

    def _plan(self, k: int) -> str:
        """Return the cheapest plan for the columns; see the function `plan`."""
        weights = self.source.output_weights
        directions = "one" if weights is None or weights.shape[1] == 1 else "several"
        return plan(self.source.n_rows, self.source.n_atoms, self.source.itemsize, k, directions)

    def forget(self) -> None:
        """Drop all columns."""
        n_rows = {"whole": 0, "column": self._capacity, "blocks": self._capacity + self._block}[self.plan]
        self.slots = np.full(self.source.n_atoms, -1, dtype=np.int64)
        self.columns = np.empty((n_rows, self.source.n_atoms))
        self._n_columns = 0
        self._foreseen = np.empty(0, dtype=np.int64)  # the last time
        self._ever_foreseen = np.zeros(self.source.n_atoms, dtype=bool)
        self._rows: FloatArray = np.empty((0, 0))  # read when something is to be foreseen
        self._unchecked = np.empty(0, dtype=np.int64)  # atoms whose columns have not said how exact products are
        self._seen = 0.0  # what the others have said

    def moments(self, atoms: NDArray[np.int64]) -> Moments:
        """Return the moments of all atoms, and add the columns of some on the same way through the data."""
        atoms = atoms[: self._capacity]
        if self.plan == "whole" or not len(atoms):
            return self.source.moments()
        return self.source.moments(atoms, self._room(atoms))

    def add(self, atoms: NDArray[np.int64]) -> None:
        """Compute the columns of the first of these atoms: at least one, at most the number that the store holds."""
        if self.plan == "whole":
            self.columns = self.source.whole()
            self.slots = self._unchecked = np.arange(self.source.n_atoms)
            return
        atoms = atoms[: self._capacity]
        self.source.columns(atoms, self._room(atoms))

    def _room(self, atoms: NDArray[np.int64]) -> Float64Array:
        """Return rows of the store for the columns of these atoms; if it is full, older columns are dropped."""
        if self._n_columns + len(atoms) > self._capacity:
            self.slots[:] = -1
            self._n_columns, self._unchecked = 0, atoms[:0]
        start, self._n_columns = self._n_columns, self._n_columns + len(atoms)
        self._unchecked = atoms if not len(self._unchecked) else np.union1d(self._unchecked, atoms)
        self.slots[atoms] = np.arange(start, self._n_columns)
        return self.columns[start : self._n_columns]

    def get(self, atom: int) -> Float64Array:
        """Return one column, computed if need be."""
        if self.slots[atom] < 0:
            self.add(np.array([atom]))
        return self.columns[self.slots[atom]]

    def inexactness(self, usual: float, norms: Float64Array, raw_norms: Float64Array) -> float:
        """
        Return the relative error that products may have: the usual one, or more where columns show that.

        Each column has the squared norm of its own atom, which the moments know better. Sums of products that are all
        alike, of atoms that are nearly constant or take few values, round to one side.

        Parameters
        ----------
        usual : float
            Of products in this precision.
        norms, raw_norms : ndarrays of shape (n_atoms,)
            Squared norms of the atoms, and those that errors are relative to.
        """
        if len(self._unchecked):
            atoms = self._unchecked
            off = np.abs(self.columns[self.slots[atoms], atoms] - norms[atoms])
            self._seen = max(self._seen, float(np.max(off / np.maximum(raw_norms[atoms], _TINY))))
            self._unchecked = self._unchecked[:0]
        return usual if 2.0 * self._seen <= usual else 4.0 * self._seen

    def preview(self) -> Moments | None:
        """Return moments estimated from a few rows; None if columns are not foreseen from rows."""
        if self.plan != "blocks":
            return None
        self._rows, moments = self.source.preview(self._n_preview())
        return moments if np.isfinite(moments.norms).all() and np.isfinite(moments.c).all() else None

    def _n_preview(self) -> int:
        """Return the approximate number of rows of the preview."""
        return _preview_rows(self.source.n_rows)

    def estimate(self, atom: int) -> Float64Array:
        """Return one column, estimated from the preview's rows."""
        return self._estimates(np.array([atom]))[0]

    def _estimates(self, atoms: NDArray[np.int64]) -> Float64Array:
        """Return columns estimated from the preview's rows, as the rows of a (len(atoms), n_atoms) array."""
        columns = np.asarray(product(self._rows[:, atoms], self._rows), dtype=np.float64)
        weights = self._output_weights
        if len(weights):
            columns *= weights[:, atoms].T @ weights
        return columns

    def foresee_first(self, problem: Any, state: Any) -> NDArray[np.int64]:
        """
        Atoms whose columns the selection will probably need first, the problem being that of the preview.

        They are less sure than others, as products with y are not exact, and say nothing of how sure those will be.
        """
        n_targets = self.source.n_targets  # which the product with them has as well
        atoms = self._foresee(self._first_block + -n_targets % kernels.WIDTH, n_targets, 0, problem, state)
        self._ever_foreseen[:] = False
        return atoms

    def add_foreseen(self, atom: int, step: int, problem: Any, state: Any) -> None:
        """Compute the column that the selection needs now, and with it those it will probably need next."""
        atoms = np.array([atom])
        if self.plan == "blocks" and self._foresight_pays(state):
            if not len(self._rows):
                self.preview()
            foreseen = self._foresee(self._n_new(), 0, step, problem, state)
            # A few rows may say that no pick lowers the loss any more, while all rows ask for this one.
            atoms = foreseen if atom in foreseen else np.append(atoms, foreseen)
        self.add(atoms)

    def _n_new(self) -> int:
        """Return the number of columns to foresee."""
        return self._first_block

    def _foresight_pays(self, state: Any) -> bool:
        """Whether all foreseen columns were cheaper than the picked ones among them would have been one by one."""
        judged = self._ever_foreseen.copy()
        judged[self._foreseen] = False  # those of the last block may still be picked
        n_judged, n_picked, costs = np.count_nonzero(judged), np.count_nonzero(state.counts[judged]), self._costs()
        return bool(n_judged <= self._n_on_trial or n_judged * costs.foreseen <= n_picked * costs.alone)

    def _costs(self) -> Costs:
        """Return the costs of columns."""
        return column_costs(self.source.n_rows, self.source.n_atoms, self.source.itemsize)

    def _foresee(self, n_new: int, n_others: int, step: int, problem: Any, state: Any) -> NDArray[np.int64]:
        """
        Atoms without a column that the selection would pick next, going by a few of the rows.

        The state is exact up to this step, so that their error builds up only over the steps foreseen.
        """
        new = self._wanted_next(step, min(n_new, self._block), n_others, problem.unstoppable(), state.copied())
        self._foreseen = new
        self._ever_foreseen[self._foreseen] = True
        return self._foreseen

    @abstractmethod
    def _wanted_next(self, step: int, n_new: int, n_others: int, problem: Any, state: Any) -> NDArray[np.int64]:
        """
        Continue a copy of the selection, estimating each Gram column that is not there.

        Return the atoms whose columns were estimated, at most n_new. Atoms that were closest to being the last pick are
        added, until their number plus n_others is a multiple of ``WIDTH``.
        """
