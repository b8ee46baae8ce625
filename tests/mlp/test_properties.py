"""What must hold for whatever data and parameters a user brings."""

import re
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor

SMALL = {"n_pretrain": 30, "k": 8, "n_hidden": 40, "n_retrain": 40, "random_state": 0}


def problem(n_samples=120, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 4))
    return X, np.digitize(X[:, 0] + 0.3 * X[:, 1], np.linspace(-0.6, 0.6, n_classes - 1))


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_names_of_classes_do_not_matter(loss):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, loss=loss)
    expected = clone(model).fit(X, y).predict_proba(X)
    for names in (np.array(["a", "b", "c"]), np.array([-7, 0, 10**6]), np.array([0.0, 1.0, 5.0])):
        renamed = clone(model).fit(X, names[y])
        np.testing.assert_array_equal(renamed.predict_proba(X), expected)
        np.testing.assert_array_equal(renamed.predict(X), names[expected.argmax(axis=1)])


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("order", [[1, 0, 2], [2, 1, 0], [1, 2, 0]])
def test_the_order_of_classes_changes_no_more_than_a_seed_does(loss, order):
    X, y = problem(300)
    model = GreedyPrunedMLPClassifier(**SMALL | {"n_retrain": 200}, loss=loss)
    expected = clone(model).fit(X, y).predict_proba(X)
    permuted = clone(model).fit(X, np.array(order)[y]).predict_proba(X)[:, order]
    assert np.abs(permuted - expected).mean() < 0.1
    assert np.mean(permuted.argmax(axis=1) == expected.argmax(axis=1)) > 0.95


@settings(max_examples=30)
@given(exponent=st.integers(-6, 6), shift=st.floats(-100, 100), seed=st.integers(0, 1000))
def test_units_of_targets_do_not_matter(exponent, shift, seed):
    X, _ = problem(60)
    y = np.sin(2 * X[:, 0]) + X[:, 1]
    model = GreedyPrunedMLPRegressor(**{**SMALL, "random_state": seed})
    expected = clone(model).fit(X, y)
    scale = 10.0**exponent
    scaled = clone(model).fit(X, scale * (y + shift))
    np.testing.assert_array_equal(scaled.selection_path_, expected.selection_path_)
    np.testing.assert_allclose(scaled.predict(X) / scale - shift, expected.predict(X), atol=1e-5)


@pytest.mark.parametrize("exponents", [-6, 6, np.array([-6, 6, 3, 0])])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_units_of_features_do_not_matter(exponents, early_stopping):
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**SMALL, early_stopping=early_stopping)
    expected = clone(model).fit(X, y)
    scale = 10.0**exponents
    scaled = clone(model).fit(scale * (X + 3), y)
    np.testing.assert_array_equal(scaled.selection_path_, expected.selection_path_)
    np.testing.assert_allclose(scaled.predict_proba(scale * (X + 3)), expected.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6 / 3])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])  # the weighted variance of a constant may not be quite zero
def test_constant_features_have_no_say(value, kind, weighted):
    X, y = problem()
    X[:, 2] = value
    weight = np.random.default_rng(0).uniform(size=len(y)) if weighted else None
    model = GreedyPrunedMLPClassifier(**SMALL).fit(kind(X), y, weight)
    assert model.score(kind(X), y) > 0.7
    np.testing.assert_array_equal(model.coefs_[0][2], 0)
    other = X.copy()
    other[:, 2] = 1e3
    np.testing.assert_allclose(model.predict_proba(kind(other)), model.predict_proba(kind(X)), atol=1e-9)


def test_sparse_float32_features_whose_squares_overflow():
    X, y = problem()
    X[:, 1] *= 1e25
    model = GreedyPrunedMLPClassifier(**SMALL).fit(sparse.csr_array(X.astype(np.float32)), y)
    assert model.score(sparse.csr_array(X.astype(np.float32)), y) > 0.7


def test_features_that_are_all_constant_leave_the_mean():
    X, _ = problem(40)
    y = X[:, 0].copy()
    model = GreedyPrunedMLPRegressor(**SMALL).fit(np.ones((40, 3)), y)
    np.testing.assert_allclose(model.predict(np.ones((1, 3))), y.mean(), atol=0.2)


def test_constant_targets_are_met():
    X, _ = problem(40)
    Y = np.stack([np.full(40, 3.0), X[:, 0]], axis=1)
    model = GreedyPrunedMLPRegressor(**SMALL).fit(X, Y)
    np.testing.assert_allclose(model.predict(X)[:, 0], 3.0, atol=0.3)
    assert model.predict(X)[:, 1].std() > 0.5


@pytest.mark.parametrize("cls", [GreedyPrunedMLPClassifier, GreedyPrunedMLP])
def test_more_classes_than_neurons(cls):
    X, y = problem(n_classes=12, n_samples=240)
    model = cls(**{**SMALL, "n_hidden": 3}).fit(X, y)
    assert model.predict_proba(X).shape == (240, 12)
    assert model.score(X, y) > 1.5 / 12


