"""Every private or version-dependent scikit-learn name that the package uses, once; nothing else."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from sklearn.metrics._scorer import _MultimetricScorer as MultimetricScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _insert_error_scores as insert_error_scores
from sklearn.model_selection._validation import _score as score_estimator
from sklearn.model_selection._validation import _warn_or_raise_about_fit_failures as report_fit_failures
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints
from sklearn.utils.metaestimators import _safe_split as split_rows
from sklearn.utils.validation import _check_method_params as take_params
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

try:
    from sklearn.callback import with_callbacks
except ImportError:  # scikit-learn < 1.9

    def with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


class NoCallbacks:
    """The context of an estimator that can't have callbacks: every hook does nothing."""

    def subcontext(self, *_: Any, **__: Any) -> NoCallbacks:
        return self

    def call_on_fit_task_begin(self, **_: Any) -> NoCallbacks:
        return self

    def call_on_fit_task_end(self, **_: Any) -> bool:
        return False

    def propagate_callback_context(self, _: Any) -> Any:
        return nullcontext()


def callback_context(estimator: Any, **settings: Any) -> Any:
    """Start the tasks of one ``fit``; without effect where scikit-learn has no callbacks."""
    start = getattr(estimator, "_init_callback_context", None)
    return NoCallbacks() if start is None else start(**settings)


__all__ = [
    "BaseSearchCV",
    "Interval",
    "MultimetricScorer",
    "NoCallbacks",
    "StrOptions",
    "callback_context",
    "check_sample_weight",
    "insert_error_scores",
    "report_fit_failures",
    "score_estimator",
    "split_rows",
    "take_params",
    "validate_parameter_constraints",
    "with_callbacks",
]
