"""
The fitted attributes of a threshold search, from the records of its folds.

Folds are run in ``_run``; pure functions of scores are in ``_results`` and ``_rule``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from sklearn_gfs._compat import (
    BaseSearchCV,
    CallbackSupportMixin,
    insert_error_scores,
    passes_callbacks,
    report_fit_failures,
    scorers_by_name,
)
from sklearn_gfs._typing import Float64Array
from sklearn_gfs._warn import warn_caller

from ._grid import Grid, as_on_path
from ._results import dense_columns, score_table
from ._rule import find_threshold, fold_mean, target_score


class SearchOutcome(BaseSearchCV, CallbackSupportMixin):
    """Sets the attributes of a threshold search; a subclass has the parameters."""

    def _check_refit_for_multimetric(self, scores: Any) -> None:
        """Replace the base class's check: the rule needs the name of one score, even if nothing is refitted."""
        if not isinstance(self.refit, str) or self.refit not in scores:
            raise ValueError(
                f"With several scores refit must name the one that decides on the threshold, one of {list(scores)}; "
                f"got {self.refit!r}."
            )

    def _check_refit_for_one_score(self) -> None:
        """Raise an error if `refit` names another score than the only one; the name would otherwise mean True."""
        names = ["score", self.scoring] if isinstance(self.scoring, str) else ["score"]
        if isinstance(self.refit, str) and self.refit not in names:
            allowed = " or ".join(map(repr, names))
            raise ValueError(f"refit must be a bool, or {allowed}, with one score; got {self.refit!r}.")

    def _store_results(self, folds: list[list[dict[str, Any]]], grid: Grid, scorer: Any, metric: str) -> None:
        """Set all attributes that come from the scores."""
        report_fit_failures([record for fold in folds for record in fold if not record["dense"]], self.error_score)
        if callable(self.scoring):
            insert_error_scores([record for fold in folds for record in fold], self.error_score)
        first_score = folds[0][0]["test_scores"]
        self.multimetric_ = isinstance(first_score, dict)
        if self.multimetric_:
            self._check_refit_for_multimetric(first_score)
            metric = self.refit
        else:
            self._check_refit_for_one_score()
        self.scorer_ = scorers_by_name(scorer) or scorer

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
        # "test" columns as in GridSearchCV, and "train" columns if the training parts were scored.
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
        """Set the attributes of the threshold by the rule."""
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
            warn_caller(self._why_none(means, grid), UserWarning)
            return
        self.threshold_ = grid.budgets[found.row]
        self.sustained_ = bool(found.sustained[found.column])
        size = None if grid.sizes is None else grid.sizes[found.column]
        self.threshold_index_ = keys.index((self.threshold_, size))
        self.threshold_params_ = candidates[self.threshold_index_]

    def _why_none(self, means: Float64Array, grid: Grid) -> str:
        """Return a sentence with the reason why no point meets the rule."""
        part, none = f"on the {self.score_on} parts", "has failed, or is not finite, in some fold. threshold_ is None."
        if np.isnan(means).all():
            return f"No point reached the target: {part} the score of each point {none}"
        if np.isnan(self.target_score_):
            assert grid.budgets is not None
            reference = "the dense network" if grid.one_run else "the largest subnetwork"
            return (
                f"No point reached the target, which has no score: that of {reference} after {grid.budget_name}="
                f"{grid.budgets[-1]} {part} {none} Leave that number out, or use target='best'."
            )
        return (
            f"No point reached the target: the best mean score {part} is {np.nanmax(means):.6g}, the target "
            f"{self.target_score_:.6g} with tol={self.tol!r}. threshold_ is None. Try larger values of k or "
            "n_pretrain, a larger tol, or target='best'."
        )

    def _refit(
        self, estimator: Any, data: Mapping[str, Any], fit_params: Mapping[str, Any], grid: Grid, tasks: Any
    ) -> None:
        """Fit the estimator on all data; `data` are X, y and, for callbacks, metadata."""
        params = self.best_params_ if self.threshold_params_ is None else self.threshold_params_
        # The point that reached the target was trained without a time limit, so the model is, too.
        estimator = as_on_path(clone(estimator).set_params(**params), grid)
        task = tasks.subcontext("refit")
        with passes_callbacks(task, estimator):
            task.call_on_fit_task_begin(estimator=self, **data)
            start = time.perf_counter()
            estimator.fit(data["X"], data["y"], **fit_params)
            self.best_estimator_ = estimator
            self.refit_time_ = time.perf_counter() - start
        task.call_on_fit_task_end(estimator=self, **data)
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
