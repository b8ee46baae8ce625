"""
The result of a corrective selection: what was solved for, the picks, and the weights after any number of them.

Weights and degrees of freedom follow from the triangular factor of the picks; nothing here selects.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from sklearn_gfs._typing import Float64Array, GreedyPath
from sklearn_gfs._version import VersionedState


class Fitted(NamedTuple):
    """
    What a corrective selection solves for.

    Parameters
    ----------
    base : ndarray of shape (n_outputs,)
        Approximation of y before the first pick: the means of y with a free intercept, or the offset.
    free_intercept : bool
        Whether there is an intercept, made of the means of the atoms.
    flat : bool
        Whether each atom has one weight, and not one for each output.
    """

    base: Float64Array
    free_intercept: bool
    flat: bool

    @classmethod
    def neurons(cls, base: Float64Array) -> Fitted:
        """Return what is solved for of neurons: output weights and an intercept; `base` holds the means of y."""
        return cls(base, free_intercept=True, flat=False)

    @classmethod
    def columns(cls, base: Float64Array, n_targets: int) -> Fitted:
        """
        Return what is solved for of columns, or of atoms with several outputs: a weight for each target, no intercept.

        The outputs of an atom of several count as one target.
        """
        return cls(base, free_intercept=False, flat=n_targets == 1)


class Fixed(NamedTuple):
    """
    The parts of a corrective approximation that are the same at every ridge.

    Parameters
    ----------
    means : ndarray of shape (n_atoms,)
        Means of the atoms where the intercept is free, else zeros.
    fitted : Fitted
        What was solved for.
    target_norm : float
        Mean squared distance of y from the base.
    """

    means: Float64Array
    fitted: Fitted
    target_norm: float


class Picked(NamedTuple):
    """
    What a corrective selection picked at one ridge.

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
    """

    picks: NDArray[np.int64]
    factor: Float64Array
    shares: Float64Array
    penalty: float
    least: float | None
    steepest: Float64Array


def solved_path(
    picks: NDArray[np.int64],
    losses: Float64Array,
    gaps: Float64Array,
    solved: Float64Array,
    intercept: Float64Array,
    *,
    n_atoms: int,
    flat: bool,
) -> GreedyPath:
    """Return the path of picks whose weights are these, (n_picks, n_targets); `flat` as in `Fitted`."""
    counts, weights = np.zeros(n_atoms, dtype=np.int64), np.zeros((n_atoms, solved.shape[1]))
    counts[picks], weights[picks] = 1, solved
    return GreedyPath(picks, losses, gaps, counts, weights[:, 0] if flat else weights, intercept=intercept)


class CorrectivePath(VersionedState):
    """
    The path of a corrective selection for the squared error at one ridge.

    It knows the weights after any number of picks, from the triangular factor of the picks. Users need not make one:
    ``SelectionStatistics.corrective_paths`` returns a path for each ridge.

    Parameters
    ----------
    picked : Picked
        What the selection picked at this ridge.
    fixed : Fixed
        What is the same at every ridge.

    Attributes
    ----------
    picks : ndarray of shape (n_picks,)
        Index of the atom picked at each step, all of them different.
    penalty : float
        What the ridge adds to the diagonal of the Gram matrix: the penalised loss is the loss and half of this times
        the sum of the squared weights.
    losses : ndarray of shape (n_picks,)
        Loss after each pick, without the penalty.
    gaps : ndarray of shape (n_picks,)
        Upper bounds on the penalised losses less the least one; exact where that is known.
    degrees : ndarray of shape (n_picks,)
        Effective degrees of freedom after each pick, those of an intercept not included: the trace of what maps y to
        its approximation.

    See Also
    --------
    SelectionStatistics.corrective_paths : Make the selection at several ridges.
    GreedyPath : What a path is for a given number of picks.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs import SelectionStatistics
    >>> statistics = SelectionStatistics().update(np.eye(3), np.array([0.5, 0.4, 0.0]))
    >>> (path,) = statistics.corrective_paths(2, ridges=[1.0])
    >>> path.degrees.tolist()
    [0.5, 1.0]
    """

    def __init__(self, picked: Picked, fixed: Fixed) -> None:
        self.picks, factor, shares, penalty, self._least, self._steepest = picked
        self.penalty, self._shares, self._fixed = penalty, shares, fixed
        n_picks = len(self.picks)
        # Its first n rows and columns are the inverse of the factor of the first n picks.
        self._inverse = solve_triangular(factor, np.eye(n_picks)) if n_picks else np.zeros((0, 0))
        penalised = 0.5 * np.maximum(fixed.target_norm - np.cumsum((shares**2).sum(axis=1)), 0.0)
        self._cost = 0.5 * penalty * self._squared_weights() if penalty else np.zeros(n_picks)
        self.losses = np.maximum(penalised - self._cost, 0.0)
        self.gaps = self._gaps()
        self.degrees = np.arange(1, n_picks + 1) - penalty * np.cumsum((self._inverse**2).sum(axis=0))

    def _gaps(self) -> Float64Array:
        """Return penalised losses minus the least one, or bounds of this from the slopes, by strong convexity."""
        penalised = self.losses + self._cost
        if self._least is not None:
            return np.maximum(penalised - self._least, 0.0)
        if not self.penalty:
            return np.where(self._steepest > 0.0, penalised, 0.0)
        return np.minimum(penalised, self._steepest / (2.0 * self.penalty))

    def _squared_weights(self) -> Float64Array:
        """Return the sum of the squares of the weights after each pick."""
        weights, squares = np.zeros_like(self._shares), np.empty(len(self.picks))
        for j in range(len(squares)):
            weights[: j + 1] += np.outer(self._inverse[: j + 1, j], self._shares[j])
            squares[j] = np.sum(weights**2)
        return squares

    def _solved(self, n_picks: int) -> Float64Array:
        """Return the weights after the first `n_picks` picks, (n_picks, n_targets), in the order of the picks."""
        weights: Float64Array = self._inverse[:n_picks, :n_picks] @ self._shares[:n_picks]
        return weights

    def prefix(self, n_picks: int) -> GreedyPath:
        """
        Return the path of the first picks, with their weights re-solved.

        Where there are fewer picks it is the path of all.

        Parameters
        ----------
        n_picks : int
            Number of picks.

        Returns
        -------
        GreedyPath
            Picks, losses, gaps, counts, weights and intercept.

        See Also
        --------
        path : The path of all picks.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import SelectionStatistics
        >>> statistics = SelectionStatistics().update(np.eye(3), np.array([0.5, 0.4, 0.0]))
        >>> (path,) = statistics.corrective_paths(2, ridges=[1.0])
        >>> path.prefix(1).weights.tolist()
        [0.25, 0.0, 0.0]
        """
        n_picks = min(n_picks, len(self.picks))
        picks, solved, fixed = self.picks[:n_picks].copy(), self._solved(n_picks), self._fixed
        return solved_path(
            picks,
            self.losses[:n_picks].copy(),
            self.gaps[:n_picks].copy(),
            solved,
            fixed.fitted.base - fixed.means[picks] @ solved,
            n_atoms=len(fixed.means),
            flat=fixed.fitted.flat,
        )

    @property
    def path(self) -> GreedyPath:
        """
        The path of all picks.

        Its weights are those of all picks together.

        Returns
        -------
        GreedyPath
            Picks, losses, gaps, counts, weights and intercept.

        See Also
        --------
        prefix : The path of the first picks.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gfs import SelectionStatistics
        >>> statistics = SelectionStatistics().update(np.eye(3), np.array([0.5, 0.4, 0.0]))
        >>> (path,) = statistics.corrective_paths(2, ridges=[1.0])
        >>> path.path.picks.tolist()
        [0, 1]
        """
        return self.prefix(len(self.picks))


def weights_after(path: CorrectivePath, steps: NDArray[np.int64]) -> Float64Array:
    """Return the weights of all picks after each of these steps, (n_steps, n_picks, n_targets); of later ones zero."""
    weights = np.zeros((len(steps), *path._shares.shape))
    for place, step in zip(weights, steps, strict=True):
        place[: step + 1] = path._solved(int(step) + 1)
    return weights


def take_measured(path: CorrectivePath, steps: NDArray[np.int64], losses: Float64Array) -> None:
    """Replace the losses of a path after some of the picks by losses measured on the samples."""
    path.losses[steps] = losses
    path.gaps = path._gaps()


def solved_on_others(
    path: CorrectivePath,
    gram: Float64Array,
    c: Float64Array,
    *,
    means: Float64Array,
    base: Float64Array,
    target_norm: float,
) -> CorrectivePath:
    """
    Return the path of the same picks and penalty with the weights that other samples call for.

    Its gaps are those of the given path: products of the picks don't tell of other atoms.

    Parameters
    ----------
    path : CorrectivePath
    gram : ndarray of shape (n_picks, n_picks)
        Gram matrix of the picks on those samples, in their order.
    c : ndarray of shape (n_picks, n_targets)
        Their products with y.
    means, target_norm
        See `Fixed`; means of the picks alone.
    base
        See `Fitted`.
    """
    factor = cholesky(gram + path.penalty * np.eye(len(gram)))
    everywhere = np.zeros_like(path._fixed.means)
    everywhere[path.picks] = means
    shares = solve_triangular(factor, c, trans="T")
    found = CorrectivePath(
        Picked(path.picks, factor, shares, path.penalty, None, np.zeros(len(path.picks))),
        Fixed(everywhere, path._fixed.fitted._replace(base=base), target_norm),
    )
    found.gaps = path.gaps
    return found


def cross_validated(
    path: CorrectivePath, n_values: float, *, per_degree: float = 1.0, n_free: float = 1.0, least_left: float = 0.0
) -> Float64Array:
    """
    Return the loss to be expected on other samples after each pick, by generalised cross-validation [1]_.

    Parameters
    ----------
    path : CorrectivePath
    n_values : float
        Number of values that were fitted: samples, times outputs if an atom has one weight for all outputs.
    per_degree : float
        Number of degrees of freedom that each effective degree counts for.
    n_free : float
        Degrees of freedom besides those of the picks.
    least_left : float
        Least share of the values in the denominator. If no values remain, the expected loss is infinite.

    References
    ----------
    .. [1] G. Golub, M. Heath, G. Wahba, "Generalized cross-validation as a method for choosing a good ridge parameter",
       Technometrics 21 (1979).
    """
    left = np.maximum(1.0 - (per_degree * path.degrees + n_free) / n_values, least_left)
    return np.divide(path.losses, left**2, out=np.full(len(left), np.inf), where=left > 0.0)
