"""
What a threshold search tells while it runs: tasks for callbacks, and printed lines.

What is measured, and in which order, belongs in the modules that call this one.
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
    Tells of one fold; travels to the process that evaluates it.

    Parameters
    ----------
    search : estimator or None
        Whose callbacks are called, if it has any.
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
            Of the task.
        estimator : estimator, default=None
            What is fitted meanwhile: its own tasks continue this one, and callbacks of the search that are to be
            propagated are passed on to it.
        **data : dict
            X, y and metadata, as callbacks get them.
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


# Tells nobody: for folds that are part of no search.
SILENT = FoldProgress(None, NoCallbacks(), "", print_points=False)


class SearchProgress:
    """
    Tells of the folds, in the process that collects them.

    So callbacks that can't travel see at least the folds, on any backend.

    Parameters
    ----------
    search : estimator
        Whose callbacks are called.
    task : callback context
        The search's task.
    n_splits, n_kept : int
        Number of folds, and of those that a checkpoint holds already.
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
        """Return what tells of one fold; all are made before any is sent off, for sending copies the tree of tasks."""
        self._folds[i] = self._task.subcontext("fold", task_id=i, max_subtasks=n_parts)
        # Only callbacks ask who calls them: without any, the search and what it learnt before need not travel.
        caller = self._search if has_callbacks(self._search) else None
        return FoldProgress(caller, self._folds[i], f"fold {i + 1} of {self._n_splits}", self._search.verbose > 1)

    def begin(self, i: int) -> None:
        """Tell that a fold is handed out."""
        self._folds[i].call_on_fit_task_begin(estimator=self._search)

    def end(self, i: int) -> None:
        """Tell that a fold is finished."""
        self._folds[i].call_on_fit_task_end(estimator=self._search)
        self._n_done += 1
        if self._search.verbose > 0:
            taken = time.perf_counter() - self._start
            print(f"{_NAME} {self._n_done} of {self._n_splits} folds finished ({taken:.1f} s)", flush=True)  # noqa: T201

    def close(self) -> None:
        """Tell that all folds are finished."""
        self._task.call_on_fit_task_end(estimator=self._search)
