"""
The corrective search for squared error: forward selection by orthogonal least squares.

After every pick the weights of all that has been picked are re-solved, and the pick is the atom that then leaves the
least penalised loss. Each step needs one Gram column and a row of a Cholesky factor, that of the picks, extended over
all atoms. Several ridges share the columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpstrf

from sklearn_gfs._typing import Float64Array

from ._corrective_path import CorrectivePath, Fixed
from ._gram_columns import GramColumns
from ._range import find_fault

# Gains, what picks take off the penalised loss, that differ by less than this, relative to the terms they are made of,
# are ties.
_TIE = 1e-14
# An atom of which the picks leave less than this share of its squared norm depends on them linearly.
LEAST_LEFT = 1e-9
# What is left of a constant atom once its mean is taken off, as a share of its squared norm.
_ROUNDING = 1e-13
# A pick must take off more than this share of the loss before the first pick; less is rounding.
_LEAST_GAIN = 1e-15


class CorrectiveSearch:
    """
    Selections from one source of inner products, at several ridges.

    Parameters
    ----------
    source : ArrayAtoms, CentredAtoms or GramAtoms
        Inner products, about the means where the intercept is free.
    k : int
        Number of picks at most.
    base : ndarray of shape (n_outputs,)
        See `Fixed`.
    free_intercept : bool
        Whether the source knows the means of the atoms, of which the intercept is made.
    flat : bool
        See `Fixed`.
    """

    def __init__(self, source: Any, k: int, *, base: Float64Array, free_intercept: bool, flat: bool) -> None:
        self.source = source
        self.k = min(k, source.n_atoms)
        source.promote(about_y=False)
        self.columns = GramColumns(source, self.k)
        self.moments = self.columns.moments(np.empty(0, dtype=np.int64))
        self._raw_norms = source.raw_norms if free_intercept else self.moments.norms
        # Beside an intercept a column may vanish: it is constant.
        sizes = np.full_like(self._raw_norms, self._raw_norms.max()) if free_intercept else self._raw_norms
        fault = find_fault(source, self.moments._replace(norms=sizes), signed=True)
        if fault:
            raise ValueError(fault)
        means = source.means if free_intercept else np.zeros(source.n_atoms)
        self.fixed = Fixed(means, base, self.moments.target_norm, flat)
        self._gram: Float64Array | None = None

    def paths(self, ridges: Sequence[float], *, tol: float | None = None) -> list[CorrectivePath]:
        """
        Make the selection at each ridge.

        With `tol` the least losses are computed, and a path ends with the first gap of at most `tol`.
        """
        return [self._path(ridge, tol) for ridge in ridges]

    def _path(self, ridge: float, tol: float | None) -> CorrectivePath:
        """Make the selection at one ridge."""
        moments, k = self.moments, self.k
        penalty = ridge * float(moments.norms.mean())
        least = None if tol is None else self._least(penalty)
        left, rest = moments.norms + penalty, moments.c.copy()
        enough = LEAST_LEFT * left + _ROUNDING * self._raw_norms
        rows, shares = np.empty((k, len(left))), np.empty((k, len(rest)))
        picks, steepest = np.empty(k, dtype=np.int64), np.empty(k)
        free, penalised, step = left > enough, 0.5 * moments.target_norm, 0
        while step < k and (least is None or tol is None or penalised - least > tol or step == 0):
            pick = self._choose(rest, left, free)
            if pick < 0:
                break
            column = self.columns.get(pick).copy()
            column[pick] += penalty
            length = np.sqrt(left[pick])
            rows[step] = (column - rows[:step, pick] @ rows[:step]) / length
            rows[step, picks[:step]] = 0.0
            shares[step] = rest[:, pick] / length
            left -= rows[step] ** 2
            rest -= np.outer(shares[step], rows[step])
            free[pick] = False
            free &= left > enough
            picks[step], rest[:, pick] = pick, 0.0
            steepest[step] = np.sum(rest**2)
            penalised -= 0.5 * np.sum(shares[step] ** 2)
            step += 1
        return CorrectivePath(
            picks[:step],
            rows[:step, picks[:step]],
            shares[:step],
            penalty=penalty,
            least=least,
            steepest=steepest[:step],
            fixed=self.fixed,
        )

    def _choose(self, rest: Float64Array, left: Float64Array, free: NDArray[np.bool_]) -> int:
        """Atom that takes most off the loss, of several the one of lowest index; -1 where none takes off anything."""
        squares = (rest**2).sum(axis=0)
        gains = np.divide(squares, left, out=np.full_like(left, -1.0), where=free)
        best = int(np.argmax(gains))
        if not gains[best] > _LEAST_GAIN * self.moments.target_norm:
            return -1
        size = np.sqrt(self._raw_norms * self.moments.target_norm)
        slips = np.divide(2.0 * np.sqrt(squares) * size, left, out=np.zeros_like(left), where=free)
        slips += np.maximum(gains, 0.0) * np.divide(self._raw_norms, left, out=np.zeros_like(left), where=free)
        return int(np.flatnonzero(free & (gains + _TIE * slips >= gains[best] - _TIE * slips[best]))[0])

    def _least(self, penalty: float) -> float:
        """Least penalised loss over the weights of all atoms, those of linearly dependent ones zero."""
        if self._gram is None:
            self._gram = self.source.whole()
        norms = self.moments.norms + penalty
        scale = np.divide(1.0, np.sqrt(norms), out=np.zeros_like(norms), where=norms > 0)
        gram = self._gram * scale
        gram *= scale[:, None]
        gram[np.diag_indices_from(gram)] += penalty * scale**2
        factor, order, rank, _ = dpstrf(gram, tol=LEAST_LEFT, lower=0, overwrite_a=True)
        found = order[:rank] - 1
        solved = np.linalg.solve(np.triu(factor[:rank, :rank]).T, (self.moments.c * scale)[:, found].T)
        return max(0.5 * (self.moments.target_norm - float(np.sum(solved**2))), 0.0)
