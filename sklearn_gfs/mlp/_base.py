"""
What the three estimators share: `fit`, `fit_path`, and what `partial_fit` does.

Parameters and their checks are in ``_parameters``, what a fit leaves and predictions in ``_fitted``, encoding of
targets in ``_targets``, training in ``_path``.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags

from sklearn_gfs._compat import (
    CallbackSupportMixin,
    callback_management,
    continue_callbacks,
    copy_without_tasks,
    unchanged_by_failure,
    with_callbacks,
)
from sklearn_gfs._compiling import compilation_printed
from sklearn_gfs._typing import FloatArray, PathPoint
from sklearn_gfs._version import VersionedState
from sklearn_gfs._warn import warn_caller
from sklearn_gfs.network import Report, Tasks, Watch

from ._class_weight import ClassFactors
from ._fitted import FittedMLPMixin
from ._given import DenseState, PathData, PathSettings
from ._parameters import MLPParameters
from ._path import TrainingPath
from ._tails import grows_with_tails
from ._targets import Encoded, encode_validation, validate_weights


class BaseGreedyPrunedMLP(VersionedState, CallbackSupportMixin, FittedMLPMixin, MLPParameters):
    """Base of the estimators; a subclass says what its targets are."""

    def _encode_targets(
        self, X: Any, y: Any, *, classes: Any = None, partial: bool = False, again: bool = False
    ) -> Encoded:
        """
        Validate X and y, and encode y.

        `partial` says that y may lack some of the `classes`, `again` that X and y must be of the kind seen before.
        """
        raise NotImplementedError

    def _class_factors(
        self,
        targets: FloatArray,  # noqa: ARG002
        weight: FloatArray | None,  # noqa: ARG002
        *,
        partial: bool,  # noqa: ARG002
    ) -> ClassFactors | None:
        """Return the factors of classes in weights; `partial` says that the samples may lack some of the classes."""
        return None

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """
        Pre-train the dense network, prune it, and re-train the subnetwork.

        Features and continuous targets are standardised inside; the fitted weights are in the units of the data. An
        earlier fit is forgotten, unless `warm_start=True`. With `warm_start=True` the dense network of the earlier fit
        is trained further, until it has had `n_pretrain` iterations, and is pruned anew. Features and outputs must then
        be those of the earlier fit. A classifier's `y` must hold the same classes, all of them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training inputs, in any units. Predictions have their precision, float32 or float64. In mini-batches
            networks are trained in float32; for the squared error neurons are chosen by their activations in float32.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative. A common factor makes no difference. In full batch whole weights, of
            which the least is 1 and none is more than 1000, are the same as repeating the samples.
        X_val : {array-like, sparse matrix} of shape (n_val_samples, n_features), default=None
            Validation inputs. They decide for how many iterations the subnetwork is re-trained. No training sample is
            held out then.
        y_val : array-like of shape (n_val_samples,) or (n_val_samples, n_outputs), default=None
            Validation targets.
        sample_weight_val : array-like of shape (n_val_samples,), default=None
            Weights of the validation samples.

        Returns
        -------
        object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not as required, or if the training loss stops being finite.
        KeyboardInterrupt
            When training is interrupted (Ctrl-C). The estimator is fitted then: what was trained so far is pruned
            first, and what re-training has learnt is kept. A second interrupt does not wait for that: it leaves the
            estimator as it was, and so does one that comes before training has begun.

        Warns
        -----
        ConvergenceWarning
            If `max_time` was over, or if training ended at a higher loss than it began with.

        See Also
        --------
        fit_path : Many subnetworks from one training run.

        Examples
        --------
        >>> from sklearn_gfs import GreedyPrunedMLP
        >>> model = GreedyPrunedMLP(n_pretrain=20, k=5, n_hidden=50, random_state=0)
        >>> model.fit([[0.0], [1.0], [2.0], [3.0]], [0.5, 1.5, 2.5, 3.5]).n_pretrain_
        20
        """
        self._check_parameters()
        with unchanged_by_failure(self):
            tasks = self._start_tasks(X, y, sample_weight, validated=X_val is not None)
            state = self._dense_state_to_go_on_with() if self.warm_start else None
            if state is not None:
                n_done = len(state.training.losses)
                if not isinstance(self.n_pretrain, str) and self.n_pretrain < n_done:
                    raise ValueError(
                        f"n_pretrain={self.n_pretrain} is less than the {n_done} iterations that the dense network has "
                        "had. With warm_start=True this number can only grow. Raise n_pretrain, or set "
                        "warm_start=False."
                    )
            validation = (X_val, y_val, sample_weight_val)
            watch = self._train_and_prune(
                self._encode(X, y, sample_weight, validation, state, again=state is not None),
                state,
                tasks,
                keep=bool(self.warm_start),
            )
        watch.tell(self.n_pretrain_, self.n_retrain_)
        return self

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, **classes: Any) -> Self:
        self._check_parameters()
        again = hasattr(self, "coefs_")
        with unchanged_by_failure(self):
            tasks = self._start_tasks(X, y, sample_weight)
            state, n_done = self._dense_state_to_go_on_with(), 0
            if state is not None:
                n_done = len(state.training.losses)
                # The samples are new ones, and so are the batches.
                state = state._replace(training=state.training._replace(stream=None))
            elif again:
                warn_caller(
                    "partial_fit begins with a new dense network, because fit has not kept its own. To continue with "
                    "the dense network of fit, set warm_start=True before fit.",
                    UserWarning,
                )
            data = self._encode(X, y, sample_weight, (None, None, None), state, again=again, partial=True, **classes)
            watch = self._train_and_prune(data, state, tasks, keep=True, since=n_done, more=True)
        watch.tell(self.n_pretrain_, self.n_retrain_)
        return self

    def _train_and_prune(
        self,
        data: PathData,
        state: DenseState | None,
        tasks: Tasks,
        *,
        keep: bool,
        since: int = 0,
        more: bool = False,
    ) -> Watch:
        """
        Pre-train, prune and re-train on validated data, and set the fitted attributes; return the watch of the fit.

        `keep` says whether the dense network is kept for further training. `since` is the number of iterations of
        earlier calls, which `n_pretrain` does not count. `more` says whether the data are added to those seen before.
        """
        parameters = self._plain_parameters()
        n_pretrain, k = parameters["n_pretrain"], parameters["k"]
        watch = Watch(parameters["max_time"])
        settings = self._settings()
        if state is None and not keep:
            data = data.of_stored_features(settings.n_hidden)
        path = TrainingPath(
            data, settings, self.random_state, tasks=tasks, watch=watch, state=state, more=more, keep=keep
        )
        del data  # the path has copies of its own, in the precision that it needs
        with compilation_printed(bool(self.verbose)):
            if isinstance(n_pretrain, str):
                path.pretrain_until_settled(k, since)
            else:
                path.pretrain_to(since + n_pretrain)
            dense_loss, (subnetwork,) = path.subnetworks([k])
        self._store_subnetwork(subnetwork, dense_loss, path.losses)
        self._keep_dense_state(path.state() if keep else None)
        tasks.end({})
        tasks.report.close(self.n_units_)
        watch.complaints += path.complaints
        return watch

    def fit_path(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        n_pretrain: Iterable[int],
        k: Sequence[int] | None = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Iterator[PathPoint]:
        """
        Fit the subnetwork of every (n_pretrain, k) in one training run.

        Each subnetwork equals, number for number, the result of a separate `fit` with the same parameters and an
        integer `random_state`. With `corrective` and several `k` the two are equal up to rounding, which re-training
        may enlarge. The subnetworks share only the iterations of the dense network. The bounds `duality_gaps_` may be
        tighter here, because picks after the k-th can tighten them. `max_time` and `verbose` have no effect here.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples, not negative.
        n_pretrain : iterable of int
            Numbers of pre-training iterations, increasing. They are read one at a time, so the iterable may be endless.
            The path ends when its consumer stops.
        k : sequence of int, default=None
            Numbers of picks. None means the parameter `k`.
        X_val : {array-like, sparse matrix} of shape (n_val_samples, n_features), default=None
            Validation inputs. They decide for how many iterations the subnetwork is re-trained. No training sample is
            held out then.
        y_val : array-like of shape (n_val_samples,) or (n_val_samples, n_outputs), default=None
            Validation targets.
        sample_weight_val : array-like of shape (n_val_samples,), default=None
            Weights of the validation samples.

        Returns
        -------
        iterator of PathPoint
            For each number of iterations, first the dense network (its `k` is None), then the subnetworks in increasing
            order of picks. Each holds a fitted estimator of its own.

        Raises
        ------
        ValueError
            As `fit`. Also when `n_pretrain` does not increase, or when it or `k` is empty.
        TypeError
            When `n_pretrain` or `k` is one number, or holds a value that is not an integer.

        See Also
        --------
        fit : One subnetwork.
        sklearn_gfs.PretrainThresholdSearch : Scores a path by cross-validation.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_gfs import GreedyPrunedMLP
        >>> X, y = load_iris(return_X_y=True)
        >>> model = GreedyPrunedMLP(n_hidden=50, random_state=0)
        >>> [(point.n_pretrain, point.k) for point in model.fit_path(X, y, n_pretrain=[0, 10], k=[2, 5])]
        [(0, None), (0, 2), (0, 5), (10, None), (10, 2), (10, 5)]
        """
        given: dict[str, Any] = {"n_pretrain": n_pretrain, "k": () if k is None else k}
        for name, value in given.items():
            if isinstance(value, str) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
                raise TypeError(f"{name} of fit_path must be a sequence of integers, got {value!r}.")
        head = clone(self)
        sizes = [self._plain_parameters()["k"]] if k is None else sorted({_integer("k", size) for size in k})
        for size in sizes:
            head.set_params(k=size)._check_parameters()
        if not sizes:
            raise ValueError("k is empty; name at least one number of picks, or pass None for the parameter k.")
        data = head._encode(X, y, sample_weight, (X_val, y_val, sample_weight_val))
        continue_callbacks(self, head)
        points: Iterator[PathPoint] = head._walk(data, head._settings(), n_pretrain, sizes, (X, y, sample_weight))
        return points

    def _walk(
        self,
        data: PathData,
        settings: PathSettings,
        n_pretrain: Iterable[int],
        sizes: list[int],
        given: tuple[Any, Any, Any],
    ) -> Iterator[PathPoint]:
        with callback_management(self):
            tasks = self._start_tasks(*given, name="fit_path")
            last: Self  # always set below: a path without iterations is refused
            try:
                data = data if self.warm_start else data.of_stored_features(settings.n_hidden)
                path = TrainingPath(data, settings, self.random_state, tasks=tasks, many=True)
                for n_iterations in _increasing(n_pretrain):
                    path.pretrain_to(n_iterations)
                    last = self._point(n_iterations, self.k)
                    last._store_network(path.dense(), path.losses)
                    yield PathPoint(n_iterations, None, last)
                    dense_loss, subnetworks = path.subnetworks(sizes)
                    while path.complaints:
                        warn_caller(path.complaints.pop(0), ConvergenceWarning)
                    for size, subnetwork in zip(sizes, subnetworks, strict=True):
                        last = self._point(n_iterations, size)
                        last._store_subnetwork(subnetwork, dense_loss, path.losses)
                        yield PathPoint(n_iterations, size, last)
            except GeneratorExit:
                pass  # the consumer has seen enough: the path ends here as it would at its last point
            tasks.end(dict(vars(last)))

    def _point(self, n_pretrain: int, k: int) -> Self:
        """Return a copy for one point of the path, to be fitted."""
        point: Self = copy_without_tasks(self)
        # Both are valid: no need for set_params, which reads all parameters first.
        point.n_pretrain, point.k = n_pretrain, k
        return point

    def _start_tasks(self, X: Any, y: Any, sample_weight: Any, name: str = "fit", *, validated: bool = False) -> Tasks:
        # The phases of a fit: pre-training, selection, trial, re-training. The number of phases of a path is not known
        # before. Without held-out samples there is no trial.
        on_trial = self.early_stopping and (self.n_retrain != 0 or bool(self.corrective)) and not validated
        n_phases = 3 + on_trial if name == "fit" else None
        context = self._init_callback_context(task_name=name, max_subtasks=n_phases)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        report = Report(printed=bool(self.verbose) and name == "fit")
        return Tasks(context, self._network_attributes, report, estimator=self, X=X, y=y, metadata=metadata)

    def _encode(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any],
        state: DenseState | None = None,
        partial: bool = False,
        **how: Any,
    ) -> PathData:
        X, targets, holds_numbers = self._encode_targets(X, y, partial=partial, **how)
        if state is not None:
            X = X.astype(self.coefs_[0].dtype, copy=False)
        counted = validate_weights(sample_weight, X)
        factors = self._class_factors(targets, counted, partial=partial)
        weight = counted if factors is None else factors.weigh(targets, counted)
        if state is None:  # else the network has its activation
            self._has_tails = holds_numbers and not sparse.issparse(X) and grows_with_tails(X, targets, weight)
        encoded = encode_validation(self, *validation, dtype=X.dtype, n_outputs=targets.shape[1], factors=factors)
        return PathData(X, targets, weight, holds_numbers, counted, encoded)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        return tags


def _increasing(n_pretrain: Iterable[int]) -> Iterator[int]:
    """Yield the numbers of iterations one by one; raise an error if they do not increase."""
    last = -1
    for value in n_pretrain:
        n_iterations = _integer("n_pretrain", value)
        if n_iterations <= last:
            raise ValueError(
                f"n_pretrain must hold non-negative integers that increase; got {n_iterations} after {last}."
                if last >= 0
                else f"n_pretrain must hold non-negative integers; got {n_iterations}."
            )
        last = n_iterations
        yield n_iterations
    if last < 0:
        raise ValueError("n_pretrain is empty; name at least one number of iterations.")


def _integer(name: str, value: Any) -> int:
    """Return an element of a sequence as an integer; raise an error with this name if the element is not one."""
    try:
        if isinstance(value, bool | np.bool_):  # Python counts them as integers
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} of fit_path must hold integers, got {value!r}.") from None
