"""Type aliases and the named tuples that pass between sub-packages; no behaviour."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.integer[Any]]


class GreedyPath(NamedTuple):
    """
    What greedy forward selection found, pick by pick.

    The path for fewer picks is a prefix of the path for more. Losses and gaps are means over
    samples.

    Parameters
    ----------
    picks : ndarray of shape (n_picks,), dtype int64
        Index of the atom picked at each step. Repeats are possible, but not in a corrective selection.
    losses : ndarray of shape (n_picks,), dtype float64
        Loss of the mean of the picks so far. In a corrective selection it is the loss of the picks with their solved
        weights, without the penalty of the ridge.
    gaps : ndarray of shape (n_picks,), dtype float64
        Frank-Wolfe gap after each pick: an upper bound on the loss minus the least loss over the hull of the atoms. In
        a corrective selection it is an upper bound on the penalised loss minus the least penalised loss over the
        weights of all atoms.
    counts : ndarray of shape (n_atoms,), dtype int64
        How often each atom was picked.
    weights : ndarray of shape (n_atoms,) or (n_atoms, n_outputs), dtype float64
        Weight of each atom in the final combination. There is a weight for each output if a corrective selection solves
        for weights of neurons, or approximates several targets by columns.
    radius : float, default=1.0
        Radius of the l1 ball; 1 for the convex hull.
    intercept : ndarray of shape (n_outputs,), default=None
        Intercept of a corrective selection. None for other selections.

    See Also
    --------
    sklearn_gfs.greedy_forward_selection : The function that returns it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs import greedy_forward_selection
    >>> path = greedy_forward_selection(np.eye(3), np.array([1.0, 0.5, 0.0]), k=3)
    >>> path.picks.tolist()
    [0, 0, 1]
    """

    picks: NDArray[np.int64]
    losses: NDArray[np.float64]
    gaps: NDArray[np.float64]
    counts: NDArray[np.int64]
    weights: NDArray[np.float64]
    radius: float = 1.0
    intercept: NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        numbers = [
            f"n_picks={len(self.picks)}",
            f"n_distinct={np.count_nonzero(self.counts)}",
            *(
                f"{name}={values[-1]:.4g}"
                for name, values in (("loss", self.losses), ("gap", self.gaps))
                if len(values)
            ),
            *([] if self.radius == 1.0 else [f"radius={self.radius:.4g}"]),
        ]
        return f"GreedyPath({', '.join(numbers)})"


class PathPoint(NamedTuple):
    """
    One fitted network on a training path.

    A path is what ``fit_path`` of an estimator yields.

    Parameters
    ----------
    n_pretrain : int
        Number of pre-training iterations, in gradient updates.
    k : int or None
        Number of picks of the subnetwork. None marks the dense network.
    estimator : estimator
        Fitted estimator that predicts with this network.

    See Also
    --------
    sklearn_gfs.GreedyPrunedMLP.fit_path : The generator of these points.

    Examples
    --------
    >>> from sklearn_gfs import PathPoint
    >>> PathPoint(n_pretrain=10, k=None, estimator="dense")
    PathPoint(n_pretrain=10, k=None, estimator='dense')
    """

    n_pretrain: int
    k: int | None
    estimator: Any


# Their public home: pickles name that, and modules may move.
GreedyPath.__module__ = PathPoint.__module__ = "sklearn_gfs"
