"""
The penalised log loss of weights of some atoms, and Newton's steps to the weights of its least value.

Nothing here picks atoms.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from sklearn.exceptions import ConvergenceWarning

from sklearn_gfs._chunks import row_chunks
from sklearn_gfs._typing import Float64Array
from sklearn_gfs._warn import warn_caller

from ._corrective import LEAST_LEFT
from ._logit_atoms import LogitAtoms
from ._softmax import softmax

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


class Point(NamedTuple):
    """
    Weights, and what follows from them.

    Parameters
    ----------
    weights : ndarray of shape (n_free + n_picks, n_targets)
        Weight of each column of the design for each target; the first row is a free intercept, where there is one.
    loss, penalised : float
        Loss without and with the penalty of the weights.
    own_probability : ndarray of shape (n_samples,)
        Probability of each sample's own class.
    all_probabilities : ndarray of shape (n_samples, n_classes)
        Probabilities of all classes.
    residual : ndarray of shape (n_samples, n_outputs)
        Slopes of the loss by the outputs: probabilities less indicators, times the weights of the samples.
    """

    weights: Float64Array
    loss: float
    penalised: float
    own_probability: Float64Array
    all_probabilities: Float64Array
    residual: Float64Array

    @property
    def p(self) -> Float64Array:
        """Probabilities of the classes that have an output: not of the first of two with a single output."""
        return self.all_probabilities[:, -self.residual.shape[1] :]


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
    """

    def __init__(self, logits: LogitAtoms, penalty: float) -> None:
        self.logits = logits
        self.penalty = penalty
        self.n_free = 0 if logits.means is None else 1
        n_outputs = len(logits.offset)
        stacked = logits.atoms.ndim == 3
        self.design = np.ones((len(logits.y) * (n_outputs if stacked else 1), self.n_free))
        self._penalties = np.zeros(self.n_free)
        self._factor = np.empty((0, 0))  # of the Gram matrix of the picks plus the penalty
        self._curvatures: list[Any] = []  # factors of the curvature, of all targets together or of each
        self._n_products = 0  # of the last step's conjugate gradients
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
        norm, said = float(column @ weighted) + self.penalty, np.empty(0)
        if self.n_picks:
            said = solve_triangular(self._factor, self.design[:, self.n_free :].T @ weighted, trans=1)
        left = norm - float(said @ said)
        if left <= LEAST_LEFT * norm:
            return False
        self._factor = np.block([[self._factor, said[:, None]], [np.zeros((1, len(said))), np.sqrt(left)]])
        self.design = np.concatenate([self.design, column[:, None]], axis=1)
        self._penalties = np.append(self._penalties, self.penalty)
        self.at = self._point(np.concatenate([self.at.weights, np.zeros((1, self.at.weights.shape[1]))]))
        return True

    def descend(self) -> None:
        """Take Newton steps until the next one would gain no more than the tolerance."""
        if not self.at.weights.size:
            return
        self._find_curvature()
        self._n_products = 0
        for _ in range(_MOST_STEPS):
            before = self.at
            step, decrement = self._newton_step(
                self._products(before.residual) + self._penalties[:, None] * before.weights
            )
            length = 1.0
            while length > 1e-10:
                self.at = self._point(before.weights + length * step)
                if self.at.penalised <= before.penalised - 1e-4 * length * decrement:
                    break
                length /= 2.0
            else:
                self.at = before  # what is left is rounding
                return
            if 0.5 * decrement <= TOLERANCE:
                return
        warn_caller(
            f"the weights of {self.n_picks} picks are not exact after {_MOST_STEPS} Newton steps; a larger ridge helps",
            ConvergenceWarning,
        )

    def _point(self, weights: Float64Array) -> Point:
        """Return what follows from these weights."""
        y, weight = self.logits.y, self.logits.weight
        outputs = self.logits.offset + (self.design @ weights).reshape(len(y), -1)
        full, p, top, log_norm = softmax(outputs, axis=1)
        own = np.take_along_axis(full, y[:, None], axis=1) - top
        loss = float(weight @ (log_norm - own)[:, 0])
        residual = p.copy()
        residual[np.arange(len(y)), y] -= 1.0
        return Point(
            weights,
            loss,
            loss + 0.5 * self.penalty * float(np.sum(weights[self.n_free :] ** 2)),
            own_probability=np.take_along_axis(p, y[:, None], axis=1)[:, 0],
            all_probabilities=p,
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
        p = self.at.p
        moved = (self.design @ step).reshape(p.shape)
        moved = p * (moved - (p * moved).sum(axis=1, keepdims=True)) * self.logits.weight[:, None]
        product: Float64Array = self._products(moved) + self._penalties[:, None] * step
        return product

    def _find_curvature(self) -> None:
        """
        Factorise the curvature: of all weights, or, where they are many, of those of each output.

        A share of its mean keeps directions that change no probability from being singular.
        """
        n_columns, n_targets = self.at.weights.shape
        n_together = n_targets if self.at.weights.size <= _WHOLE else 1
        self._curvatures = []
        for start in range(0, n_targets, n_together):
            curvature = self._curvature(slice(start, start + n_together))
            diagonal = np.tile(self._penalties, len(curvature) // n_columns)
            diagonal += _JITTER * max(float(np.trace(curvature)) / len(curvature), np.finfo(np.float64).tiny)
            curvature[np.diag_indices_from(curvature)] += diagonal
            self._curvatures.append(cho_factor(curvature, overwrite_a=True, check_finite=False))

    def _curvature(self, targets: slice) -> Float64Array:
        """
        Second derivatives of the loss by the weights of some targets, one target after the other.

        No two large numbers are subtracted: probabilities near zero or one would leave rounding alone.
        """
        weight, p = self.logits.weight[:, None], self.at.p
        if self.logits.atoms.ndim == 3 and p.shape[1] > 1:
            design = self.design.reshape(*p.shape, -1)
            apart = design - (design * p[:, :, None]).sum(axis=1, keepdims=True)
            apart = apart.reshape(len(self.design), -1)
            return (apart * (p * weight).reshape(-1, 1)).T @ apart
        others = self.at.all_probabilities @ (1.0 - np.eye(self.at.all_probabilities.shape[1]))
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
