"""
What a search asks of an estimator beside ``fit_path``, and what holds for an estimator that does not answer.

An estimator answers by a hook: an attribute that has the name of one of these functions after ``_hook_``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def parameters_of_path(estimator: Any) -> dict[str, Any]:
    """
    Return the parameters with which ``fit`` trains as ``fit_path`` does; none without a hook.

    The hook is a dictionary.
    """
    found: dict[str, Any] = getattr(estimator, "_hook_parameters_of_path", {})
    return found


def settled_on(estimator: Any, y: Any) -> Any:
    """
    Return a clone whose fits on parts of y follow a decision made from all of y; without a hook the estimator itself.

    The hook is a method of y. It decides what a part of y alone could decide otherwise, such as the task.
    """
    hook = getattr(estimator, "_hook_settled_on", None)
    return estimator if hook is None or y is None else hook(y)


def prediction_on(estimator: Any, X: Any) -> Callable[[Any], Any]:
    """
    Return a function that predicts X by estimators of the same type, fitted to the same samples as this one.

    The hook is a method of X, and may validate X once for all of them. It returns None if a subclass may predict in
    another way. Then, and without a hook, the function calls ``predict``.
    """
    hook = getattr(estimator, "_hook_prediction_on", None)
    prediction: Callable[[Any], Any] | None = None if hook is None else hook(X)
    return (lambda fitted: fitted.predict(X)) if prediction is None else prediction
