"""
pretrain_threshold_curve: thresholds against the number of samples, and the laws fitted to them.

One point of the curve is one training run on a part of the data. The run belongs in ``_fold``, the rule in ``_rule``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state, indexable
from sklearn.utils.parallel import Parallel, delayed

from sklearn_gfs._compat import MultimetricScorer, count_samples, type_of_target
from sklearn_gfs._plain import check_one_kind, check_plain
from sklearn_gfs._warn import warn_caller

from ._fold import FoldSettings, evaluate_fold
from ._grid import Grid, check_n_jobs, make_grid, settle_task
from ._progress import SILENT
from ._results import score_table
from ._rule import check_rule, find_threshold, is_number, target_score
from ._scaling import ThresholdCurve, threshold_curve


def pretrain_threshold_curve(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    train_sizes: Sequence[float] = (0.1, 0.18, 0.32, 0.56, 1.0),
    n_repeats: int = 5,
    n_pretrain: str | Sequence[int] = "auto",
    k: Sequence[int] | None = None,
    target: str | float = "dense",
    tol: str | float = 0.01,
    score_on: str = "train",
    test_size: float = 0.25,
    interpolate: bool = False,
    param: str = "n_pretrain",
    scoring: Any = None,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> ThresholdCurve:
    """
    Measure how the pre-training threshold grows with the number of samples.

    Every repeat shuffles the data. For classifiers each part has the classes in proportion. For each size one network
    is trained on the first samples of that order. All sizes of a repeat have the same seed. Two laws are fitted to the
    thresholds of all runs: a + b ln(n_samples), the form that the paper [1]_ claims, and a power law for comparison.

    Parameters
    ----------
    estimator : estimator
        What :class:`PretrainThresholdSearch` takes. If its ``random_state`` is an integer, repeat r uses this integer
        plus r. :class:`GreedyPrunedMLP` decides once, from all of ``y``, whether ``y`` holds labels or continuous
        targets.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Data.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels or continuous targets to predict.
    train_sizes : sequence of int or float, default=(0.1, 0.18, 0.32, 0.56, 1.0)
        Numbers of training samples, or shares of those available.
    n_repeats : int, default=5
        Number of shuffles.
    n_pretrain : "auto" or sequence of int, default="auto"
        As in :class:`PretrainThresholdSearch`. Each run settles "auto" for itself.
    k : sequence of int, default=None
        Numbers of picks, all pruned from the same run. None means the estimator's own. A run's threshold is the
        threshold of the first ``k`` that reaches the target. :meth:`ThresholdCurve.at` gives the curve of each ``k``.
    target : {"dense", "best"} or float, default="dense"
        As in :class:`PretrainThresholdSearch`. Each run has a target of its own, from its own scores.
    tol : float or str, default=0.01
        How far below the target still counts. A number is in units of the score. A percentage like "1%" is a share of
        the target's absolute value.
    score_on : {"train", "test"}, default="train"
        Whether scores are measured on the training samples, as in the paper, or on held-out samples.
    test_size : float, default=0.25
        Share of the samples to hold out if ``score_on`` is "test". All sizes of one repeat share them.
    interpolate : bool, default=False
        Whether thresholds are interpolated between two numbers of iterations, linearly in the score and in the
        logarithm of the iterations plus one. If False, thresholds are values of the grid.
    param : str, default="n_pretrain"
        As in :class:`PretrainThresholdSearch`.
    scoring : str or callable, default=None
        As in :class:`~sklearn.model_selection.GridSearchCV`; one score only.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffles.
    n_jobs : int, default=None
        Number of runs at the same time. None means 1, except in a :func:`joblib.parallel_config` context.

    Returns
    -------
    ThresholdCurve
        Sizes, thresholds, targets, both fits, and all the scores.

    Raises
    ------
    ValueError
        If a parameter has a value that is not allowed.
    TypeError
        If ``estimator`` is not an estimator.

    Warns
    -----
    UserWarning
        When a run reached no threshold. The fits count its threshold as larger than the iterations it had.

    See Also
    --------
    PretrainThresholdSearch : The threshold on one set of data, by cross-validation.
    ThresholdScalingDisplay : Picture of the curve.
    sklearn.model_selection.learning_curve : Scores against the number of samples.

    Notes
    -----
    A coarse grid makes thresholds coarse. Interpolated thresholds follow the noise of two scores. The runs of one
    repeat share samples; the confidence intervals ignore this.

    References
    ----------
    .. [1] C. R. Wolfe, F. Liao, Q. Wang, J. L. Kim and A. Kyrillidis, "How much pre-training is enough to discover a
       good subnetwork?", Transactions on Machine Learning Research, 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_gfs import GreedyPrunedMLPClassifier, pretrain_threshold_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> network = GreedyPrunedMLPClassifier(n_hidden=30, k=10, n_retrain=10, random_state=0)
    >>> curve = pretrain_threshold_curve(
    ...     network, X, y, train_sizes=[50, 100], n_repeats=2, n_pretrain=[0, 10, 40], target="best", random_state=0
    ... )
    >>> curve.thresholds.shape
    (2, 2)
    """
    check_rule(target, tol, score_on)
    _check_run(tol, n_repeats, test_size)
    if not isinstance(interpolate, bool | np.bool_):
        raise ValueError(f"interpolate must be True or False, got {interpolate!r}.")
    check_n_jobs(n_jobs)
    grid = make_grid(estimator, param, n_pretrain, k)
    scorer = check_scoring(estimator, scoring)
    if isinstance(scorer, MultimetricScorer):
        raise ValueError(f"scoring must give one score, got {scoring!r}.")
    check_plain(X=X, y=y)
    check_one_kind(y=y)
    X, y = indexable(X, y)
    n_test = 0 if score_on == "train" else max(1, round(float(test_size) * count_samples(X)))
    if n_test >= count_samples(X):
        raise ValueError(f"test_size={test_size!r} leaves none of the {count_samples(X)} samples for training.")
    sizes = _sizes(train_sizes, count_samples(X) - n_test)
    estimator = settle_task(estimator, y)
    rng = check_random_state(random_state)
    orders = [_order(y, rng, stratify=is_classifier(estimator)) for _ in range(n_repeats)]
    # Runs on many samples take longest. They come first, so that no worker has a long run alone at the end.
    tasks = [(row, repeat) for row in reversed(range(len(sizes))) for repeat in range(n_repeats)]
    run = delayed(_one_run)
    found = Parallel(n_jobs=n_jobs)(
        run(
            _seeded(estimator, repeat),
            X,
            y,
            *_parts(orders[repeat], sizes[row], n_test),
            grid=grid,
            scorer=scorer,
            rule=(target, tol, interpolate),
        )
        for row, repeat in tasks
    )
    own_k = estimator.get_params().get(grid.size_name)
    curve = _collect(
        sizes,
        n_repeats,
        [own_k] if grid.sizes is None else grid.sizes,
        dict(zip(tasks, found, strict=True)),
        interpolated=bool(interpolate),
    )
    assert curve.last_n_pretrain is not None
    silent = np.isnan(curve.last_n_pretrain)
    if silent.any():
        warn_caller(
            f"{silent.sum()} of {curve.thresholds.size} runs have no score; the fits leave them out. Their scores are "
            "not finite.",
            UserWarning,
        )
    missing = int(np.isnan(curve.thresholds[~silent]).sum())
    if missing:
        warn_caller(
            f"{missing} of {curve.thresholds.size} runs reached the target at no n_pretrain; the fits count them as "
            "more than the last one. Try a larger k or n_pretrain, a larger tol, or target='best'.",
            UserWarning,
        )
    return curve


def _collect(
    sizes: list[int],
    n_repeats: int,
    k: Sequence[Any],
    runs: Mapping[tuple[int, int], _Run],
    *,
    interpolated: bool,
) -> ThresholdCurve:
    """Return the curve of the runs, which are given by size and repeat."""
    points = sorted({budget for run in runs.values() for budget in run.budgets})
    shape = len(sizes), n_repeats
    scores, targets = np.full((*shape, len(points), len(k)), np.nan), np.full(shape, np.nan)
    dense = None if next(iter(runs.values())).dense is None else np.full((*shape, len(points)), np.nan)
    thresholds = np.full((len(k), *shape), np.nan)
    for (row, repeat), run in runs.items():
        at = np.searchsorted(points, run.budgets)
        scores[row, repeat, at] = run.scores
        targets[row, repeat], thresholds[:, row, repeat] = run.target, run.thresholds
        if dense is not None:
            dense[row, repeat, at] = run.dense
    return threshold_curve(sizes, points, k, scores, dense, thresholds, targets, interpolated=interpolated)


def _seeded(estimator: Any, repeat: int) -> Any:
    """Return a clone whose integer seeds are increased by the number of this repeat."""
    seeds = {
        name: (int(value) + repeat) % 2**32
        for name, value in estimator.get_params().items()
        if name.rpartition("__")[2] == "random_state" and isinstance(value, Integral)
    }
    return clone(estimator).set_params(**seeds)


def _check_run(tol: Any, n_repeats: Any, test_size: Any) -> None:
    if tol == "1se":
        raise ValueError("tol must be a number or a percentage here: one run has no standard error, got '1se'.")
    if isinstance(n_repeats, bool) or not isinstance(n_repeats, Integral) or int(n_repeats) < 1:
        raise ValueError(f"n_repeats must be an integer not below 1, got {n_repeats!r}.")
    if not is_number(test_size) or not 0 < float(test_size) < 1:
        raise ValueError(f"test_size must be a share between 0 and 1, got {test_size!r}.")


def _parts(order: NDArray[np.intp], size: int, n_test: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of the training samples and of the scored samples; the same if none are held out."""
    train = order[:size]
    return train, (order[len(order) - n_test :] if n_test else train)


