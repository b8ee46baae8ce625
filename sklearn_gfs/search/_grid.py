"""
The grid of a threshold search: its names and values, and when an automatic one is long enough.

``_fold`` evaluates its points.
"""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_gfs._fit_path import parameters_of_path, settled_on

# The automatic grid has two budgets in each doubling. Its first budget after 0:
AUTO_FIRST = 16
# Its end at first, before it is extended.
AUTO_END = 256
# Its largest end.
AUTO_LIMIT = 2**15


class Grid(NamedTuple):
    """
    The points that every fold evaluates.

    Parameters
    ----------
    budget_name : str
        Name of the budget in ``estimator.set_params``.
    size_name : str or None
        Name of the number of picks; None if the number of picks is the budget.
    budgets : tuple of int or None
        Budgets, ascending; None to extend the grid until the dense score has levelled off.
    sizes : tuple of int or None
        Numbers of picks, ascending; None for the estimator's own.
    one_run : bool
        Whether the (last) estimator has ``fit_path``.
    """

    budget_name: str
    size_name: str | None
    budgets: tuple[int, ...] | None
    sizes: tuple[int, ...] | None
    one_run: bool

    @property
    def n_sizes(self) -> int:
        """Number of points at each budget, without the dense network."""
        return 1 if self.sizes is None else len(self.sizes)

    @property
    def n_parts(self) -> int | None:
        """Number of tasks in a fold, for callbacks: its points, and the fits that all points share."""
        if self.budgets is None:
            return None
        n_points = len(self.budgets) * (self.n_sizes + self.one_run)
        # A pipeline's first steps are fitted before the path.
        return n_points + self.one_run * (2 if "__" in self.budget_name else 1)

    def params(self, budget: int, size: int | None) -> dict[str, int]:
        """Return the parameters of one point."""
        return {self.budget_name: budget} | ({} if size is None or self.size_name is None else {self.size_name: size})


def last_step(estimator: Any) -> tuple[str, Any]:
    """Return the prefix of the parameters' names of a pipeline's last step, and this step; pipelines may be nested."""
    names = []
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        names.append(name)
    return "__".join(names), estimator


def as_on_path(estimator: Any, grid: Grid) -> Any:
    """
    Let an estimator's ``fit`` train as its ``fit_path`` did in the folds, which ignores a time limit.

    Parameters
    ----------
    estimator : estimator
        Possibly a pipeline; it is changed.
    grid : Grid
        The grid of the folds.

    Returns
    -------
    estimator
        The same estimator; unchanged if the folds have no path.
    """
    prefix, last = last_step(estimator)
    own = parameters_of_path(last) if grid.one_run else {}
    if own:  # set_params is not called without a parameter to set
        estimator.set_params(**{f"{prefix}__{name}" if prefix else name: value for name, value in own.items()})
    return estimator


def settle_task(estimator: Any, y: Any) -> Any:
    """
    Let an estimator that infers its task from y infer it once, from all of y.

    Parameters
    ----------
    estimator : estimator
        Possibly a pipeline.
    y : array-like or None
        All targets.

    Returns
    -------
    estimator
        A clone whose fits on parts of y follow the decision; the estimator itself if there is nothing to decide.
    """
    name, last = last_step(estimator)
    settled = settled_on(last, y)
    if settled is last:
        return estimator
    return clone(estimator).set_params(**{name: settled}) if name else settled


