"""The selector as a scikit-learn transformer: what it keeps, over chunks, weights, targets and units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import Lasso, LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_gfs import GreedyForwardSelector, greedy_forward_selection


@parametrize_with_checks([GreedyForwardSelector(), GreedyForwardSelector(hull="convex", target_type="continuous")])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def regression(n_samples=300, n_features=30, n_targets=1, seed=0):
    """Features of very different units, of which the first four matter."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features)) * 10.0 ** rng.integers(-3, 4, n_features) + rng.normal(
        size=n_features
    )
    signal = (X[:, :4] - X[:, :4].mean(axis=0)) / X[:, :4].std(axis=0) @ rng.uniform(1, 2, (4, n_targets))
    y = signal + 0.3 * rng.standard_normal(signal.shape)
    return X, y[:, 0] if n_targets == 1 else y


@pytest.mark.parametrize("n_targets", [1, 3])
def test_it_finds_the_features_that_matter_and_reports_its_approximation(n_targets):
    X, y = regression(n_targets=n_targets)
    selector = GreedyForwardSelector(k=40).fit(X, y)
    assert set(range(4)) <= set(np.flatnonzero(selector.get_support()))
    assert selector.transform(X).shape[1] == selector.get_support().sum() < X.shape[1]
    residual = y - (X @ selector.coef_.T + selector.intercept_)
    np.testing.assert_allclose(selector.selection_losses_[-1], 0.5 * (residual**2).sum() / len(y), rtol=1e-9)
    assert selector.selection_counts_.sum() == len(selector.selection_path_) == 40


def test_the_l1_ball_is_the_lassos():
    X, y = regression()
    Z = StandardScaler().fit_transform(X)
    lasso = Lasso(alpha=0.2).fit(Z, y)
    selector = GreedyForwardSelector(k=2000, radius=np.abs(lasso.coef_).sum()).fit(X, y)
    np.testing.assert_allclose(selector.coef_ * X.std(axis=0), lasso.coef_, atol=0.02)
    assert selector.duality_gaps_.min() < 1e-2
    loss = 0.5 * np.mean((y - lasso.predict(Z)) ** 2)
    assert loss - 1e-9 <= selector.selection_losses_.min() <= loss + selector.duality_gaps_.min()


def test_automatic_radius_does_as_well_as_the_cross_validated_choice_would():
    X, y = load_diabetes(return_X_y=True)
    losses = [GreedyForwardSelector(k=50, radius=r).fit(X, y).selection_losses_[-1] for r in np.geomspace(1, 1000, 40)]
    assert GreedyForwardSelector(k=50).fit(X, y).selection_losses_[-1] < 1.05 * min(losses)


@pytest.mark.parametrize("k", [1, 5])
def test_without_anything_in_common_with_the_target_the_radius_is_zero(k):
    X = np.random.default_rng(0).normal(size=(30, 4))
    selector = GreedyForwardSelector(k=k, target_type="continuous").fit(X, np.full(30, 3.0))
    assert selector.radius_ == 0.0
    assert not selector.coef_.any()
    assert selector.intercept_ == 3.0
    assert not selector.selection_losses_.any()
    assert not selector.duality_gaps_.any()
    # And none for atoms orthogonal to a target that is not constant.
    for dtype in (np.float32, np.float64):
        atoms, y = np.array([[1, 1], [1, -1], [0, 0], [0, 0]], dtype=dtype), np.array([0.0, 0.0, 1.0, -1.0])
        path = greedy_forward_selection(atoms, y, k, hull="l1")
        assert path.radius == 0.0
        assert not path.weights.any()
        np.testing.assert_array_equal(path.losses, 0.25)
        np.testing.assert_array_equal(path.gaps, 0.0)


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_units_do_not_matter(seed, factor, shift):
    X, y = regression(60, 10, seed=seed)
    expected = GreedyForwardSelector(k=10).fit(X, y)
    other = GreedyForwardSelector(k=10).fit(X * factor + shift * factor, y * factor + shift * factor)
    np.testing.assert_array_equal(other.selection_path_, expected.selection_path_)
    np.testing.assert_allclose(other.radius_, expected.radius_ * factor, rtol=1e-6)