class _Run(NamedTuple):
    """The scores and thresholds of one training run."""

    budgets: tuple[int, ...]
    scores: NDArray[np.float64]  # (n_budgets, n_k)
    dense: NDArray[np.float64] | None  # (n_budgets,)
    target: float
    thresholds: NDArray[np.float64]  # (n_k,)


def _one_run(estimator: Any, *data: Any, grid: Grid, scorer: Any, rule: tuple[str | float, str | float, bool]) -> _Run:
    """Return the scores and the thresholds (NaN for none) of one training run."""
    records = evaluate_fold(estimator, *data, grid=grid, settings=FoldSettings(scorer), progress=SILENT)
    if isinstance(records[0]["test_scores"], dict):
        raise ValueError(f"scoring must give one score, got {list(records[0]['test_scores'])}.")
    budgets = tuple(sorted({record["budget"] for record in records}))
    grid = grid._replace(budgets=budgets)
    scores = score_table([records], grid, "test", "score", dense=False)
    dense = score_table([records], grid, "test", "score", dense=True) if grid.one_run else None
    target, tol, interpolate = rule
    goal, margin = target_score(target, tol, scores, dense)
    means = scores.mean(axis=-1)
    rows = find_threshold(means, goal, margin).first
    thresholds = np.where(rows >= 0, np.array(budgets, dtype=float)[rows], np.nan)
    if interpolate:
        for column in np.flatnonzero(rows > 0):
            thresholds[column] = _between(budgets, means[:, column], rows[column], goal - margin)
    return _Run(budgets, means, None if dense is None else dense[:, 0], goal, thresholds)


