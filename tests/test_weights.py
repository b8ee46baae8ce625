"""Sample weights: one rule for what they may be, and no unit, in every public function and estimator."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.neural_network import MLPRegressor

from sklearn_gfs import (
    GreedyForwardSelector,
    GreedyPrunedMLP,
    GreedyPrunedMLPClassifier,
    GreedyPrunedMLPRegressor,
    SelectionStatistics,
    greedy_forward_selection,
    prune_network,
    theory,
)

N_SAMPLES, N_ATOMS = 24, 6
SMALL = {"n_pretrain": 8, "k": 3, "n_hidden": 6, "n_retrain": 4, "random_state": 0}


def data(seed=0):
    """Return atoms and three kinds of targets: numbers, classes and one indicator for each class."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N_SAMPLES, N_ATOMS))
    labels = np.arange(N_SAMPLES) % 3
    return X, X[:, :2] @ [1.0, -2.0] + rng.standard_normal(N_SAMPLES), labels


def path(atoms, y, **options):
    def call(weight):
        found = greedy_forward_selection(atoms, y, 5, sample_weight=weight, **options)
        return [found.picks, found.losses, found.gaps, found.weights]

    return call


def chunks(size=1.0, **options):
    """Two chunks, one of them merged, so that weights of one unit meet."""

    def call(weight):
        X, y, _ = data()
        X, y = size * X, size * y
        here, there = slice(0, 9), slice(9, None)
        weights = [None if weight is None else np.asarray(weight)[part] for part in (here, there)]
        statistics = SelectionStatistics().update(X[here], y[here], weights[0])
        found = statistics.merge(SelectionStatistics().update(X[there], y[there], weights[1])).select(5, **options)
        return [found.picks, found.losses, found.gaps, found.weights]

    return call


def selected(method, holder=np.asarray, **options):
    def call(weight):
        X, y, _ = data()
        selector = GreedyForwardSelector(k=5, **options)
        getattr(selector, method)(holder(X), y, weight)
        return [selector.selection_path_, selector.selection_losses_, selector.coef_, selector.intercept_]

    return call


def network(estimator, method, target, **options):
    def call(weight):
        X, y, labels = data()
        model = estimator(**SMALL)
        fitted = getattr(model, method)(X, y if target == "numbers" else labels, sample_weight=weight, **options)
        return [fitted.predict(X), fitted.dense_loss_, *fitted.coefs_]

    return call


def along_a_path(weight):
    X, y, _ = data()
    model = GreedyPrunedMLPRegressor(**SMALL)
    return [
        point.estimator.predict(X) for point in model.fit_path(X, y, n_pretrain=[0, 8], k=[3], sample_weight=weight)
    ]


def validated(weight):
    X, y, _ = data()
    model = GreedyPrunedMLPRegressor(**SMALL | {"n_pretrain": "auto"})
    return [model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weight).predict(X)]


def pruned(for_y):
    """A network that was trained elsewhere."""

    def call(weight):
        X, y, _ = data()
        trained = MLPRegressor(hidden_layer_sizes=12, random_state=0).partial_fit(X, y)
        small = prune_network(trained, X, y if for_y else None, 4, sample_weight=weight)
        return [small.predict(X), *small.coefs_]

    return call


X, Y, LABELS = data()
LOGITS = np.random.default_rng(1).standard_normal((N_SAMPLES, N_ATOMS, 3))
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=2, keepdims=True)
ENTRIES = {
    "function": path(X, Y),
    "function in float32": path(X.astype(np.float32), Y),
    "function, Fortran order": path(np.asfortranarray(X), Y),
    "function, sparse": path(sparse.csr_array(X), Y),
    "function, several outputs": path(LOGITS, np.eye(3)[LABELS]),
    "function, neurons": path(X, np.eye(3)[LABELS], output_weights=np.arange(18.0).reshape(6, 3) - 8),
    "function, l1": path(X, Y, hull="l1"),
    "function, l1, several targets": path(X, np.eye(3)[LABELS], hull="l1"),
    "function, logits": path(LOGITS, LABELS, loss="log_loss"),
    "function, probabilities": path(PROBABILITIES, LABELS, loss="log_loss", from_logits=False),
    "statistics": chunks(),
    "statistics of large values": chunks(2.0**20),
    "statistics of small values": chunks(2.0**-30, hull="l1", standardize=True),
    "selector": selected("fit"),
    "selector, sparse": selected("fit", sparse.csr_array),
    "selector, in chunks": selected("partial_fit"),
    "selector, sparse, in chunks": selected("partial_fit", sparse.csr_array),
    "selector, convex": selected("fit", hull="convex"),
    "regressor": network(GreedyPrunedMLPRegressor, "fit", "numbers"),
    "regressor, in chunks": network(GreedyPrunedMLPRegressor, "partial_fit", "numbers"),
    "classifier": network(GreedyPrunedMLPClassifier, "fit", "labels"),
    "classifier, in chunks": network(GreedyPrunedMLPClassifier, "partial_fit", "labels", classes=[0, 1, 2]),
    "estimator that infers": network(GreedyPrunedMLP, "fit", "numbers"),
    "path of networks": along_a_path,
    "validation samples": validated,
    "trained elsewhere": pruned(for_y=False),
    "trained elsewhere, for y": pruned(for_y=True),
    "hull_spread": lambda weight: [theory.hull_spread(X, sample_weight=weight)],
    "hull_diameter": lambda weight: [theory.hull_diameter(X, sample_weight=weight)],
    "hull_optimum": lambda weight: [theory.hull_optimum(X, Y, sample_weight=weight).loss],
    "duality_gap": lambda weight: [theory.duality_gap(X, Y, X[:, 0], sample_weight=weight)],
}


