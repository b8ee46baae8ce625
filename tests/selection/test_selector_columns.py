"""An exact number of columns, and columns that are always kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_linnerud, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_gfs import GreedyForwardSelector, greedy_forward_selection
from sklearn_gfs.selection._gram import ArrayAtoms
from sklearn_gfs.selection._kept import AtomsBesideKept
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


def regression(n_samples=120, n_features=14, n_targets=1, seed=0):
    """Columns of other units, correlated with each other, of which some matter."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features)) @ (np.eye(n_features) + 0.3 * rng.random((n_features, n_features)))
    X = X * 10.0 ** rng.integers(-2, 3, n_features) + rng.normal(size=n_features)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    y = Z[:, :5] @ rng.uniform(-2, 2, (5, n_targets)) + 0.3 * rng.standard_normal((n_samples, n_targets))
    return X, y[:, 0] if n_targets == 1 else y


DATA = {
    "diabetes": lambda: load_diabetes(return_X_y=True),
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "digits": lambda: load_digits(return_X_y=True),
    "several targets": lambda: load_linnerud(return_X_y=True),
    "correlated": regression,
}


@pytest.mark.parametrize("k", [1, 50])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", DATA)
def test_as_many_columns_are_kept_as_are_asked_for(name, share, k):
    X, y = DATA[name]()
    n_wanted = max(int(share * X.shape[1]), 1)
    for wanted in (n_wanted, np.int64(n_wanted), share):
        selector = GreedyForwardSelector(k=k, n_features_to_select=wanted).fit(X, y)
        assert selector.get_support().sum() == selector.transform(X).shape[1] == n_wanted
    np.testing.assert_array_equal(selector.support_, selector.get_support())
    used = np.any(np.atleast_2d(selector.coef_) != 0, axis=0)
    assert not used[~selector.support_].any()


def test_all_columns_can_be_asked_for():
    X, y = regression()
    for wanted in (X.shape[1], 1.0):
        selector = GreedyForwardSelector(n_features_to_select=wanted).fit(X, y)
        assert selector.get_support().all()


def test_picks_end_with_the_one_that_makes_the_number_full():
    X, y = load_digits(return_X_y=True)
    free = GreedyForwardSelector(k=60).fit(X, y)
    assert free.get_support().sum() > 10
    selector = GreedyForwardSelector(k=60, n_features_to_select=10).fit(X, y)
    n_picks = len(selector.selection_path_)
    np.testing.assert_array_equal(selector.selection_path_, free.selection_path_[:n_picks])
    assert len(np.unique(free.selection_path_[: n_picks - 1])) == 9
    same = GreedyForwardSelector(k=n_picks).fit(X, y)
    np.testing.assert_allclose(selector.coef_, same.coef_)
    np.testing.assert_array_equal(selector.selection_counts_, same.selection_counts_)
    np.testing.assert_allclose(selector.selection_losses_, same.selection_losses_)
    np.testing.assert_allclose(selector.duality_gaps_, same.duality_gaps_)


def test_where_picks_are_too_few_those_made_are_kept_and_more_are_made_beside_them():
    X, y = regression()
    first = GreedyForwardSelector(k=6, radius=2.0).fit(X, y)
    n_first = int(first.get_support().sum())
    wanted = n_first + 3
    selector = GreedyForwardSelector(k=6, radius=2.0, n_features_to_select=wanted).fit(X, y)
    np.testing.assert_array_equal(selector.selection_path_[:6], first.selection_path_)
    beside = clone(selector).set_params(keep=first.get_support()).fit(X, y)
    np.testing.assert_array_equal(selector.selection_path_[6:], beside.selection_path_)
    np.testing.assert_allclose(selector.coef_, beside.coef_)
    np.testing.assert_array_equal(selector.get_support(), beside.get_support())
    assert (np.diff(selector.selection_losses_[[5, -1]]) < 0).all()


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


def test_constant_columns_count_and_the_first_of_them_come_first():
    X, y = regression(n_features=5)
    X = np.column_stack([np.ones((len(y), 40)), X])
    selector = GreedyForwardSelector(k=5, keep=[7], n_features_to_select=3).fit(X, y)
    assert selector.get_support().sum() == 3
    assert selector.get_support()[7]
    selector = GreedyForwardSelector(k=5, keep=[30], n_features_to_select=26).fit(X, y)
    np.testing.assert_array_equal(np.flatnonzero(selector.get_support()), [*range(20), 30, *range(40, 45)])


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
    np.testing.assert_array_equal(preview.c, moments.c)
    np.testing.assert_allclose(beside.y, target, atol=1e-12)
    np.testing.assert_allclose(beside.outputs(np.array([4, 1]))[:, :, 0], left[:, [4, 1]], atol=1e-12)
    np.testing.assert_allclose(beside.row_weights(), 1 / 300)
    weights = rng.standard_normal((6, 2))
    coefficients = beside.coefficients(weights)
    np.testing.assert_array_equal(coefficients[others], weights)
    np.testing.assert_allclose(exact[:, kept].T @ (y - exact @ coefficients), 0, atol=1e-10)