def test_many_more_picks_than_neurons():
    X, y = problem()
    model = GreedyPrunedMLPClassifier(**{**SMALL, "k": 3000, "n_hidden": 5}).fit(X, y)
    assert model.selection_counts_.sum() == 3000
    assert model.n_units_ <= 5
    # So many picks can form nearly every convex combination: the certificate closes.
    assert model.duality_gaps_[-1] < 1e-3
    assert model.selection_losses_[-1] <= model.dense_loss_ + model.duality_gaps_[-1] + 1e-9


@pytest.mark.parametrize("early_stopping", [False, True])
def test_two_samples(early_stopping):
    model = GreedyPrunedMLPClassifier(**SMALL, early_stopping=early_stopping).fit([[0.0], [1.0]], ["a", "b"])
    assert np.isfinite(model.predict_proba([[0.5]])).all()
    if not early_stopping:
        np.testing.assert_array_equal(model.predict([[0.0], [1.0]]), ["a", "b"])
    number = GreedyPrunedMLPRegressor(**SMALL, early_stopping=early_stopping).fit([[0.0], [1.0]], [1e9, 2e9])
    assert np.isfinite(number.predict([[0.5]])).all()


# Errors that a user can do something about; anything else that goes wrong is a defect.
CLEAR = re.compile(
    "a classifier needs at least two classes|The loss became .* learning_rate_init|is for classes, and y holds numbers|"
    "The weights of all samples are zero|Sample weights must contain at least one non-zero|takes one label a sample|"
    "Scale the data"
)


@st.composite
def small_problems(draw):
    """Draw an estimator with valid parameters and data that it might be given."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31 - 1)))
    n_samples, n_features = draw(st.integers(2, 14)), draw(st.integers(1, 5))
    X = rng.normal(size=(n_samples, n_features)) * 10.0 ** rng.integers(-6, 7, size=n_features)
    X[:, rng.integers(n_features)] = draw(st.sampled_from([0.0, 1e6, X[0, 0]]))
    X[rng.integers(n_samples)] = X[0]
    X = X.astype(draw(st.sampled_from([np.float32, np.float64])))
    kind = draw(st.sampled_from(["label", "labels", "number", "numbers"]))
    y = {
        "label": lambda: rng.integers(0, draw(st.integers(2, 6)), size=n_samples),
        "labels": lambda: rng.integers(0, 2, size=(n_samples, 3)),
        "number": lambda: rng.normal(size=n_samples) * 10.0 ** rng.integers(-6, 7),
        "numbers": lambda: rng.normal(size=(n_samples, draw(st.integers(2, 9)))) + [1e5] * 1,
    }[kind]()
    parameters = {
        "n_pretrain": draw(st.sampled_from([0, 1, 5, "auto"])),
        "k": draw(st.sampled_from([1, 3, 40])),
        "n_hidden": draw(st.integers(1, 6)),
        "n_retrain": draw(st.sampled_from([0, 1, 25])),
        "activation": draw(st.sampled_from(["identity", "logistic", "relu", "tanh"])),
        "solver": draw(st.sampled_from(["adam", "sgd"])),
        "learning_rate_init": draw(st.sampled_from([None, 1e-4, 1.0])),
        "momentum": draw(st.sampled_from([0.0, 0.99])),
        "batch_size": draw(st.sampled_from([None, 1, 4, 100])),
        "alpha": draw(st.sampled_from([0.0, 0.1])),
        "early_stopping": draw(st.booleans()),
        "validation_fraction": draw(st.sampled_from([0.01, 0.5, 0.99])),
        "random_state": draw(st.integers(0, 1000)),
    }
    if kind.startswith("number"):
        cls = draw(st.sampled_from([GreedyPrunedMLP, GreedyPrunedMLPRegressor]))
    else:
        cls = draw(st.sampled_from([GreedyPrunedMLP, GreedyPrunedMLPClassifier]))
        parameters["loss"] = draw(st.sampled_from(["squared_error", "log_loss"]))
        parameters["class_weight"] = draw(st.sampled_from([None, "balanced"]))
    weight = draw(st.sampled_from([None, np.ones(n_samples), rng.integers(0, 3, size=n_samples)]))
    return cls(**parameters), sparse.csr_array(X) if draw(st.booleans()) else X, y, weight


@pytest.mark.filterwarnings("ignore:.*ended at a training loss:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:Columns .* of y vary so little beside their means")
@settings(max_examples=200)
@given(case=small_problems())
def test_small_problems_give_a_finite_model_or_say_why_not(case):
    model, X, y, weight = case
    try:
        with mock.patch("sklearn_gfs.mlp._path._WORTH", 0.01):  # at most 80 iterations
            model.fit(X, y, sample_weight=weight)
    except ValueError as error:
        assert CLEAR.search(str(error)), error  # noqa: PT017
        return
    outputs = model._outputs(X)
    assert np.isfinite(outputs).all()
    assert all(np.isfinite(array).all() for array in (*model.coefs_, *model.intercepts_))
    assert np.isfinite(model.selection_losses_).all()
    assert (model.duality_gaps_ >= -1e-6 * (1 + abs(model.dense_loss_))).all()
    assert model.n_units_ <= min(model.k, model.n_hidden)
    if hasattr(model, "classes_"):
        probabilities = model.predict_proba(X)
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
        assert np.isin(np.asarray(model.predict(X)), model.classes_ if np.ndim(y) == 1 else [0, 1]).all()
