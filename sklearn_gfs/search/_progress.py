"""
Reports of a running threshold search: tasks for callbacks, and printed lines.

The modules that call this one choose the points and their order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from sklearn_gfs._compat import NoCallbacks, has_callbacks, passes_callbacks

_NAME = "[PretrainThresholdSearch]"


class FoldProgress(NamedTuple):
    """
    Reports one fold; it is sent to the process that evaluates the fold.

    Parameters
    ----------
    search : estimator or None
        The search, if it has callbacks.
    task : callback context
        The fold's task, already begun.
    label : str
        Names the fold in printed lines.
    print_points : bool
        Whether a line is printed for each point.
    """

    search: Any
    task: Any
    label: str
    print_points: bool

    @contextmanager
    def part(self, name: str, estimator: Any = None, **data: Any) -> Iterator[None]:
        """
        Run a part of the fold as a task of its own.

        Parameters
        ----------
        name : str
            Name of the task.
        estimator : estimator, default=None
            The estimator that is fitted in this task. Its own tasks continue this one, and callbacks of the search that
            propagate are set on it.
        **data : dict
            X, y and metadata, for callbacks.
        """
        task = self.task.subcontext(name)
        try:
            with passes_callbacks(task, estimator):
                task.call_on_fit_task_begin(estimator=self.search, **data)
                yield
        finally:
            task.call_on_fit_task_end(estimator=self.search, **data)

    def finished(self, record: Mapping[str, Any], names: tuple[str, str | None]) -> None:
        """Print one point's record."""
        if not self.print_points:
            return
        values = [f"{names[0]}={record['budget']}"]
        if record["dense"]:
            values.append("dense")
        elif record["size"] is not None:
            values.append(f"{names[1]}={record['size']}")
        if record["fit_error"] is None:
            scores = record["test_scores"]
            scores = scores if isinstance(scores, dict) else {"score": scores}
            values += [f"{name}={score:.4f}" for name, score in scores.items()]
        else:
            values.append("failed")
        print(f"{_NAME} {self.label}: {', '.join(values)} ({record['fit_time']:.2f} s)", flush=True)  # noqa: T201


# Reports nothing, for folds without a search.
SILENT = FoldProgress(None, NoCallbacks(), "", print_points=False)


class SearchProgress:
    """
    Reports the folds, in the process that collects them.

    So callbacks that can't be sent to other processes are called for each fold, on any backend.

    Parameters
    ----------
    search : estimator
        The search whose callbacks are called.
    task : callback context
        The search's task.
    n_splits, n_kept : int
        Number of folds, and number of folds that a checkpoint holds already.
    """

    def __init__(self, search: Any, task: Any, n_splits: int, n_kept: int) -> None:
        self._search = search
        self._n_splits, self._n_done = n_splits, n_kept
        self._start = time.perf_counter()
        self._folds: dict[int, Any] = {}
        self._task = task.subcontext("folds", max_subtasks=n_splits - n_kept, sequential_subtasks=False)
        self._task.call_on_fit_task_begin(estimator=search)
        if n_kept and search.verbose > 0:
            print(f"{_NAME} {n_kept} of {n_splits} folds read from the checkpoint", flush=True)  # noqa: T201

    def fold(self, i: int, n_parts: int | None) -> FoldProgress:
        """Return the report of one fold; all must be made before the first is sent, which copies the tree of tasks."""
        self._folds[i] = self._task.subcontext("fold", task_id=i, max_subtasks=n_parts)
        # Only callbacks need the search. Without callbacks it is not sent, with its earlier results, to the workers.
        caller = self._search if has_callbacks(self._search) else None
        return FoldProgress(caller, self._folds[i], f"fold {i + 1} of {self._n_splits}", self._search.verbose > 1)

    def begin(self, i: int) -> None:
        """Report that a fold is sent to a worker."""
        self._folds[i].call_on_fit_task_begin(estimator=self._search)

    def end(self, i: int) -> None:
        """Report that a fold is finished."""
        self._folds[i].call_on_fit_task_end(estimator=self._search)
        self._n_done += 1
        if self._search.verbose > 0:
            taken = time.perf_counter() - self._start
            print(f"{_NAME} {self._n_done} of {self._n_splits} folds finished ({taken:.1f} s)", flush=True)  # noqa: T201

    def close(self) -> None:
        """Report that all folds are finished."""
        self._task.call_on_fit_task_end(estimator=self._search)