def _between(budgets: Sequence[int], scores: NDArray[np.float64], row: int, level: float) -> float:
    """Return the interpolated number of iterations at which the score passes the level before this row."""
    before, after = scores[row - 1], scores[row]
    if not before < level < after:  # by rounding, or without an earlier score
        return float(budgets[row])
    low, high = np.log1p(budgets[row - 1]), np.log1p(budgets[row])
    return float(np.expm1(low + (level - before) / (after - before) * (high - low)))


def _sizes(train_sizes: Any, available: int) -> list[int]:
    """Validate sizes and return them as distinct numbers of samples, ascending."""
    values = np.asarray(train_sizes)
    shares = values.dtype.kind == "f"
    numbers = values.ndim == 1 and len(values) > 0 and values.dtype.kind in "iuf"
    if not numbers or not np.isfinite(values).all() or values.min() <= 0:
        raise ValueError(f"train_sizes must be a sequence of positive numbers, got {train_sizes!r}.")
    if values.max() > (1 if shares else available):
        limit = "1 as a share" if shares else f"{available}, the number of samples for training"
        raise ValueError(f"train_sizes must not go beyond {limit}, got {values.max()}.")
    counts = np.maximum(np.rint(values * available), 1) if shares else values
    return sorted({int(count) for count in counts})


def _order(y: Any, rng: np.random.RandomState, *, stratify: bool) -> NDArray[np.intp]:
    """Return a random order of the samples; if stratified, every first part of it has the classes in proportion."""
    if not stratify or type_of_target(y) not in {"binary", "multiclass"}:
        return rng.permutation(count_samples(y))
    labels = np.asarray(y).ravel()
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        position[members] = (np.arange(len(members)) + rng.uniform(size=len(members))) / len(members)
    return np.argsort(position, kind="stable")
