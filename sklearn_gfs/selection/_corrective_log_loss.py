"""
Corrective selection for the log loss: picks by the gradient, weights by Newton steps.

Inner products do not give the log loss after a pick. So each pick is the atom along which the penalised loss is
steepest, relative to the atom's norm. Then all weights are solved for again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from sklearn.exceptions import ConvergenceWarning

from sklearn_gfs._chunks import PIECE_BYTES, row_chunks
from sklearn_gfs._typing import Float64Array, GreedyPath
from sklearn_gfs._warn import warn_caller

from ._checks import check_offset
from ._corrective import LEAST_LEFT
from ._corrective_path import solved_path
from ._sources import threads_to_select

# Decrease of the penalised loss by the next Newton step at which the steps end.
TOLERANCE = 1e-10
# Largest number of Newton steps.
_MOST_STEPS = 100
# Norm of the residual at which conjugate gradients end, as a share of the norm of the slope. If the norm of the slope
# is less than this share, it takes the place of the share.
_INEXACT = 1e-2
# Largest number of products of conjugate gradients in a step.
_MOST_PRODUCTS = 200
# Gain of a product at which conjugate gradients end, as a share of the mean gain of all products (Nash and Sofer,
# Operations Research Letters 9, 1990). If classes are nearly separable, rounding keeps the residual large.
_LEAST_GAIN = 1e-2
# Number of products in a step after which the curvature is factorised anew.
_STALE = 4
# Largest number of weights for which the curvature includes products of different outputs; more would take too much
# memory.
_WHOLE = 2048
# Value added to the diagonal of the curvature, as a share of its mean, so that it is not singular.
_JITTER = 1e-9
# Relative difference of slopes below which they are ties.
_TIE = 1e-12
# Least probability of every sample's own class from which the classes count as separated.
_SEPARATED = 1.0 - 1e-6


class Logits(NamedTuple):
    """
    Atoms, weights and offset from which logits are computed, and the classes.

    Parameters
    ----------
    atoms : ndarray of shape (n_samples, n_atoms) or (n_samples, n_atoms, n_outputs)
        Of two dimensions each atom has a weight for each output, of three a single one.
    means : ndarray of shape (n_atoms,) or None
        Means of the atoms, beside a free intercept.
    norms : ndarray of shape (n_atoms,)
        Mean squares of the atoms, less their means where there are such.
    y : ndarray of shape (n_samples,), dtype int64
        Classes.
    weight : ndarray of shape (n_samples,)
        Weights of the samples, adding up to one.
    offset : ndarray of shape (n_outputs,)
        Added to the logits; a single output is the logit of the second of two classes.
    """

    atoms: Any
    means: Float64Array | None
    norms: Float64Array
    y: NDArray[np.int64]
    weight: Float64Array
    offset: Float64Array

    def column(self, atom: int) -> Float64Array:
        """Return the outputs of an atom in float64, with a row for each sample, or for each output of a sample."""
        column = np.asarray(self.atoms[:, atom], dtype=np.float64).ravel()
        return column if self.means is None else column - self.means[atom]

    def along(self, residual: Float64Array) -> Float64Array:
        """
        Products of all atoms with a residual, (n_atoms, n_targets).

        They are made in float64 whatever the atoms are: next to atoms whose means are large, slopes are small.
        """
        total = np.zeros((self.atoms.shape[1], residual.shape[1] if self.atoms.ndim == 2 else 1))
        for rows in row_chunks(len(residual), 8 * self.atoms[0].size, PIECE_BYTES):
            block, some = self.atoms[rows].astype(np.float64, copy=False), residual[rows]
            product = block.T @ some if block.ndim == 2 else np.einsum("sno,so->n", block, some)
            total += product.reshape(total.shape)
        if self.means is not None:
            total -= np.outer(self.means, residual.sum(axis=0))
        return total

    def bends_along(self, p: Float64Array, slopes: Float64Array) -> Float64Array:
        """Return second derivatives of the loss along all atoms, in their steepest directions, at probabilities p."""
        bends = np.zeros(len(slopes))
        lengths = np.sqrt((slopes**2).sum(axis=1, keepdims=True))
        ways = np.divide(slopes, lengths, out=np.zeros_like(slopes), where=lengths > 0)
        for rows in row_chunks(len(p), 8 * self.atoms[0].size, PIECE_BYTES):
            block, some = self.atoms[rows].astype(np.float64, copy=False), p[rows]
            if block.ndim == 3:
                spread = np.einsum("sno,so->sn", block**2, some) - np.einsum("sno,so->sn", block, some) ** 2
            else:
                centred = block if self.means is None else block - self.means
                spread = centred**2 * (some @ (ways**2).T - (some @ ways.T) ** 2)
            bends += self.weight[rows] @ spread
        return np.maximum(bends, 0.0)


def _means_and_norms(
    atoms: Any, weight: Float64Array, *, free_intercept: bool
) -> tuple[Float64Array | None, Float64Array]:
    """Return the means of the atoms, or None without a free intercept, and mean squares about the means."""
    flat = atoms.reshape(*atoms.shape[:2], -1)
    means, squares, left = np.zeros((3, atoms.shape[1]))
    if free_intercept:
        for rows in row_chunks(len(flat), 8 * flat[0].size):
            means += weight[rows] @ flat[rows, :, 0].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite are refused later
        for rows in row_chunks(len(flat), 8 * flat[0].size):
            values = flat[rows] - means[:, None]
            squares += np.einsum("s,sno->n", weight[rows], values.astype(np.float64) ** 2)
            left += np.einsum("s,sno->n", weight[rows], values)
    norms = squares - left**2 if free_intercept else squares
    if not np.isfinite(norms).all():
        raise ValueError("atoms contain NaN, infinity or values too large for their squares")
    # A column whose variance is only rounding is constant.
    norms[norms <= 1e-13 * (means**2 + norms)] = 0.0
    return means + left if free_intercept else None, norms


def correct_logits(
    atoms: Any,
    output_weights: Float64Array | None,
    classes: NDArray[np.int64],
    weight: Float64Array,
    k: int,
    tol: float,
    *,
    ridge: float,
    offset: Any,
) -> GreedyPath:
    """Make the corrective selection among checked logits; `weight` is one for all samples, or one for each."""
    weight = np.broadcast_to(weight, len(atoms)).copy()
    n_outputs = int(np.prod(atoms.shape[2:])) if output_weights is None else output_weights.shape[1]
    with threads_to_select(atoms.size * n_outputs):
        means, norms = _means_and_norms(atoms, weight, free_intercept=output_weights is not None)
        logits = Logits(atoms, means, norms, classes, weight, check_offset(offset, n_outputs))
        return LogLossCorrection(logits, k, ridge).run(tol)


class LogLossCorrection:
    """One corrective selection for the log loss, at one ridge."""

    def __init__(self, logits: Logits, k: int, ridge: float) -> None:
        self.logits = logits
        self.k = min(k, len(logits.norms))
        self.penalty = ridge * float(logits.norms.mean())
        self.n_outputs = len(logits.offset)
        n_rows = len(logits.y) * (self.n_outputs if logits.atoms.ndim == 3 else 1)
        # A free intercept is the weight of a column of ones, the first of the design.
        self.n_free = 0 if logits.means is None else 1
        self.design = np.ones((n_rows, self.n_free))
        self._factor = np.empty((0, 0))  # of the Gram matrix of the picks plus the penalty
        self.weights = np.zeros((self.n_free, 1 if logits.atoms.ndim == 3 else self.n_outputs))
        self._penalties = np.zeros(self.n_free)

    def run(self, tol: float) -> GreedyPath:
        """Return the path; it ends with the first gap of at most `tol`."""
        picks: list[int] = []
        self._solve()
        losses: list[float] = []
        gaps: list[float] = []
        free = self.logits.norms > 0
        while len(picks) < self.k and not (gaps and gaps[-1] <= tol) and not self._separated():
            pick = self._choose(free)
            if pick < 0:
                break
            free[pick] = False
            if not self._take(pick):
                continue
            picks.append(pick)
            self._solve()
            losses.append(self.loss)
            gaps.append(self._gap(free))
        return solved_path(
            np.array(picks, dtype=np.int64),
            np.array(losses),
            np.array(gaps),
            self.weights[self.n_free :],
            self._added(picks),
            n_atoms=len(self.logits.norms),
            flat=self.logits.atoms.ndim == 3 or (self.logits.means is None and self.n_outputs == 1),
        )

    def _added(self, picks: list[int]) -> Float64Array:
        """Return the intercept for atoms that are not centred: the offset, plus a free intercept less the means."""
        if self.logits.means is None:
            return self.logits.offset
        added: Float64Array = self.logits.offset + self.weights[0] - self.logits.means[picks] @ self.weights[1:]
        return added

    def _choose(self, free: NDArray[np.bool_]) -> int:
        """Return the atom along which the loss is steepest relative to its norm; -1 if no step gains the tolerance."""
        squares = (self.slopes**2).sum(axis=1)
        scores = np.divide(squares, self.logits.norms + self.penalty, out=np.full(len(free), -1.0), where=free)
        if scores.max() <= 2.0 * TOLERANCE:
            # The norms bound the second derivatives. For samples that are fitted these are much smaller, so steps gain
            # more.
            bends = self.logits.bends_along(self.p, self.slopes)
            scores[squares <= 2.0 * TOLERANCE * (bends + self.penalty)] = -1.0
        best = scores.max()
        return int(np.argmax(scores >= (1.0 - _TIE) * best)) if best > 0.0 else -1

    def _take(self, pick: int) -> bool:
        """Add an atom to the design, unless without a penalty it depends linearly on those that are there."""
        column = self.logits.column(pick)
        weighted = column * self._row_weight()
        norm, said = float(column @ weighted) + self.penalty, np.empty(0)
        if self._n_picks:
            said = solve_triangular(self._factor, self.design[:, self.n_free :].T @ weighted, trans=1)
        left = norm - float(said @ said)
        if left <= LEAST_LEFT * norm:
            return False
        self._factor = np.block([[self._factor, said[:, None]], [np.zeros((1, len(said))), np.sqrt(left)]])
        self.design = np.concatenate([self.design, column[:, None]], axis=1)
        self.weights = np.concatenate([self.weights, np.zeros((1, self.weights.shape[1]))])
        self._penalties = np.append(self._penalties, self.penalty)
        return True

    @property
    def _n_picks(self) -> int:
        return len(self._factor)

    def _row_weight(self) -> Float64Array:
        return np.repeat(self.logits.weight, len(self.design) // len(self.logits.y))

    def _products(self, residual: Float64Array) -> Float64Array:
        """Return the products of the design with a residual."""
        products: Float64Array = self.design.T @ residual.reshape(len(self.design), -1)
        return products

    def _penalised(self) -> float:
        """Return the loss of the weights with their penalty."""
        return self.loss + 0.5 * self.penalty * float(np.sum(self.weights[self.n_free :] ** 2))

    def _move_to(self, weights: Float64Array) -> float:
        """Set the weights, their loss, probabilities and residual; return the penalised loss."""
        y, weight = self.logits.y, self.logits.weight
        outputs = self.logits.offset + (self.design @ weights).reshape(len(y), -1)
        full = np.concatenate([np.zeros_like(outputs), outputs], axis=1) if self.n_outputs == 1 else outputs
        shifted = full - full.max(axis=1, keepdims=True)
        total = np.exp(shifted)
        norm = total.sum(axis=1)
        own = np.take_along_axis(shifted, y[:, None], axis=1)[:, 0]
        p = total / norm[:, None]
        self.weights = weights
        self.loss = float(weight @ (np.log(norm) - own))
        self.own = np.take_along_axis(p, y[:, None], axis=1)[:, 0]
        self.every = p
        residual = p.copy()
        residual[np.arange(len(y)), y] -= 1.0
        first = 1 if self.n_outputs == 1 else 0
        self.p, self.residual = p[:, first:], residual[:, first:] * weight[:, None]
        return self._penalised()

    def _solve(self) -> None:
        """Minimise the penalised loss over the weights of the picks, and compute the slopes along all atoms there."""
        self._descend()
        self.slopes = self.logits.along(self.residual)

    def _descend(self) -> None:
        """Take Newton steps until the next one would gain no more than the tolerance."""
        penalised = self._move_to(self.weights)
        if not self.weights.size:
            return
        self._find_curvature()
        self._n_products = 0
        for _ in range(_MOST_STEPS):
            weights = self.weights
            step, decrement = self._newton_step(self._products(self.residual) + self._penalties[:, None] * weights)
            length = 1.0
            while length > 1e-10:
                found = self._move_to(weights + length * step)
                if found <= penalised - 1e-4 * length * decrement:
                    break
                length /= 2.0
            else:
                self._move_to(weights)  # what is left is rounding
                return
            penalised = found
            if 0.5 * decrement <= TOLERANCE:
                return
        warn_caller(
            f"the weights of {self._n_picks} picks are not exact after {_MOST_STEPS} Newton steps; a larger ridge "
            "helps",
            ConvergenceWarning,
        )

    def _newton_step(self, slopes: Float64Array) -> tuple[Float64Array, float]:
        """
        Newton's step for the weights, and by how much it would lower a quadratic loss, twice.

        By conjugate gradients, preconditioned with the curvature at an earlier step as long as that serves.
        """
        if self._n_products > _STALE:
            self._find_curvature()
        rest, step = -slopes, np.zeros_like(slopes)
        direction = ahead = self._conditioned(rest)
        size = start = float(np.sum(rest * ahead))
        self._n_products, gained = 0, 0.0
        while size > min(_INEXACT, np.sqrt(start)) ** 2 * start and self._n_products < _MOST_PRODUCTS:
            product = self._curved(direction)
            self._n_products += 1
            bend = float(np.sum(direction * product))
            if bend <= 0.0:  # rounding, or a direction that changes no probability
                break
            alpha = size / bend
            step += alpha * direction
            rest = rest - alpha * product
            gained += alpha * size
            if self._n_products * alpha * size < _LEAST_GAIN * gained:
                break
            ahead = self._conditioned(rest)
            size, before = float(np.sum(rest * ahead)), size
            direction = ahead + size / before * direction
        return step, -float(np.sum(slopes * step))

    def _curved(self, step: Float64Array) -> Float64Array:
        """Return the product of the curvature and a step."""
        moved = (self.design @ step).reshape(self.p.shape)
        moved = self.p * (moved - (self.p * moved).sum(axis=1, keepdims=True)) * self.logits.weight[:, None]
        product: Float64Array = self._products(moved) + self._penalties[:, None] * step
        return product

    def _find_curvature(self) -> None:
        """
        Factorise the curvature: of all weights, or, where they are many, of those of each output.

        A share of its mean keeps directions that change no probability from being singular.
        """
        n_columns, n_targets = self.weights.shape
        n_together = n_targets if self.weights.size <= _WHOLE else 1
        self._factors = []
        for start in range(0, n_targets, n_together):
            curvature = self._curvature(slice(start, start + n_together))
            diagonal = np.tile(self._penalties, len(curvature) // n_columns)
            diagonal += _JITTER * max(float(np.trace(curvature)) / len(curvature), np.finfo(np.float64).tiny)
            curvature[np.diag_indices_from(curvature)] += diagonal
            self._factors.append(cho_factor(curvature, overwrite_a=True, check_finite=False))

    def _curvature(self, targets: slice) -> Float64Array:
        """
        Second derivatives of the loss by the weights of some targets, one target after the other.

        No two large numbers are subtracted: probabilities near zero or one would leave rounding alone.
        """
        weight, p = self.logits.weight[:, None], self.p
        if self.logits.atoms.ndim == 3 and self.n_outputs > 1:
            design = self.design.reshape(*p.shape, -1)
            apart = design - (design * p[:, :, None]).sum(axis=1, keepdims=True)
            apart = apart.reshape(len(self.design), -1)
            return (apart * (p * weight).reshape(-1, 1)).T @ apart
        others = self.every @ (1.0 - np.eye(self.every.shape[1]))
        bends = (p * others[:, -p.shape[1] :])[:, targets] * weight
        p, n_columns = p[:, targets], len(self.weights)
        curvature = np.zeros((p.shape[1] * n_columns,) * 2)
        for rows in row_chunks(len(p), 8 * len(curvature)):
            design = self.design[rows]
            beside = (design[:, None] * (p[rows] * np.sqrt(weight[rows]))[:, :, None]).reshape(len(design), -1)
            products = beside.T @ beside
            for target, own in enumerate(bends[rows].T):
                place = slice(target * n_columns, (target + 1) * n_columns)
                products[place, place] = -(design * own[:, None]).T @ design
            curvature -= products
        return curvature

    def _conditioned(self, rest: Float64Array) -> Float64Array:
        """Return the solution of the factorised curvature for this right-hand side."""
        groups = np.split(rest, len(self._factors), axis=1)
        solved = [cho_solve(f, g.T.ravel(), check_finite=False) for f, g in zip(self._factors, groups, strict=True)]
        return np.concatenate(solved).reshape(rest.shape[::-1]).T

    def _gap(self, free: NDArray[np.bool_]) -> float:
        """Return a bound of the penalised loss minus the least penalised loss over the weights of all atoms."""
        penalised = self._penalised()
        steepest = float(np.sum(self.slopes[free] ** 2))
        if not self.penalty:
            return penalised if steepest > 0.0 else 0.0
        return min(penalised, steepest / (2.0 * self.penalty) + TOLERANCE)

    def _separated(self) -> bool:
        """Whether there is no least loss, because picks separate the classes without a penalty; warn if so."""
        if self.penalty or not (self.own[self.logits.weight > 0] >= _SEPARATED).all():
            return False
        if self._n_picks:
            warn_caller(
                f"{self._n_picks} picks separate the classes, so with ridge=0 no weights have the least loss. "
                "The selection ends with weights that give each sample's class a probability above 1 - 1e-6. With a "
                "ridge above 0 the weights are unique",
                ConvergenceWarning,
            )
        return True
