"""
The folds of a threshold search: each a single training run, scored at every point of the grid.

A fold returns numbers, strings, lists and dictionaries only, which can be sent to other processes and written to a
file. The modules that call this one make the folds and use their scores.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from copy import copy
from traceback import format_exc
from types import MappingProxyType
from typing import Any, NamedTuple

from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import FitFailedWarning
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from sklearn_gfs._compat import (
    CallbackSupportMixin,
    split_rows,
    take_params,
    with_callbacks,
)

from ._grid import AUTO_END, AUTO_FIRST, Grid, StopRule, automatic_budgets, last_step
from ._progress import FoldProgress
from ._scoring import Part, Scoring


class FoldSettings(NamedTuple):
    """
    The settings of training and scoring in every fold; a checkpoint's fingerprint has all of these.

    Parameters
    ----------
    scorer : callable
        A scorer as scikit-learn's searches use it.
    metric : str, default="score"
        The score that decides when an automatic grid is long enough.
    score_on : {"test", "train"}, default="test"
        The part of the samples whose score decides.
    fit_params, score_params : dict
        Metadata for the estimator's ``fit`` and the scorer.
    score_train : bool, default=False
        Whether to score on the training part too.
    error_score : "raise" or float, default="raise"
        Score of a point that fails.
    """

    scorer: Any
    metric: str = "score"
    score_on: str = "test"
    fit_params: Mapping[str, Any] = MappingProxyType({})
    score_params: Mapping[str, Any] = MappingProxyType({})
    score_train: bool = False
    error_score: Any = "raise"


class _Point(NamedTuple):
    """One fitted network, or the traceback of the error that prevented it."""

    budget: int
    size: int | None
    dense: bool
    estimator: Any
    error: str | None = None


class _Recorder(CallbackSupportMixin, BaseEstimator):
    """A stand-in for a pipeline's last step that stores the arguments of its ``fit``."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    @with_callbacks
    def fit(self, X: Any, y: Any = None, **params: Any) -> _Recorder:
        task = self._init_callback_context().call_on_fit_task_begin(estimator=self)
        self.given_ = (X, y, params)
        task.call_on_fit_task_end(estimator=self)
        return self

    def get_metadata_routing(self) -> Any:
        return self.estimator.get_metadata_routing()

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.estimator)


def _replace_last(pipeline: Any, last: Any) -> Any:
    """Return a shallow copy of a fitted pipeline that ends in ``last``."""
    if not isinstance(pipeline, Pipeline):
        return last
    name, step = pipeline.steps[-1]
    replaced = copy(pipeline)
    replaced.steps = [*pipeline.steps[:-1], (name, _replace_last(step, last))]
    return replaced


class _Training(NamedTuple):
    """One fold's training part and its estimator, which belongs to this fold only and is changed."""

    estimator: Any
    X: Any
    y: Any
    fit_params: Mapping[str, Any]
    error_score: Any
    progress: FoldProgress

    def fitting(self, name: str, estimator: Any) -> Any:
        """Return a context manager in which the estimator is fitted, as a task of the fold."""
        weight = self.fit_params.get("sample_weight")
        metadata = None if weight is None else {"sample_weight": weight}
        return self.progress.part(name, estimator, X=self.X, y=self.y, metadata=metadata)


# In _path and _one_by_one "except" surrounds the fits only. A callback that fails in a task of the search is no failed
# fit. A generator that catches the errors of its own closing can't be closed.


def _path(training: _Training, grid: Grid, budgets: Iterable[int]) -> Generator[_Point, None, None]:
    """Yield every point from one training run; an error ends the run, and the points not reached carry it."""
    fitted, X, y, fit_params, *_ = training
    done, error = set(), None
    name, last = last_step(fitted)
    if name:
        fitted = fitted.set_params(**{name: _Recorder(last)})
        with training.fitting("steps", fitted):
            try:
                fitted.fit(X, y, **fit_params)
                X, y, fit_params = last_step(fitted)[1].given_
            except Exception:
                if training.error_score == "raise":
                    raise
                error = format_exc()
    if error is None:
        path = _begun_when_asked(last.fit_path, X, y, n_pretrain=budgets, k=grid.sizes, **fit_params)
        with training.fitting("path", last), closing(path):
            while True:
                try:
                    found = next(path, None)
                except Exception:
                    if training.error_score == "raise":
                        raise
                    error = format_exc()
                    break
                if found is None:
                    break
                budget, k, network = found
                point = _Point(budget, None if grid.sizes is None else k, k is None, _replace_last(fitted, network))
                done.add(point[:3])
                yield point
    if error is not None:
        yield from _not_reached(done, grid, error)
    else:
        _check_points(last, done, grid)