def make_grid(estimator: Any, param: str, n_pretrain: Any, k: Any) -> Grid:
    """
    Validate the parameters of the grid and return the grid.

    Parameters
    ----------
    estimator : estimator
        Possibly a pipeline.
    param : str
        Name of the budget, with or without the prefix of a pipeline's last step.
    n_pretrain : "auto" or sequence of int
        Budgets.
    k : sequence of int or None
        Sizes.

    Returns
    -------
    Grid
        The grid, with the names of the estimator's parameters.

    Raises
    ------
    TypeError
        If `estimator` is not an estimator.
    ValueError
        If another argument has a value that is not allowed.
    """
    if isinstance(estimator, type) or not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
        raise TypeError(f"estimator must be an instance with the methods fit and get_params, got {estimator!r}.")
    if not isinstance(param, str):
        raise ValueError(f"param must be the name of a parameter, got {param!r}.")
    prefix, last = last_step(estimator)
    names = estimator.get_params()
    full = {name: f"{prefix}__{name}" if prefix else name for name in (param, "n_pretrain", "k")}
    budget_name = full[param] if full[param] in names else param
    if budget_name not in names:
        inner = [name for name in names if name.endswith(f"__{param}")]
        raise ValueError(
            f"param must name an integer parameter of the estimator, for instance {(inner or ['max_iter'])[0]!r}; "
            f"{type(last).__name__} has no parameter {param!r}."
        )
    searches_sizes = budget_name == full["k"]
    if k is not None and searches_sizes:
        raise ValueError(
            f"k must be None where param names the same parameter, got {k!r}. n_pretrain holds its values."
        )
    if k is not None and full["k"] not in names:
        raise ValueError(f"k must be None for an estimator without a parameter k, got {k!r}.")
    automatic = isinstance(n_pretrain, str) and n_pretrain == "auto"
    budgets = None if automatic else _ascending("n_pretrain", n_pretrain, least=0)
    sizes = None if k is None else _ascending("k", k, least=1)
    one_run = budget_name == full["n_pretrain"] and hasattr(last, "fit_path")
    return Grid(budget_name, None if searches_sizes else full["k"], budgets, sizes, one_run)


def _ascending(name: str, values: Any, *, least: int) -> tuple[int, ...]:
    """Validate a sequence of integers and return its distinct values in order."""
    allowed = "'auto' or a sequence" if name == "n_pretrain" else "None or a sequence"
    # An iterable without a length, such as a generator, could be read only once.
    found = list(values) if hasattr(values, "__len__") and not isinstance(values, str) else []
    if not found or not all(_is_integer(value) and value >= least for value in found):
        raise ValueError(f"{name} must be {allowed} of integers not below {least}, got {values!r}.")
    return tuple(sorted({int(value) for value in found}))


def check_n_jobs(n_jobs: Any) -> None:
    """Raise ValueError for a number of jobs that joblib does not accept."""
    if n_jobs is not None and (not _is_integer(n_jobs) or n_jobs == 0):
        raise ValueError(f"n_jobs must be None or an integer other than 0, got {n_jobs!r}.")


def _is_integer(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral)


def automatic_budgets(first: int) -> Iterator[int]:
    """Yield 0, 16, 23, 32, 45, 64, ... without end; 0 is left out unless ``first`` is 0."""
    if first == 0:
        yield 0
    doublings = 0.0
    while True:
        yield round(AUTO_FIRST * 2**doublings)
        doublings += 0.5


def has_levelled_off(budgets: list[int], scores: list[float]) -> bool:
    """
    Whether the last doubling of the budget brought less than 1 % of the whole improvement.

    Parameters
    ----------
    budgets : list of int
        Budgets, ascending.
    scores : list of float
        Score at each budget; NaN is left out.

    Returns
    -------
    bool
        True also if all scores are NaN: larger budgets will not help.
    """
    known = [(budget, score) for budget, score in zip(budgets, scores, strict=True) if not np.isnan(score)]
    if not known:
        return True
    before = [score for budget, score in known if 2 * budget <= budgets[-1]]
    if not before:
        return False
    best = max(score for _, score in known)
    return best - max(before) <= 0.01 * (best - known[0][1])


class StopRule:
    """Decides, from the dense scores so far, whether an automatic grid is long enough."""

    def __init__(self, grid: Grid, metric: str, part: str) -> None:
        self._grid, self._metric, self._part = grid, metric, part
        self._end, self._seen = AUTO_END, 0
        self._budgets: list[int] = []
        self._scores: list[float] = []

    def __call__(self, record: dict[str, Any]) -> bool:
        """Add one point's record; return True if no further point is needed."""
        self._seen += 1
        if record["dense"] or not self._grid.one_run:
            score = record[f"{self._part}_scores"]
            if isinstance(score, dict):
                if self._metric not in score:
                    raise ValueError(f"refit must name the score that decides on the threshold, one of {list(score)}.")
                score = score[self._metric]
            if self._budgets[-1:] == [record["budget"]]:  # of several sizes without a dense network the largest counts
                self._scores[-1] = score
            else:
                self._budgets.append(record["budget"])
                self._scores.append(score)
        if record["budget"] < self._end or self._seen % (self._grid.n_sizes + self._grid.one_run):
            return False
        if self._end >= AUTO_LIMIT or has_levelled_off(self._budgets, self._scores):
            return True
        self._end *= 2
        return False
