"""
Which columns a selector keeps, and its coefficients: from standardised columns, or from the path of a mean.

Arguments are checked already, and nothing is stored here: that is ``_selector``'s part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array, GreedyPath

from ._kept import correct_beside, picks_until, select_beside
from ._standardized import StandardizedColumns


class Chosen(NamedTuple):
    """
    The columns that are kept.

    Parameters
    ----------
    path : GreedyPath
        Picks among all columns.
    support : ndarray of shape (n_columns,)
        Mask of the columns that are kept.
    coef : ndarray of shape (n_columns,) or (n_columns, n_targets)
        Coefficients of the columns as they are.
    intercept : ndarray of shape (n_targets,)
        Constant term.
    """

    path: GreedyPath
    support: NDArray[np.bool_]
    coef: Float64Array
    intercept: Float64Array


def select_columns(
    columns: StandardizedColumns,
    k: int,
    tol: float,
    *,
    radius: float | None,
    keep: NDArray[np.int64],
    wanted: int | None,
) -> Chosen:
    """Select in the l1 ball, beside the columns to keep; `wanted` is the number of columns in all."""

    def select(kept: NDArray[np.int64], n_distinct: int | None) -> tuple[GreedyPath, NDArray[np.bool_]]:
        return select_beside(columns.source, k, radius=radius, tol=tol, kept=kept, n_distinct=n_distinct)

    return _choose(columns, keep, wanted, select)


def correct_columns(
    columns: StandardizedColumns, k: int, tol: float, *, ridge: float, keep: NDArray[np.int64], wanted: int | None
) -> Chosen:
    """Make the corrective selection beside the columns to keep; `wanted` is the number of columns in all."""

    def select(kept: NDArray[np.int64], n_distinct: int | None) -> tuple[GreedyPath, NDArray[np.bool_]]:
        n_picks = k if n_distinct is None else n_distinct - len(kept)
        path = correct_beside(columns.source, n_picks, ridge=ridge, tol=tol, kept=kept)
        return path, path.counts > 0

    return _choose(columns, keep, wanted, select)


def _choose(
    columns: StandardizedColumns,
    keep: NDArray[np.int64],
    wanted: int | None,
    select: Callable[[NDArray[np.int64], int | None], tuple[GreedyPath, NDArray[np.bool_]]],
) -> Chosen:
    """
    Select among the columns that vary; fill up with those nearest to y.

    `select` takes the kept ones of the columns that vary, and how many to have in all. It returns a path, and a mask
    of the columns found.
    """
    support, varying = np.zeros(len(columns.mean), dtype=bool), columns.varying
    support[keep] = True
    kept = np.flatnonzero(support[varying])
    constant = len(keep) - len(kept)  # nothing can be said of y by these
    path, found = select(kept, None if wanted is None else wanted - constant)
    path = columns.of_all(path)
    support[varying[found]] = True
    n_missing = 0 if wanted is None else wanted - int(support.sum())
    if n_missing > 0:
        others = columns.nearest_first()
        support[others[~support[others]][:n_missing]] = True
    return Chosen(path, support, *columns.in_own_units(path.weights))


def average_columns(path: GreedyPath, wanted: int | None) -> Chosen:
    """Take a path in the convex hull up to the pick that makes the number of columns full."""
    n_picks = picks_until(path.picks, wanted)
    picks = path.picks[:n_picks]
    counts = np.bincount(picks, minlength=len(path.counts))
    path = GreedyPath(picks, path.losses[:n_picks], path.gaps[:n_picks], counts, counts / n_picks)
    return Chosen(path, counts > 0, path.weights, np.zeros(1))
