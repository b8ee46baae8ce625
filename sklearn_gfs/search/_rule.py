"""
The threshold rule: from a table of scores to the least pre-training that is enough.

Pure functions of NumPy arrays. The modules that call these measure the scores and use the threshold.
"""

from __future__ import annotations

import math
import re
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Relative difference below which scores count as equal: 0.97 - 0.01 must accept 0.96. It is relative because scores may
# have units.
_ROUNDING = 1e-12


class Threshold(NamedTuple):
    """
    The first point that meets the rule, for each size of subnetwork and for all.

    Parameters
    ----------
    first : ndarray of shape (n_sizes,), dtype int64
        Row of the first point that meets the rule; -1 if no point does.
    sustained : ndarray of shape (n_sizes,), dtype bool
        Whether this point and all later points meet the rule.
    row, column : int
        Row and column of the point with the least pre-training that meets the rule, with the smallest size among
        equals; -1 if no point does.
    """

    first: NDArray[np.int64]
    sustained: NDArray[np.bool_]
    row: int
    column: int


def check_rule(target: Any, tol: Any, score_on: Any) -> None:
    """Raise ValueError for a parameter of the rule that is not allowed."""
    if not (target in {"dense", "best"} if isinstance(target, str) else _is_finite(target)):
        raise ValueError(f"target must be 'dense', 'best' or a number, got {target!r}.")
    if not (tol == "1se" or _share(tol) is not None if isinstance(tol, str) else _is_finite(tol) and tol >= 0):
        raise ValueError(f"tol must be '1se', a percentage like '1%' or a number not below 0, got {tol!r}.")
    if not isinstance(score_on, str) or score_on not in {"test", "train"}:
        raise ValueError(f"score_on must be 'test' or 'train', got {score_on!r}.")


def _share(tol: str) -> float | None:
    """Return the share that a percentage like "1%" means; None for any other text."""
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*%", tol.strip())
    return None if found is None else float(found[1]) / 100


def is_number(value: Any) -> bool:
    """Whether a parameter is a real number, NaN included, and not True or False."""
    return not isinstance(value, bool) and isinstance(value, Real)


def _is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(float(value))


def fold_mean(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over folds (the last axis); NaN if a fold has no score."""
    return np.asarray(scores.mean(axis=-1))


def standard_error(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard error of the mean over folds (the last axis)."""
    n_folds = scores.shape[-1]
    return np.asarray(scores.std(axis=-1, ddof=1) / np.sqrt(n_folds))


def target_score(
    target: str | float,
    tol: str | float,
    scores: NDArray[np.float64],
    dense_scores: NDArray[np.float64] | None,
) -> tuple[float, Any]:
    """
    Return the score to reach and the margin below it that still counts.

    Parameters
    ----------
    target : {"dense", "best"} or float
        The reference of the subnetworks.
    tol : float or str
        Margin. A percentage like "1%" is a share of the target's absolute value. "1se" is one standard error, over
        folds, of the score that sets the target. If the target is a number, "1se" is the standard error of each point.
    scores : ndarray of shape (n_budgets, n_sizes, n_folds)
        Scores of the subnetworks.
    dense_scores : ndarray of shape (n_budgets, n_folds) or None
        Scores of the dense network. None for estimators without one; the largest size then takes its place.

    Returns
    -------
    target : float
        The score to reach; NaN if the reference has no score.
    margin : float or ndarray of shape (n_budgets, n_sizes)
        The margin, not negative.
    """
    means = fold_mean(scores)
    if target == "dense":
        reference = scores[-1, -1] if dense_scores is None else dense_scores[-1]
        goal = float(reference.mean())
    elif target == "best":
        if np.isnan(means).all():
            return np.nan, 0.0
        reference = scores[np.unravel_index(np.nanargmax(means), means.shape)]
        goal = float(reference.mean())
    else:
        reference, goal = scores, float(target)
    if tol == "1se":
        return goal, standard_error(reference)
    share = _share(tol) if isinstance(tol, str) else None
    return goal, float(tol) if share is None else share * abs(goal)


def find_threshold(scores: NDArray[np.float64], target: float, margin: Any) -> Threshold:
    """
    Find the first point of each size whose score is at most the margin below the target.

    Parameters
    ----------
    scores : ndarray of shape (n_budgets, n_sizes)
        Mean scores, budgets and sizes ascending; NaN never meets the rule.
    target : float
        Score to reach; NaN cannot be reached.
    margin : float or ndarray of shape (n_budgets, n_sizes)
        How far below the target still counts.

    Returns
    -------
    Threshold
        Rows and columns into ``scores``.
    """
    meets = scores >= target - margin - _ROUNDING * np.maximum(abs(target), margin)
    first = np.where(meets.any(axis=0), meets.argmax(axis=0), -1)
    # For each row, whether this row and all later rows meet the rule.
    all_later = np.logical_and.accumulate(meets[::-1], axis=0)[::-1]
    sustained = all_later[first, np.arange(len(first))] & (first >= 0)
    if (first < 0).all():
        return Threshold(first, sustained, -1, -1)
    row = int(first[first >= 0].min())
    return Threshold(first, sustained, row, int(np.flatnonzero(first == row)[0]))
