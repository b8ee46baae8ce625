"""
PretrainThresholdSearch: how much pre-training is enough, measured by cross-validation.

The estimator stands here: its parameters, routing, parallel folds, results and refitting. Its parts:
the grid (``_search_grid``), one fold (``_search_fold``), tables (``_search_results``), the rule
(``_search_rule``), the file of finished folds (``_search_checkpoint``). Nothing here knows a
particular estimator: whatever has ``fit_path`` is trained once per fold, anything else once per
point.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import ParameterGrid, check_cv
from sklearn.utils import get_tags, indexable
from sklearn.utils.metaestimators import available_if

from ._compat import (
    BaseSearchCV,
    CallbackSupportMixin,
    insert_error_scores,
    passes_callbacks,
    report_fit_failures,
    take_params,
    with_callbacks,
)
from ._search_checkpoint import Checkpoint
from ._search_fold import run_folds
from ._search_grid import Grid, make_grid
from ._search_results import dense_columns, score_table
from ._search_rule import check_rule, find_threshold, fold_mean, target_score


def _estimator_has_set_output(search: Any) -> bool:
    return hasattr(search.estimator, "set_output")


class PretrainThresholdSearch(BaseSearchCV, CallbackSupportMixin):
    """
    Find the least pre-training whose subnetwork is as good as a target.

    Every fold trains once, up to the largest number of pre-training iterations, and scores on the
    way the subnetwork of every ``(n_pretrain, k)`` and the dense network at every ``n_pretrain``.
    The results are those of :class:`~sklearn.model_selection.GridSearchCV` on the same grid, folds
    and integer ``random_state``, without its separate fits.

    Parameters
    ----------
    estimator : estimator
        A :class:`GreedyPrunedMLP`, its classifier or regressor, or a
        :class:`~sklearn.pipeline.Pipeline` that ends in one; the steps before it are fitted once
        per fold. Any other estimator with an integer parameter named by ``param`` is fitted once
        for each point.
    n_pretrain : "auto" or sequence of int, default="auto"
        Numbers of pre-training iterations, in gradient updates, to compare. "auto" goes from 0 in
        geometric steps, two to each doubling, and doubles the end from 256 until the last doubling
        brings the dense network less than 1 % of its whole improvement, on the first fold.
    k : sequence of int, default=None
        Numbers of picks to compare; None for the estimator's own.
    target : {"dense", "best"} or float, default="dense"
        What is good enough, up to ``tol``: the mean score of the dense network at the largest
        ``n_pretrain``; the best mean score of a subnetwork, over ``n_pretrain`` and ``k``; or a
        score. An estimator that is fitted once for each point has no dense network; there its own
        score at the largest ``n_pretrain`` and ``k`` stands for it.
    tol : float or "1se", default=0.01
        How far below the target still counts, in units of the score. "1se" is one standard error,
        over folds, of the score that sets the target; of each point's own where the target is a
        number.
    score_on : {"test", "train"}, default="test"
        Whether the threshold compares scores on the held-out parts or on the training parts.
    param : str, default="n_pretrain"
        Name of the integer parameter that is searched, for estimators other than this package's:
        for instance "max_iter". The prefix of a pipeline's last step can be left out.
    scoring : str, callable, list, tuple or dict, default=None
        As in :class:`~sklearn.model_selection.GridSearchCV`; several scores need a ``refit`` that
        names the one to decide by.
    cv : int, cross-validation generator or iterable, default=None
        As in :class:`~sklearn.model_selection.GridSearchCV`.
    refit : bool or str, default=True
        Whether to fit the estimator on all the data at the end; with several scores, the name of
        the score that decides.
    n_jobs : int, default=None
        Number of folds that run at the same time; None means 1 unless in a
        :func:`joblib.parallel_config` context.
    error_score : "raise" or float, default=np.nan
        What a point gets when fitting or scoring it fails.
    return_train_score : bool, default=False
        Whether ``cv_results_`` has the scores on the training parts.
    checkpoint : str or path-like, default=None
        File in which finished folds are kept. A search that was interrupted resumes from it; a
        finished one is read from it.
    verbose : int, default=0
        From 1 on, a line is printed for each finished fold.

    Attributes
    ----------
    threshold_ : int or None
        The smallest ``n_pretrain`` at which the subnetwork of some ``k`` reaches the target.
    thresholds_ : dict of int to (int or None)
        The same for each ``k``.
    sustained_ : bool
        Whether at that ``k`` all larger ``n_pretrain`` reach the target too; False without a
        threshold.
    sustained_by_k_ : dict of int to bool
        The same for each ``k``.
    threshold_params_ : dict or None
        The point with ``threshold_``, of the smallest ``k`` among equals.
    threshold_index_ : int or None
        Its index in ``cv_results_``.
    target_score_ : float
        The target as a score.
    target_margin_ : float or ndarray of shape (n_budgets, n_sizes)
        How far below still counted.
    n_pretrain_values_ : ndarray of shape (n_budgets,)
        Numbers of pre-training iterations that were compared, ascending.
    k_values_ : ndarray of shape (n_sizes,)
        Numbers of picks that were compared, ascending; holds None for an estimator without ``k``.
    scores_ : ndarray of shape (n_budgets, n_sizes, n_splits_)
        The scores that the threshold compares, by n_pretrain and k ascending.
    dense_scores_ : ndarray of shape (n_budgets, n_splits_) or None
        Likewise the dense network's; None for an estimator that is fitted once for each point.
    cv_results_ : dict of str to ndarray of shape (n_points,)
        The keys, the order of points and the numbers are those of
        :class:`~sklearn.model_selection.GridSearchCV`. Beside them stands the dense network at each
        point's ``n_pretrain``: ``split0_dense_test_score``, ``mean_dense_test_score`` and so on.
        Times are this search's: ``mean_fit_time`` for pruning and re-training one point,
        ``mean_dense_fit_time`` for the pre-training between the point's ``n_pretrain`` and the one
        before it, in seconds.
    best_params_ : dict
        The point with the best mean test score.
    best_score_ : float
        Its mean test score.
    best_index_ : int
        Its index in ``cv_results_``.
    best_estimator_ : estimator
        Fitted on all the data with ``threshold_params_``, or with ``best_params_`` when no point
        reached the target. The methods of this object are its methods. Only with ``refit``.
    refit_time_ : float
        Seconds for fitting it.
    scorer_ : callable or dict
        The scorer or scorers.
    multimetric_ : bool
        Whether there are several.
    n_splits_ : int
        Number of folds.
    n_features_in_ : int
        Number of features. Only with ``refit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features. Only with ``refit`` and where the data had any.
    classes_ : ndarray of shape (n_classes,)
        Class labels. Only with ``refit`` and for classifiers.

    Warns
    -----
    UserWarning
        When no point reaches the target.

    See Also
    --------
    GreedyPrunedMLP : The estimator whose pre-training is measured.
    pretrain_threshold_curve : Thresholds against the number of samples.
    PretrainThresholdDisplay : Picture of the search.
    sklearn.model_selection.GridSearchCV : The search whose results these are.

    Notes
    -----
    ``best_params_`` is the best point of the grid, as in every search of scikit-learn;
    ``best_estimator_`` has the least pre-training that is good enough, which is what this search is
    for. They agree when no point reaches the target.

    Folds run in parallel through joblib. A worker is sent the whole of the data, which joblib maps
    into memory on one machine and scatters once to a Dask cluster, and the indices of its fold.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_gfs import GreedyPrunedMLPClassifier, PretrainThresholdSearch
    >>> X, y = load_iris(return_X_y=True)
    >>> network = GreedyPrunedMLPClassifier(n_hidden=50, n_retrain=20, random_state=0)
    >>> search = PretrainThresholdSearch(network, n_pretrain=[0, 10, 40], k=[5, 10], cv=3)
    >>> search = search.fit(X, y)
    >>> sorted(search.thresholds_)
    [5, 10]
    >>> search.cv_results_["mean_test_score"].shape
    (6,)
    """

    def __init__(
        self,
        estimator: Any,
        *,
        n_pretrain: str | Sequence[int] = "auto",
        k: Sequence[int] | None = None,
        target: str | float = "dense",
        tol: str | float = 0.01,
        score_on: str = "test",
        param: str = "n_pretrain",
        scoring: Any = None,
        cv: Any = None,
        refit: bool | str = True,
        n_jobs: int | None = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        checkpoint: str | os.PathLike[str] | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.n_pretrain = n_pretrain
        self.k = k
        self.target = target
        self.tol = tol
        self.score_on = score_on
        self.param = param
        self.scoring = scoring
        self.cv = cv
        self.refit = refit
        self.n_jobs = n_jobs
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.checkpoint = checkpoint
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        own = get_tags(self.estimator)
        tags.input_tags, tags.target_tags = deepcopy(own.input_tags), deepcopy(own.target_tags)
        tags.non_deterministic = own.non_deterministic
        return tags

    @available_if(_estimator_has_set_output)
    def set_output(self, *, transform: str | None = None) -> PretrainThresholdSearch:
        """
        Choose the container that ``transform`` returns.

        The choice is passed on to the estimator, fitted or not.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            As the estimator's own ``set_output`` takes it; None changes nothing.

        Returns
        -------
        PretrainThresholdSearch
            The search itself.

        See Also
        --------
        fit : Measure the threshold.

        Examples
        --------
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> from sklearn_gfs import GreedyPrunedMLP, PretrainThresholdSearch
        >>> search = PretrainThresholdSearch(make_pipeline(StandardScaler(), GreedyPrunedMLP()))
        >>> search = search.set_output(transform="pandas")
        """
        self.estimator.set_output(transform=transform)
        if hasattr(self, "best_estimator_"):
            self.best_estimator_.set_output(transform=transform)
        return self

    @with_callbacks
    def fit(self, X: Any, y: Any = None, **params: Any) -> PretrainThresholdSearch:
        """
        Measure the threshold and fit the estimator there.

        Every fold is one training run; see the class for what is measured.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Labels or numbers to predict.
        **params : dict
            Metadata: ``groups`` for the splitter, ``sample_weight`` and the like for the
            estimator's ``fit``, split with the data; routed as requested where metadata routing is
            enabled.

        Returns
        -------
        PretrainThresholdSearch
            The fitted search.

        Raises
        ------
        ValueError
            If a parameter has a value that is not allowed, if every point fails, or if
            ``checkpoint`` belongs to another search.

        See Also
        --------
        score : Score of the fitted estimator.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.neural_network import MLPClassifier
        >>> from sklearn_gfs import PretrainThresholdSearch
        >>> search = PretrainThresholdSearch(
        ...     MLPClassifier(solver="lbfgs", random_state=0), param="max_iter", n_pretrain=[1, 15], cv=3, refit=False
        ... )
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")  # so few iterations don't converge
        ...     search = search.fit(*load_iris(return_X_y=True))
        >>> search.threshold_
        15
        """
        grid = make_grid(self.estimator, self.param, self.n_pretrain, self.k)
        check_rule(self.target, self.tol, self.score_on)
        if self.error_score != "raise" and not isinstance(self.error_score, Real):
            raise ValueError(f"error_score must be 'raise' or a number, got {self.error_score!r}.")
        scorer, metric = self._get_scorers()
        if not isinstance(self.refit, bool | str):
            raise ValueError(f"refit must be a bool or the name of a score, got {self.refit!r}.")
        X, y = indexable(X, y)
        params = take_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(cv.split(X, y, **routed.splitter.split))
        self.n_splits_ = len(splits)
        if not splits:
            raise ValueError("cv must yield at least one fold, got none.")
        if self.tol == "1se" and self.n_splits_ < 2:
            raise ValueError("tol='1se' needs at least two folds to measure a standard error, got one.")
        settings = {
            "scorer": scorer,
            # Whether a callable returns several scores is only known once it has been called.
            "metric": self.refit if callable(self.scoring) and isinstance(self.refit, str) else metric,
            "score_on": self.score_on,
            "fit_params": routed.estimator.fit,
            "score_params": routed.scorer.score,
            "score_train": self.return_train_score or self.score_on == "train",
            "error_score": self.error_score,
        }
        tasks = self._init_callback_context(max_subtasks=1 + bool(self.refit))
        tasks.call_on_fit_task_begin(estimator=self, X=X, y=y)
        grid, folds = self._run_folds((X, y, splits), grid, settings, tasks)
        self._store_results(folds, grid, scorer, metric)
        if self.refit:
            self._refit(X, y, routed.estimator.fit, tasks)
        tasks.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def _run_folds(
        self, data: tuple[Any, Any, list[Any]], grid: Grid, settings: dict[str, Any], tasks: Any
    ) -> tuple[Grid, list[list[dict[str, Any]]]]:
        """Evaluate all folds, those kept by a checkpoint left out, and return the grid with its budgets known."""
        X, y, splits = data
        kept = None
        if self.checkpoint is not None:
            given = {"X": X, "y": y, "metadata": (settings["fit_params"], settings["score_params"])}
            how = {name: settings[name] for name in ("metric", "score_on", "score_train", "error_score")}
            search = {"estimator": self.estimator, "grid": tuple(grid), "folds": splits, "scoring": self.scoring}
            kept = Checkpoint(self.checkpoint, given | search | how)
        folds: dict[int, list[dict[str, Any]]] = {} if kept is None else dict(kept.folds)

        missing = [i for i in range(len(splits)) if i not in folds]
        all_folds = tasks.subcontext("folds", max_subtasks=len(missing), sequential_subtasks=False)
        all_folds.call_on_fit_task_begin(estimator=self, X=X, y=y)
        # Begun and ended here, not by the workers: so callbacks need not travel, and any backend will do.
        begun = {}

        def starts(i: int) -> None:
            begun[i] = all_folds.subcontext("fold", task_id=i).call_on_fit_task_begin(estimator=self, X=X, y=y)

        def run(grid: Grid, chosen: list[int]) -> None:
            for i, records in run_folds(
                self.estimator, data, chosen, grid, settings, n_jobs=self.n_jobs, starts=starts
            ):
                folds[i] = records
                if kept is not None:
                    kept.add(i, records)
                begun[i].call_on_fit_task_end(estimator=self, X=X, y=y)
                if self.verbose > 0:
                    print(f"[{type(self).__name__}] {len(folds)} of {len(splits)} folds finished")  # noqa: T201

        if grid.budgets is None:  # the first fold finds the grid that all share
            run(grid, [i for i in missing if i == 0])
            grid = grid._replace(budgets=tuple(sorted({record["budget"] for record in folds[0]})))
        run(grid, [i for i in missing if i not in folds])
        all_folds.call_on_fit_task_end(estimator=self, X=X, y=y)
        return grid, [folds[i] for i in range(len(splits))]

    def _store_results(self, folds: list[list[dict[str, Any]]], grid: Grid, scorer: Any, metric: str) -> None:
        """Set all that is learnt from the scores."""
        report_fit_failures([record for fold in folds for record in fold if not record["dense"]], self.error_score)
        if callable(self.scoring):
            insert_error_scores([record for fold in folds for record in fold], self.error_score)
        first_score = folds[0][0]["test_scores"]
        self.multimetric_ = isinstance(first_score, dict)
        if self.multimetric_:
            self._check_refit_for_multimetric(first_score)
            if not isinstance(self.refit, str):
                raise ValueError(f"refit must name the score that decides on the threshold, got {self.refit!r}.")
            metric = self.refit
        self.scorer_ = getattr(scorer, "_scorers", scorer)

        assert grid.budgets is not None
        budgets = grid.budgets if isinstance(self.n_pretrain, str) else [int(value) for value in self.n_pretrain]
        sizes = {} if self.k is None else {grid.size_name: [int(value) for value in self.k]}
        candidates = list(ParameterGrid({grid.budget_name: list(budgets)} | sizes))
        points = [{(r["budget"], r["size"], r["dense"]): r for r in fold} for fold in folds]
        keys = [(params[grid.budget_name], params.get(grid.size_name)) for params in candidates]
        out = [fold[budget, size, False] for budget, size in keys for fold in points]
        more = {}
        if grid.one_run:
            more = dense_columns([[fold[budget, None, True] for fold in points] for budget, _ in keys])
        # "test" columns as GridSearchCV has them, "train" columns wherever the training parts were scored.
        formatter = copy(self)
        formatter.return_train_score = "train_scores" in out[0]
        self.cv_results_ = formatter._format_results(candidates, self.n_splits_, out, more)
        self.best_index_ = int(self._select_best_index(self.refit, metric, self.cv_results_))
        self.best_score_ = self.cv_results_[f"mean_test_{metric}"][self.best_index_]
        self.best_params_ = self.cv_results_["params"][self.best_index_]

        self.scores_ = score_table(folds, grid, self.score_on, metric, dense=False)
        self.dense_scores_ = score_table(folds, grid, self.score_on, metric, dense=True) if grid.one_run else None
        own_k = self.estimator.get_params().get(grid.size_name)
        self.n_pretrain_values_ = np.array(grid.budgets)
        self.k_values_ = np.array([own_k] if grid.sizes is None else grid.sizes)
        self._set_threshold(candidates, keys, grid)

    def _set_threshold(self, candidates: list[Any], keys: list[Any], grid: Grid) -> None:
        """Apply the rule."""
        assert grid.budgets is not None
        scores, dense = self.scores_, self.dense_scores_
        self.target_score_, self.target_margin_ = target_score(self.target, self.tol, scores, dense)
        means = fold_mean(scores)
        found = find_threshold(means, self.target_score_, self.target_margin_)
        sizes = self.k_values_.tolist()
        self.thresholds_ = {
            size: grid.budgets[row] if row >= 0 else None for size, row in zip(sizes, found.first, strict=True)
        }
        self.sustained_by_k_ = dict(zip(sizes, found.sustained.tolist(), strict=True))
        self.threshold_, self.sustained_ = None, False
        self.threshold_params_, self.threshold_index_ = None, None
        if found.row < 0:
            warnings.warn(
                f"No point reached the target: the best mean score on the {self.score_on} parts is "
                f"{np.max(means):.6g}, the target {self.target_score_:.6g} with tol={self.tol!r}. "
                "threshold_ is None. Try larger values of k or n_pretrain, a larger tol, or target='best'.",
                UserWarning,
                stacklevel=4,
            )
            return
        self.threshold_ = grid.budgets[found.row]
        self.sustained_ = bool(found.sustained[found.column])
        size = None if grid.sizes is None else grid.sizes[found.column]
        self.threshold_index_ = keys.index((self.threshold_, size))
        self.threshold_params_ = candidates[self.threshold_index_]

    def _refit(self, X: Any, y: Any, fit_params: Mapping[str, Any], tasks: Any) -> None:
        """Fit the estimator on all the data."""
        params = self.best_params_ if self.threshold_params_ is None else self.threshold_params_
        estimator = clone(self.estimator).set_params(**params)
        task = tasks.subcontext("refit")
        with passes_callbacks(task, estimator):
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            start = time.perf_counter()
            self.best_estimator_ = estimator.fit(X, y, **fit_params)
            self.refit_time_ = time.perf_counter() - start
        task.call_on_fit_task_end(estimator=self, X=X, y=y)
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
