"""
The corrective search for squared error: forward selection by orthogonal least squares.

After every pick the weights of all picks are re-solved, and each pick is the atom with the least penalised loss after
this. This module chooses the precision of the products: float32 for float32 atoms. Atoms that float32 products can't
distinguish are compared in float64. Several ridges share the Gram columns. The loops over atoms are in
``_corrective_kernels``, operations on samples in ``_corrective_samples``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.lapack import dpstrf

from sklearn_gfs._threads import one_thread
from sklearn_gfs._typing import Float64Array, GreedyPath

from . import _corrective_kernels as kernels
from ._corrective_columns import CorrectiveColumns
from ._corrective_path import CorrectivePath, Fitted, Fixed, Picked, take_measured
from ._corrective_samples import ExactProducts, losses_on_samples
from ._gram import Moments
from ._gram_sums import warn_imprecise
from ._greedy_kernels import CONVERGED, DEPENDENT, IMPRECISE, IN_DOUBT, NEEDS_COLUMN
from ._protocol import CentredSource, Source
from ._range import find_fault

# Assumed relative error of an inner product, by precision; it is many times the usual error of a matrix product. Atoms
# whose scores differ by less are ties.
_SLIP = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-14}
# Squared norm of the part of an atom orthogonal to the picks that counts as rounding, as a share of the terms that it
# is the difference of.
_NOISE = 2.0 * _SLIP[np.dtype(np.float64)]
# Least share of a pick's squared norm that must be orthogonal to earlier picks; below this its products are too
# inexact.
_PRECISION = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): -np.inf}
# The same share below which an atom counts as linearly dependent on the picks.
LEAST_LEFT = 1e-9
# Ratio of variance to mean square below which products can't show whether an atom is constant. Below that of float64
# products lose too many digits; they are made about the means.
_UNSURE = {np.dtype(np.float32): 1e-3, np.dtype(np.float64): 1e-6}
# Least decrease of twice the loss by a pick, as a share of twice the loss before the first pick; less is rounding.
_LEAST_GAIN = 1e-15
# Loss below which sums of products are too inexact, as a share of the loss before the first pick.
_LEAST_LOSS = 1e-7
# Largest number of doubtful picks that are settled by exact products of the contenders. With more doubts, float64
# products of all atoms are cheaper.
_DOUBTS = 8
# Largest number of contenders of such a pick, as a share of the atoms.
_MANY = 1 / 32


class _Known(NamedTuple):
    """What is known of the atoms before the first pick."""

    moments: Moments
    raw_norms: Float64Array  # squared norms, with the means
    roundings: Float64Array  # variances that constant atoms may have by rounding
    constant: NDArray[np.bool_]


def _as_read(moments: Moments) -> _Known:
    """Return what moments tell without an intercept, beside which constant atoms would vanish."""
    return _Known(moments, moments.norms, np.zeros(len(moments.norms)), moments.norms == 0.0)


class CorrectiveSearch:
    """
    Selections from one source of inner products, at several ridges.

    Parameters
    ----------
    source : Source
        A `CentredSource` where the intercept is free.
    k : int
        Largest number of picks.
    fitted : Fitted
        What is solved for.
    tol : float, default=-1.0
        Gap with which a path ends; gaps are then exact. A negative one asks for no certificate.
    """

    def __init__(self, source: Source, k: int, fitted: Fitted, tol: float = -1.0) -> None:
        self.source = source
        self.k = min(k, source.n_atoms)
        self._centred = cast(CentredSource, source) if fitted.free_intercept else None
        self.fitted = fitted
        self.tol = None if tol < 0.0 else tol
        self._gram: Float64Array | None = None
        self._exact = ExactProducts(source, self._centred)
        if self.tol is not None:
            source.promote(about_y=False)
        self.columns = CorrectiveColumns(source, self.k)
        self._known = self._read(self._first_atoms())
        fault = self._fault()
        if fault and source.promote(about_y=False):
            self.columns.forget()
            self._known = self._read(np.empty(0, dtype=np.int64))
            fault = self._fault()
        if fault:
            raise ValueError(fault)

    def _first_atoms(self) -> NDArray[np.int64]:
        """Return the atoms whose columns will probably be needed, as estimated from a few rows."""
        moments = self.columns.preview()
        if moments is None:
            return np.empty(0, dtype=np.int64)
        problem, state = self._start(_as_read(moments), 0.0)
        return self.columns.foresee_first(problem, state)

    def _read(self, atoms: NDArray[np.int64]) -> _Known:
        """Read the moments, and the columns of some atoms; in float64 about their means where these are large."""
        moments = self.columns.moments(atoms)
        if self._centred is None:
            return _as_read(moments)
        variances, known = self._read_variances(self._centred, moments)
        if self.source.dtype == np.float32:
            return known
        far = np.flatnonzero(~known.constant & (variances < _UNSURE[self.source.dtype] * known.raw_norms))
        if len(far):
            self._centred.approach(far)
            self.columns.forget()
            variances, known = self._read_variances(self._centred, self.columns.moments(atoms))
        return known._replace(moments=known.moments._replace(norms=variances))

    def _read_variances(self, centred: CentredSource, moments: Moments) -> tuple[Float64Array, _Known]:
        """Return the variances, and what they tell; where products are too inexact, samples are read."""
        norms, raw_norms = moments.norms.copy(), centred.raw_norms
        unsure = np.flatnonzero((norms < _UNSURE[self.source.dtype] * raw_norms) & (raw_norms > 0))
        if len(unsure):
            norms[unsure] = centred.variances(unsure)
        roundings = centred.rounding * (norms + centred.means**2)
        return norms, _Known(moments, raw_norms, roundings, norms <= roundings)

    def _fault(self) -> str | None:
        """Say what can't be compared in the precision of the source, if anything."""
        sizes = self._known.moments.norms
        if self._centred is not None:  # beside an intercept a column may vanish: it is constant
            sizes = np.full_like(sizes, (sizes + self._centred.means**2).max())
        return find_fault(self.source, self._known.moments._replace(norms=sizes), signed=True)

    def paths(self, ridges: Sequence[float]) -> list[CorrectivePath]:
        """Return the path at each ridge."""
        return [self._path(ridge) for ridge in ridges]

    def warned(self, ridge: float) -> GreedyPath:
        """Return the path at a ridge; warn if its losses are too small to be computed from sums of products."""
        path = self._path(ridge)
        unknown = self._imprecise(path)
        if len(unknown) and not self.source.has_samples:
            warn_imprecise(int(unknown[0]) + 1, _LEAST_LOSS)
        return path.path

    def _imprecise(self, path: CorrectivePath) -> NDArray[np.int64]:
        """Return the steps after which the loss is too small a difference of products."""
        return np.flatnonzero(path.losses < 0.5 * _LEAST_LOSS * self._known.moments.target_norm)

    @cached_property
    def _size(self) -> float:
        """Mean squared norm of the atoms, exact in any precision, so that a ridge always means the same."""
        if self._centred is not None and self.source.dtype == np.float32:
            return float(self._centred.variances(np.arange(self.source.n_atoms)).mean())
        return float(self._known.moments.norms.mean())

    def _penalty(self, ridge: float) -> float:
        return ridge * self._size if ridge else 0.0

    def _start(self, known: _Known, ridge: float, least: float | None = None) -> tuple[kernels.Problem, kernels.State]:
        """Problem and state before the first pick, in the present precision of the source."""
        moments, (n_targets, n_atoms), dtype = known.moments, known.moments.c.shape, self.source.dtype
        penalty = self._penalty(ridge)
        left = moments.norms + penalty
        enough = LEAST_LEFT * left + known.roundings
        state = kernels.State(
            left=left,
            rest=moments.c.copy(),
            rows=np.empty((self.k, n_atoms)),
            shares=np.empty((self.k, n_targets)),
            picks=np.empty(self.k, dtype=np.int64),
            counts=np.zeros(n_atoms, dtype=np.int64),
            free=(left > enough) & ~known.constant,
            squares=(moments.c**2).sum(axis=0),
            scores=np.empty(n_atoms),
            slips=np.empty(n_atoms),
            spread=known.raw_norms.copy(),
            steepest=np.empty(self.k),
            running=np.array([0.5 * moments.target_norm, moments.target_norm]),
        )
        problem = kernels.Problem(
            raw_norms=known.raw_norms,
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
        """Return the path at one ridge."""
        least = None if self.tol is None else self._least(self._penalty(ridge))
        # Threads of linear algebra wait busily for more: they would take the cores from those that read the atoms.
        with nullcontext() if self.columns.plan == "whole" else one_thread():
            return self._picked(ridge, least)

    def _picked(self, ridge: float, least: float | None) -> CorrectivePath:
        """Return the path at one ridge, given the least loss over all atoms, or None."""
        problem, state = self._start(self._known, ridge, least)
        done, n_doubts, reason, remade = 0, 0, NEEDS_COLUMN, False
        while done < self.k and reason != CONVERGED:
            usual, norms = _SLIP[self.source.dtype], self._known.moments.norms
            problem = problem._replace(slip=self.columns.inexactness(usual, norms, self._known.raw_norms))
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
                self._known = self._read(picks)
                problem, state = self._start(self._known, ridge, least)
                state.picks[:done] = picks
                done, problem = 0, problem._replace(n_settled=done)
        return self._finish(problem, state, done, least, remade=remade)

    def _products(self, atoms: NDArray[np.int64]) -> tuple[Float64Array, Float64Array]:
        """Gram matrix of a few atoms, and their products with y: in float64, and about the means."""
        if self.source.has_samples:
            return self._exact.of(atoms)[1:]
        return self.source.among(atoms), self._known.moments.c[:, atoms]

    def _is_unsure(self, n_picks: int, atom: int, problem: kernels.Problem, state: kernels.State) -> bool:
        """
        Whether the part of an atom orthogonal to the picks may be only rounding.

        The terms of this part are computed again from the weights of the picks in the atom. The running sum of the
        terms in `spread` is an upper bound.
        """
        known, picks = self._known, state.picks[:n_picks]
        norms = known.raw_norms if self.source.has_samples else known.moments.norms
        state.spread[atom] = norms[atom]
        if n_picks:
            weights = solve_triangular(state.rows[:n_picks, picks], state.rows[:n_picks, atom])
            state.spread[atom] += norms[picks] @ weights**2
        return bool(state.left[atom] <= problem.noise * state.spread[atom])

    def _make_exact(
        self, n_picks: int, problem: kernels.Problem, state: kernels.State, atoms: NDArray[np.int64]
    ) -> None:
        """
        Compute the state of some atoms again, from float64 products.

        Atoms that depend linearly on the picks by these products can't be picked any more.
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
        state.free[atoms] = left > np.maximum(LEAST_LEFT * norms + self._known.roundings[atoms], _NOISE * spread)

    def _settle(
        self, n_picks: int, problem: kernels.Problem, state: kernels.State, atoms: NDArray[np.int64]
    ) -> kernels.Problem:
        """Return the problem with the next pick settled among these atoms; exclude them if none lowers the loss."""
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
        """Return the path of these picks, from products in float64; with ``remade`` the factor needs better ones."""
        picks, means = state.picks[:n_picks].copy(), np.zeros(self.source.n_atoms)
        factor, shares = state.rows[:n_picks, picks], state.shares[:n_picks]
        if self._centred is not None:
            means = self._centred.means
        if n_picks and self.source.has_samples and (remade or not problem.exact):
            means = means.copy()
            means[picks], gram, c = self._exact.of(picks)
            gram[np.diag_indices_from(gram)] += problem.penalty
            factor = cholesky(gram)
            shares = solve_triangular(factor, c.T, trans=1)
        path = CorrectivePath(
            Picked(picks, factor, shares, problem.penalty, least, state.steepest[:n_picks]),
            Fixed(means, self.fitted, self._known.moments.target_norm),
        )
        steps = self._imprecise(path)
        if self.source.has_samples and len(steps):
            about = None if self._centred is None else means[picks]
            take_measured(path, steps, losses_on_samples(self.source, path, steps, about))
        return path

    def _least(self, penalty: float) -> float:
        """Return the least penalised loss over the weights of all atoms; linearly dependent atoms have weight zero."""
        if self._gram is None:
            self._gram = self.source.whole()
        norms = self._known.moments.norms + penalty
        scale = np.divide(1.0, np.sqrt(norms), out=np.zeros_like(norms), where=(norms > 0) & ~self._known.constant)
        gram = self._gram * scale
        gram *= scale[:, None]
        gram[np.diag_indices_from(gram)] += penalty * scale**2
        factor, order, rank, _ = dpstrf(gram, tol=LEAST_LEFT, lower=0, overwrite_a=True)
        found = order[:rank] - 1
        solved = solve_triangular(factor[:rank, :rank], (self._known.moments.c * scale)[:, found].T, trans=1)
        return max(0.5 * (self._known.moments.target_norm - float(np.sum(solved**2))), 0.0)


def contenders(state: kernels.State) -> NDArray[np.int64]:
    """Return the atoms that could be the next pick, given the errors of the inner products."""
    best = int(np.argmin(state.scores))
    return np.flatnonzero(state.free & (state.scores - state.slips <= min(state.scores[best], 0.0) + state.slips[best]))
