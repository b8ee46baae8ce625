"""A number of columns and columns to keep, together: in scikit-learn's hands, in every layout, and at their limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from selection.small import regression
from sklearn_gfs import GreedyForwardSelector
from sklearn_gfs.selection._squared_error import SquaredErrorSearch


@parametrize_with_checks(
    [
        GreedyForwardSelector(k=1),
        GreedyForwardSelector(k=3, n_features_to_select=1),
        GreedyForwardSelector(k=3, n_features_to_select=0.5),
        GreedyForwardSelector(k=3, keep=[0], n_features_to_select=1),
        GreedyForwardSelector(keep=[0]),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize(
    "holder", [sparse.csr_array, sparse.csc_matrix, lambda X: X.astype(np.float32), np.asfortranarray]
)
@pytest.mark.parametrize("wanted", [None, 9])
def test_chunks_and_other_layouts_make_the_same_choice(holder, n_targets, wanted):
    X, y = regression(n_targets=n_targets)
    expected = GreedyForwardSelector(k=8, keep=[2, 5], n_features_to_select=wanted).fit(X, y)
    whole = clone(expected).fit(holder(X), y)
    streamed = clone(expected)
    for chunk in np.array_split(np.arange(len(y)), 3):
        streamed.partial_fit(holder(X)[chunk], y[chunk])
    for found in (whole, streamed):
        np.testing.assert_array_equal(found.selection_path_, expected.selection_path_)
        np.testing.assert_array_equal(found.get_support(), expected.get_support())
        np.testing.assert_allclose(found.coef_ * X.std(axis=0), expected.coef_ * X.std(axis=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_where_nothing_is_left_of_y_no_search_is_made(method, monkeypatch):
    """Searches for what rounding has left of y would score all columns on all samples, pick by pick."""
    X, _ = regression(n_features=30)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    y = Z[:, [3, 8]] @ [3.0, 2.0]
    searches, run = [], SquaredErrorSearch.run
    monkeypatch.setattr(SquaredErrorSearch, "run", lambda search: (searches.append(1), run(search))[1])
    exact = getattr(GreedyForwardSelector(k=20, keep=[3, 8]), method)(X, y)
    assert len(searches) == len(exact.selection_path_) == 0
    np.testing.assert_allclose(X @ exact.coef_ + exact.intercept_, y, atol=1e-9)
    selector = getattr(GreedyForwardSelector(k=2, radius=5.0, n_features_to_select=25), method)(X, y)
    assert selector.get_support().sum() == 25
    assert selector.get_support()[[3, 8]].all()
    assert len(searches) <= 3


def test_where_everything_is_kept_nothing_is_picked():
    X, y = regression()
    for options in ({"keep": np.ones(14, dtype=bool)}, {"keep": [1, 3], "n_features_to_select": 2}):
        selector = GreedyForwardSelector(**options).fit(X, y)
        assert len(selector.selection_path_) == selector.radius_ == 0
        kept = selector.get_support()
        assert kept.sum() == (14 if kept.all() else 2)
        linear = LinearRegression().fit(X[:, kept], y)
        np.testing.assert_allclose(selector.coef_[kept], linear.coef_)
        np.testing.assert_allclose(selector.intercept_, linear.intercept_)
        assert selector.transform(X).shape == (len(y), kept.sum())


def test_in_a_pipeline_with_names_and_a_search():
    frame = load_diabetes(as_frame=True)
    selector = GreedyForwardSelector(keep=["sex"]).set_output(transform="pandas")
    pipeline = make_pipeline(selector, LinearRegression())
    grid = {"greedyforwardselector__n_features_to_select": np.arange(1, 7)}
    search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(frame.data, frame.target)
    best = search.best_estimator_[0]
    names = best.get_feature_names_out()
    assert len(names) == search.best_params_["greedyforwardselector__n_features_to_select"] > 1
    assert "sex" in names
    assert list(best.transform(frame.data).columns) == list(names)
    scores = search.cv_results_["mean_test_score"]
    assert scores[-1] > scores[0] + 0.2


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_features_to_select": 0}, ValueError, "n_features_to_select=0"),
        ({"n_features_to_select": 15}, ValueError, "n_features_to_select=15 .*at most 14"),
        ({"n_features_to_select": 1.5}, ValueError, "n_features_to_select=1.5 must be a share"),
        ({"n_features_to_select": 0.0}, ValueError, "n_features_to_select=0.0 must be a share"),
        ({"n_features_to_select": np.nan}, ValueError, "n_features_to_select=nan"),
        ({"n_features_to_select": True}, TypeError, "n_features_to_select=True"),
        ({"n_features_to_select": "half"}, TypeError, "n_features_to_select='half'"),
        ({"n_features_to_select": 1, "keep": [0, 1]}, ValueError, "n_features_to_select=1 .*at least 2"),
        ({"keep": [14]}, ValueError, r"keep=\[14\] holds indices out of range; X has 14"),
        ({"keep": [-15]}, ValueError, "out of range"),
        ({"keep": [True, False]}, ValueError, "keep is a mask of 2 columns; X has 14"),
        ({"keep": ["age"]}, ValueError, "the columns of X have no names"),
        ({"keep": [0.5]}, TypeError, r"keep=\[0.5\]"),
        ({"keep": 3}, TypeError, "keep=3"),
        ({"keep": "age"}, TypeError, "keep='age'"),
        ({"keep": [0], "hull": "convex"}, ValueError, r"keep=\[0\] needs hull='l1'"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_parameters_are_named(parameters, error, message, method):
    X, y = regression()
    with pytest.raises(error, match=message):
        getattr(GreedyForwardSelector(**parameters), method)(X, y)
