"""
What a corrective selection found: the picks, and the weights after any number of them.

Here belongs what follows from the triangular factor of the picks; nothing here selects.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from sklearn_gfs._typing import Float64Array, GreedyPath


class Fixed(NamedTuple):
    """
    What a combination is made of besides the weights.

    Parameters
    ----------
    means : ndarray of shape (n_atoms,)
        Means of the atoms where the intercept is free, else zeros.
    base : ndarray of shape (n_outputs,)
        What y is approximated by before anything is picked: the means of a free intercept, or the offset.
    target_norm : float
        Mean squared distance of y from that.
    flat : bool
        Whether each atom has one weight, and not one for each output.
    """

    means: Float64Array
    base: Float64Array
    target_norm: float
    flat: bool


class SolvedPath(ABC):
    """
    The path of a corrective selection at one ridge, with the weights after any number of picks.

    Attributes
    ----------
    picks : ndarray of shape (n_picks,)
        Index of the atom picked at each step, all of them different.
    losses : ndarray of shape (n_picks,)
        Loss after each pick, without the penalty.
    gaps : ndarray of shape (n_picks,)
        Upper bounds on the penalised losses less the least one.
    penalty : float
        What the sum of the squared weights costs, twice.
    """

    picks: NDArray[np.int64]
    losses: Float64Array
    gaps: Float64Array
    penalty: float
    _n_atoms: int
    _flat: bool

    @abstractmethod
    def weights(self, n_picks: int) -> Float64Array:
        """Weights of the first picks when there are no more, (n_picks, n_targets), in the order of the picks."""

    @abstractmethod
    def intercept(self, n_picks: int) -> Float64Array:
        """What is added to the first picks when there are no more, (n_outputs,)."""

    def prefix(self, n_picks: int) -> GreedyPath:
        """Return the path of the first picks, with their weights re-solved; of all where there are not so many."""
        n_picks = min(n_picks, len(self.picks))
        picks, solved = self.picks[:n_picks], self.weights(n_picks)
        counts = np.zeros(self._n_atoms, dtype=np.int64)
        counts[picks] = 1
        weights = np.zeros((self._n_atoms, solved.shape[1]))
        weights[picks] = solved
        return GreedyPath(
            picks,
            self.losses[:n_picks],
            self.gaps[:n_picks],
            counts,
            weights[:, 0] if self._flat else weights,
            intercept=self.intercept(n_picks),
        )

    @property
    def path(self) -> GreedyPath:
        """The path of all picks."""
        return self.prefix(len(self.picks))


class LoggedPath(SolvedPath):
    """A path of which the weights after each pick were kept, as there is no factor to have them from."""

    def __init__(
        self,
        picks: NDArray[np.int64],
        kept: list[tuple[Float64Array, Float64Array]],
        losses: Float64Array,
        gaps: Float64Array,
        *,
        penalty: float,
        n_atoms: int,
        flat: bool,
    ) -> None:
        self.picks, self.losses, self.gaps, self.penalty = picks, losses, gaps, penalty
        self._kept, self._n_atoms, self._flat = kept, n_atoms, flat

    def weights(self, n_picks: int) -> Float64Array:
        """Weights of the first picks when there are no more, (n_picks, n_targets), in the order of the picks."""
        return self._kept[n_picks][0]

    def intercept(self, n_picks: int) -> Float64Array:
        """What is added to the first picks when there are no more, (n_outputs,)."""
        return self._kept[n_picks][1]


class CorrectivePath(SolvedPath):
    """
    A path for the squared error: weights follow from the triangular factor of the picks.

    Parameters
    ----------
    picks : ndarray of shape (n_picks,)
        Index of the atom picked at each step, all of them different.
    factor : ndarray of shape (n_picks, n_picks)
        Upper triangular R of which R'R is the Gram matrix of the picks plus the penalty.
    shares : ndarray of shape (n_picks, n_targets)
        Solution of R' shares = C, where C holds the products of the picks with y: the squares of a row are what the
        pick took off twice the penalised loss.
    penalty : float
        What the ridge adds to the diagonal of the Gram matrix.
    least : float or None
        Least penalised loss over the weights of all atoms, where it is known.
    steepest : ndarray of shape (n_picks,)
        Sum of the squared slopes of the penalised loss after each pick, over all atoms.
    fixed : Fixed
        What is the same at every ridge.

    Attributes
    ----------
    losses : ndarray of shape (n_picks,)
        Loss after each pick, without the penalty.
    gaps : ndarray of shape (n_picks,)
        Upper bounds on the penalised losses less the least one; exact where that is known.
    degrees : ndarray of shape (n_picks,)
        Effective degrees of freedom after each pick, those of an intercept not included: the trace of what maps y to
        its approximation.
    """

    def __init__(
        self,
        picks: NDArray[np.int64],
        factor: Float64Array,
        shares: Float64Array,
        *,
        penalty: float,
        least: float | None,
        steepest: Float64Array,
        fixed: Fixed,
    ) -> None:
        self.picks = picks
        self.penalty = penalty
        self._shares = shares
        self._fixed = fixed
        self._n_atoms, self._flat = len(fixed.means), fixed.flat
        n_picks = len(picks)
        # Its first n rows and columns are the inverse of the factor of the first n picks.
        self._inverse = solve_triangular(factor, np.eye(n_picks)) if n_picks else np.zeros((0, 0))
        self._least, self._steepest = least, steepest
        penalised = 0.5 * np.maximum(fixed.target_norm - np.cumsum((shares**2).sum(axis=1)), 0.0)
        self._cost = 0.5 * penalty * self._squared_weights() if penalty else np.zeros(n_picks)
        self.losses = np.maximum(penalised - self._cost, 0.0)
        self.gaps = self._gaps()
        self.degrees = np.arange(1, n_picks + 1) - penalty * np.cumsum((self._inverse**2).sum(axis=0))

    def _gaps(self) -> Float64Array:
        """Penalised losses less the least one, or bounds of that from the slopes: it is convex, by the penalty."""
        penalised = self.losses + self._cost
        if self._least is not None:
            return np.maximum(penalised - self._least, 0.0)
        if not self.penalty:
            return np.where(self._steepest > 0.0, penalised, 0.0)
        return np.minimum(penalised, self._steepest / (2.0 * self.penalty))

    def measured(self, steps: NDArray[np.int64], losses: Float64Array) -> None:
        """Take losses after some of the picks that were measured on the samples."""
        self.losses[steps] = losses
        self.gaps = self._gaps()

    def on_others(
        self, gram: Float64Array, c: Float64Array, *, means: Float64Array, base: Float64Array, target_norm: float
    ) -> CorrectivePath:
        """
        Return the path of the same picks and penalty with the weights that other samples call for.

        Its gaps are those of this path: products of the picks don't tell of other atoms.

        Parameters
        ----------
        gram : ndarray of shape (n_picks, n_picks)
            Gram matrix of the picks on those samples, in their order.
        c : ndarray of shape (n_picks, n_targets)
            Their products with y.
        means, base, target_norm
            See `Fixed`; means of the picks alone.
        """
        factor = cholesky(gram + self.penalty * np.eye(len(gram)))
        everywhere = np.zeros_like(self._fixed.means)
        everywhere[self.picks] = means
        path = CorrectivePath(
            self.picks,
            factor,
            solve_triangular(factor, c, trans="T"),
            penalty=self.penalty,
            least=None,
            steepest=np.zeros(len(self.picks)),
            fixed=Fixed(everywhere, base, target_norm, self._fixed.flat),
        )
        path.gaps = self.gaps
        return path

    def _squared_weights(self) -> Float64Array:
        """Sum of the squares of the weights after each pick."""
        weights, squares = np.zeros_like(self._shares), np.empty(len(self.picks))
        for j in range(len(squares)):
            weights[: j + 1] += np.outer(self._inverse[: j + 1, j], self._shares[j])
            squares[j] = np.sum(weights**2)
        return squares

    def weights(self, n_picks: int) -> Float64Array:
        """Weights of the first picks when there are no more, (n_picks, n_targets), in the order of the picks."""
        weights: Float64Array = self._inverse[:n_picks, :n_picks] @ self._shares[:n_picks]
        return weights

    def intercept(self, n_picks: int) -> Float64Array:
        """What is added to the first picks when there are no more, (n_outputs,)."""
        added: Float64Array = self._fixed.means[self.picks[:n_picks]] @ self.weights(n_picks)
        return self._fixed.base - added