@settings(max_examples=12)
@given(
    st.sampled_from([-300, -200, -60, -44, -30, -3, 3, 30, 40, 100, 200, 300]) | st.integers(-300, 300),
    st.integers(0, 2**32 - 1),
)
@pytest.mark.parametrize("entry", ENTRIES)
def test_weights_have_no_unit(entry, exponent, seed):
    """A factor changes nothing but rounding."""
    weight = np.random.default_rng(seed).uniform(0.2, 3.0, N_SAMPLES)
    factor = 2.0 ** round(exponent * np.log2(10) - np.sign(exponent) * 2)  # a power of two: no weight is rounded
    expected, found = ENTRIES[entry](weight), ENTRIES[entry](weight * factor)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12 * np.max(np.abs(one)))


@pytest.mark.parametrize("entry", [name for name in ENTRIES if not name.startswith("statistics")])
def test_weights_may_add_up_to_more_than_a_number_holds(entry):
    if entry in {"selector, in chunks", "selector, sparse, in chunks"}:
        pytest.skip("sums of chunks are kept, and refused")
    weight = np.random.default_rng(0).uniform(0.2, 3.0, N_SAMPLES)
    for one, other in zip(ENTRIES[entry](weight), ENTRIES[entry](weight * 2.0**1021), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12 * np.max(np.abs(one)))


BAD = {
    "negative": (lambda w: np.where(w == w[0], -1.0, w), ValueError),
    "NaN": (lambda w: np.where(w == w[0], np.nan, w), ValueError),
    "infinite": (lambda w: np.where(w == w[0], np.inf, w), ValueError),
    "zero everywhere": (lambda w: 0 * w, ValueError),
    "too short": (lambda w: w[:-1], ValueError),
    "a column": (lambda w: w[:, None], ValueError),
    "one number": (lambda w: 2.0, ValueError),
    "missing": (lambda w: pd.array([pd.NA, *np.ones(len(w) - 1, dtype=int)], dtype="Int64"), (ValueError, TypeError)),
    "complex": (lambda w: w + 0j, ValueError),
    "masked": (lambda w: np.ma.masked_array(w, w == w[0]), ValueError),
    "a matrix": (np.asmatrix, TypeError),
    "a sparse matrix": (lambda w: sparse.csr_array(w[None]), TypeError),
    "strings": (lambda w: w.astype(str), TypeError),
    "strings in objects": (lambda w: w.astype(str).astype(object), TypeError),
    "dates": (lambda w: (10 * w).astype("timedelta64[s]"), TypeError),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("entry", [name for name in ENTRIES if not name.startswith("statistics")])
def test_what_no_weights_are_is_refused_by_name(entry, kind):
    spoil, error = BAD[kind]
    with pytest.raises(error, match="sample_weight"):
        ENTRIES[entry](spoil(np.linspace(0.5, 2.0, N_SAMPLES)))


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("kind", BAD)
def test_statistics_refuse_what_no_weights_are(kind):
    spoil, error = BAD[kind]
    with pytest.raises(error, match="sample_weight"):
        SelectionStatistics().update(X, Y, spoil(np.linspace(0.5, 2.0, N_SAMPLES)))


HELD = {
    "list": list,
    "integers": lambda w: w.astype(int),
    "booleans": lambda w: w > 1,
    "float32": lambda w: w.astype(np.float32),
    "objects": lambda w: w.astype(object),
    "series": pd.Series,
    "nullable integers": lambda w: pd.Series(w.astype(int)).astype("Int64"),
    "tensor": lambda w: pytest.importorskip("torch").tensor(w),
    "integer tensor": lambda w: pytest.importorskip("torch").tensor(w.astype(int)),
}


@pytest.mark.parametrize("holder", HELD)
@pytest.mark.parametrize("entry", ["function", "selector", "regressor", "hull_spread"])
def test_weights_may_be_held_in_many_ways(entry, holder):
    held = HELD[holder](np.linspace(0.5, 4.0, N_SAMPLES))
    expected = ENTRIES[entry](np.array([float(value) for value in held]))
    for one, other in zip(expected, ENTRIES[entry](held), strict=True):
        np.testing.assert_array_equal(other, one)


def test_statistics_know_how_much_a_chunk_weighs_beside_the_others():
    """The unit of all chunks is one; within it a chunk may weigh next to nothing."""
    rng = np.random.default_rng(0)
    atoms, y = rng.standard_normal((40, 5)), rng.standard_normal(40)
    weight = np.r_[np.full(20, 1e-200), rng.uniform(1.0, 2.0, 20) * 1e-190]
    found = SelectionStatistics().update(atoms[:20], y[:20], weight[:20]).update(atoms[20:], y[20:], weight[20:])
    expected = greedy_forward_selection(atoms, y, 6, sample_weight=weight)
    np.testing.assert_array_equal(found.select(6).picks, expected.picks)
    np.testing.assert_allclose(found.select(6).losses, expected.losses, rtol=1e-9)


def test_statistics_refuse_weights_whose_sum_no_number_holds():
    statistics = SelectionStatistics()
    for n_samples in (0, N_SAMPLES):
        with pytest.raises(ValueError, match="the sum of sample_weight over all chunks is too large"):
            statistics.update(X, Y, np.full(N_SAMPLES, 1e308))
        assert statistics.n_samples == n_samples
        statistics.update(X, Y, np.full(N_SAMPLES, 3e306))
    with pytest.raises(ValueError, match="sample_weight"):
        statistics.merge(SelectionStatistics().update(X, Y, np.full(N_SAMPLES, 7e306)))
