"""Columns that are always kept: how they are named, and that the others are selected from what they leave."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_diabetes

from selection.small import regression
from sklearn_gfs import GreedyForwardSelector, greedy_forward_selection
from sklearn_gfs.selection import _gram_columns
from sklearn_gfs.selection._gram import ArrayAtoms
from sklearn_gfs.selection._kept import AtomsBesideKept


def complement(X, y, kept, weight):
    """Standardised columns and targets less their least-squares fit on the kept ones, in the plainest way."""
    root = np.sqrt(weight / weight.sum())[:, None]
    mean = weight @ X / weight.sum()
    scale = np.sqrt(weight @ (X - mean) ** 2 / weight.sum())
    Z, t = (X - mean) / scale, (y - weight @ y / weight.sum()).reshape(len(y), -1)
    fitted = root * Z[:, kept]
    return tuple(part - Z[:, kept] @ np.linalg.lstsq(fitted, root * part, rcond=None)[0] for part in (Z, t))


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_beside_kept_columns_the_complement_is_selected_from(seed, n_kept, n_targets, automatic):
    X, y = regression(60, 10, n_targets, seed)
    rng = np.random.default_rng(seed)
    kept, weight = rng.choice(10, n_kept, replace=False), rng.uniform(0.5, 2.0, 60)
    radius = "auto" if automatic else 1.5
    selector = GreedyForwardSelector(k=12, keep=kept, radius=radius).fit(X, y, weight)
    Z, t = complement(X, y, kept, weight)
    others = np.setdiff1d(np.arange(10), kept)
    path = greedy_forward_selection(Z[:, others], t, 12, hull="l1", radius=radius, sample_weight=weight)
    np.testing.assert_array_equal(selector.selection_path_, others[path.picks])
    np.testing.assert_allclose(selector.selection_losses_, path.losses)
    np.testing.assert_allclose(selector.duality_gaps_, path.gaps, atol=1e-9)
    np.testing.assert_allclose(selector.radius_, path.radius)
    assert selector.get_support()[kept].all()
    assert selector.selection_counts_[kept].sum() == 0


@pytest.mark.parametrize("n_targets", [1, 3])
def test_kept_columns_have_the_coefficients_that_are_best_beside_the_picks(n_targets):
    X, y = regression(n_targets=n_targets)
    selector = GreedyForwardSelector(k=20, keep=[0, 9]).fit(X, y)
    residual = y - (X @ selector.coef_.T + selector.intercept_)
    np.testing.assert_allclose(0.5 * np.sum(residual**2) / len(y), selector.selection_losses_[-1])
    centred = (X - X.mean(axis=0)) / X.std(axis=0)
    np.testing.assert_allclose(centred[:, [0, 9]].T @ residual, 0.0, atol=1e-9)
    np.testing.assert_allclose(residual.sum(axis=0), 0.0, atol=1e-9)


def test_columns_to_keep_are_named_in_three_ways():
    frame = load_diabetes(as_frame=True)
    X, y = frame.data, frame.target
    mask = np.isin(X.columns, ["age", "s6"])
    expected = GreedyForwardSelector(k=5, keep=["age", "s6"]).fit(X, y)
    for keep in ([0, 9], [-10, -1, 9], (9, 0), mask, mask.tolist(), pd.Index(["s6", "age"]), np.array(["age", "s6"])):
        selector = GreedyForwardSelector(k=5, keep=keep).fit(X, y)
        np.testing.assert_array_equal(selector.selection_path_, expected.selection_path_)
        np.testing.assert_array_equal(selector.get_support(), expected.get_support())
    streamed = (
        GreedyForwardSelector(k=5, keep=["age", "s6"]).partial_fit(X[:200], y[:200]).partial_fit(X[200:], y[200:])
    )
    np.testing.assert_array_equal(streamed.get_feature_names_out(), expected.get_feature_names_out())
    assert {"age", "s6"} <= set(expected.get_feature_names_out())
    for keep in ([], np.zeros(10, dtype=bool)):
        free = GreedyForwardSelector(k=5, keep=keep).fit(X, y)
        np.testing.assert_array_equal(free.selection_path_, GreedyForwardSelector(k=5).fit(X, y).selection_path_)


def test_kept_columns_that_say_nothing_of_their_own_do_no_harm():
    """Constant ones, repetitions and combinations of others."""
    X, y = regression()
    odd = np.column_stack([X, X[:, 3], X[:, 3] - X[:, 4], np.full(len(y), 7.0)])
    expected = GreedyForwardSelector(k=20, keep=[3, 4]).fit(X, y)
    selector = GreedyForwardSelector(k=20, keep=[3, 4, 14, 15, 16]).fit(odd, y)
    np.testing.assert_array_equal(selector.selection_path_, expected.selection_path_)
    np.testing.assert_allclose(selector.selection_losses_, expected.selection_losses_)
    assert selector.get_support()[14:].all()
    assert np.isfinite(selector.coef_).all()
    # Beside the two, their repetition and their difference are never picked.
    assert not GreedyForwardSelector(k=200, keep=[3, 4]).fit(odd, y).get_support()[14:].any()


def test_a_kept_column_is_no_candidate_though_it_all_but_repeats_others():
    """Its own direction is taken for rounding; it is kept, not picked."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 200))
    X = np.column_stack([x] * 10 + [x + 7e-5 * y])
    selector = GreedyForwardSelector(k=3, keep=np.arange(11)).fit(X, y)
    assert len(selector.selection_path_) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_kept_atoms_leave_is_computed_in_float64(dtype):
    rng = np.random.default_rng(0)
    atoms, y = rng.standard_normal((300, 8)).astype(dtype), rng.standard_normal((300, 2))
    kept, others = np.array([1, 6]), np.array([0, 2, 3, 4, 5, 7])
    beside = AtomsBesideKept(ArrayAtoms(atoms, y, None), kept)
    exact = atoms.astype(np.float64)
    left, target = (
        part - exact[:, kept] @ np.linalg.lstsq(exact[:, kept], part, rcond=None)[0] for part in (exact[:, others], y)
    )
    moments, columns = beside.moments(), beside.columns(np.arange(6))
    np.testing.assert_array_equal(beside.atoms, others)
    np.testing.assert_allclose(moments.c, target.T @ left / 300, atol=1e-14)
    np.testing.assert_allclose(moments.norms, (left**2).sum(axis=0) / 300, rtol=1e-12)
    np.testing.assert_allclose(moments.target_norm, (target**2).sum() / 300, rtol=1e-12)
    for gram in (columns, beside.whole()):
        np.testing.assert_allclose(gram, left.T @ left / 300, atol=1e-14)
    rows, preview = beside.preview(300)
    np.testing.assert_allclose(rows, left / np.sqrt(300), atol=1e-12)
    np.testing.assert_allclose(preview.c, moments.c, rtol=1e-6)  # estimates, here of all rows
    np.testing.assert_allclose(beside.y, target, atol=1e-12)
    np.testing.assert_allclose(beside.outputs(np.array([4, 1]))[:, :, 0], left[:, [4, 1]], atol=1e-12)
    np.testing.assert_allclose(beside.row_weights(), 1 / 300)
    weights = rng.standard_normal((6, 2))
    coefficients = beside.coefficients(weights)
    np.testing.assert_array_equal(coefficients[others], weights)
    np.testing.assert_allclose(exact[:, kept].T @ (y - exact @ coefficients), 0, atol=1e-10)


