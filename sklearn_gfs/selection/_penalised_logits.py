"""
The penalised log loss of weights of some atoms, and Newton's steps to the weights of its least value.

Nothing here picks atoms.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from sklearn.exceptions import ConvergenceWarning

from sklearn_gfs._chunks import CHUNK_BYTES, row_batches, row_chunks
from sklearn_gfs._typing import Float64Array
from sklearn_gfs._warn import warn_caller

from ._corrective import LEAST_LEFT
from ._logit_atoms import LogitAtoms
from ._softmax import softmax

# Decrease of the penalised loss by the next Newton step at which the steps end.
TOLERANCE = 1e-10
# Largest number of Newton steps.
_MOST_STEPS = 100
# Length down to which a step that does not lower the loss is halved. The next one is the length that surely does.
_LEAST_HALF = 1e-3
# Least probability of a sample's own class for which steps follow the curvature of the loss. Below it the loss is
# nearly straight, which would make them too long: they follow the curvature at this probability.
_LEAST_OWN = 1e-6
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
# Movement of logits since the curvature was factorised beyond which steps do not end before it is factorised anew. It
# may have changed by the exponential of this number, and an inexact step says too little of what is left to gain.
_STALE_REACH = 10.0
# Largest number of weights for which the curvature includes products of different outputs; more would take too much
# memory.
_WHOLE = 2048
# Share of its own by which each entry of the diagonal of the curvature grows when the curvature is factorised, so that
# it is not singular. A share of the mean entry would mix units of atoms.
_JITTER = 1e-9
# Share of its own by which each entry grows in products. Rounding of slopes would have no bound where there is no
# curvature; a larger share would slow the steps down where atoms are nearly parallel.
_LIFT = 1e-14
# Share of a column's mean square by which its entry grows when the curvature is factorised: probabilities of zero leave
# no curvature.
_FLATTEST = 1e-30


class Point(NamedTuple):
    """
    Weights, and what follows from them.

    Parameters
    ----------
    weights : ndarray of shape (n_free + n_picks, n_targets)
        Weight of each column of the design for each target; the first row is a free intercept, where there is one.
    outputs : ndarray of shape (n_samples, n_outputs)
        Logits.
    loss, penalised : float
        Loss without and with the penalty of the weights.
    own_probability : ndarray of shape (n_samples,)
        Probability of each sample's own class.
    p : ndarray of shape (n_samples, n_outputs)
        Probabilities of the classes that have an output: not of the first of two with a single output.
    bent : ndarray of shape (n_samples, n_classes)
        Probabilities of all classes whose curvature the steps follow: that of the own class is not next to zero.
    residual : ndarray of shape (n_samples, n_outputs)
        Slopes of the loss by the outputs: probabilities less indicators, times the weights of the samples.
    """

    weights: Float64Array
    outputs: Float64Array
    loss: float
    penalised: float
    own_probability: Float64Array
    p: Float64Array
    bent: Float64Array
    residual: Float64Array


class PenalisedLogits:
    """
    The penalised log loss as a function of the weights of the atoms that were added.

    Parameters
    ----------
    logits : LogitAtoms
        All atoms.
    penalty : float
        The loss gets half of this times the sum of the squared weights; a free intercept has no penalty.

    Attributes
    ----------
    n_free : int
        Number of columns of the design before those of atoms: 1 with a free intercept, which is the weight of ones.
    design : ndarray of shape (n_rows, n_free + n_picks)
        Outputs of the added atoms, with a row for each sample, or for each output of a sample.
    at : Point
        The present weights.
    exact : bool
        Whether the last Newton steps ended within the tolerance of the least penalised loss.
    """

    def __init__(self, logits: LogitAtoms, penalty: float) -> None:
        self.logits = logits
        self.penalty = penalty
        self.n_free = 0 if logits.means is None else 1
        n_outputs = len(logits.offset)
        stacked = logits.atoms.ndim == 3
        self.design = np.ones((len(logits.y) * (n_outputs if stacked else 1), self.n_free))
        self._penalties = np.zeros(self.n_free)
        self._squares = np.ones(self.n_free)  # mean squares of the columns of the design
        self._factor = np.empty((0, 0))  # of the Gram matrix of the picks plus the penalty
        self._curvatures: list[Any] = []  # factors of the curvature, of all targets together or of each
        self._n_products = 0  # of the last step's conjugate gradients
        self._lifts = np.empty((0, 0))  # added to the diagonal of the curvature in products
        self._outputs = np.empty((0, n_outputs))  # at which the curvature was factorised
        self.exact = True
        self.at = self._point(np.zeros((self.n_free, 1 if stacked else n_outputs)))

    @property
    def n_picks(self) -> int:
        """Number of atoms that were added."""
        return len(self._factor)

    @property
    def weights(self) -> Float64Array:
        """Weights of the added atoms, (n_picks, n_targets)."""
        return self.at.weights[self.n_free :]

    def add(self, atom: int) -> bool:
        """Add an atom with weight 0, unless without a penalty it depends linearly on those that are there."""
        column = self.logits.column(atom)
        weighted = column * np.repeat(self.logits.weight, len(self.design) // len(self.logits.y))
        square, said = float(column @ weighted), np.empty(0)
        norm = square + self.penalty
        if self.n_picks:
            said = solve_triangular(self._factor, self.design[:, self.n_free :].T @ weighted, trans=1)
        left = norm - float(said @ said)
        if left <= LEAST_LEFT * norm:
            return False
        self._factor = np.block([[self._factor, said[:, None]], [np.zeros((1, len(said))), np.sqrt(left)]])
        self.design = np.concatenate([self.design, column[:, None]], axis=1)
        self._penalties = np.append(self._penalties, self.penalty)
        self._squares = np.append(self._squares, square)
        self.at = self._point(np.concatenate([self.at.weights, np.zeros((1, self.at.weights.shape[1]))]))
        return True

    def gains(self, slopes: Float64Array) -> Float64Array:
        """
        Return by how much steps lower the penalised loss, about: along what the picks leave of each atom.

        Atoms that depend on the picks gain nothing. The slopes are those along whole atoms.
        """
        picks, factor = self.design[:, self.n_free :], (self._factor, False)
        weight = np.repeat(self.logits.weight, len(picks) // len(self.logits.y))
        weighted = picks * weight[:, None]
        along_picks = self._products(self.at.residual)[self.n_free :] + self.penalty * self.weights
        gains = np.zeros(len(slopes))
        for some in row_batches(len(slopes), max(CHUNK_BYTES // (8 * len(picks)), 1)):
            atoms = self.logits.columns(some)
            shares = cho_solve(factor, weighted.T @ atoms, check_finite=False)
            rest = atoms - picks @ shares
            penalties = self.penalty * (1.0 + (shares**2).sum(axis=0))
            left = weight @ rest**2 + penalties
            rest_slopes = slopes[some] - shares.T @ along_picks
            bends = self.logits.of_columns(rest).bends_along(self.at.p, rest_slopes) + penalties
            free = (left > LEAST_LEFT * (self.logits.norms[some] + self.penalty)) & (bends > 0.0)
            squares = (rest_slopes**2).sum(axis=1)
            np.divide(0.5 * squares, bends, out=gains[some], where=free)
        return gains

    def descend(self) -> None:
        """Take Newton steps until the next one would gain no more than the tolerance."""
        if not self.at.weights.size:
            return
        self._find_curvature()
        self._n_products, self.exact = 0, True
        for _ in range(_MOST_STEPS):
            slopes = self._products(self.at.residual) + self._penalties[:, None] * self.at.weights
            step, decrement = self._newton_step(slopes)
            if 0.5 * decrement <= TOLERANCE and self._reach(self.at.outputs - self._outputs) > _STALE_REACH:
                self._find_curvature()
                continue
            moved = self._move(step, decrement)
            if 0.5 * decrement <= TOLERANCE or self.at.penalised <= TOLERANCE:
                return
            if not moved:
                break
        self.exact = False
        warn_caller(
            f"the weights of {self.n_picks} picks are not exact, because Newton steps don't end; a larger ridge helps",
            ConvergenceWarning,
        )

    def _move(self, step: Float64Array, decrement: float) -> bool:
        """Move by the first length of a step that lowers the loss enough; return whether there is one."""
        before = self.at
        for length in self._lengths(step):
            self.at = self._point(before.weights + length * step)
            if self.at.penalised <= before.penalised - 1e-4 * length * decrement:
                return True
        self.at = before
        return False

    def _lengths(self, step: Float64Array) -> Iterator[float]:
        """
        Yield lengths of a Newton step, from one on to a length at which only rounding keeps the loss from falling.

        If a step moves differences of logits by at most r, the curvature changes by a factor of exp(r) at most. So the
        length log(1 + r) / r lowers the loss (Sun and Tran-Dinh, Mathematical Programming 178, 2019).
        """
        yield 1.0
        reach = self._reach(self.design @ step)
        least = float(np.log1p(reach) / reach) if reach > 0.0 else 1.0
        length = 0.5
        while length > max(least, _LEAST_HALF):
            yield length
            length /= 2.0
        yield min(length, least)

    def _reach(self, moved: Float64Array) -> float:
        """Return by how much a movement of the outputs changes the difference of a sample's logits at most."""
        moved = moved.reshape(len(self.logits.y), -1)[self.logits.weight > 0]
        return float(np.abs(moved).max() if moved.shape[1] == 1 else np.ptp(moved, axis=1).max())

    def _point(self, weights: Float64Array) -> Point:
        """Return what follows from these weights."""
        y, weight = self.logits.y, self.logits.weight
        outputs = self.logits.offset + (self.design @ weights).reshape(len(y), -1)
        full, p, top, log_norm = softmax(outputs, axis=1)
        own = np.take_along_axis(full, y[:, None], axis=1) - top
        loss = float(weight @ (log_norm - own)[:, 0])
        residual, every = p.copy(), np.arange(len(y))
        residual[every, y] = 0.0
        residual[every, y] = -residual.sum(axis=1)  # a probability next to one, less one, would be rounding
        own_p, bent = p[every, y], p
        few = np.flatnonzero(own_p < _LEAST_OWN)
        if len(few):
            bent = p.copy()
            bent[few] *= 1.0 - _LEAST_OWN
            bent[few, y[few]] += _LEAST_OWN
        return Point(
            weights,
            outputs,
            loss,
            loss + 0.5 * self.penalty * float(np.sum(weights[self.n_free :] ** 2)),
            own_probability=own_p,
            p=p[:, -outputs.shape[1] :],
            bent=bent,
            residual=residual[:, -outputs.shape[1] :] * weight[:, None],
        )

    def _products(self, residual: Float64Array) -> Float64Array:
        """Return the products of the design with a residual."""
        products: Float64Array = self.design.T @ residual.reshape(len(self.design), -1)
        return products

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
            product = self._curved(direction) + self._lifts * direction
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
        p = self.at.bent[:, -self.at.outputs.shape[1] :]
        moved = (self.design @ step).reshape(p.shape)
        moved = p * (moved - (p * moved).sum(axis=1, keepdims=True)) * self.logits.weight[:, None]
        product: Float64Array = self._products(moved) + self._penalties[:, None] * step
        return product

    def _find_curvature(self) -> None:
        """
        Factorise the curvature: of all weights, or, where they are many, of those of each output.

        Its diagonal is raised, because directions that change no probability have no curvature.
        """
        self._outputs = self.at.outputs
        n_columns, n_targets = self.at.weights.shape
        n_together = n_targets if self.at.weights.size <= _WHOLE else 1
        self._curvatures, self._lifts = [], np.zeros_like(self.at.weights)
        for start in range(0, n_targets, n_together):
            curvature = self._curvature(slice(start, start + n_together))
            diagonal = np.diag(curvature).reshape(-1, n_columns)
            self._lifts[:, start : start + n_together] = _LIFT * diagonal.T
            diagonal = _JITTER * diagonal + _FLATTEST * self._squares + self._penalties
            curvature[np.diag_indices_from(curvature)] += diagonal.ravel()
            self._curvatures.append(cho_factor(curvature, overwrite_a=True, check_finite=False))

    def _curvature(self, targets: slice) -> Float64Array:
        """
        Second derivatives of the loss by the weights of some targets, one target after the other.

        No two large numbers are subtracted: probabilities near zero or one would leave rounding alone.
        """
        weight, p = self.logits.weight[:, None], self.at.bent[:, -self.at.outputs.shape[1] :]
        if self.logits.atoms.ndim == 3 and p.shape[1] > 1:
            design = self.design.reshape(*p.shape, -1)
            apart = design - (design * p[:, :, None]).sum(axis=1, keepdims=True)
            apart = apart.reshape(len(self.design), -1)
            return (apart * (p * weight).reshape(-1, 1)).T @ apart
        others = self.at.bent @ (1.0 - np.eye(self.at.bent.shape[1]))
        bends = (p * others[:, -p.shape[1] :])[:, targets] * weight
        p, n_columns = p[:, targets], len(self.at.weights)
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
        groups = np.split(rest, len(self._curvatures), axis=1)
        solved = [cho_solve(f, g.T.ravel(), check_finite=False) for f, g in zip(self._curvatures, groups, strict=True)]
        return np.concatenate(solved).reshape(rest.shape[::-1]).T
