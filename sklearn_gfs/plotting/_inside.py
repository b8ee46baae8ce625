"""Which estimator a display draws, where it is given a pipeline or a search; nothing is drawn here."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline


def innermost(estimator: Any) -> Any:
    """Return what a search has fitted, and the last step of a pipeline."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            estimator = estimator[-1]
        else:
            return estimator
