"""
What the two ensembles share: parameters and the fit.

Models are fitted in ``_fitting`` and selected in ``_searching``. Fitted attributes and predictions are in ``_fitted``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, is_classifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from sklearn_gfs._compat import (
    CallbackSupportMixin,
    HeterogeneousEnsemble,
    Interval,
    StrOptions,
    count_samples,
    refuse_params,
    routing_enabled,
    take_rows,
    unchanged_by_failure,
    validate_parameter_constraints,
    with_callbacks,
)
from sklearn_gfs._plain import check_one_kind, check_plain
from sklearn_gfs._requirements import numba_for
from sklearn_gfs._typing import Float64Array
from sklearn_gfs._version import VersionedState
from sklearn_gfs._weights import as_counts, check_weight

from ._calibration import Calibration, fit_calibration
from ._criteria import check_scoring, evaluation
from ._fitted import FittedEnsembleMixin
from ._fitting import Jobs, Model, answers, fit_all, out_of_fold
from ._from_search import candidates_of
from ._outputs import Reading, check_finite, check_n_targets, check_range, fit_reading
from ._searching import Library, Selection, Wanted, select


class Targets(NamedTuple):
    """
    The targets in two forms, for the models and for the selection.

    Parameters
    ----------
    y : array-like
        Targets on which the models are fitted.
    codes : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Targets of the selection: indices of classes, or continuous targets.
    classes : ndarray of shape (n_classes,) or None
        The labels in order.
    """

    y: Any
    codes: NDArray[Any]
    classes: NDArray[Any] | None


class BaseGreedyEnsemble(VersionedState, CallbackSupportMixin, FittedEnsembleMixin, HeterogeneousEnsemble):
    """Base of the ensembles; a subclass says what its targets are."""

    _constraints: ClassVar[dict[str, list[Any]]] = {
        "estimators": [list],
        "k": [Interval(Integral, 1, None, closed="left")],
        "scoring": [str, callable, None],
        "cv": ["cv_object", StrOptions({"prefit"})],
        "n_bags": [Interval(Integral, 1, None, closed="left")],
        "bag_fraction": [Interval(Real, 0, 1, closed="right")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "replace": ["boolean"],
        "corrective": ["boolean"],
        "calibrate": ["boolean"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _encode(self, y: Any, weight: Float64Array | None, models: list[Any]) -> Targets:
        """Validate y, with these weights, and return the targets; `models` are fitted models, or empty."""

    @abstractmethod
    def _method(self, name: str, estimator: Any) -> str:
        """Return the name of the method that gives a model's outputs."""

    @classmethod
    def from_search(cls, search: Any, *, n_candidates: int | None = None, **parameters: Any) -> Self:
        """
        Return an ensemble, not fitted yet, whose library is the candidates of a fitted search.

        A search keeps only the best of its candidates. An ensemble of some candidates is often better.

        Parameters
        ----------
        search : estimator
            A fitted `GridSearchCV`, `RandomizedSearchCV`, `HalvingGridSearchCV` or `HalvingRandomSearchCV`, or any
            search with their ``cv_results_``.
        n_candidates : int, default=None
            Number of candidates, the best ones by their rank. None means all candidates whose fits did not fail.
        **parameters : dict
            Parameters of the ensemble. ``cv`` is the search's own unless it is given.

        Returns
        -------
        object
            The ensemble. A search keeps no predictions. `fit` therefore fits the candidates again on the folds, and
            then the chosen ones on everything.

        Raises
        ------
        ValueError
            If all candidates failed, or if the search has several scores and does not say which decides. Also if the
            candidates are regressors and the ensemble is one of classifiers, or the other way round.
        TypeError
            If `search` is no search.
        NotFittedError
            When the search is not fitted.

        See Also
        --------
        fit : Choose some of the candidates.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.model_selection import GridSearchCV
        >>> from sklearn.neighbors import KNeighborsRegressor
        >>> from sklearn_gfs import GreedyEnsembleRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> search = GridSearchCV(KNeighborsRegressor(), {"n_neighbors": [5, 10, 40], "p": [1, 2]}).fit(X, y)
        >>> ensemble = GreedyEnsembleRegressor.from_search(search).fit(X, y)
        >>> list(ensemble.named_estimators_)
        ['candidate0', 'candidate3', 'candidate4', 'candidate5']
        """
        candidates = candidates_of(search, n_candidates, classifies=issubclass(cls, ClassifierMixin))
        return cls(candidates, **{"cv": search.cv, **parameters})

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None, **fit_params: Any) -> Self:
        """
        Let every model predict samples that it has not seen, choose some models, and fit these on all samples.

        With ``cv="prefit"`` no model is fitted. The models predict X, which should have none of the data that they were
        fitted on.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, of any kind that the models take.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, for the models and for the selection. All models, and `scoring`, must take weights.
            With metadata routing the models that have asked for the weights get them. For the selection a common factor
            makes no difference. Whole weights from 1 on are the same as repeating the samples.
        **fit_params : dict
            ``groups`` for the splitter. With metadata routing all that the models and the splitter have asked for.

        Returns
        -------
        object
            The fitted ensemble.

        Raises
        ------
        ValueError
            If a parameter or the data are not as required.

        See Also
        --------
        transform : The outputs of the chosen models, side by side.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklearn.tree import DecisionTreeRegressor
        >>> from sklearn_gfs import GreedyEnsembleRegressor
        >>> models = [("line", LinearRegression()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]
        >>> GreedyEnsembleRegressor(models, k=10).fit(*load_diabetes(return_X_y=True)).weights_.tolist()
        [0.9, 0.1]
        """
        with unchanged_by_failure(self):
            parameters = {name: getattr(self, name) for name in self._constraints}
            validate_parameter_constraints(self._constraints, parameters, caller_name=type(self).__name__)
            self._check_corrective()
            numba_for("Greedy forward selection")  # a missing numba is an error before models are fitted, not after
            check_plain(X=X, y=y)
            check_one_kind(y=y)
            if y is None:
                raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
            if not routing_enabled():
                refuse_params({name: value for name, value in fit_params.items() if name != "groups"}, self, "fit")
            X, y = indexable(X, y)
            prefit = isinstance(self.cv, str)
            names, estimators = self._validate_estimators()
            used = {name: estimator for name, estimator in zip(names, estimators, strict=True) if estimator != "drop"}
            for name, estimator in used.items() if prefit else ():
                check_is_fitted(
                    estimator, msg=f"the estimator {name!r}, %(name)s, is not fitted, as it must be with cv='prefit'"
                )
            weight = check_weight(sample_weight, count_samples(X))
            if self.scoring is not None:
                check_scoring(self.scoring, weighted=weight is not None)
            targets = self._encode(y, weight, list(used.values()) if prefit else [])
            of_models, of_splitter = self._route(used, sample_weight, fit_params)
            models = [Model(name, used[name], self._method(name, used[name]), of_models[name]) for name in used]
            task = self._init_callback_context(max_subtasks=0 if prefit else 2)
            metadata = None if sample_weight is None else {"sample_weight": sample_weight}
            task.call_on_fit_task_begin(estimator=self, X=X, y=y, metadata=metadata)
            if prefit:
                outputs, tested = [answers(model, model.estimator, X, targets.classes) for model in models], None
            else:
                cv = check_cv(self.cv, targets.y, classifier=is_classifier(self))
                splits = list(cv.split(X, targets.y, **of_splitter))
                if not splits:
                    raise ValueError("cv must yield at least one split, got none")
                jobs = self._jobs(task, "predictions", len(models) * len(splits))
                outputs, tested = out_of_fold(models, X, targets.y, splits, targets.classes, jobs)
            readings, calibration, found = self._select(models, outputs, X, targets, weight, tested)
            chosen = [i for i in range(len(models)) if found.weights[i] != 0]
            fitted = [models[i].estimator for i in chosen]
            if not prefit:
                jobs = self._jobs(task, "chosen models", len(chosen))
                fitted = fit_all([models[i] for i in chosen], X, targets.y, jobs)
            positions = np.flatnonzero([estimator != "drop" for estimator in estimators])
            models, readings = [models[i] for i in chosen], [readings[i] for i in chosen]
            self._store(models, fitted, readings, calibration, found, positions)
            self.n_outputs_ = 1 if targets.codes.ndim == 1 else targets.codes.shape[1]
            if targets.classes is not None:
                self.classes_ = targets.classes
            task.call_on_fit_task_end(estimator=self, X=X, y=y, metadata=metadata)
        return self

    def _check_corrective(self) -> None:
        needed = {"loss": "squared_error", "scoring": None, "n_bags": 1, "n_init": 1, "replace": True}
        for name, value in needed.items() if self.corrective else ():
            if getattr(self, name) != value:
                raise ValueError(f"corrective=True needs {name}={value!r}, got {getattr(self, name)!r}")

    def _jobs(self, task: Any, name: str, n_tasks: int) -> Jobs:
        subtask = task.subcontext(name, max_subtasks=n_tasks, sequential_subtasks=False)
        return Jobs(self, subtask, self.n_jobs, int(self.verbose))

    def _route(
        self, used: Mapping[str, Any], sample_weight: Any, params: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the metadata of each model's fit, by the model's name, and the metadata of the splitter."""
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        if not routing_enabled():
            return dict.fromkeys(used, weight), dict(params)
        routed = process_routing(self, "fit", **params, **weight)
        return {name: routed[name].fit for name in used}, routed["cv"].split

    def _select(
        self,
        models: list[Model],
        outputs: list[Float64Array],
        X: Any,
        targets: Targets,
        weight: Float64Array | None,
        tested: NDArray[np.bool_] | None,
    ) -> tuple[list[Reading], Calibration | None, Selection]:
        """
        Select models by their predictions for the samples in `tested`, or for all samples if this is None.

        Returns the reading of each model, the calibration of their mean, and the selection.
        """
        y, codes, classes = targets
        if tested is not None and not tested.all():
            rows = np.flatnonzero(tested)
            X, y, codes = take_rows(X, rows), take_rows(y, rows), codes[rows]
            weight = None if weight is None else weight[rows]
        counts = None if weight is None else as_counts(weight)
        evaluate = None
        if self.scoring is not None:
            scorer = get_scorer(self.scoring)
            evaluate = evaluation(self.scoring, scorer, X, y, codes, classes, weight)
        given = {name: getattr(self, name) for name in Wanted._fields if name != "evaluate"}
        wanted = Wanted(evaluate=evaluate, **given)
        readings, n_classes = [], 0 if classes is None else len(classes)
        for i, model in enumerate(models):
            who = f"the estimator {model.name!r}"
            check_finite(who, outputs[i])
            if classes is None:
                check_n_targets(who, outputs[i], codes.shape[1])
            vote = classes is not None and model.method != "predict_proba"
            readings.append(fit_reading(outputs[i], codes, counts, n_classes, vote=vote, calibrate=self.calibrate))
            outputs[i] = readings[i](outputs[i], n_classes)
            if wanted.is_fast:
                check_range(who, outputs[i], shares=self.loss == "log_loss")
        found = select(Library(outputs, codes, counts), wanted, check_random_state(self.random_state))
        chosen = np.flatnonzero(found.weights)
        mean = self._combine([outputs[i] for i in chosen], found.weights[chosen])
        return readings, fit_calibration(mean, codes, counts) if self.calibrate else None, found

    def get_metadata_routing(self) -> MetadataRouter:
        """
        Return which metadata go where.

        The weights of the samples are for the selection and for the fits of the models, groups for the splitter.

        Returns
        -------
        MetadataRouter
            The routing.

        See Also
        --------
        fit : Where they are passed.

        Examples
        --------
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklearn_gfs import GreedyEnsembleRegressor
        >>> type(GreedyEnsembleRegressor([("line", LinearRegression())]).get_metadata_routing()).__name__
        'MetadataRouter'
        """
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        for name, estimator in self.estimators:
            router.add(**{name: estimator}, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        router.add(cv=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        return router

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
