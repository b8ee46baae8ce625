"""The candidates of searches as libraries."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, KFold, RandomizedSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from sklearn_gfs import GreedyEnsembleClassifier, GreedyEnsembleRegressor

X, Y = load_diabetes(return_X_y=True)


def test_every_candidate_is_a_model():
    grid = {"n_neighbors": [3, 10, 30], "p": [1, 2]}
    search = GridSearchCV(KNeighborsRegressor(), grid, cv=KFold(3, shuffle=True, random_state=0)).fit(X, Y)
    ensemble = GreedyEnsembleRegressor.from_search(search, k=7)
    assert [name for name, _ in ensemble.estimators] == [f"candidate{i}" for i in range(6)]
    for i, (_, model) in enumerate(ensemble.estimators):
        assert {name: getattr(model, name) for name in grid} == search.cv_results_["params"][i]
    assert ensemble.cv is search.cv
    assert ensemble.k == 7
    ensemble.fit(X, Y)
    best = -search.cv_results_["mean_test_score"].max()
    assert ensemble.selection_losses_[-1] < 0.5 * Y.var() * (1 + best) * 1.02
    assert GreedyEnsembleRegressor.from_search(search, cv=4).cv == 4


def test_the_best_candidates_in_the_order_of_the_search():
    search = RandomizedSearchCV(Ridge(), {"alpha": [100.0, 0.01, 1.0, 10.0]}, n_iter=4, random_state=0).fit(X, Y)
    ensemble = GreedyEnsembleRegressor.from_search(search, n_candidates=2)
    best = np.sort(np.argsort(search.cv_results_["rank_test_score"])[:2])
    assert [name for name, _ in ensemble.estimators] == [f"candidate{i}" for i in best]


def test_candidates_whose_fits_failed_are_left_out():
    search = GridSearchCV(Ridge(), {"alpha": [-1.0, 1.0]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, Y)
    assert [name for name, _ in GreedyEnsembleRegressor.from_search(search).estimators] == ["candidate1"]
    search.cv_results_["mean_test_score"][:] = np.nan
    with pytest.raises(ValueError, match="all candidates of the search failed"):
        GreedyEnsembleRegressor.from_search(search)


def test_a_halving_search_s_last_trials_count():
    search = HalvingGridSearchCV(
        DecisionTreeRegressor(random_state=0), {"max_depth": [1, 2, 3, 4, 5, 6]}, factor=2, min_resources=100
    ).fit(X, Y)
    ensemble = GreedyEnsembleRegressor.from_search(search)
    assert sorted(model.max_depth for _, model in ensemble.estimators) == [1, 2, 3, 4, 5, 6]
    numbers = [int(name.removeprefix("candidate")) for name, _ in ensemble.estimators]
    last = [max(i for i, p in enumerate(search.cv_results_["params"]) if p == {"max_depth": d}) for d in range(1, 7)]
    assert sorted(numbers) == sorted(last)
    by_budget = HalvingGridSearchCV(
        LogisticRegression(),
        {"C": [0.1, 1.0, 10.0]},
        resource="max_iter",
        max_resources=800,
        min_resources=200,
        factor=2,
    )
    by_budget.fit(*load_iris(return_X_y=True))
    found = GreedyEnsembleClassifier.from_search(by_budget).estimators
    assert {model.max_iter for _, model in found} == {by_budget.n_resources_[-1]}
    assert len(found) == 3


def test_steps_that_a_search_replaces_are_copied():
    pipeline = make_pipeline(StandardScaler(), Ridge())
    scalers = [StandardScaler(), MinMaxScaler()]
    search = GridSearchCV(pipeline, {"standardscaler": scalers, "ridge__alpha": [1.0]}).fit(X, Y)
    ensemble = GreedyEnsembleRegressor.from_search(search)
    assert [type(model[0]) for _, model in ensemble.estimators] == [StandardScaler, MinMaxScaler]
    assert all(model[0] is not scaler for (_, model), scaler in zip(ensemble.estimators, scalers, strict=True))


def test_of_several_scores_the_one_of_refit_ranks():
    scores = ["r2", "neg_mean_absolute_error"]
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, scoring=scores, refit="neg_mean_absolute_error")
    ensemble = GreedyEnsembleRegressor.from_search(search.fit(X, Y), n_candidates=1)
    assert [name for name, _ in ensemble.estimators] == [f"candidate{search.best_index_}"]
    search.set_params(refit=False).fit(X, Y)
    with pytest.raises(ValueError, match="several scores and refit=False"):
        GreedyEnsembleRegressor.from_search(search)


def test_what_is_no_fitted_search_is_refused():
    with pytest.raises(NotFittedError):
        GreedyEnsembleRegressor.from_search(GridSearchCV(Ridge(), {}))
    search = GridSearchCV(Ridge(), {"alpha": [1.0]}).fit(X, Y)
    for wrong in (0, True):
        with pytest.raises(ValueError, match="'n_candidates' parameter"):
            GreedyEnsembleRegressor.from_search(search, n_candidates=wrong)


def test_a_search_of_the_other_kind_is_refused():
    of_numbers = GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [1.0]}).fit(X, Y)
    of_classes = GridSearchCV(LogisticRegression(C=0.01), {"max_iter": [1000]}).fit(*load_iris(return_X_y=True))
    with pytest.raises(ValueError, match=r"search must be one of classifiers, .* got one of Pipeline"):
        GreedyEnsembleClassifier.from_search(of_numbers)
    with pytest.raises(ValueError, match=r"search must be one of regressors, .* got one of LogisticRegression"):
        GreedyEnsembleRegressor.from_search(of_classes)


def test_what_is_no_search_is_an_error():
    with pytest.raises(TypeError, match="search must be a search such as GridSearchCV, got Ridge"):
        GreedyEnsembleRegressor.from_search(Ridge())
