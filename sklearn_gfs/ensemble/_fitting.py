"""
Fitting the models of a library: on folds, for predictions of samples that a model has not seen, and on all samples.

Here belong the jobs, one for each model and fold, and the calls of callbacks. ``_searching`` uses the predictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from sklearn_gfs._compat import count_samples, has_callbacks, passes_callbacks, split_rows, take_params
from sklearn_gfs._typing import Float64Array

from ._outputs import numbers_of, votes_of

Split = tuple[NDArray[np.int64], NDArray[np.int64]]


class Model(NamedTuple):
    """A model of a library: not fitted, or fitted elsewhere."""

    name: str
    estimator: Any
    method: str  # name of the method that gives its outputs
    fit_params: Mapping[str, Any]


class Jobs(NamedTuple):
    """
    Fits of models that run in parallel, as a task of the ensemble's fit.

    Parameters
    ----------
    owner : estimator
        The ensemble.
    task : callback context
        The task of these fits.
    n_jobs, verbose : int or None, int
        As joblib takes them.
    """

    owner: Any
    task: Any
    n_jobs: int | None
    verbose: int

    def report(self, name: str, number: int) -> Report:
        """Return the report of one job to callbacks; all reports must be made before the first job starts."""
        # Only callbacks need the ensemble. Without callbacks it is not sent to the worker process.
        owner = self.owner if has_callbacks(self.owner) else None
        return Report(owner, self.task.subcontext(name, task_id=number, max_subtasks=0))

    def run(self, jobs: Sequence[Any]) -> list[Any]:
        """Run the jobs, end the task, and return the results in order."""
        self.task.call_on_fit_task_begin(estimator=self.owner)
        found: list[Any] = Parallel(n_jobs=self.n_jobs, verbose=self.verbose)(jobs)
        self.task.call_on_fit_task_end(estimator=self.owner)
        return found


class Report(NamedTuple):
    """Reports one fit to callbacks; it is sent to the worker process of the fit."""

    owner: Any
    task: Any

    @contextmanager
    def of_fit(self, estimator: Any, X: Any, y: Any, params: Mapping[str, Any]) -> Iterator[None]:
        """Return a context in which the estimator is fitted, as a task for callbacks."""
        weight = params.get("sample_weight")
        data = {"X": X, "y": y, "metadata": None if weight is None else {"sample_weight": weight}}
        with passes_callbacks(self.task, estimator):
            self.task.call_on_fit_task_begin(estimator=self.owner, **data)
            try:
                yield
            finally:
                self.task.call_on_fit_task_end(estimator=self.owner, **data)


def answers(model: Model, fitted: Any, X: Any, classes: NDArray[Any] | None) -> Float64Array:
    """Return the outputs of the fitted model, with a column for each class or target."""
    return numbers_of(fitted, X) if classes is None else votes_of(fitted, model.method, X, classes)


def _fitted(model: Model, X: Any, y: Any, params: Mapping[str, Any], report: Report) -> Any:
    estimator = clone(model.estimator)
    with report.of_fit(estimator, X, y, params):
        try:
            estimator.fit(X, y, **params)
        except TypeError as error:
            if "unexpected keyword argument 'sample_weight'" not in str(error):
                raise
            raise TypeError(
                f"the estimator {model.name!r}, {type(estimator).__name__}, does not support sample weights"
            ) from error
    return estimator


def _on_fold(model: Model, X: Any, y: Any, split: Split, classes: NDArray[Any] | None, report: Report) -> Float64Array:
    """Fit the model on the training part of a split, and return its outputs for the test part."""
    train, test = split
    X_train, y_train = split_rows(model.estimator, X, y, train)
    X_test, _ = split_rows(model.estimator, X, y, test, train)
    fitted = _fitted(model, X_train, y_train, take_params(X, params=model.fit_params, indices=train), report)
    return answers(model, fitted, X_test, classes)


def out_of_fold(
    models: Sequence[Model], X: Any, y: Any, splits: Sequence[Split], classes: NDArray[Any] | None, jobs: Jobs
) -> tuple[list[Float64Array], NDArray[np.bool_]]:
    """
    Return the predictions of every model for samples that it was not fitted on, and a mask of samples with predictions.

    If several splits leave out a sample, its predictions are averaged. `classes` are the labels in order; None for
    continuous targets.
    """
    n_splits = len(splits)
    found = jobs.run(
        [
            delayed(_on_fold)(model, X, y, split, classes, jobs.report(model.name, i * n_splits + j))
            for i, model in enumerate(models)
            for j, split in enumerate(splits)
        ]
    )
    times = np.zeros(count_samples(X))
    for _, test in splits:
        np.add.at(times, test, 1.0)
    tested = times > 0
    outputs = []
    for i, model in enumerate(models):
        parts = found[i * n_splits : (i + 1) * n_splits]
        widths = sorted({part.shape[1] for part in parts})
        if len(widths) > 1:
            raise ValueError(f"the {model.method} of the estimator {model.name!r} has {widths} columns, by the fold")
        total = np.zeros((len(times), widths[0]))
        for part, (_, test) in zip(parts, splits, strict=True):
            np.add.at(total, test, part)
        outputs.append(total[tested] / times[tested, None])
    return outputs, tested


def fit_all(models: Sequence[Model], X: Any, y: Any, jobs: Jobs) -> list[Any]:
    """Return the models fitted on all samples."""
    params = [take_params(X, params=model.fit_params) for model in models]
    return jobs.run(
        [
            delayed(_fitted)(model, X, y, some, jobs.report(model.name, i))
            for i, (model, some) in enumerate(zip(models, params, strict=True))
        ]
    )
