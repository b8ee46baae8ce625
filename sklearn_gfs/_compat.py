"""
Every private or version-dependent scikit-learn name that the package uses, once; nothing else.

Callbacks (scikit-learn 1.9): an estimator inherits `CallbackSupportMixin`, decorates `fit` with `with_callbacks`,
starts its tasks with `self._init_callback_context(max_subtasks=...)`, and begins and ends every one of them; the same
code runs, without effect, on earlier versions. A generator can't be decorated: its body runs inside
`with callback_management(estimator)`, on a clone to which `continue_callbacks(self, clone)` has been applied, and what
it yields are copies made with `copy_without_tasks`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble._base import _BaseHeterogeneousEnsemble as HeterogeneousEnsemble
from sklearn.metrics._scorer import _BaseScorer as BaseScorer
from sklearn.metrics._scorer import _MultimetricScorer as MultimetricScorer
from sklearn.metrics._scorer import _PassthroughScorer as PassthroughScorer
from sklearn.metrics._scorer import _Scorer as Scorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _insert_error_scores as insert_error_scores
from sklearn.model_selection._validation import _score as score_estimator
from sklearn.model_selection._validation import _warn_or_raise_about_fit_failures as report_fit_failures
from sklearn.utils import _safe_indexing as take_rows
from sklearn.utils._param_validation import Interval as _Interval
from sklearn.utils._param_validation import StrOptions, validate_parameter_constraints
from sklearn.utils.metadata_routing import _raise_for_params as refuse_params
from sklearn.utils.metadata_routing import _routing_enabled as routing_enabled
from sklearn.utils.metaestimators import _safe_split as split_rows
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target as _type_of_target
from sklearn.utils.validation import _check_method_params as take_params
from sklearn.utils.validation import _num_samples as count_samples

try:
    from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock
except ImportError:  # scikit-learn < 1.7
    from sklearn.utils._estimator_html_repr import _VisualBlock as VisualBlock


class Interval(_Interval):
    """Numbers between limits. Python counts True as the integer 1; as a parameter that is a mistake."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether a value is allowed."""
        return not isinstance(val, bool | np.bool_) and bool(super().is_satisfied_by(val))


def type_of_target(y: Any) -> str:
    """
    Return scikit-learn's name for the kind of target, without a warning about many classes.

    Before 1.9 every call warns, whatever y is taken for; from then on only the check of a classifier's targets does.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
        return str(_type_of_target(y))


class NoCallbacks:
    """A task without callbacks, whose hooks do nothing."""

    def subcontext(self, *_: Any, **__: Any) -> NoCallbacks:
        return self

    def call_on_fit_task_begin(self, **_: Any) -> NoCallbacks:
        return self

    def call_on_fit_task_end(self, **_: Any) -> bool:
        return False

    def propagate_callback_context(self, _: Any) -> Any:
        return nullcontext()


try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
    from sklearn.callback._callback_support import callback_management_context as callback_management

except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stand-in for the mixin of estimators with callbacks; `hasattr` shows that `set_callbacks` is missing."""

        def _init_callback_context(self, **_: Any) -> NoCallbacks:
            return NoCallbacks()

    def with_callbacks(method: Any) -> Any:
        """Return the method unchanged."""
        return method

    def callback_management(_: Any) -> Any:
        """Do nothing."""
        return nullcontext()


# Attributes that a running fit sets on its estimator; copies of the estimator must not have them.
_RUNNING = ("_callback_fit_ctx", "_parent_callback_ctx", "_skl_callbacks_to_teardown")


def has_callbacks(estimator: Any) -> bool:
    """Whether callbacks are set on the estimator."""
    return bool(getattr(estimator, "_skl_callbacks", ()))


def passes_callbacks(task: Any, estimator: Any) -> Any:
    """
    Return a context manager in which the estimator's fit reports as this task, a leaf of a meta-estimator's tasks.

    An estimator without callbacks is not changed; the meta-estimator's own tasks show the progress.
    """
    return task.propagate_callback_context(estimator) if hasattr(estimator, "set_callbacks") else nullcontext()


def continue_callbacks(original: Any, copied: Any) -> None:
    """Let a clone that is fitted in place of the original report as the same task."""
    if hasattr(original, "_parent_callback_ctx"):
        copied._parent_callback_ctx = original._parent_callback_ctx


def without_callbacks(estimator: Any) -> Any:
    """Return a clone without callbacks, also of its parts."""
    bare = clone(estimator)
    for part in (bare, *bare.get_params().values()):
        if hasattr(part, "set_callbacks") and not isinstance(part, type):
            part.set_callbacks()
    return bare


def copy_without_tasks(estimator: Any) -> Any:
    """Return a shallow copy without the attributes of a running fit."""
    copied = copy(estimator)
    for name in _RUNNING:
        copied.__dict__.pop(name, None)
    return copied