TARGETS = {
    "numbers": lambda: load_diabetes(return_X_y=True),
    "two classes": lambda: load_breast_cancer(return_X_y=True),
    "many classes": lambda: load_wine(return_X_y=True),
    "names": lambda: (load_wine().data, load_wine().target_names[load_wine().target]),
    "several numbers": lambda: regression(n_targets=2),
    "constant columns": lambda: load_digits(n_class=3, return_X_y=True),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("holder", [np.asarray, sparse.csr_array, sparse.csc_matrix], ids=["dense", "csr", "csc"])
def test_chunks_and_sparse_columns_give_the_picks_of_one_fit(target, holder):
    X, y = TARGETS[target]()
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(y))
    whole = GreedyForwardSelector(k=30).fit(X, y, weight)
    held = GreedyForwardSelector(k=30).fit(holder(X), y, weight)
    streamed = GreedyForwardSelector(k=30)
    order = np.random.default_rng(1).permutation(len(y))
    for chunk in np.array_split(order, 4):
        streamed.partial_fit(holder(X[chunk]), y[chunk], weight[chunk], classes=getattr(whole, "classes_", None))
    for other in (held, streamed):
        np.testing.assert_array_equal(other.selection_path_, whole.selection_path_)
        np.testing.assert_allclose(other.coef_, whole.coef_, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(other.intercept_, whole.intercept_, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(other.selection_losses_, whole.selection_losses_, rtol=1e-8)
        np.testing.assert_allclose(other.radius_, whole.radius_, rtol=1e-8)


def test_two_classes_are_chosen_as_numbers_would_be():
    X, y = load_breast_cancer(return_X_y=True)
    names = np.array(["no", "yes"])[y]
    labels = GreedyForwardSelector(k=20).fit(X, names)
    numbers = GreedyForwardSelector(k=20, target_type="continuous").fit(X, y)
    np.testing.assert_array_equal(labels.selection_path_, numbers.selection_path_)
    np.testing.assert_array_equal(labels.classes_, ["no", "yes"])
    assert not hasattr(numbers, "classes_")


def test_integers_can_be_numbers():
    X, y = load_diabetes(return_X_y=True)
    counts = y.astype(int)
    selector = GreedyForwardSelector(k=10, target_type="continuous").fit(X, counts)
    np.testing.assert_array_equal(selector.selection_path_, GreedyForwardSelector(k=10).fit(X, y).selection_path_)


def test_convex_hull_is_ensemble_selection():
    rng = np.random.default_rng(0)
    y = rng.standard_normal(200)
    models = y[:, None] + rng.standard_normal((200, 15)) * rng.uniform(0.5, 2.0, 15) + 0.1
    selector = GreedyForwardSelector(k=25, hull="convex").fit(models, y)
    path = greedy_forward_selection(models, y, 25)
    np.testing.assert_array_equal(selector.selection_path_, path.picks)
    np.testing.assert_allclose(selector.coef_, path.weights)
    assert selector.intercept_ == 0.0
    assert selector.radius_ == 1.0
    streamed = GreedyForwardSelector(k=25, hull="convex").partial_fit(models[:50], y[:50])
    streamed.partial_fit(models[50:], y[50:])
    np.testing.assert_array_equal(streamed.selection_path_, path.picks)


def test_float32_stays_float32_and_picks_the_same():
    X, y = regression(2000, 40)
    double, single = GreedyForwardSelector(k=30).fit(X, y), GreedyForwardSelector(k=30).fit(X.astype(np.float32), y)
    np.testing.assert_array_equal(single.selection_path_, double.selection_path_)
    assert single.transform(X.astype(np.float32)).dtype == np.float32


def test_fit_forgets_earlier_chunks_and_labels():
    X, y = regression()
    selector = GreedyForwardSelector(k=10).partial_fit(X, y > 0, classes=[False, True])
    selector.fit(X, y)
    assert not hasattr(selector, "classes_")
    expected = clone(selector).partial_fit(X[:100], y[:100])
    np.testing.assert_array_equal(selector.partial_fit(X[:100], y[:100]).selection_path_, expected.selection_path_)


def test_columns_that_do_not_vary_are_never_kept():
    X, y = regression(n_features=5)
    X = np.column_stack([np.zeros(len(y)), np.full(len(y), 1e6 / 3), X])
    selector = GreedyForwardSelector(k=100).fit(X, y)
    assert not selector.get_support()[:2].any()
    with pytest.raises(ValueError, match="no column of X varies"):
        GreedyForwardSelector().fit(np.ones((5, 2)), np.arange(5.0))


def test_in_a_pipeline_with_names():
    frame = load_diabetes(as_frame=True)
    pipeline = make_pipeline(GreedyForwardSelector(k=10).set_output(transform="pandas"), LinearRegression())
    assert pipeline.fit(frame.data, frame.target).score(frame.data, frame.target) > 0.45
    names = pipeline[0].get_feature_names_out()
    assert set(names) <= set(frame.data.columns)
    assert list(pipeline[0].transform(frame.data).columns) == list(names)
    assert SelectFromModel(GreedyForwardSelector(k=10)).fit(frame.data, frame.target).get_support().any()


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"k": 0}, ValueError, "k=0"),
        ({"hull": "box"}, ValueError, "hull='box'"),
        ({"radius": -1}, ValueError, "radius=-1"),
        ({"hull": "convex", "radius": 2.0}, ValueError, "radius=2.0 needs hull='l1'"),
        ({"tol": -1}, ValueError, "tol=-1"),
        ({"target_type": "ordinal"}, ValueError, "target_type='ordinal'"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_parameters_are_named(parameters, error, message, method):
    X, y = regression()
    with pytest.raises(error, match=message):
        getattr(GreedyForwardSelector(**parameters), method)(X, y)


def test_bad_targets_are_named():
    X, y = load_wine(return_X_y=True)
    with pytest.raises(ValueError, match="one class"):
        GreedyForwardSelector().fit(X, np.zeros(len(X), dtype=int))
    with pytest.raises(ValueError, match="y holds 3 classes; hull='convex' approximates one target, or two classes"):
        GreedyForwardSelector(hull="convex").fit(X, y)
    with pytest.raises(ValueError, match=r"labels \[2\] that are not among the classes \[0, 1\]"):
        GreedyForwardSelector().partial_fit(X, y, classes=[0, 1])
    selector = GreedyForwardSelector().partial_fit(X, y)
    with pytest.raises(ValueError, match="not the same as in the first call"):
        selector.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="zero everywhere"):
        GreedyForwardSelector().fit(X, y, np.zeros(len(y)))
