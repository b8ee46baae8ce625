"""
The search for squared error: what to compute when, and how exactly.

Here belong the choice of which Gram columns to compute together, and the ladder of precision: products in
the dtype of the atoms, in float64, and at last every atom scored on the samples themselves. The products
come from ``_gram``, the loops over atoms from ``_greedy_kernels``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _greedy_kernels as kernels
from ._gram import Moments
from ._gram_columns import GramColumns
from ._typing import Float64Array, GreedyPath

# Scores that differ by less than this, relative to the terms they are differences of, are ties. Products in float32
# can't tell: between atoms whose scores are closer than the products' error, which is put at many times that of a
# product of matrices, float64 ones decide. So picks depend neither on which columns are computed together nor on the
# machine.
_TIE = {np.dtype(np.float32): 0.0, np.dtype(np.float64): 1e-14}
_DOUBT = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 0.0}
# Below this share of the size of its terms a loss can't be had from products of that precision.
_PRECISION = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-7}
# Matching pursuit, which sets the radius, stops when a step adds less than this share of what is explained.
_LEAST_GAIN = 0.01


class SquaredErrorSearch:
    """
    One selection, from its source of inner products to the path.

    ``signed`` is the l1 ball of the radius: atoms may be taken in any direction. Otherwise it is the convex
    hull, with radius 1.
    """

    def __init__(self, source: Any, k: int, *, signed: bool, radius: float | None, tol: float) -> None:
        self.source = source
        self.k = k
        self.signed = signed
        self.tol = tol
        self.columns = GramColumns(source, k)
        n_directions = 1 if source.output_weights is not None else source.n_targets
        self.state = kernels.State(
            s=np.zeros((n_directions, source.n_atoms)),
            running=np.zeros(3),
            counts=np.zeros(source.n_atoms, dtype=np.int64),
            picks=np.empty(k, dtype=np.int64),
            directions=np.ones((k, n_directions)),
            losses=np.empty(k),
            gaps=np.empty(k),
        )
        self.radius = radius or 1.0
        self._read_moments(self._first_atoms(automatic=radius is None))
        if radius is None:
            self.radius = _matching_pursuit(self.moments, self.columns.get)[0]

    def _first_atoms(self, *, automatic: bool) -> NDArray[np.int64]:
        """Atoms whose columns will probably be needed, going by a few of the rows."""
        moments = self.columns.preview()
        if moments is None:
            return np.empty(0, dtype=np.int64)
        atoms = np.empty(0, dtype=np.int64)
        if automatic:
            self.radius, atoms = _matching_pursuit(moments, self.columns.estimate)
        return np.union1d(self.columns.foresee_first(self._problem(moments), self.state), atoms)

    def _read_moments(self, atoms: NDArray[np.int64]) -> None:
        """Read the moments, and the columns of some atoms."""
        self.moments = self.columns.moments(atoms)
        if not (np.isfinite(self.moments.norms).all() and np.isfinite(self.moments.c).all()):
            raise ValueError("atoms (or output_weights) contain NaN, infinity or values too large for their squares")

    def run(self) -> GreedyPath:
        """Take the steps and return the path."""
        in_float32 = self.source.dtype == np.float32
        done, reason, settled, imprecise = 0, kernels.DONE, -1, False
        while done < self.k and reason != kernels.CONVERGED:
            problem = self._problem(self.moments)
            if imprecise:
                problem = problem._replace(precision=-np.inf)
            done, reason, atom = kernels.squared_error_steps(
                done, self.k, problem, self.state, self.columns.slots, self.columns.columns, settled
            )
            settled = -1
            if reason == kernels.NEEDS_COLUMN:
                self.columns.add_foreseen(atom, done, problem, self.state)
            elif reason == kernels.IN_DOUBT:
                settled = self._settle(done, problem)
                self.columns.get(settled)
            elif reason == kernels.IMPRECISE and self.source.promote():
                self._restate(done)
            elif reason == kernels.IMPRECISE and self.source.has_samples:
                done = self._direct_steps(done)
                break
            elif reason == kernels.IMPRECISE:
                self._warn_imprecise(done)
                imprecise = True
        if in_float32:
            self._losses_from_gram(done)
        if self.source.has_samples:
            self._losses_from_samples(done)
        return self._path(done)

    def _settle(self, n_picks: int, problem: kernels.Problem) -> int:
        """Next pick, from float64 products of the few atoms between which those at hand can't decide."""
        t = n_picks + 1.0
        slopes, scores = np.empty(self.source.n_atoms), np.empty(self.source.n_atoms)
        kernels.score(t, problem, self.state.s, slopes, scores)
        picked_norms = self.state.running[kernels.PICKED_NORMS]
        found = kernels.contenders(t, problem, picked_norms, scores, np.sqrt(problem.norms))
        atoms = np.union1d(self.state.picks[:n_picks], found)
        gram, c = self.source.exact_moments(atoms)
        total = self._sums(n_picks, atoms)[-1] if n_picks else np.zeros((len(self.state.s), len(atoms)))
        among = np.searchsorted(atoms, found)
        exact = problem._replace(c=np.ascontiguousarray(c[:, among]), norms=np.diagonal(gram)[among])
        s, scores = np.ascontiguousarray((total @ gram)[:, among]), np.empty(len(found))
        kernels.score(t, exact, s, np.empty(len(found)), scores)
        best = int(np.argmin(scores))
        size = self.radius**2 * exact.norms[best] + 2.0 * self.radius * np.sum(
            np.abs(s[:, best]) + t * np.abs(exact.c[:, best])
        )
        tie = _TIE[np.dtype(np.float64)] * size
        return int(found[kernels.choose(scores, self.state.counts[found], tie)])

    def _warn_imprecise(self, n_picks: int) -> None:
        warnings.warn(
            f"After {n_picks} picks the loss is below {_PRECISION[self.source.dtype]:g} of the terms that it is the "
            "difference of: from here on losses and picks are less exact than a selection on the samples would be",
            UserWarning,
            stacklevel=2,
        )

    def _problem(self, moments: Moments) -> kernels.Problem:
        return kernels.Problem(
            c=moments.c,
            norms=moments.norms,
            target_norm=moments.target_norm,
            signed=self.signed,
            radius=self.radius,
            tie=_TIE[self.source.dtype],
            doubt=_DOUBT[self.source.dtype],
            precision=_PRECISION[self.source.dtype],
            tol=self.tol,
        )

    def _path(self, n_picks: int) -> GreedyPath:
        state = self.state
        picks = state.picks[:n_picks]
        coefs = np.zeros((self.source.n_atoms, state.directions.shape[1]))
        np.add.at(coefs, picks, self.radius * state.directions[:n_picks])
        coefs /= n_picks
        weights = coefs[:, 0] if coefs.shape[1] == 1 else coefs
        return GreedyPath(picks, state.losses[:n_picks], state.gaps[:n_picks], state.counts, weights, self.radius)

    def prefix(self, n_picks: int) -> GreedyPath:
        """Path of the first picks, once the search has run."""
        counts = np.bincount(self.state.picks[:n_picks], minlength=self.source.n_atoms)
        return self._path(n_picks)._replace(counts=counts)

    def _sums(self, n_picks: int, atoms: NDArray[np.int64]) -> Float64Array:
        """Coefficients of the given atoms in the sum of the picks, after every step: (n_picks, n_directions, n)."""
        position = np.zeros(self.source.n_atoms, dtype=np.int64)
        position[atoms] = np.arange(len(atoms))
        sums = np.zeros((n_picks, self.state.directions.shape[1], len(atoms)))
        sums[np.arange(n_picks), :, position[self.state.picks[:n_picks]]] = (
            self.radius * self.state.directions[:n_picks]
        )
        return np.cumsum(sums, axis=0)

    def _restate(self, n_picks: int) -> None:
        """Bring the state of the search to the source's present precision."""
        atoms = np.unique(self.state.picks[:n_picks])
        self.columns.forget()
        self._read_moments(atoms)
        if n_picks == 0:
            return
        total = self._sums(n_picks, atoms)[-1]
        self.state.s[:] = sum(np.outer(total[:, i], self.columns.get(atom)) for i, atom in enumerate(atoms))
        self.state.running[kernels.SQUARED_NORM] = np.sum(total * self.state.s[:, atoms])
        self.state.running[kernels.TARGET_PRODUCT] = np.sum(total * self.moments.c[:, atoms])

    def _losses_from_gram(self, n_picks: int) -> None:
        """Losses in float64 from the few atoms that were picked."""
        atoms = np.unique(self.state.picks[:n_picks])
        gram, c = self.source.exact_moments(atoms)
        means = self._sums(n_picks, atoms) / np.arange(1, n_picks + 1)[:, None, None]
        products = (means.reshape(-1, len(atoms)) @ gram).reshape(means.shape)  # one product, not one for each step
        norms = np.einsum("tod,tod->t", products, means)
        self.state.losses[:n_picks] = 0.5 * (norms - 2.0 * np.einsum("tod,od->t", means, c) + self.moments.target_norm)

    def _losses_from_samples(self, n_picks: int) -> None:
        """Losses sample by sample, where they are too small a difference of the statistics."""
        steps = np.arange(1, n_picks + 1)
        size = np.maximum(
            self.moments.target_norm, np.cumsum(self.radius**2 * self.moments.norms[self.state.picks[:n_picks]]) / steps
        )
        imprecise = self.state.losses[:n_picks] < _PRECISION[np.dtype(np.float64)] * size
        if not imprecise.any():
            return
        y, weight = self.source.y, self.source.row_weights()
        total = np.zeros(y.shape)
        for step in range(n_picks):
            total += self._contribution(step)
            if imprecise[step]:
                self.state.losses[step] = 0.5 * np.sum(weight * (total / (step + 1) - y) ** 2)

    def _contribution(self, step: int) -> Float64Array:
        return self.radius * self.source.outputs(int(self.state.picks[step])) * self.state.directions[step]

    def _direct_steps(self, start: int) -> int:
        """Take the remaining steps scoring every atom on the samples themselves."""
        y, weight = self.source.y, self.source.row_weights()
        n_atoms, n_directions = self.source.n_atoms, self.state.directions.shape[1]
        total = np.zeros(y.shape)
        for step in range(start):
            total += self._contribution(step)
        scores, slopes = np.empty(n_atoms), np.empty(n_atoms)
        directions = np.ones((n_atoms, n_directions))
        for step in range(start, self.k):
            t = step + 1
            ahead = total - t * y
            for atom in range(n_atoms):
                outputs = self.source.outputs(atom)
                if self.signed:
                    directions[atom] = _steepest(outputs, weight * ahead, n_directions)
                scores[atom] = np.sum(weight * (ahead + self.radius * outputs * directions[atom]) ** 2)
            size = max(self.moments.target_norm, self.radius**2 * self.moments.norms.max())
            tie = 1e-13 * scores.min() + (1e-15 * t) ** 2 * size
            pick = kernels.choose(scores, self.state.counts, tie)
            if self.signed:
                as_it_is = np.eye(n_directions)[0]
                score = np.sum(weight * (ahead + self.radius * self.source.outputs(pick) * as_it_is) ** 2)
                if score <= scores[pick] + tie:
                    directions[pick] = as_it_is
            self.state.picks[step], self.state.directions[step] = pick, directions[pick]
            self.state.counts[pick] += 1
            total += self._contribution(step)
            gradient = weight * (total / t - y)
            for atom in range(n_atoms):
                outputs = self.source.outputs(atom)
                direction = _steepest(outputs, gradient, n_directions) if self.signed else 1.0
                slopes[atom] = self.radius * np.sum(gradient * outputs * direction)
            self.state.gaps[step] = max(np.sum(gradient * total / t) - slopes.min(), 0.0)
            self.state.losses[step] = 0.0  # _losses_from_samples computes them
            if self.state.gaps[step] <= self.tol:
                return t
        return self.k


