"""An exact number of columns: which ones make it full, and where the picks end."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_linnerud, load_wine
from sklearn.exceptions import ConvergenceWarning

from selection.small import regression
from sklearn_gfs import GreedyForwardSelector
from sklearn_gfs.selection._gram import ArrayAtoms
from sklearn_gfs.selection._squared_error import SquaredErrorSearch

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


@pytest.mark.parametrize("seed", range(30))
def test_of_columns_that_are_equally_near_to_y_the_first_make_the_number_full(seed):
    """Five columns say all that the others do. Sums in another order, or in float32, round otherwise."""
    rng = np.random.default_rng(seed)
    some = rng.normal(size=(101, 5))
    if seed % 2:
        some = (some > 0) * 1.0
    X, y = (
        np.concatenate([some, some, -2.0 * some, some[:, :3]], axis=1),
        some @ rng.normal(size=5) + rng.normal(size=101),
    )
    order = rng.permutation(101)
    supports = [
        GreedyForwardSelector(k=10, n_features_to_select=11).fit(values, targets).support_
        for values, targets in ((X, y), (X[order], y[order]), (X.astype(np.float32), y))
    ]
    parts = GreedyForwardSelector(k=10, n_features_to_select=11, target_type="continuous")
    supports.append(parts.partial_fit(X[:40], y[:40]).partial_fit(X[40:], y[40:]).support_)
    expected = np.argsort([-round(abs(np.corrcoef(x, y)[0, 1]), 9) for x in X.T], kind="stable")
    others = [i for i in expected if i >= 5][:6]
    for support in supports:
        assert np.flatnonzero(support).tolist() == [0, 1, 2, 3, 4, *sorted(others)]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("n_features", [3, 8])
@pytest.mark.parametrize("apart", [1e-3, 1e-4, 5e-5])
@pytest.mark.parametrize("seed", range(20))
def test_coefficients_reach_the_last_loss_where_columns_nearly_repeat_each_other(seed, apart, n_features, method):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(20, n_features))
    X, y = noise[:, :1] + apart * noise, noise[:, -1] + 0.1 * rng.normal(size=20)
    selector = GreedyForwardSelector(k=6, n_features_to_select=n_features - n_features // 4)
    getattr(selector, method)(X, y)
    loss = np.mean((y - X @ selector.coef_ - selector.intercept_) ** 2) / 2
    assert loss <= selector.selection_losses_[-1] + 1e-6 * np.var(y)


def test_constant_columns_count_and_the_first_of_them_come_first():
    X, y = regression(n_features=5)
    X = np.column_stack([np.ones((len(y), 40)), X])
    selector = GreedyForwardSelector(k=5, keep=[7], n_features_to_select=3).fit(X, y)
    assert selector.get_support().sum() == 3
    assert selector.get_support()[7]
    selector = GreedyForwardSelector(k=5, keep=[30], n_features_to_select=26).fit(X, y)
    np.testing.assert_array_equal(np.flatnonzero(selector.get_support()), [*range(20), 30, *range(40, 45)])


def test_the_prefix_of_a_search_is_the_search_for_fewer_picks():
    X, y = regression(n_targets=2)
    source = ArrayAtoms((X - X.mean(axis=0)) / X.std(axis=0), y - y.mean(axis=0), None)
    search = SquaredErrorSearch(source, 20, signed=True, radius=3.0, tol=-1.0)
    search.run()
    for n_picks in (1, 7, 20):
        expected = SquaredErrorSearch(source, n_picks, signed=True, radius=3.0, tol=-1.0).run()
        found = search.prefix(n_picks)
        assert found.intercept is None
        for one, other in zip(found[:-1], expected[:-1], strict=True):
            np.testing.assert_allclose(one, other)


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


def test_constant_columns_come_last_however_large_y_is():
    """No column has anything in common with y."""
    X = np.array([-1.0, -1.0, 1.0, 1.0])[:, None] * [0.0, 1.0, 2.0]
    selector = GreedyForwardSelector(k=1, n_features_to_select=2, target_type="continuous")
    assert selector.fit(X, 1e9 * np.array([1.0, -1.0, 1.0, -1.0])).get_support(indices=True).tolist() == [1, 2]


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
        with pytest.warns(ConvergenceWarning, match="k=2 picks have no other columns. Raise k"):
            getattr(GreedyForwardSelector(k=2, hull="convex", n_features_to_select=4), method)(models, y)


@pytest.mark.parametrize("n_missing", [0, 1])
def test_columns_are_compared_with_y_again_only_where_some_are_missing(n_missing, monkeypatch):
    X = np.random.default_rng(0).standard_normal((60, 8))
    y = X[:, 0] if n_missing else X @ np.arange(8.0)
    read, moments = [], ArrayAtoms.moments
    monkeypatch.setattr(ArrayAtoms, "moments", lambda self, *asked: read.append(1) or moments(self, *asked))
    selector = GreedyForwardSelector(n_features_to_select=2, corrective=True).fit(X, y)
    assert selector.support_.sum() == 2
    assert len(read) == 1 + n_missing


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_features_to_select": 0}, "comes to 0 columns; allowed are at least 1 and at most 4, all columns of X"),
        ({"n_features_to_select": 9}, "comes to 9 columns; allowed are at least 1 and at most 4, all columns of X"),
        ({"n_features_to_select": 1, "keep": [0, 2]}, "at least 2, as many as keep has, and at most 4, all columns"),
    ],
)
def test_how_many_columns_there_may_be_is_said(options, message):
    X = np.random.default_rng(0).standard_normal((20, 4))
    with pytest.raises(ValueError, match=message):
        GreedyForwardSelector(**options).fit(X, X[:, 0])


def count_passes(monkeypatch):
    """How many times products of all columns are made, and with how many of them each time."""
    asked, columns, whole = [], ArrayAtoms.columns, ArrayAtoms.whole

    def counted(self, atoms, *arguments):
        asked.append(len(atoms))
        return columns(self, atoms, *arguments)

    monkeypatch.setattr(ArrayAtoms, "columns", counted)
    monkeypatch.setattr(ArrayAtoms, "whole", lambda self: asked.append(self.n_atoms) or whole(self))
    return asked


@pytest.mark.parametrize(("n_wanted", "most"), [(20, 100), (90, 10)])
def test_rounds_share_their_columns(n_wanted, most, monkeypatch):
    """Few are made one by one and once each, many by a product of all with all."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 300))
    y = X[:, :5].sum(axis=1) + rng.normal(size=5000)
    first = GreedyForwardSelector(k=8).fit(X, y)
    asked = count_passes(monkeypatch)
    selector = GreedyForwardSelector(k=8, n_features_to_select=n_wanted).fit(X, y)
    assert selector.get_support().sum() == n_wanted
    np.testing.assert_array_equal(selector.selection_path_[:8], first.selection_path_)
    assert len(asked) <= most


@pytest.mark.parametrize("megabytes", [0.001, 0.05, 0.2])
def test_rounds_share_no_more_columns_than_fit_the_memory(megabytes):
    X, y = load_digits(return_X_y=True)
    X = np.concatenate([X, np.tanh(X / 8 - 1)], axis=1)
    expected = GreedyForwardSelector(k=5, n_features_to_select=40).fit(X, y)
    with config_context(working_memory=megabytes):
        selector = GreedyForwardSelector(k=5, n_features_to_select=40).fit(X, y)
    np.testing.assert_array_equal(selector.selection_path_, expected.selection_path_)
    np.testing.assert_allclose(selector.coef_, expected.coef_, rtol=1e-6, atol=1e-9)
