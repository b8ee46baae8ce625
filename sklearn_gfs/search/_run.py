"""
All folds of a threshold search: in parallel, kept on disk as they finish.

What one fold does belongs in ``_fold``, what is told of it in ``_progress``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from sklearn_gfs._chunks import row_batches
from sklearn_gfs._compat import without_callbacks
from sklearn_gfs._compiling import compilation_printed

from ._checkpoint import Checkpoint
from ._fingerprint import canonical, versions
from ._fold import FoldSettings, evaluate_fold
from ._grid import Grid, as_on_path
from ._progress import SearchProgress

Records = list[dict[str, Any]]

# What settings are called where a search differs from that of a checkpoint.
_TOLD_AS = {"scorer": "scoring", "fit_params": "metadata of fit", "score_params": "metadata of scoring"}

# By scikit-learn's conventions these are about what is printed and how work is divided, in every estimator.
_CHANGE_NO_SCORE = {"verbose", "n_jobs"}


def run_folds(
    search: Any,
    estimator: Any,
    data: tuple[Any, Any, list[Any]],
    grid: Grid,
    settings: FoldSettings,
    task: Any,
) -> tuple[Grid, list[Records]]:
    """
    Evaluate all folds but those that a checkpoint holds.

    Parameters
    ----------
    search : estimator
        Its parameters scoring, n_jobs, checkpoint and verbose are read; callbacks get it.
    estimator : estimator
        What every fold fits a clone of.
    data : tuple of X, y and the list of all splits
        What every fold needs.
    grid : Grid
        What to evaluate.
    settings : FoldSettings
        How.
    task : callback context
        The search's task.

    Returns
    -------
    grid : Grid
        With its budgets known.
    folds : list of list of dict
        What ``evaluate_fold`` returned, fold by fold.
    """
    splits = data[2]
    kept = None if search.checkpoint is None else _open_checkpoint(search, estimator, data, grid, settings)
    folds = {} if kept is None else _of_one_grid(kept.folds, grid)
    progress = SearchProgress(search, task, len(splits), len(folds))

    def run(grid: Grid, chosen: list[int]) -> None:
        with closing(_in_parallel(search, estimator, data, chosen, grid, settings, progress)) as finished:
            for i, records in finished:
                folds[i] = records
                # What failed may not fail again: memory that lacked, a disk that was full.
                if kept is not None and not any(record["failed"] for record in records):
                    kept.add(i, records)
                progress.end(i)

    if grid.budgets is None:  # the first fold finds the grid that all share
        run(grid, [] if 0 in folds else [0])
        grid = grid._replace(budgets=tuple(sorted({record["budget"] for record in folds[0]})))
    run(grid, [i for i in range(len(splits)) if i not in folds])
    progress.close()
    return grid, [folds[i] for i in range(len(splits))]


def _open_checkpoint(
    search: Any, estimator: Any, data: tuple[Any, Any, list[Any]], grid: Grid, settings: FoldSettings
) -> Checkpoint:
    """Open the folder of finished folds, which must belong to the same search."""
    X, y, splits = data
    how = settings._asdict()
    # A scorer is made of what was asked for, and of nothing else that could be compared.
    how |= {"scorer": search.scoring} | {name: dict(how[name]) for name in ("fit_params", "score_params")}
    estimator = _without_what_changes_no_score(estimator, grid)
    asked = {"X": X, "y": y, "folds": splits, "grid": tuple(grid)} | how
    parts = {_TOLD_AS.get(name, name): canonical(part) for name, part in asked.items()}
    return Checkpoint(search.checkpoint, parts | {"estimator": estimator, "version": versions(estimator)}, len(splits))


def _without_what_changes_no_score(estimator: Any, grid: Grid) -> Any:
    """Return a clone without callbacks, which are never the same twice, and without parameters of no effect here."""
    bare = as_on_path(without_callbacks(estimator), grid)
    return bare.set_params(**{name: None for name in bare.get_params() if name.rpartition("__")[2] in _CHANGE_NO_SCORE})


def _of_one_grid(folds: dict[int, Records], grid: Grid) -> dict[int, Records]:
    """Return the folds that are of use: with an automatic grid those with the points of the first, which found it."""
    if grid.budgets is not None:
        return dict(folds)
    points = {i: [(r["budget"], r["size"], r["dense"]) for r in records] for i, records in folds.items()}
    return {i: records for i, records in folds.items() if points[i] == points.get(0)}


def _in_parallel(
    search: Any,
    estimator: Any,
    data: tuple[Any, Any, list[Any]],
    chosen: list[int],
    grid: Grid,
    settings: FoldSettings,
    progress: SearchProgress,
) -> Generator[tuple[int, Records], None, None]:
    """Yield each of the chosen folds, with its number, as soon as it is finished, in any order."""
    X, y, splits = data
    reports = {i: progress.fold(i, grid.n_parts) for i in chosen}

    def tasks(some: list[int]) -> Iterator[Any]:
        for i in some:
            progress.begin(i)
            yield delayed(_numbered)(
                i,
                clone(estimator),
                X,
                y,
                *splits[i],
                grid=grid,
                settings=settings,
                progress=reports[i],
                verbose=search.verbose > 0,
            )

    n_jobs = search.n_jobs
    if get_active_backend()[0].supports_return_generator:
        yield from Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks(chosen))
        return
    # Ray's backend returns all results at once. In rounds of as many folds as run together, finished ones are kept.
    with Parallel(n_jobs=n_jobs) as parallel:
        for some in row_batches(len(chosen), effective_n_jobs(n_jobs)):
            yield from parallel(tasks(chosen[some]))


def _numbered(fold: int, *args: Any, verbose: bool, **kwargs: Any) -> tuple[int, Records]:
    """Evaluate a fold and say which it was, for results arrive in any order; `verbose` of compiling."""
    with compilation_printed(verbose):
        return fold, evaluate_fold(*args, **kwargs)