def _steepest(outputs: Float64Array, gradient: Float64Array, n_directions: int) -> Float64Array:
    """Unit vector that turns an atom against the gradient."""
    slope = np.sum(outputs * gradient, axis=0) if n_directions > 1 else np.array([np.sum(outputs * gradient)])
    length = np.sqrt(np.sum(slope**2))
    return -slope / length if length > 0 else np.eye(n_directions)[0]


def _matching_pursuit(moments: Moments, column: Callable[[int], Float64Array]) -> tuple[float, NDArray[np.int64]]:
    """
    Sum of the coefficients that matching pursuit gives the atoms before its steps stop paying, and these atoms.

    It stops when a step explains less than a hundredth of what is explained so far.
    """
    slopes, norms = moments.c.copy(), moments.norms
    coefs = np.zeros_like(slopes)
    explained = 0.0
    while True:
        gains = np.divide((slopes**2).sum(axis=0), norms, out=np.zeros_like(norms), where=norms > 0)
        atom = kernels.choose(-gains, np.any(coefs != 0, axis=0).astype(np.int64), 1e-12 * gains.max())
        if gains[atom] <= _LEAST_GAIN * explained:
            break
        explained += gains[atom]
        step = slopes[:, atom] / norms[atom]
        coefs[:, atom] += step
        slopes -= np.outer(step, column(atom))
    lengths = np.sqrt((coefs**2).sum(axis=0))
    # Where y has nothing in common with the atoms any radius is as good.
    return float(lengths.sum()) or 1.0, np.flatnonzero(lengths)
