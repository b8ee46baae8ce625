"""
PretrainThresholdSearch: how much pre-training is enough, measured by cross-validation.

Here is the estimator, with its parameters, routing and ``fit``. Its parts are the grid (``_grid``), one fold
(``_fold``), all folds (``_run``), the folder of finished folds (``_checkpoint``, ``_fingerprint``, ``_code``), reports
(``_progress``), tables (``_results``), the rule (``_rule``), and the fitted attributes (``_outcome``). None of them
depends on a particular estimator. An estimator with ``fit_path`` is trained once per fold, any other once per point.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import deepcopy
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import get_tags, indexable
from sklearn.utils.metaestimators import available_if

from sklearn_gfs._compat import take_params, unchanged_by_failure, with_callbacks
from sklearn_gfs._plain import check_one_kind, check_plain
from sklearn_gfs._version import VersionedState

from ._fold import FoldSettings
from ._grid import check_n_jobs, make_grid, settle_task
from ._outcome import SearchOutcome
from ._rule import check_rule, is_number
from ._run import run_folds


def _estimator_has_set_output(search: Any) -> bool:
    return hasattr(search.estimator, "set_output")


class PretrainThresholdSearch(VersionedState, SearchOutcome):
    """
    Find the least pre-training whose subnetwork is as good as a target.

    Every fold trains once, up to the largest number of pre-training iterations. On the way it scores the dense network
    at every ``n_pretrain`` and the subnetwork of every ``(n_pretrain, k)``. With an integer ``random_state`` the scores
    equal those of :class:`~sklearn.model_selection.GridSearchCV` on the same grid and folds. GridSearchCV fits every
    point by itself.

    Parameters
    ----------
    estimator : estimator
        A :class:`GreedyPrunedMLP`, :class:`GreedyPrunedMLPClassifier` or :class:`GreedyPrunedMLPRegressor`, or a
        :class:`~sklearn.pipeline.Pipeline` that ends in one. The other steps of the pipeline are fitted once per fold.
        :class:`GreedyPrunedMLP` decides once, from all of ``y``, whether ``y`` holds labels or continuous targets. Any
        other estimator is fitted once for each point; ``param`` names its integer parameter. An estimator of your own
        may have a ``fit_path(X, y, *, n_pretrain, k)`` as these have. For each of ``n_pretrain`` it yields a
        :class:`PathPoint` of the dense network, whose ``k`` is None, and then one for each ``k``.
    n_pretrain : "auto" or sequence of int, default="auto"
        Numbers of pre-training iterations (gradient updates) to compare. "auto" begins at 0 and then takes two values
        for each doubling, up to 256 or more. On the first fold the end is doubled until a doubling improves the dense
        network by less than 1 % of its whole improvement, at most up to 32 768.
    k : sequence of int, default=None
        Numbers of picks to compare. None means the estimator's own ``k``. It must be None where ``param`` names ``k``.
    target : {"dense", "best"} or float, default="dense"
        The score that is good enough, up to ``tol``. "dense" is the mean score of the dense network at the largest
        ``n_pretrain``. "best" is the best mean score of a subnetwork on the grid. An estimator that is fitted once for
        each point has no dense network. For it "dense" is its own score at the largest ``n_pretrain`` and ``k``.
    tol : float or str, default=0.01
        How far below the target still counts. A number is in units of the score. It suits scores like the accuracy. A
        percentage like "1%" is a share of the target's absolute value. It suits scores with units: with
        ``scoring="neg_mean_absolute_error"`` an error that is larger by 1 % still counts. "1se" is the standard error,
        over folds, of the score that sets the target. If the target is a number, "1se" is the standard error of each
        point's own score.
    score_on : {"test", "train"}, default="test"
        Whether the threshold compares scores on the held-out parts or on the training parts.
    param : str, default="n_pretrain"
        Name of the integer parameter that is searched, for estimators other than this package's:
        for instance "max_iter". The prefix of a pipeline's last step can be left out.
    scoring : str, callable, list, tuple or dict, default=None
        As in :class:`~sklearn.model_selection.GridSearchCV`. With several scores ``refit`` must name the score that
        decides.
    cv : int, cross-validation generator or iterable, default=None
        As in :class:`~sklearn.model_selection.GridSearchCV`.
    refit : bool or str, default=True
        Whether to fit the estimator on all the data at the end. With several scores, ``refit`` is the name of the score
        that decides, and the estimator is fitted.
    n_jobs : int, default=None
        Number of folds that run at the same time. None means 1, except in a :func:`joblib.parallel_config` context.
    error_score : "raise" or float, default=np.nan
        Score of a point if fitting or scoring it fails.
    return_train_score : bool, default=False
        Whether ``cv_results_`` has the scores on the training parts.
    checkpoint : str or path-like, default=None
        Folder for finished folds, each in a file. It is made if it does not exist. An interrupted search continues from
        this folder, and a finished search is read from it. Folds in which anything failed are run again. With an
        integer ``random_state`` in the estimator the results are those of an undisturbed search. A folder is refused if
        its data, its package versions, or parameters that its scores depend on differ from those of this search. Of the
        estimator's parameters all count but ``verbose``, ``n_jobs``, callbacks, and ``max_time`` where it is ignored.
        Functions and classes of your own count by their code, if no version of a package stands for them.
    verbose : int, default=0
        1 prints a line for each finished fold, and a line when loops are compiled for the first time. 2 also prints a
        line for each point. The process that evaluates the fold prints the last two.

    Attributes
    ----------
    threshold_ : int or None
        The smallest ``n_pretrain`` at which the subnetwork of some ``k`` reaches the target.
    thresholds_ : dict of int to (int or None)
        The same for each ``k``.
    sustained_ : bool
        Whether at this ``k`` all larger ``n_pretrain`` reach the target too. False without a threshold.
    sustained_by_k_ : dict of int to bool
        The same for each ``k``.
    threshold_params_ : dict or None
        The point of ``threshold_``, with the smallest ``k`` if several have it.
    threshold_index_ : int or None
        Its index in ``cv_results_``.
    target_score_ : float
        The target as a score.
    target_margin_ : float or ndarray of shape (n_budgets, n_sizes)
        How far below the target still counted.
    n_pretrain_values_ : ndarray of shape (n_budgets,)
        Numbers of pre-training iterations that were compared, ascending.
    k_values_ : ndarray of shape (n_sizes,)
        Numbers of picks that were compared, ascending. It holds None for an estimator without ``k``, and where
        ``param`` is ``k``.
    scores_ : ndarray of shape (n_budgets, n_sizes, n_splits_)
        The scores that the threshold compares, by n_pretrain and k ascending.
    dense_scores_ : ndarray of shape (n_budgets, n_splits_) or None
        The scores of the dense network. None for an estimator that is fitted once for each point.
    cv_results_ : dict of str to ndarray of shape (n_points,)
        The keys, the order of points and the numbers are those of :class:`~sklearn.model_selection.GridSearchCV`. More
        keys have the dense network at each point's ``n_pretrain``: ``split0_dense_test_score``,
        ``mean_dense_test_score`` and so on. Times are this search's, in seconds: ``mean_fit_time`` for pruning and
        re-training one point, ``mean_dense_fit_time`` for the pre-training since the ``n_pretrain`` before.
    best_params_ : dict
        The point with the best mean test score.
    best_score_ : float
        Its mean test score.
    best_index_ : int
        Its index in ``cv_results_``.
    best_estimator_ : estimator
        Fitted on all the data with ``threshold_params_``. If no point reached the target, fitted with ``best_params_``.
        The search has the methods of this estimator. Only with ``refit``. Where every fold trained once, its
        ``max_time`` is None.
    refit_time_ : float
        Seconds for fitting ``best_estimator_``.
    scorer_ : callable or dict
        The scorer or scorers.
    multimetric_ : bool
        Whether there are several scorers.
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
    ``best_params_`` is the best point of the grid, as in every search of scikit-learn. ``best_estimator_`` has the
    least pre-training that is good enough, which is the purpose of this search. The two agree when no point reaches the
    target.

    Where every fold trains once, ``max_time`` of this package's estimators is ignored in the folds, as by their
    ``fit_path``. It is ignored in the refit too, so that ``best_estimator_`` is trained as what reached the target was.
    Where ``param`` names another parameter than ``n_pretrain``, ``max_time`` holds for each fit.

    Folds run in parallel through joblib. Each worker gets all data and the indices of its fold. On one machine joblib
    maps the data into memory. To a Dask cluster joblib sends the data once.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_gfs import GreedyPrunedMLPClassifier, PretrainThresholdSearch
    >>> X, y = load_iris(return_X_y=True)
    >>> network = GreedyPrunedMLPClassifier(n_hidden=50, n_retrain=20, random_state=0)
    >>> search = PretrainThresholdSearch(network, n_pretrain=[0, 20, 80], k=[5, 10], cv=3)
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
        # After a fit these are the tags of the estimator whose task was settled, before it the estimator's own.
        own = get_tags(getattr(self, "_settled", self.estimator))
        tags.estimator_type = own.estimator_type
        tags.classifier_tags, tags.regressor_tags = deepcopy(own.classifier_tags), deepcopy(own.regressor_tags)
        tags.input_tags, tags.target_tags = deepcopy(own.input_tags), deepcopy(own.target_tags)
        tags.non_deterministic = own.non_deterministic
        return tags

    def _check_parameters(self) -> None:
        """Raise an error for a wrong parameter that belongs neither to the grid nor to the rule."""
        error_score = self.error_score
        if not (error_score == "raise" if isinstance(error_score, str) else is_number(error_score)):
            raise ValueError(f"error_score must be 'raise' or a number, got {error_score!r}.")
        if not isinstance(self.refit, bool | np.bool_ | str):
            raise ValueError(f"refit must be a bool or the name of a score, got {self.refit!r}.")
        if self.scoring is None or isinstance(self.scoring, str):
            self._check_refit_for_one_score()
        if not isinstance(self.return_train_score, bool | np.bool_):
            raise ValueError(f"return_train_score must be a bool, got {self.return_train_score!r}.")
        check_n_jobs(self.n_jobs)
        verbose: object = self.verbose
        if not isinstance(verbose, Integral):
            raise ValueError(f"verbose must be an integer, got {verbose!r}.")

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
            Labels or continuous targets to predict.
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
        TypeError
            If ``estimator`` or ``checkpoint`` has another type.
        OSError
            If ``checkpoint`` lies in a folder that does not exist, or can't be written to.

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
        with unchanged_by_failure(self):
            grid = make_grid(self.estimator, self.param, self.n_pretrain, self.k)
            check_rule(self.target, self.tol, self.score_on)
            self._check_parameters()
            scorer, metric = self._get_scorers()
            check_plain(X=X, y=y)
            check_one_kind(y=y)
            X, y = indexable(X, y)
            params = take_params(X, params=params)
            routed = self._get_routed_params_for_fit(params)
            estimator = settle_task(self.estimator, y)
            cv = check_cv(self.cv, y, classifier=is_classifier(estimator))
            splits = list(cv.split(X, y, **routed.splitter.split))
            self.n_splits_ = len(splits)
            if not splits:
                raise ValueError("cv must yield at least one fold, got none.")
            if self.tol == "1se" and self.n_splits_ < 2:
                raise ValueError("tol='1se' needs at least two folds to measure a standard error, got one.")
            settings = FoldSettings(
                scorer,
                # Only a call shows if a callable returns several scores.
                metric=self.refit if callable(self.scoring) and isinstance(self.refit, str) else metric,
                score_on=self.score_on,
                fit_params=routed.estimator.fit,
                score_params=routed.scorer.score,
                score_train=bool(self.return_train_score) or self.score_on == "train",
                error_score=self.error_score if isinstance(self.error_score, str) else float(self.error_score),
            )
            weight = params.get("sample_weight")
            told = {"X": X, "y": y, "metadata": None if weight is None else {"sample_weight": weight}}
            tasks = self._init_callback_context(max_subtasks=1 + bool(self.refit))
            tasks.call_on_fit_task_begin(estimator=self, **told)
            grid, folds = run_folds(self, estimator, (X, y, splits), grid, settings, tasks)
            self._store_results(folds, grid, scorer, metric)
            if self.refit:
                self._refit(estimator, told, routed.estimator.fit, grid, tasks)
            self._settled = estimator
            tasks.call_on_fit_task_end(estimator=self, **told)
        return self
