"""
Tables of a threshold search: from the records of its folds to arrays.

``evaluate_fold`` describes the records; ``_rule`` uses the tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._grid import Grid


def score_table(folds: list[list[dict[str, Any]]], grid: Grid, part: str, metric: str, *, dense: bool) -> Any:
    """
    Collect one score of every point.

    Parameters
    ----------
    folds : list of list of dict
        Return values of ``evaluate_fold``.
    grid : Grid
        The grid, with known budgets.
    part : {"test", "train"}
        The part on which points were scored.
    metric : str
        Name of the score; "score" if there is only one.
    dense : bool
        Whether to collect the dense networks' scores.

    Returns
    -------
    ndarray of shape (n_budgets, n_sizes, n_folds), or (n_budgets, n_folds) for dense networks
        Scores; NaN for points without a score.
    """
    rows = {budget: row for row, budget in enumerate(grid.budgets or ())}
    columns = {size: column for column, size in enumerate(grid.sizes or (None,))}
    table = np.full((len(rows), 1 if dense else len(columns), len(folds)), np.nan)
    for fold, records in enumerate(folds):
        for record in records:
            if record["dense"] == dense and record["budget"] in rows:
                score = record[f"{part}_scores"]
                value = score[metric] if isinstance(score, dict) else score
                table[rows[record["budget"]], 0 if dense else columns[record["size"]], fold] = value
    return table[:, 0] if dense else table


def dense_columns(records: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """Return the dense networks' columns of ``cv_results_``; the records are ordered by point, then by fold."""
    times = np.array([[record["fit_time"] for record in point] for point in records])
    columns = {"mean_dense_fit_time": times.mean(axis=1), "std_dense_fit_time": times.std(axis=1)}
    for part in ("test", "train"):
        if f"{part}_scores" not in records[0][0]:
            continue
        first = records[0][0][f"{part}_scores"]
        for name in first if isinstance(first, dict) else ("score",):
            scores = [[record[f"{part}_scores"] for record in point] for point in records]
            table = np.array([[s[name] if isinstance(s, dict) else s for s in point] for point in scores], dtype=float)
            column = f"dense_{part}_{name}"
            columns |= {f"split{fold}_{column}": table[:, fold] for fold in range(table.shape[1])}
            columns |= {f"mean_{column}": table.mean(axis=1), f"std_{column}": table.std(axis=1)}
    return columns
