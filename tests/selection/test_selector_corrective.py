"""The selector with corrective selection: forward selection by orthogonal least squares."""

from __future__ import annotations

import naive
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.feature_selection import SequentialFeatureSelector
from sklearn.linear_model import LinearRegression, OrthogonalMatchingPursuit, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from selection.small import regression
from sklearn_gfs import GreedyForwardSelector, greedy_forward_selection


@parametrize_with_checks(
    [
        GreedyForwardSelector(corrective=True),
        GreedyForwardSelector(corrective=True, ridge=0.1, k=3),
        GreedyForwardSelector(corrective=True, keep=[0], n_features_to_select=1),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def standardised(X, weight=None):
    mean = np.average(X, axis=0, weights=weight)
    return (X - mean) / np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_agrees_with_the_oracle_and_its_coefficients_are_those_of_a_regression(n_targets, ridge):
    X, y = regression(n_targets=n_targets)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    selector = GreedyForwardSelector(k=6, corrective=True, ridge=ridge, tol=0.0).fit(X, y, weight)
    picks, losses, gaps, _, _ = naive.corrective(
        standardised(X, weight), y.reshape(len(y), -1), 6, weight=weight, ridge=ridge, intercept=True
    )
    np.testing.assert_array_equal(selector.selection_path_, picks)
    np.testing.assert_allclose(selector.selection_losses_, losses, rtol=1e-7)
    np.testing.assert_allclose(selector.duality_gaps_, gaps, rtol=1e-6)
    np.testing.assert_array_equal(np.flatnonzero(selector.support_), np.sort(picks))
    chosen = X[:, selector.support_]
    if ridge:
        scale = chosen.std(axis=0)  # any scale: the penalty is of standardised columns, so compare predictions
        Z = standardised(X, weight)[:, selector.support_]
        expected = Ridge(alpha=ridge * weight.sum()).fit(Z, y, weight).predict(Z)
        assert (scale > 0).all()
    else:
        expected = LinearRegression().fit(chosen, y, weight).predict(chosen)
    np.testing.assert_allclose(X @ selector.coef_.T + selector.intercept_, expected, rtol=1e-6, atol=1e-8)


def test_picks_are_those_of_a_sequential_selection_by_training_error():
    X, y = regression()
    folds = [(np.arange(len(y)), np.arange(len(y)))]
    sequential = SequentialFeatureSelector(LinearRegression(), n_features_to_select=5, cv=folds).fit(X, y)
    selector = GreedyForwardSelector(n_features_to_select=5, corrective=True).fit(X, y)
    np.testing.assert_array_equal(selector.support_, sequential.support_)


def test_of_uncorrelated_columns_picks_and_coefficients_are_those_of_matching_pursuit():
    rng = np.random.default_rng(0)
    X = np.linalg.qr(rng.standard_normal((100, 20)) - 0.0)[0]
    X = np.linalg.qr(X - X.mean(axis=0))[0]
    y = X @ rng.standard_normal(20) + 0.1 * rng.standard_normal(100)
    pursuit = OrthogonalMatchingPursuit(n_nonzero_coefs=7).fit(X, y)
    selector = GreedyForwardSelector(n_features_to_select=7, corrective=True).fit(X, y)
    np.testing.assert_array_equal(np.flatnonzero(pursuit.coef_), np.flatnonzero(selector.support_))
    np.testing.assert_allclose(selector.coef_, pursuit.coef_, atol=1e-10)


@pytest.mark.parametrize("holder", [np.asarray, sparse.csr_array, np.float32])
def test_chunks_and_holders_make_no_difference(holder):
    X, y = regression(n_targets=2)
    X = X.astype(np.float32).astype(float)
    whole = GreedyForwardSelector(k=7, corrective=True, ridge=0.01).fit(X, y)
    held = GreedyForwardSelector(k=7, corrective=True, ridge=0.01).fit(holder(X), y)
    streamed = GreedyForwardSelector(k=7, corrective=True, ridge=0.01)
    for start in range(3):
        streamed.partial_fit(holder(X)[start::3], y[start::3])
    for other in (held, streamed):
        np.testing.assert_array_equal(other.selection_path_, whole.selection_path_)
        np.testing.assert_allclose(other.selection_losses_, whole.selection_losses_, rtol=1e-5)
        np.testing.assert_allclose(other.coef_, whole.coef_, rtol=1e-4)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_kept_columns_have_free_coefficients_and_picks_add_the_most_to_them(method):
    X, y = regression()
    selector = getattr(GreedyForwardSelector(n_features_to_select=6, keep=[8, 11], corrective=True), method)(X, y)
    assert selector.support_.sum() == 6
    assert selector.support_[[8, 11]].all()
    chosen, left = [8, 11], set(range(X.shape[1])) - {8, 11}
    for pick in selector.selection_path_:
        scores = {i: LinearRegression().fit(X[:, [*chosen, i]], y).score(X[:, [*chosen, i]], y) for i in left}
        assert pick == max(scores, key=scores.get)
        chosen.append(pick)
        left.discard(pick)
    expected = LinearRegression().fit(X[:, selector.support_], y).coef_
    np.testing.assert_allclose(selector.coef_[selector.support_], expected, rtol=1e-6)


def test_names_and_the_number_of_columns():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    selector = GreedyForwardSelector(n_features_to_select=0.4, corrective=True).set_output(transform="pandas").fit(X, y)
    assert isinstance(selector.transform(X), pd.DataFrame)
    assert sorted(selector.transform(X).columns) == sorted(X.columns[selector.selection_path_])
    assert len(GreedyForwardSelector(k=50, corrective=True).fit(X, y).selection_path_) == X.shape[1]


def test_where_nothing_adds_anything_what_is_nearest_to_y_makes_the_number_full():
    X, y = regression()
    X = np.concatenate([X, X[:, :1] + X[:, 1:2], np.ones((len(X), 1))], axis=1)
    selector = GreedyForwardSelector(n_features_to_select=16, corrective=True).fit(X, y)
    assert len(selector.selection_path_) == 14
    assert selector.support_.all()


@pytest.mark.parametrize(
    ("parameters", "error", "text"),
    [
        ({"corrective": True, "hull": "convex"}, ValueError, "hull='convex' does not go with corrective=True"),
        ({"corrective": True, "radius": 3.0}, ValueError, "radius=3.0 does not go with corrective=True"),
        ({"ridge": 0.1}, ValueError, "ridge=0.1 needs corrective=True"),
        ({"corrective": "auto"}, TypeError, "corrective='auto' must be True or False"),
        ({"corrective": True, "ridge": -1}, ValueError, "ridge=-1 must be"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_what_does_not_go_together_is_refused(parameters, error, text, method):
    X, y = regression()
    with pytest.raises(error, match=text):
        getattr(GreedyForwardSelector(**parameters), method)(X, y)


def test_standardised_atoms_of_the_function_give_the_same_path():
    X, y = regression()
    selector = GreedyForwardSelector(k=8, corrective=True).fit(X, y)
    path = greedy_forward_selection(standardised(X), y - y.mean(), 8, corrective=True)
    np.testing.assert_array_equal(selector.selection_path_, path.picks)
    np.testing.assert_allclose(selector.selection_losses_, path.losses, rtol=1e-9)
