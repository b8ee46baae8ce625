"""
The candidates of a fitted search as a library of models.

A candidate is the search's estimator with the candidate's parameters, not fitted.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.utils.validation import check_is_fitted

from sklearn_gfs._compat import Interval, validate_parameter_constraints


def candidates_of(search: Any, n_candidates: int | None, *, classifies: bool) -> list[tuple[str, Any]]:
    """
    Return the candidates by name, all or the best, in the order of the search.

    A candidate is named after its position in ``cv_results_``. A candidate whose score is NaN, because its fits failed,
    is left out. A halving search tries candidates several times; the last trial of each counts, with the resource of
    the last iteration.
    """
    constraints = {"n_candidates": [Interval(Integral, 1, None, closed="left"), None]}
    validate_parameter_constraints(constraints, {"n_candidates": n_candidates}, caller_name="from_search")
    if not hasattr(search, "refit"):
        raise TypeError(f"search must be a search such as GridSearchCV, got {type(search).__name__}")
    if (is_regressor if classifies else is_classifier)(search.estimator):
        needed, kind = "classifiers" if classifies else "regressors", type(search.estimator).__name__
        raise ValueError(f"search must be one of {needed}, as the members of this ensemble are; got one of {kind}")
    check_is_fitted(search, "cv_results_")
    results = search.cv_results_
    ranks = np.asarray(results["rank_test_" + _decisive_score(search)])
    scores = np.asarray(results["mean_test_" + _decisive_score(search)])
    params = list(results["params"])
    if "iter" in results:
        resource = {search.resource: search.n_resources_[-1]} if search.resource != "n_samples" else {}
        params = [some | resource for some in params]
    last = {repr(sorted(some.items(), key=lambda pair: pair[0])): i for i, some in enumerate(params)}
    usable = np.array([i for i in sorted(last.values()) if np.isfinite(scores[i])], dtype=np.int64)
    if not len(usable):
        raise ValueError("all candidates of the search failed")
    best = np.sort(usable[np.argsort(ranks[usable], kind="stable")[:n_candidates]])
    return [
        (f"candidate{i}", clone(search.estimator).set_params(**clone(params[i], safe=False))) for i in best.tolist()
    ]


def _decisive_score(search: Any) -> str:
    """Return the name of the score that candidates are ranked by."""
    if not search.multimetric_:
        return "score"
    if not isinstance(search.refit, str):
        raise ValueError(
            f"the search has several scores and refit={search.refit!r}; refit must name the one to rank by"
        )
    return str(search.refit)
