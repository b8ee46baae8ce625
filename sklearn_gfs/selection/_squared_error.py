"""
The search for squared error: the order and the precision of its computations.

Here belong the choice of which Gram columns to compute together, and the ladder of precision: products in the dtype
of the atoms, in float64 and, for the convex hull, of the atoms less y. Wherever products can't tell, the atoms between
which they can't are scored on the samples themselves. The products come from ``_gram``, the loops over atoms from
``_greedy_kernels``, what is done on samples from ``_on_samples``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array, GreedyPath

from . import _greedy_kernels as kernels
from ._automatic_radius import exact_radius, matching_pursuit
from ._gram import ArrayAtoms, Moments
from ._gram_pivots import PivotedColumns
from ._gram_sums import warn_imprecise
from ._loss_kernels import losses_from_gram
from ._on_samples import SampledPath, gap_bound
from ._protocol import Source
from ._range import check_radius, find_fault

# Scores that differ by less than this, relative to the terms they are differences of, are ties. Products in float32
# can't tell: between atoms whose scores are closer than the products' error, which is put at many times that of a
# product of matrices, float64 ones decide. So picks depend neither on which columns are computed together nor on the
# machine.
_TIE = {np.dtype(np.float32): 0.0, np.dtype(np.float64): 1e-14}
_DOUBT = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 0.0}
# Assumed relative error of float64 products after the loss has become too small for them; it is many times their error.
_CAREFUL = 1e-13
# Largest number of contenders that are scored on the samples, as a share of the atoms. With more contenders, better
# products of all atoms are cheaper.
_MANY = 1 / 32
# Least loss that products of each precision can give, as a share of the size of its terms.
_PRECISION = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-7}


class SquaredErrorSearch:
    """
    One selection, from its source of inner products to the path.

    ``signed`` is the l1 ball of the radius: atoms may be taken in any direction. Otherwise it is the convex
    hull, with radius 1.
    """

    def __init__(self, source: Source, k: int, *, signed: bool, radius: float | None, tol: float) -> None:
        self.source = source
        self.k = k
        self.signed = signed
        self.tol = tol
        self.columns = PivotedColumns(source, k)
        n_directions = 1 if source.output_weights is not None else source.n_targets
        self.state = kernels.State(
            s=np.zeros((n_directions, source.n_atoms)),
            running=np.zeros(3),
            counts=np.zeros(source.n_atoms, dtype=np.int64),
            picks=np.empty(k, dtype=np.int64),
            directions=np.ones((k, n_directions)),
            losses=np.empty(k),
            gaps=np.empty(k),
            slopes=np.empty(source.n_atoms),
            scores=np.empty(source.n_atoms),
        )
        self.radius = radius or 1.0
        self._read_moments(self._first_atoms(automatic=radius is None))
        fault = find_fault(source, self.moments, signed=signed)
        if fault and source.promote(about_y=False):
            self.columns.forget()
            self._read_moments(np.empty(0, dtype=np.int64))
            fault = find_fault(source, self.moments, signed=signed)
        if fault:
            raise ValueError(fault)
        if radius is None:
            self.radius = exact_radius(source, self.moments, self.columns.get)
        check_radius(self.radius, self.moments)
        self._on_samples: SampledPath | None = None  # once it is needed

    def _first_atoms(self, *, automatic: bool) -> NDArray[np.int64]:
        """Return the atoms whose columns will probably be needed, as estimated from a few rows."""
        moments = self.columns.preview()
        if moments is None:
            return np.empty(0, dtype=np.int64)
        atoms = np.empty(0, dtype=np.int64)
        if automatic:
            radius, atoms = matching_pursuit(moments, self.columns.estimate)
            self.radius = radius or 1.0  # a few rows may miss what all have in common with y
        return np.union1d(self.columns.foresee_first(self._problem(moments), self.state), atoms)

    def _read_moments(self, atoms: NDArray[np.int64]) -> None:
        """Read the moments, and the columns of some atoms."""
        self.moments = self.columns.moments(atoms)

    def run(self) -> GreedyPath:
        """Take the steps and return the path."""
        in_float32 = self.source.dtype == np.float32
        done, reason, settled, careful = 0, kernels.DONE, -1, False
        direction, problem, nothing = np.ones(len(self.state.s)), self._problem(self.moments), kernels.no_ahead()
        while done < self.k and reason != kernels.CONVERGED:
            if problem.norms is not self.moments.norms:  # better products have been made
                problem = self._problem(self.moments)
            problem = self._as_exact_as_seen(problem)
            if careful:
                problem = problem._replace(precision=-np.inf, doubt=_CAREFUL if self.source.has_samples else 0.0)
            done, reason, atom = kernels.squared_error_steps(
                done, self.k, problem, self.state, self.columns.slots, self.columns.columns, settled, direction, nothing
            )
            settled = -1
            if reason == kernels.NEEDS_COLUMN:
                self.columns.add_foreseen(atom, done, problem, self.state)
            elif reason == kernels.IN_DOUBT:
                found = contenders(done + 1.0, problem, self.state)
                if len(found) <= max(_MANY * self.source.n_atoms, 2) or not self._promote(done, atom):
                    settled, direction = self._settle(done, problem, found, exact=careful)
                    self.columns.get(settled)
            elif reason == kernels.IMPRECISE and not self._promote(done, atom):
                careful = True
                if not self.source.has_samples:
                    warn_imprecise(done, _PRECISION[self.source.dtype])
            elif reason == kernels.UNRESOLVED:
                gap = self._resolve_gap(done, problem)
                self.state.gaps[done - 1] = gap
                reason = kernels.CONVERGED if gap <= self.tol else kernels.UNRESOLVED
        if in_float32:
            self._losses_from_gram(done)
        if self.source.has_samples:
            self._losses_from_samples(done)
            self._gaps_from_samples(done)
        return self._path(done)

    def _as_exact_as_seen(self, problem: kernels.Problem) -> kernels.Problem:
        """Return the problem with the errors of products that the columns show."""
        dtype, norms = self.source.dtype, problem.norms
        error = self.columns.inexactness((_DOUBT if dtype == np.float32 else _TIE)[dtype], norms, norms)
        if dtype == np.float32:
            return problem if error == problem.doubt else problem._replace(doubt=error)
        return problem if error == problem.tie else problem._replace(tie=error)

    def _promote(self, n_picks: int, *atoms: int) -> bool:
        """Switch to more exact products, and return whether there are any; columns of these atoms are needed next."""
        if not self.source.promote(about_y=not self.signed):
            return False
        self._on_samples = None
        self._restate(n_picks, np.union1d(self.state.picks[:n_picks], np.array(atoms, dtype=np.int64)))
        return True

    def _sampled(self) -> SampledPath:
        """Return the path so far, for computations on the samples."""
        if self._on_samples is None:
            self._on_samples = SampledPath(self.source, self.radius, signed=self.signed)
        return self._on_samples

    def _settle(
        self, n_picks: int, problem: kernels.Problem, atoms: NDArray[np.int64], *, exact: bool
    ) -> tuple[int, Float64Array]:
        """Return the next pick among the contenders and its direction, by the samples; `exact` narrows the ties."""
        t = n_picks + 1.0
        distances, directions = self._sampled().distances(self.state, n_picks, atoms)
        best = int(np.argmin(distances))
        if exact:
            size = max(problem.target_norm, self.radius**2 * problem.norms.max())
            ties = np.full(len(atoms), 1e-13 * distances[best] + (1e-15 * t) ** 2 * size)
        else:
            ties = _TIE[np.dtype(np.float64)] * kernels.terms(t, problem, self.state.s, atoms)
        equal = distances <= distances[best] + np.maximum(ties, ties[best])
        among = int(kernels.choose(np.where(equal, distances[best], np.inf), self.state.counts[atoms], 0.0))
        pick, direction = int(atoms[among]), directions[among]
        as_it_is = distances[among] + ties[among]
        if self.signed and self._sampled().distance_as_it_is(self.state, n_picks, pick) <= as_it_is:
            direction = np.eye(len(direction))[0]
        return pick, direction

    def _resolve_gap(self, n_picks: int, problem: kernels.Problem) -> float:
        """Return the gap after n_picks picks, from better products, or from the samples if there are none."""
        if self._promote(n_picks):
            problem, state = self._problem(self.moments), self.state
            kernels.score(float(n_picks), problem, state.s, state.slopes, state.scores)
            return float(kernels.least_gap(n_picks, problem, state.running, state.slopes.min()))
        known_to = kernels.gap_error(n_picks, problem, self.state.running[kernels.PICKED_NORMS])
        return self._sampled().gap(self.state, n_picks, problem.longest, known_to)

    def _problem(self, moments: Moments) -> kernels.Problem:
        lengths = np.sqrt(moments.norms)
        return kernels.Problem(
            c=moments.c,
            norms=moments.norms,
            lengths=lengths,
            longest=float(lengths.max()),
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
        """Return the path of the first picks, after the search has run."""
        counts = np.bincount(self.state.picks[:n_picks], minlength=self.source.n_atoms)
        return self._path(n_picks)._replace(counts=counts)

    def _restate(self, n_picks: int, atoms: NDArray[np.int64]) -> None:
        """Compute the state of the search again in the source's precision, with the columns of these atoms."""
        picks = self.state.picks[:n_picks]
        self.columns.forget()
        self._read_moments(atoms)
        if n_picks == 0:
            return
        total = np.zeros((self.source.n_atoms, len(self.state.s)))
        np.add.at(total, picks, self.radius * self.state.directions[:n_picks])
        s = self.state.s
        s[:] = 0.0
        for atom in np.unique(picks):
            s += np.outer(total[atom], self.columns.get(atom))
        self.state.running[kernels.SQUARED_NORM] = np.sum(total.T * self.state.s)
        self.state.running[kernels.TARGET_PRODUCT] = np.sum(total.T * self.moments.c)
        self.state.running[kernels.PICKED_NORMS] = self.radius**2 * np.sum(self.moments.norms[picks])

    def _losses_from_gram(self, n_picks: int) -> None:
        """Compute the losses in float64 from the Gram matrix of the picked atoms."""
        assert isinstance(self.source, ArrayAtoms)  # no other source of this search has products in float32
        atoms, picks = np.unique(self.state.picks[:n_picks], return_inverse=True)
        gram, c = self.source.exact_moments(atoms)
        losses_from_gram(
            picks,
            self.state.directions,
            self.radius,
            gram,
            c,
            self.moments.target_norm,
            np.zeros(c.shape),
            self.state.losses,
        )

    def _losses_from_samples(self, n_picks: int) -> None:
        """Compute the losses on the samples, where they are too small a difference of sums."""
        steps = np.arange(1, n_picks + 1)
        size = np.maximum(
            self.moments.target_norm, np.cumsum(self.radius**2 * self.moments.norms[self.state.picks[:n_picks]]) / steps
        )
        imprecise = self.state.losses[:n_picks] < _PRECISION[np.dtype(np.float64)] * size
        if imprecise.any():
            self._sampled().losses(self.state, imprecise)

    def _gaps_from_samples(self, n_picks: int) -> None:
        """Compute on the samples the gaps for which products are too inexact."""
        unknown = np.flatnonzero(self.state.gaps[:n_picks] < 0)
        if not len(unknown):
            return
        problem = self._problem(self.moments)._replace(doubt=_CAREFUL)
        picked_norms = np.cumsum(self.radius**2 * problem.norms[self.state.picks[:n_picks]])[unknown]
        known_to = kernels.gap_error(unknown + 1.0, problem, picked_norms)
        bounds = gap_bound(self.state.losses[unknown], self.radius * problem.longest)
        self.state.gaps[unknown] = bounds
        sampled = SampledPath(self.source, self.radius, signed=self.signed)
        for step, limit in zip(unknown[bounds > known_to], known_to[bounds > known_to], strict=True):
            self.state.gaps[step] = sampled.gap(self.state, step + 1, problem.longest, limit)


def contenders(t: float, problem: kernels.Problem, state: kernels.State) -> NDArray[np.int64]:
    """Return the atoms that could be pick t, given the errors of products, and the atom of the best score."""
    size, best = kernels.reach(t, problem, state.running[kernels.PICKED_NORMS]), int(state.scores.argmin())
    lengths = problem.radius * np.maximum(problem.lengths, problem.lengths[best])
    return np.flatnonzero(state.scores <= state.scores[best] + problem.doubt * lengths * (size + lengths))