def test_the_prefix_of_a_search_is_the_search_for_fewer_picks():
    X, y = regression(n_targets=2)
    source = ArrayAtoms((X - X.mean(axis=0)) / X.std(axis=0), y - y.mean(axis=0), None)
    search = SquaredErrorSearch(source, 20, signed=True, radius=3.0, tol=-1.0)
    search.run()
    for n_picks in (1, 7, 20):
        expected = SquaredErrorSearch(source, n_picks, signed=True, radius=3.0, tol=-1.0).run()
        for one, other in zip(search.prefix(n_picks), expected, strict=True):
            np.testing.assert_allclose(one, other)


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


def test_an_exact_fit_beside_kept_columns_is_found_on_the_samples():
    X, _ = regression(300)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    y = 3.0 * Z[:, 2] + 2.0 * Z[:, 7]
    selector = GreedyForwardSelector(k=40, keep=[2], radius=2.0).fit(X, y)
    np.testing.assert_array_equal(np.flatnonzero(selector.get_support()), [2, 7])
    np.testing.assert_allclose(X @ selector.coef_ + selector.intercept_, y, rtol=1e-6, atol=1e-6)
    assert selector.selection_losses_[-1] < 1e-20


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_where_nothing_has_anything_to_add_what_is_nearest_to_y_makes_the_number_full(n_targets, method):
    X, y = regression(12, 30, n_targets)  # twelve samples span eleven dimensions
    X = np.column_stack([np.ones(12), X])
    selector = getattr(GreedyForwardSelector(k=3, radius=2.5, n_features_to_select=20), method)(X, y)
    picked = selector.selection_counts_ > 0
    assert picked.sum() == 11
    Z, t = (X[:, 1:] - X[:, 1:].mean(axis=0)) / X[:, 1:].std(axis=0), (y - y.mean(axis=0)).reshape(12, -1)
    nearness = np.r_[-1.0, np.sum((Z.T @ t) ** 2, axis=1)]
    others = np.flatnonzero(~picked)
    added = others[np.argsort(-nearness[others])][:9]
    np.testing.assert_array_equal(np.flatnonzero(selector.get_support() & ~picked), np.sort(added))
    assert not np.atleast_2d(selector.coef_)[:, added].any()
    assert selector.radius_ == 2.5
    # A constant column comes last of all, but comes.
    for wanted, constant in ((30, False), (31, True)):
        selector = getattr(GreedyForwardSelector(n_features_to_select=wanted), method)(X, y)
        assert selector.get_support().sum() == wanted
        assert selector.get_support()[0] == constant


def test_the_mean_of_the_convex_hull_is_cut_where_the_number_is_full():
    rng = np.random.default_rng(0)
    y = rng.standard_normal(200)
    models = y[:, None] + rng.standard_normal((200, 15)) * rng.uniform(0.5, 2.0, 15)
    free = GreedyForwardSelector(k=40, hull="convex").fit(models, y)
    for method in ("fit", "partial_fit"):
        selector = getattr(GreedyForwardSelector(k=40, hull="convex", n_features_to_select=4), method)(models, y)
        n_picks = len(selector.selection_path_)
        assert selector.get_support().sum() == 4
        np.testing.assert_array_equal(selector.selection_path_, free.selection_path_[:n_picks])
        expected = GreedyForwardSelector(k=n_picks, hull="convex").fit(models, y)
        np.testing.assert_allclose(selector.coef_, expected.coef_)
        np.testing.assert_array_equal(selector.selection_counts_, expected.selection_counts_)
        with pytest.warns(ConvergenceWarning, match="k=2 picks are of no more; raise k"):
            getattr(GreedyForwardSelector(k=2, hull="convex", n_features_to_select=4), method)(models, y)


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


def test_unknown_names_are_named():
    frame = load_diabetes(as_frame=True)
    with pytest.raises(ValueError, match=r"X does not have: \['weight'\]"):
        GreedyForwardSelector(keep=["age", "weight"]).fit(frame.data, frame.target)