def _check_points(estimator: Any, done: set[Any], grid: Grid) -> None:
    """Raise an error if a run did not yield all points."""
    for budget, k, is_dense in _points_of(grid.budgets or sorted({budget for budget, _, _ in done}), grid):
        if (budget, k, is_dense) not in done:
            what = "the dense network" if is_dense else f"k={k}"
            raise ValueError(
                f"fit_path of {type(estimator).__name__} yielded no point for n_pretrain={budget}, {what}. For each of "
                "n_pretrain fit_path must yield the dense network, whose k is None, and then a subnetwork for each k."
            )


def _points_of(budgets: Sequence[int], grid: Grid) -> list[tuple[int, int | None, bool]]:
    """Return the points of these budgets: the dense network, and then the subnetworks."""
    return [
        (budget, *kind) for budget in budgets for kind in [(None, True), *((k, False) for k in grid.sizes or (None,))]
    ]


def _begun_when_asked(fit_path: Any, *args: Any, **kwargs: Any) -> Generator[Any, None, None]:
    """Yield the points of ``fit_path``, called at the first point, so that its errors are errors of this point."""
    yield from fit_path(*args, **kwargs)


def _not_reached(done: set[Any], grid: Grid, error: str) -> Iterator[_Point]:
    """Yield the points that an error prevented; warn of an error that prevented no point."""
    # An automatic grid ends at the last point of the run, or has three values if there is none.
    budgets = grid.budgets or sorted({budget for budget, _, _ in done}) or (0, AUTO_FIRST, AUTO_END)
    left = [point for point in _points_of(budgets, grid) if point not in done]
    if not left:
        warnings.warn(
            f"A fold's training failed after n_pretrain={budgets[-1]}, and ended there; no score is missing:\n{error}",
            FitFailedWarning,
            stacklevel=2,
        )
    for point in left:
        yield _Point(*point, None, error)


def _one_by_one(training: _Training, grid: Grid, budgets: Iterable[int]) -> Generator[_Point, None, None]:
    """Yield every point from a fit of its own."""
    for budget in budgets:
        for size in grid.sizes or (None,):
            fitted = clone(training.estimator).set_params(**grid.params(budget, size))
            error = None
            with training.fitting("point", fitted):
                try:
                    fitted.fit(training.X, training.y, **training.fit_params)
                except Exception:
                    if training.error_score == "raise":
                        raise
                    error = format_exc()
            yield _Point(budget, size, False, fitted if error is None else None, error)


def evaluate_fold(
    estimator: Any,
    X: Any,
    y: Any,
    train: Any,
    test: Any,
    *,
    grid: Grid,
    settings: FoldSettings,
    progress: FoldProgress,
) -> list[dict[str, Any]]:
    """
    Train once on one fold's training part and score every point of the grid.

    Parameters
    ----------
    estimator : estimator
        An unfitted estimator, which is changed.
    X, y : array-like
        All the data.
    train, test : ndarray of int
        Rows of the two parts.
    grid : Grid
        Points to evaluate.
    settings : FoldSettings
        Settings of training and scoring.
    progress : FoldProgress
        Reports every point.

    Returns
    -------
    list of dict
        One record for each point, the dense networks included. Its keys are "budget", "size", "dense", "test_scores",
        "train_scores" (if asked for), "fit_time" and "score_time" (in seconds), "fit_error" (a traceback or None) and
        "failed" (whether anything did).
    """
    X_train, y_train = split_rows(estimator, X, y, train)
    X_test, y_test = split_rows(estimator, X, y, test, train)
    score = Scoring(
        settings.scorer,
        settings.error_score,
        Part(X_test, y_test, take_params(X, params=settings.score_params, indices=test)),
        Part(X_train, y_train, take_params(X, params=settings.score_params, indices=train))
        if settings.score_train
        else None,
    )
    budgets: Iterable[int] = automatic_budgets(0 if grid.one_run else 1) if grid.budgets is None else grid.budgets
    stop = StopRule(grid, settings.metric, settings.score_on) if grid.budgets is None else None
    train_params = take_params(X, params=settings.fit_params, indices=train)
    training = _Training(estimator, X_train, y_train, train_params, settings.error_score, progress)
    run = _path if grid.one_run else _one_by_one
    records: list[dict[str, Any]] = []
    start = time.perf_counter()
    # Closed here and not by the garbage collector, so that errors of closing a path are raised.
    with closing(run(training, grid, budgets)) as points:
        for point in points:
            record: dict[str, Any] = {
                "budget": point.budget,
                "size": point.size,
                "dense": point.dense,
                "fit_error": point.error,
            }
            record["fit_time"] = time.perf_counter() - start
            # If every point has its own fit, the fit was the task.
            with progress.part("point") if grid.one_run else nullcontext():
                records.append(record | (score(point.estimator) if point.error is None else score.failure()))
            progress.finished(records[-1], (grid.budget_name, grid.size_name))
            if stop is not None and stop(records[-1]):
                break
            start = time.perf_counter()
        else:
            # An automatic grid ends by the stop rule or by an error.
            records[-1]["failed"] |= stop is not None
    return records