def decorated_alike(method: Any, function: Any) -> Any:
    """Return the function decorated as the method is: with `available_if`, with `with_callbacks`, or not at all."""
    if hasattr(method, "check"):
        return available_if(method.check)(function)
    return with_callbacks(function) if hasattr(method, "__wrapped__") else function


# Attributes of a fitted ensemble with an element for each member. A warm start of bags drops earlier members' seeds.
_OF_MEMBERS = ("estimators_", "estimators_features_", "_seeds")


def with_members(ensemble: Any, members: Any) -> Any:
    """Return a copy of a fitted forest or bagging ensemble that has only these of its members."""
    copied = copy(ensemble)
    for name in _OF_MEMBERS:
        values = copied.__dict__.pop(name, ())
        if len(values) == len(ensemble.estimators_):
            setattr(copied, name, [values[i] for i in members])
    copied.n_estimators = len(members)
    return copied


def n_fitted_samples(ensemble: Any) -> int:
    """Return the number of samples that a fitted forest or bagging ensemble drew from."""
    return int(ensemble._n_samples)


def scorers_by_name(scorer: Any) -> dict[str, Any] | None:
    """Return the scorers of a scorer of several scores; None for a scorer of one."""
    return scorer._scorers if isinstance(scorer, MultimetricScorer) else None


def scores_predictions(scorer: Scorer, function: Any) -> bool:
    """Whether a scorer is this function of the labels and the predictions, and nothing else."""
    of_predictions = scorer._score_func is function and scorer._response_method == "predict"
    return bool(of_predictions and not scorer._kwargs and scorer._sign == 1)


def called_by(scorer: Any) -> Any:
    """Return the function that scores: of a scorer of scikit-learn its metric, else what was given."""
    return scorer._score_func if isinstance(scorer, BaseScorer) else scorer


def encoded_labels(mlp: Any, y: Any) -> Any:
    """Return labels as a fitted MLPClassifier trains on them, with a column for each output."""
    return mlp._label_binarizer.transform(y)


def set_classes(mlp: Any, classes: Any, binarizer: Any) -> None:
    """Set the classes of an MLPClassifier, and what encodes its labels."""
    mlp.classes_, mlp._label_binarizer = classes, binarizer


# Attributes of scikit-learn's MLPs about their training, without weights and the output activation.
TRAINING_STATE = {
    "_best_coefs",
    "_best_intercepts",
    "_coef_indptr",
    "_intercept_indptr",
    "_no_improvement_count",
    "_optimizer",
    "_random_state",
    "best_loss_",
    "best_validation_score_",
    "loss_",
    "loss_curve_",
    "n_iter_",
    "t_",
    "validation_scores_",
}


def begin_training(mlp: Any) -> None:
    """Set the attributes of an MLP of scikit-learn so that training starts from its weights."""
    mlp.n_iter_, mlp.t_ = 0, 0
    mlp._best_coefs = [coef.copy() for coef in mlp.coefs_]
    mlp._best_intercepts = [intercept.copy() for intercept in mlp.intercepts_]
    if mlp.solver == "lbfgs":
        return
    mlp.loss_curve_, mlp._no_improvement_count = [], 0
    mlp.validation_scores_ = [] if mlp.early_stopping else None
    mlp.best_validation_score_ = -np.inf if mlp.early_stopping else None
    mlp.best_loss_ = None if mlp.early_stopping else np.inf


@contextmanager
def unchanged_by_failure(estimator: Any) -> Iterator[None]:
    """Return a context that restores the estimator's attributes after an exception."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        running = {name: value for name, value in vars(estimator).items() if name in _RUNNING}
        vars(estimator).clear()
        vars(estimator).update(before | running)
        raise


__all__ = [
    "TRAINING_STATE",
    "BaseSearchCV",
    "CallbackSupportMixin",
    "HeterogeneousEnsemble",
    "Interval",
    "MultimetricScorer",
    "NoCallbacks",
    "PassthroughScorer",
    "Scorer",
    "StrOptions",
    "VisualBlock",
    "begin_training",
    "callback_management",
    "called_by",
    "continue_callbacks",
    "copy_without_tasks",
    "count_samples",
    "decorated_alike",
    "encoded_labels",
    "has_callbacks",
    "insert_error_scores",
    "n_fitted_samples",
    "passes_callbacks",
    "refuse_params",
    "report_fit_failures",
    "routing_enabled",
    "score_estimator",
    "scorers_by_name",
    "scores_predictions",
    "set_classes",
    "split_rows",
    "take_params",
    "take_rows",
    "type_of_target",
    "unchanged_by_failure",
    "validate_parameter_constraints",
    "with_callbacks",
    "with_members",
    "without_callbacks",
]