def test_an_exact_fit_beside_kept_columns_is_found_on_the_samples():
    X, _ = regression(300)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    y = 3.0 * Z[:, 2] + 2.0 * Z[:, 7]
    selector = GreedyForwardSelector(k=40, keep=[2], radius=2.0).fit(X, y)
    np.testing.assert_array_equal(np.flatnonzero(selector.get_support()), [2, 7])
    np.testing.assert_allclose(X @ selector.coef_ + selector.intercept_, y, rtol=1e-6, atol=1e-6)
    assert selector.selection_losses_[-1] < 1e-20


def test_unknown_names_are_named():
    frame = load_diabetes(as_frame=True)
    with pytest.raises(ValueError, match=r"X does not have: \['weight'\]"):
        GreedyForwardSelector(keep=["age", "weight"]).fit(frame.data, frame.target)


@pytest.mark.parametrize(
    "settings", [{"n_features_to_select": 12}, {"keep": [0, 3]}, {"keep": [1], "corrective": True}]
)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, np.asfortranarray])
def test_columns_that_are_foreseen_beside_kept_ones_change_nothing(monkeypatch, settings, kind):
    """Large data have their Gram columns computed in blocks."""
    rng = np.random.default_rng(0)
    X = kind(rng.normal(size=(200, 60)) * (rng.uniform(size=(200, 60)) < 0.4))
    y = X @ rng.normal(size=60) + rng.normal(size=200)
    expected = GreedyForwardSelector(20, **settings).fit(X, y)
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    found = GreedyForwardSelector(20, **settings).fit(X, y)
    assert found.selection_path_.tolist() == expected.selection_path_.tolist()
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-9)
    np.testing.assert_allclose(found.selection_losses_, expected.selection_losses_, atol=1e-12)


def test_a_few_of_many_features_are_selected():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1000))
    y = X[:, :5].sum(axis=1) + rng.normal(size=300)
    selector = GreedyForwardSelector(10, n_features_to_select=20).fit(X, y)
    assert set(range(5)) < set(np.flatnonzero(selector.support_).tolist())
    assert selector.support_.sum() == 20
