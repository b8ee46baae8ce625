"""
ThresholdCurve: what `pretrain_threshold_curve` returns.

Here belong the tables of a curve and results from them; the training runs are in ``_curve``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._laws import ScalingFit, fit_law


class ThresholdCurve(NamedTuple):
    """
    Thresholds against the number of samples.

    It is what ``pretrain_threshold_curve`` returns, with the scores that the thresholds come from.

    Parameters
    ----------
    train_sizes : ndarray of shape (n_sizes,), dtype int64
        Numbers of training samples, ascending.
    thresholds : ndarray of shape (n_sizes, n_repeats)
        Smallest number of pre-training iterations (gradient updates) that reached the target, at any `k`. NaN if none
        did.
    target_scores : ndarray of shape (n_sizes, n_repeats)
        The target of each run.
    log_fit : ScalingFit
        The fit of a + b ln(n_samples).
    power_fit : ScalingFit
        The fit of c n_samples^p.
    n_pretrain : ndarray of shape (n_points,), dtype int64, default=None
        Numbers of iterations at which any run was scored, ascending.
    k : ndarray of shape (n_k,), default=None
        Numbers of picks.
    scores : ndarray of shape (n_sizes, n_repeats, n_points, n_k), default=None
        Scores of the pruned networks, NaN where a run was not scored.
    dense_scores : ndarray of shape (n_sizes, n_repeats, n_points) or None, default=None
        Scores of the dense networks; None for estimators that have none.
    thresholds_by_k : ndarray of shape (n_k, n_sizes, n_repeats), default=None
        The thresholds at each `k`, for the same targets.
    last_n_pretrain : ndarray of shape (n_sizes, n_repeats), default=None
        The largest number of iterations at which each run was scored. A threshold that is NaN lies beyond. NaN for a
        run without any score.
    interpolated : bool, default=False
        Whether thresholds may lie between the numbers of iterations that were scored. If not, they are some of these.

    See Also
    --------
    pretrain_threshold_curve : The function that returns it.
    ThresholdScalingDisplay : Picture of it.

    Examples
    --------
    >>> from sklearn_gfs import ThresholdCurve
    >>> ThresholdCurve._fields[:5]
    ('train_sizes', 'thresholds', 'target_scores', 'log_fit', 'power_fit')
    """

    train_sizes: NDArray[np.int64]
    thresholds: NDArray[np.float64]
    target_scores: NDArray[np.float64]
    log_fit: ScalingFit
    power_fit: ScalingFit
    n_pretrain: NDArray[np.int64] | None = None
    k: NDArray[Any] | None = None
    scores: NDArray[np.float64] | None = None
    dense_scores: NDArray[np.float64] | None = None
    thresholds_by_k: NDArray[np.float64] | None = None
    last_n_pretrain: NDArray[np.float64] | None = None
    interpolated: bool = False

    def at(self, k: int) -> ThresholdCurve:
        """
        Return the curve of one number of picks.

        Targets stay as they are. Laws are fitted to the thresholds of this number of picks.

        Parameters
        ----------
        k : int
            One of the numbers of picks that the curve was measured for.

        Returns
        -------
        ThresholdCurve
            The curve of this `k`.

        Raises
        ------
        ValueError
            If the curve was not measured for this `k`.

        See Also
        --------
        to_frame : All scores in one table.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_gfs import GreedyPrunedMLPClassifier, pretrain_threshold_curve
        >>> X, y = load_iris(return_X_y=True)
        >>> network = GreedyPrunedMLPClassifier(n_hidden=30, n_retrain=10, random_state=0)
        >>> curve = pretrain_threshold_curve(
        ...     network, X, y, train_sizes=[50, 100], n_repeats=2, n_pretrain=[0, 20], k=[3, 10], target="best"
        ... )
        >>> curve.k.tolist(), curve.at(10).k.tolist()
        ([3, 10], [10])
        """
        held = [] if self.k is None else self.k.tolist()
        if k not in held:
            raise ValueError(f"k must be one of {held}, got {k!r}.")
        assert self.n_pretrain is not None
        assert self.scores is not None
        assert self.thresholds_by_k is not None
        column = [held.index(k)]
        return threshold_curve(
            self.train_sizes,
            self.n_pretrain,
            [k],
            self.scores[..., column],
            self.dense_scores,
            self.thresholds_by_k[column],
            self.target_scores,
            interpolated=self.interpolated,
        )

    def to_frame(self) -> Any:
        """
        Return the scores as a table, a row for each run, number of iterations and number of picks.

        It needs pandas.

        Returns
        -------
        pandas.DataFrame
            Columns n_samples, repeat, n_pretrain, k, score, dense_score, target_score and threshold, which is that of
            the run at this `k`. Points at which a run was not scored are left out.

        Raises
        ------
        ImportError
            If pandas is missing.
        ValueError
            If the curve holds no scores.

        See Also
        --------
        at : The curve of one number of picks.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_gfs import GreedyPrunedMLPClassifier, pretrain_threshold_curve
        >>> X, y = load_iris(return_X_y=True)
        >>> network = GreedyPrunedMLPClassifier(n_hidden=30, n_retrain=10, random_state=0)
        >>> curve = pretrain_threshold_curve(
        ...     network, X, y, train_sizes=[50, 100], n_repeats=2, n_pretrain=[0, 20], k=[10], target="best"
        ... )
        >>> curve.to_frame().columns.tolist()[:5]
        ['n_samples', 'repeat', 'n_pretrain', 'k', 'score']
        >>> len(curve.to_frame())
        8
        """
        import pandas as pd

        if self.scores is None or self.n_pretrain is None or self.k is None or self.thresholds_by_k is None:
            raise ValueError("The curve holds no scores.")
        size, repeat, point, column = np.nonzero(np.isfinite(self.scores))
        at = size, repeat
        dense = np.full(len(size), np.nan) if self.dense_scores is None else self.dense_scores[size, repeat, point]
        return pd.DataFrame(
            {
                "n_samples": self.train_sizes[size],
                "repeat": repeat,
                "n_pretrain": self.n_pretrain[point],
                "k": self.k[column],
                "score": self.scores[size, repeat, point, column],
                "dense_score": dense,
                "target_score": self.target_scores[at],
                "threshold": self.thresholds_by_k[column, size, repeat],
            }
        )


ThresholdCurve.__module__ = "sklearn_gfs"  # its public home, which pickles name


def threshold_curve(
    train_sizes: Any,
    n_pretrain: Any,
    k: Any,
    scores: NDArray[np.float64],
    dense_scores: NDArray[np.float64] | None,
    thresholds_by_k: NDArray[np.float64],
    target_scores: NDArray[np.float64],
    *,
    interpolated: bool,
) -> ThresholdCurve:
    """Return a curve from its tables: the thresholds at the best k, the ends of the runs, and the laws."""
    sizes, points = np.asarray(train_sizes), np.asarray(n_pretrain)
    unreached = np.isnan(thresholds_by_k).all(axis=0)
    thresholds = np.where(unreached, np.nan, np.nanmin(np.where(unreached, np.inf, thresholds_by_k), axis=0))
    scored = np.isfinite(scores).any(axis=-1)
    last = np.where(scored, points, -np.inf).max(axis=-1)
    last[np.isinf(last)] = np.nan
    columns = np.repeat(sizes, thresholds.shape[1]), thresholds.ravel(), last.ravel()
    return ThresholdCurve(
        train_sizes=sizes,
        thresholds=thresholds,
        target_scores=target_scores,
        log_fit=fit_law("log", *columns),
        power_fit=fit_law("power", *columns),
        n_pretrain=points,
        k=np.asarray(k),
        scores=scores,
        dense_scores=dense_scores,
        thresholds_by_k=thresholds_by_k,
        last_n_pretrain=last,
        interpolated=interpolated,
    )
