"""
The corrective search for squared error: forward selection by orthogonal least squares.

After every pick the weights of all that has been picked are re-solved, and the pick is the atom that then leaves the
least penalised loss. Here is decided which Gram columns are computed together, and how exactly: in float32 where the
atoms are, with atoms that such products can't tell apart compared in float64. Several ridges share the columns. The
loops over atoms are in ``_corrective_kernels``, what is done on samples in ``_corrective_samples``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.lapack import dpstrf

from sklearn_gfs._threads import one_thread
from sklearn_gfs._typing import Float64Array

from . import _corrective_kernels as kernels
from ._corrective_columns import CorrectiveColumns
from ._corrective_path import CorrectivePath, Fixed, Picked, take_measured
from ._corrective_samples import ExactProducts, losses_on_samples
from ._gram_sums import warn_imprecise
from ._greedy_kernels import CONVERGED, DEPENDENT, IMPRECISE, IN_DOUBT, NEEDS_COLUMN
from ._protocol import CentredSource, Source
from ._range import find_fault

# Relative error of an inner product, put at many times that of a product of matrices: what is closer ties.
_SLIP = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-14}
# What is left of an atom is rounding where it is no more than this share of the terms that it is made of.
_NOISE = 2.0 * _SLIP[np.dtype(np.float64)]
# Share of its squared norm that earlier picks must leave of a pick, lest its products are too inexact.
_PRECISION = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): -np.inf}
# An atom of which the picks leave less than this share of its squared norm depends on them linearly.
LEAST_LEFT = 1e-9
# What is left of a constant atom once its mean is taken off, as a share of its squared norm.
_ROUNDING = 1e-13
# With less than this share products in float32 can't tell whether an atom is constant.
_UNSURE = 1e-3
# Where the mean leaves less than this share of the squared norm of a pick, products are made anew about the means.
_DISTANT = 1e-6
# A pick must take off more than this share of twice the loss before the first pick; less is rounding.
_LEAST_GAIN = 1e-15
# Products can't tell a loss below this share of that loss.
_LEAST_LOSS = 1e-7
# With more doubts than this, or more contenders than this share of the atoms, better products of all are cheaper.
_DOUBTS, _MANY = 8, 1 / 32


class CorrectiveSearch:
    """
    Selections from one source of inner products, at several ridges.

    Parameters
    ----------
    source : Source
        A `CentredSource` where the intercept is free.
    k : int
        Number of picks at most.
    base : ndarray of shape (n_outputs,)
        See `Fixed`.
    free_intercept : bool
        Whether there is an intercept, made of the means of the atoms.
    flat : bool
        See `Fixed`.
    tol : float, default=None
        Gap with which a path ends; if given, gaps are exact.
    """

    def __init__(
        self, source: Source, k: int, *, base: Float64Array, free_intercept: bool, flat: bool, tol: float | None = None
    ) -> None:
        self.source = source
        self.k = min(k, source.n_atoms)
        self._centred = cast(CentredSource, source) if free_intercept else None
        self.tol = tol
        self.base = base
        self.flat = flat
        self._gram: Float64Array | None = None
        self._exact = ExactProducts(source, self._centred)
        if tol is not None:
            source.promote(about_y=False)
        self.columns = CorrectiveColumns(source, self.k)
        self._read(self._first_atoms())
        fault = self._fault()
        if fault and source.promote(about_y=False):
            self.columns.forget()
            self._read(np.empty(0, dtype=np.int64))
            fault = self._fault()
        if fault:
            raise ValueError(fault)

    def _first_atoms(self) -> NDArray[np.int64]:
        """Atoms whose columns will probably be needed, going by a few of the rows."""
        moments = self.columns.preview()
        if moments is None:
            return np.empty(0, dtype=np.int64)
        self.moments, self.raw_norms, self.constant = moments, moments.norms, moments.norms == 0.0
        problem, state = self._start(0.0)
        return self.columns.foresee_first(problem, state)

    def _read(self, atoms: NDArray[np.int64]) -> None:
        """Read the moments, and the columns of some atoms."""
        self.moments = self.columns.moments(atoms)
        self.raw_norms = self.moments.norms if self._centred is None else self._centred.raw_norms
        self.constant = self._constant()

    def _constant(self) -> NDArray[np.bool_]:
        """Which atoms vary by no more than rounding; products in float32 can't tell, so that samples are asked."""
        norms = self.moments.norms.copy()
        if self._centred is not None and self.source.dtype == np.float32:
            unsure = np.flatnonzero((norms < _UNSURE * self.raw_norms) & (self.raw_norms > 0))
            if len(unsure):
                norms[unsure] = self._centred.variances(unsure)
        constant: NDArray[np.bool_] = norms <= _ROUNDING * self.raw_norms
        return constant

    def _fault(self) -> str | None:
        """Say what can't be compared in the precision of the source, if anything."""
        norms = self.raw_norms
        # Beside an intercept a column may vanish: it is constant.
        sizes = norms if self._centred is None else np.full_like(norms, norms.max())
        return find_fault(self.source, self.moments._replace(norms=sizes), signed=True)

    def paths(self, ridges: Sequence[float]) -> list[CorrectivePath]:
        """Make the selection at each ridge; warns once where the losses of some are too small for sums to tell."""
        paths = [self._path(ridge) for ridge in ridges]
        if not self.source.has_samples:
            unknown = [step for path in paths for step in self._imprecise(path)[:1]]
            if unknown:
                warn_imprecise(int(min(unknown)) + 1, _LEAST_LOSS)
        return paths

    def _imprecise(self, path: CorrectivePath) -> NDArray[np.int64]:
        """Steps after which the loss is too small a difference of products."""
        return np.flatnonzero(path.losses < 0.5 * _LEAST_LOSS * self.moments.target_norm)

    @cached_property
    def _size(self) -> float:
        """Mean squared norm of the atoms, exact in any precision, so that a ridge always means the same."""
        if self._centred is not None and self.source.dtype == np.float32:
            return float(self._centred.variances(np.arange(self.source.n_atoms)).mean())
        return float(self.moments.norms.mean())

    def _penalty(self, ridge: float) -> float:
        return ridge * self._size if ridge else 0.0

    def _start(self, ridge: float, least: float | None = None) -> tuple[kernels.Problem, kernels.State]:
        """Problem and state before the first pick, in the present precision of the source."""
        moments, (n_targets, n_atoms), dtype = self.moments, self.moments.c.shape, self.source.dtype
        penalty = self._penalty(ridge)
        left = moments.norms + penalty
        enough = LEAST_LEFT * left + _ROUNDING * self.raw_norms
        state = kernels.State(
            left=left,
            rest=moments.c.copy(),
            rows=np.empty((self.k, n_atoms)),
            shares=np.empty((self.k, n_targets)),
            picks=np.empty(self.k, dtype=np.int64),
            counts=np.zeros(n_atoms, dtype=np.int64),
            free=(left > enough) & ~self.constant,
            squares=(moments.c**2).sum(axis=0),
            scores=np.empty(n_atoms),
            slips=np.empty(n_atoms),
            spread=self.raw_norms.copy(),
            steepest=np.empty(self.k),
            running=np.array([0.5 * moments.target_norm, moments.target_norm]),
        )
        problem = kernels.Problem(
            raw_norms=self.raw_norms,
            enough=enough,
            target_norm=moments.target_norm,
            penalty=penalty,
            least_gain=_LEAST_GAIN * moments.target_norm,
            slip=_SLIP[dtype],
            exact=dtype == np.float64,
            precision=_PRECISION[dtype],
            stop_at=-np.inf if least is None or self.tol is None else least + self.tol,
            noise=_NOISE if dtype == np.float64 else 0.0,  # in float32 such an atom is in doubt
        )
        return problem, state

    def _path(self, ridge: float) -> CorrectivePath:
        """Make the selection at one ridge."""
        least = None if self.tol is None else self._least(self._penalty(ridge))
        # Threads of linear algebra wait busily for more: they would take the cores from those that read the atoms.
        with nullcontext() if self.columns.plan == "whole" else one_thread():
            return self._picked(ridge, least)

    def _picked(self, ridge: float, least: float | None) -> CorrectivePath:
        """Make the selection at one ridge, the least loss being known."""
        problem, state = self._start(ridge, least)
        done, n_doubts, reason, remade = 0, 0, NEEDS_COLUMN, False
        while done < self.k and reason != CONVERGED:
            usual, norms = _SLIP[self.source.dtype], self.moments.norms
            problem = problem._replace(slip=self.columns.inexactness(usual, norms, self.raw_norms))
            done, reason, atom = kernels.corrective_steps(
                done, self.k, problem, state, self.columns.slots, self.columns.columns
            )
            if reason == NEEDS_COLUMN:
                self.columns.add_foreseen(atom, done, problem, state)
                continue
            if reason == IN_DOUBT:
                n_doubts += 1
                found = contenders(state)
                if n_doubts <= _DOUBTS and len(found) <= max(_MANY * self.source.n_atoms, 2):
                    self._make_exact(done, problem, state, found)
                    problem = self._settle(done, problem, state, found)
                    continue
            if reason == DEPENDENT:
                if remade or self._is_unsure(done, atom, problem, state):
                    unsure = np.flatnonzero(state.free & (state.left <= problem.noise * state.spread))
                    self._make_exact(done, problem, state, unsure)
                    problem, remade = self._settle(done, problem, state, np.arange(self.source.n_atoms)), True
                continue
            if reason in (IN_DOUBT, IMPRECISE):
                picks = state.picks[:done].copy()
                self.source.promote(about_y=False)
                self.columns.forget()
                self._read(picks)
                problem, state = self._start(ridge, least)
                state.picks[:done] = picks
                done, problem = 0, problem._replace(n_settled=done)
        return self._finish(problem, state, done, least, remade=remade)

    def _products(self, atoms: NDArray[np.int64]) -> tuple[Float64Array, Float64Array]:
        """Gram matrix of a few atoms, and their products with y: in float64, and about the means."""
        if self.source.has_samples:
            return self._exact.of(atoms)[1:]
        return self.source.among(atoms), self.moments.c[:, atoms]

    def _is_unsure(self, n_picks: int, atom: int, problem: kernels.Problem, state: kernels.State) -> bool:
        """
        Whether rounding may be all that the picks leave of an atom, going by the weights with which they stand for it.

        The terms that it is made of have been put too high: each pick may have added to what others stand for.
        """
        picks, norms = state.picks[:n_picks], self.raw_norms if self.source.has_samples else self.moments.norms
        state.spread[atom] = norms[atom]
        if n_picks:
            weights = solve_triangular(state.rows[:n_picks, picks], state.rows[:n_picks, atom])
            state.spread[atom] += norms[picks] @ weights**2
        return bool(state.left[atom] <= problem.noise * state.spread[atom])

    def _make_exact(
        self, n_picks: int, problem: kernels.Problem, state: kernels.State, atoms: NDArray[np.int64]
    ) -> None:
        """
        Make what is known of some atoms again, by the best products.

        Those that depend on the picks, as far as these tell, are never contenders again.
        """
        picks = state.picks[:n_picks]
        gram, c = self._products(np.concatenate([picks, atoms]))
        gram[np.diag_indices_from(gram)] += problem.penalty
        norms = np.diagonal(gram)[n_picks:].copy()
        left, rest, spread = norms.copy(), c[:, n_picks:].copy(), norms.copy()
        if n_picks:
            factor = cholesky(gram[:n_picks, :n_picks])
            said = solve_triangular(factor, gram[:n_picks, n_picks:], trans=1)
            shares = solve_triangular(factor, c[:, :n_picks].T, trans=1)
            left -= (said**2).sum(axis=0)
            rest -= shares.T @ said
            spread += np.diagonal(gram)[:n_picks] @ solve_triangular(factor, said) ** 2
        state.left[atoms], state.rest[:, atoms] = left, rest
        state.squares[atoms] = (rest**2).sum(axis=0)
        state.free[atoms] = left > np.maximum(LEAST_LEFT * norms + _ROUNDING * self.raw_norms[atoms], _NOISE * spread)

    def _settle(
        self, n_picks: int, problem: kernels.Problem, state: kernels.State, atoms: NDArray[np.int64]
    ) -> kernels.Problem:
        """Settle the next pick among these atoms; none of them is a contender again where none adds anything."""
        left, squares, free = state.left[atoms], state.squares[atoms], state.free[atoms]
        gains = np.divide(squares, left, out=np.full(len(atoms), -1.0), where=free)
        best = int(np.argmax(gains))
        if gains[best] <= problem.least_gain:
            state.free[atoms] = False
            return problem
        spread, reach = state.spread[atoms], state.running[kernels.REACH]
        slips = kernels.slip_of_gain(squares, np.where(free, left, 1.0), spread, reach, _SLIP[np.dtype(np.float64)])
        state.picks[n_picks] = atoms[free & (gains + slips >= gains[best] - slips[best])][0]
        return problem._replace(n_settled=n_picks + 1)

    def _finish(
        self, problem: kernels.Problem, state: kernels.State, n_picks: int, least: float | None, *, remade: bool
    ) -> CorrectivePath:
        """The path of these picks, from products in float64; ``remade`` says that the factor lacks better ones."""
        picks, means = state.picks[:n_picks].copy(), np.zeros(self.source.n_atoms)
        factor, shares = state.rows[:n_picks, picks], state.shares[:n_picks]
        if self._centred is not None:
            means = self._centred.means
        exact = (
            problem.exact and not remade and bool((self.moments.norms[picks] >= _DISTANT * self.raw_norms[picks]).all())
        )
        if n_picks and self.source.has_samples and not exact:
            means = means.copy()
            means[picks], gram, c = self._exact.of(picks)
            gram[np.diag_indices_from(gram)] += problem.penalty
            factor = cholesky(gram)
            shares = solve_triangular(factor, c.T, trans=1)
        path = CorrectivePath(
            Picked(picks, factor, shares, problem.penalty, least, state.steepest[:n_picks]),
            Fixed(means, self.base, self.moments.target_norm, self.flat),
        )
        steps = self._imprecise(path)
        if self.source.has_samples and len(steps):
            about = None if self._centred is None else means[picks]
            take_measured(path, steps, losses_on_samples(self.source, path, steps, about))
        return path

    def _least(self, penalty: float) -> float:
        """Least penalised loss over the weights of all atoms, those of linearly dependent ones zero."""
        if self._gram is None:
            self._gram = self.source.whole()
        norms = self.moments.norms + penalty
        scale = np.divide(1.0, np.sqrt(norms), out=np.zeros_like(norms), where=(norms > 0) & ~self.constant)
        gram = self._gram * scale
        gram *= scale[:, None]
        gram[np.diag_indices_from(gram)] += penalty * scale**2
        factor, order, rank, _ = dpstrf(gram, tol=LEAST_LEFT, lower=0, overwrite_a=True)
        found = order[:rank] - 1
        solved = solve_triangular(factor[:rank, :rank], (self.moments.c * scale)[:, found].T, trans=1)
        return max(0.5 * (self.moments.target_norm - float(np.sum(solved**2))), 0.0)


def contenders(state: kernels.State) -> NDArray[np.int64]:
    """Atoms that errors in the inner products may have kept from being the next pick."""
    best = int(np.argmin(state.scores))
    return np.flatnonzero(state.free & (state.scores - state.slips <= min(state.scores[best], 0.0) + state.slips[best]))
