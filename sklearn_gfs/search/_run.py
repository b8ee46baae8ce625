"""
All folds of a threshold search: in parallel, kept on disk as they finish.

One fold is evaluated in ``_fold``; reports are in ``_progress``.
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

# Names of settings in the error message about another search's checkpoint.
_TOLD_AS = {"scorer": "scoring", "fit_params": "metadata of fit", "score_params": "metadata of scoring"}

# Parameters without effect on scores: by scikit-learn's conventions they control output and parallel work only.
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
    Evaluate all folds except those that a checkpoint holds.

    Parameters
    ----------
    search : estimator
        The search, of which scoring, n_jobs, checkpoint and verbose are read, and which callbacks get.
    estimator : estimator
        The estimator; every fold fits a clone.
    data : tuple of X, y and the list of all splits
        The data of all folds.
    grid : Grid
        Points to evaluate.
    settings : FoldSettings
        Settings of training and scoring.
    task : callback context
        The search's task.

    Returns
    -------
    grid : Grid
        The grid, with known budgets.
    folds : list of list of dict
        Return values of ``evaluate_fold``, fold by fold.
    """
    splits = data[2]
    kept = None if search.checkpoint is None else _open_checkpoint(search, estimator, data, grid, settings)
    folds = {} if kept is None else _of_one_grid(kept.folds, grid)
    progress = SearchProgress(search, task, len(splits), len(folds))

    def run(grid: Grid, chosen: list[int]) -> None:
        with closing(_in_parallel(search, estimator, data, chosen, grid, settings, progress)) as finished:
            for i, records in finished:
                folds[i] = records
                # A failed fold is not kept, because it may succeed later, with more memory or disk space.
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
    """Return the checkpoint of finished folds, which must belong to the same search."""
    X, y, splits = data
    how = settings._asdict()
    # Scorers can't be compared, so the parameter `scoring` takes their place.
    how |= {"scorer": search.scoring} | {name: dict(how[name]) for name in ("fit_params", "score_params")}
    estimator = _without_what_changes_no_score(estimator, grid)
    asked = {"X": X, "y": y, "folds": splits, "grid": tuple(grid)} | how
    parts = {_TOLD_AS.get(name, name): canonical(part) for name, part in asked.items()}
    return Checkpoint(search.checkpoint, parts | {"estimator": estimator, "version": versions(estimator)}, len(splits))


def _without_what_changes_no_score(estimator: Any, grid: Grid) -> Any:
    """Return a clone without callbacks, which can't be compared, and without parameters that change no score."""
    bare = as_on_path(without_callbacks(estimator), grid)
    return bare.set_params(**{name: None for name in bare.get_params() if name.rpartition("__")[2] in _CHANGE_NO_SCORE})


def _of_one_grid(folds: dict[int, Records], grid: Grid) -> dict[int, Records]:
    """Return the folds that can be used: with an automatic grid only those with the points of the first fold."""
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
    """Yield the index and the records of each chosen fold as soon as the fold is finished, in any order."""
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
    # Ray's backend returns the results of all tasks together. Folds therefore run in rounds of n_jobs, and the finished
    # folds of each round are kept.
    with Parallel(n_jobs=n_jobs) as parallel:
        for some in row_batches(len(chosen), effective_n_jobs(n_jobs)):
            yield from parallel(tasks(chosen[some]))


def _numbered(fold: int, *args: Any, verbose: bool, **kwargs: Any) -> tuple[int, Records]:
    """Return the index and the records of a fold, since results arrive in any order; `verbose` reports compilation."""
    with compilation_printed(verbose):
        return fold, evaluate_fold(*args, **kwargs)
