"""Statistics over chunks: offsets, sparse or not, change nothing; a call adds all it was given, or nothing."""

from __future__ import annotations

from copy import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import peak
from scipy import sparse
from sklearn import config_context

from sklearn_gfs import GreedyForwardSelector, SelectionStatistics
from sklearn_gfs.selection import _sample_moments, _statistics
from sklearn_gfs.selection._gram_standardized import shifted

HOLDERS = {
    "csr": sparse.csr_array,
    "csc": sparse.csc_array,
    "csr matrix": sparse.csr_matrix,
    "csr in float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "dense in float32": lambda X: X.astype(np.float32),
}


def far_away(offset, *, missing=0.0, seed=0, n_samples=400):
    """Columns about an offset, a few of whose values are missing, beside sparse columns about zero."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, 12))
    y = X[:, [0, 1, 8]] @ [1.0, -2.0, 1.5] + 0.3 * rng.standard_normal(n_samples)
    X[:, :8] += offset
    X[:, :8][rng.random((n_samples, 8)) < missing] = 0.0
    X[:, 9:][rng.random((n_samples, 3)) < 0.8] = 0.0
    return X, y, rng.uniform(0.5, 2.0, n_samples)


def assert_same_selection(found, expected, rtol=1e-6):
    np.testing.assert_array_equal(found.selection_path_, expected.selection_path_)
    np.testing.assert_allclose(found.selection_losses_, expected.selection_losses_, rtol=rtol)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(found.radius_, expected.radius_, rtol=rtol)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.005, 0.3])
@pytest.mark.parametrize("offset", [1e4, 1e6, 1e7, -1e8])
@pytest.mark.parametrize("holder", HOLDERS)
def test_an_offset_changes_no_selection(holder, offset, missing, weighted):
    X, y, weight = far_away(offset, missing=missing)
    weight = weight if weighted else None
    held = HOLDERS[holder](X)
    # What float32 has rounded stays rounded: the oracle is float64 on the same values.
    same = held.toarray() if sparse.issparse(held) else held
    expected = GreedyForwardSelector(k=25).fit(same.astype(np.float64), y, weight)
    found = GreedyForwardSelector(k=25).fit(held, y, weight)
    assert_same_selection(found, expected)
    streamed = GreedyForwardSelector(k=25)
    for rows in (slice(0, 7), slice(7, 250), slice(250, None)):
        streamed.partial_fit(held[rows], y[rows], None if weight is None else weight[rows])
    assert_same_selection(streamed, expected)
    predictions = (same.astype(np.float64) @ selector.coef_ + selector.intercept_ for selector in (streamed, expected))
    np.testing.assert_allclose(*predictions, atol=1e-6)


@pytest.mark.parametrize("holder", ["csr", "csr in float32"])
def test_merged_statistics_of_columns_far_away(holder):
    X, y, _ = far_away(1e7)
    held = HOLDERS[holder](X)
    parts = [SelectionStatistics().update(held[rows], y[rows]) for rows in (slice(0, 1), slice(1, 90), slice(90, None))]
    merged = SelectionStatistics().merge(parts[2]).merge(parts[0]).merge(parts[1])
    expected = SelectionStatistics().update(held.toarray().astype(np.float64), y)
    np.testing.assert_allclose(merged.gram, expected.gram, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(merged.c, expected.c, rtol=1e-6, atol=1e-6)
    path, whole = (statistics.select(20, hull="l1", standardize=True) for statistics in (merged, expected))
    np.testing.assert_array_equal(path.picks, whole.picks)


@pytest.mark.parametrize("offset", [1e4, 1e7, -1e8])
@pytest.mark.parametrize("holder", [np.asarray, *HOLDERS.values()])
def test_an_offset_of_predictions_and_y_changes_no_mean(holder, offset):
    """Weights that add up to one leave a constant as it is; no warning says that digits were lost."""
    rng = np.random.default_rng(0)
    y = rng.standard_normal(300)
    models = holder(y[:, None] + rng.standard_normal((300, 9)) * rng.uniform(0.5, 2.0, 9) + offset)
    y = y + offset
    same = (models.toarray() if sparse.issparse(models) else models).astype(np.float64)
    expected = GreedyForwardSelector(k=20, hull="convex").fit(same - offset, y - offset)
    streamed = GreedyForwardSelector(k=20, hull="convex")
    for rows in (slice(0, 7), slice(7, 200), slice(200, None)):
        streamed.partial_fit(models[rows], y[rows])
    assert_same_selection(streamed, expected)
    np.testing.assert_allclose(streamed.duality_gaps_, expected.duality_gaps_, rtol=1e-6, atol=1e-7)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 1e3, 1e8]), st.sampled_from([0.0, 0.01, 0.3]))
def test_a_shift_is_undone_by_its_pivot_and_keeps_a_matrix_sparse(seed, offset, missing):
    X, _, weight = far_away(offset, missing=missing, seed=seed, n_samples=150)
    held = sparse.csr_array(X)
    before = held.copy()
    near, pivot = shifted(held, weight / weight.sum())
    np.testing.assert_allclose(near.toarray() + pivot, X, rtol=1e-15, atol=1e-8)
    assert near.nnz <= 1.1 * held.nnz
    assert (held != before).nnz == 0
    # Nothing that the sums of squares would lose is left.
    mean = weight @ near.toarray() / weight.sum()
    variance = weight @ (X - weight @ X / weight.sum()) ** 2 / weight.sum()
    assert (mean**2 <= 100 * variance).all()


def test_a_sparse_matrix_about_zero_is_left_alone():
    X, _, weight = far_away(0.0)
    near, pivot = shifted(sparse.csr_array(X), weight / weight.sum())
    np.testing.assert_array_equal(near.toarray(), X)
    assert not pivot.any()


def test_entries_stored_twice_count_as_their_sum():
    X, y, _ = far_away(1e7)
    once = sparse.csc_array(X)
    twice = (np.repeat(once.data / 2, 2), np.repeat(once.indices, 2), 2 * once.indptr)
    doubled = sparse.csc_array(twice, shape=X.shape)
    assert doubled.nnz == 2 * once.nnz
    near, pivot = shifted(doubled, np.full(len(X), 1 / len(X)))
    np.testing.assert_array_equal(np.flatnonzero(pivot), range(8))
    np.testing.assert_allclose(near.toarray() + pivot, X, atol=1e-8)
    assert doubled.nnz == 2 * once.nnz  # those of the caller
    found, expected = (SelectionStatistics().update(held, y) for held in (doubled, X))
    np.testing.assert_allclose(found.gram, expected.gram, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_columns_vary_in_either_type_or_in_none(method, dtype):
    """A column of float32 far from zero varies, though by little of its size; a constant one doesn't."""
    X, y, _ = far_away(1e6)
    X = np.column_stack([X, np.full(len(y), 1e6 / 3), np.full(len(y), 0.1)]).astype(dtype)
    selector = getattr(GreedyForwardSelector(k=300, radius=20.0), method)(X, y)
    assert selector.get_support()[:2].all()
    assert not selector.get_support()[12:].any()


def test_what_no_squares_hold_is_refused_within_chunks_and_between_them():
    rng = np.random.default_rng(0)
    atoms, y = rng.standard_normal((9, 3)), rng.standard_normal(9)
    for size, target in ((2.0**660, 1.0), (1.0, 2.0**660)):
        with pytest.raises(ValueError, match="too large for their squares"):
            SelectionStatistics().update(size * atoms, target * y)
        # Constant within a chunk, they are nothing about their mean; two chunks are far apart.
        chunks = [(np.full((8, 3), sign * size), np.full(8, sign * target)) for sign in (1, -1)]
        statistics = SelectionStatistics().update(*chunks[0])
        before = state(statistics)
        with pytest.raises(ValueError, match="too large for their squares"):
            statistics.update(*chunks[1])
        with pytest.raises(ValueError, match="too large for their squares"):
            statistics.merge(SelectionStatistics().update(*chunks[1]))
        assert_unchanged(statistics, before)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("holder", [np.asarray, sparse.csr_array])
def test_constant_columns_are_constant_in_many_samples(holder, method):
    """Rounding makes a mean of many differ from the one value by more than the value's own rounding."""
    rng = np.random.default_rng(0)
    X = holder(np.tile([0.1, 1e6 / 3, -np.pi], (30_000, 1)))
    y, weight = rng.standard_normal(30_000), rng.uniform(0.5, 2.0, 30_000)
    for w in (None, weight):
        with pytest.raises(ValueError, match="no column of X varies"):
            getattr(GreedyForwardSelector(), method)(X, y, w)


@pytest.mark.parametrize("holder", [np.asarray, sparse.csr_array])
def test_blocks_that_weigh_nothing_are_counted_and_change_nothing(holder):
    rng = np.random.default_rng(0)
    atoms, y = rng.standard_normal((4000, 40)), rng.standard_normal(4000)
    weight = np.zeros(4000)
    weight[2500:2600] = rng.uniform(1, 2, 100)
    with config_context(working_memory=1):  # a block is of about a thousand samples
        statistics = SelectionStatistics().update(holder(atoms), y, weight)
    expected = SelectionStatistics().update(atoms[2500:2600], y[2500:2600], weight[2500:2600])
    assert statistics.n_samples == 4000
    np.testing.assert_allclose(statistics.weight, weight.sum())
    for name in ("mean_atoms", "mean_y", "gram", "c", "target_norms"):
        np.testing.assert_allclose(getattr(statistics, name), getattr(expected, name), rtol=1e-9, atol=1e-9)


def state(statistics):
    return [
        statistics.n_samples,
        statistics.weight,
        *(getattr(statistics, name).copy() for name in ("mean_atoms", "mean_y", "gram", "c", "target_norms")),
    ]


def assert_unchanged(statistics, before):
    for one, other in zip(state(statistics), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("spoiled", ["atoms", "inf", "y", "sample_weight", "width"])
@pytest.mark.parametrize("first", [True, False])
def test_an_update_that_raises_adds_nothing(spoiled, first):
    rng = np.random.default_rng(0)
    atoms, y, weight = rng.standard_normal((3000, 40)), rng.standard_normal(3000), rng.uniform(1, 2, 3000)
    statistics = SelectionStatistics() if first else SelectionStatistics().update(atoms[:50], y[:50])
    before = state(statistics)
    if spoiled == "width":
        y = y[:-1]
    else:
        held = {"atoms": atoms, "inf": atoms, "y": y, "sample_weight": weight}[spoiled]
        held[-1] = np.inf if spoiled == "inf" else np.nan
    with config_context(working_memory=1), pytest.raises(ValueError, match=r"atoms|y \(less|sample_weight|samples"):
        statistics.update(atoms, y, weight)
    assert_unchanged(statistics, before)


@pytest.mark.parametrize("call", [0, 1, 2])
@pytest.mark.parametrize("name", ["chunk_moments", "combined"])
def test_an_interrupt_adds_nothing(name, call, monkeypatch):
    """Wherever it comes: after any of the sums, or of the additions."""
    rng = np.random.default_rng(0)
    atoms, y = rng.standard_normal((3000, 40)), rng.standard_normal(3000)
    statistics = SelectionStatistics().update(atoms[:50], y[:50])
    before, original, calls = state(statistics), getattr(_sample_moments, name), []

    def interrupted(*arguments):
        result = original(*arguments)
        calls.append(1)
        if len(calls) > call:
            raise KeyboardInterrupt
        return result

    for module in (_sample_moments, _statistics):
        monkeypatch.setattr(module, name, interrupted, raising=False)
    with config_context(working_memory=1), pytest.raises(KeyboardInterrupt):
        statistics.update(atoms, y)
    assert_unchanged(statistics, before)
    calls.clear()
    if name == "combined" and call == 0:
        with pytest.raises(KeyboardInterrupt):
            statistics.merge(copy(statistics))
        assert_unchanged(statistics, before)


def test_without_samples_there_is_no_weight():
    nothing = SelectionStatistics()
    assert (nothing.n_samples, nothing.weight) == (0, 0.0)
    some = SelectionStatistics().update(np.eye(3), np.arange(3.0))
    for merged in (SelectionStatistics().merge(some), some.merge(nothing), nothing.merge(SelectionStatistics())):
        assert merged.weight == merged.n_samples == (0 if merged is nothing else 3)


def test_merging_leaves_the_other_as_it_is():
    rng = np.random.default_rng(0)
    here, there = (SelectionStatistics().update(rng.standard_normal((9, 4)), rng.standard_normal(9)) for _ in range(2))
    before = state(there)
    here.merge(there).update(rng.standard_normal((9, 4)), rng.standard_normal(9))
    assert_unchanged(there, before)
    doubled = copy(there)
    np.testing.assert_allclose(doubled.merge(doubled).gram, 2 * there.gram)
    assert_unchanged(there, before)


def test_a_chunk_takes_the_memory_of_its_own_sums_only():
    n_atoms = 600
    rng = np.random.default_rng(0)
    statistics = SelectionStatistics().update(rng.standard_normal((20, n_atoms)), rng.standard_normal(20))
    chunk, y = rng.standard_normal((20, n_atoms)), rng.standard_normal(20)
    assert peak(statistics.update, chunk, y)[0] < 2.5 * 8 * n_atoms**2


SPOILED = {
    "NaN in X": (lambda X, y, w: (np.where(X[0] == X, np.nan, X), y, w), ValueError),
    "too large": (lambda X, y, w: (X * 1e200, y, w), ValueError),
    "NaN in weights": (lambda X, y, w: (X, y, w * np.nan), ValueError),
    "other labels": (lambda X, y, w: (X, y + 1, w), ValueError),
    "other columns": (lambda X, y, w: (X[:, :-1], y, w), ValueError),
    "complex": (lambda X, y, w: (X + 0j, y, w), ValueError),
    "strange weights": (lambda X, y, w: (X, y, w.astype(str)), TypeError),
}


def attributes(selector):
    """Return the fitted attributes, in a form that can be compared."""
    values = vars(selector) | {"_statistics": state(getattr(selector, "_statistics", SelectionStatistics()))}
    return {name: repr(value) for name, value in values.items() if name.endswith("_") or name.startswith("_")}


@pytest.mark.parametrize("kind", SPOILED)
@pytest.mark.parametrize("hull", ["l1", "convex"])
def test_a_chunk_that_is_refused_leaves_the_selector_as_it_was(kind, hull):
    rng = np.random.default_rng(0)
    X, y, weight = rng.standard_normal((40, 5)), np.arange(40) % 2, rng.uniform(1, 2, 40)
    spoil, error = SPOILED[kind]
    selector = GreedyForwardSelector(k=4, hull=hull).partial_fit(X, y, weight)
    before = attributes(selector)
    with pytest.raises(error):
        selector.partial_fit(*spoil(X, y, weight))
    assert attributes(selector) == before
    expected = GreedyForwardSelector(k=4, hull=hull).partial_fit(X, y, weight).partial_fit(X[::-1], y, weight)
    assert attributes(selector.partial_fit(X[::-1], y, weight)) == attributes(expected)


@pytest.mark.parametrize("kind", [kind for kind in SPOILED if kind not in {"other labels", "other columns"}])
@pytest.mark.parametrize("earlier", ["fit", "partial_fit"])
def test_a_fit_that_fails_leaves_the_earlier_one(kind, earlier):
    rng = np.random.default_rng(0)
    X, y, weight = rng.standard_normal((40, 5)), np.arange(40) % 2, rng.uniform(1, 2, 40)
    spoil, error = SPOILED[kind]
    selector = getattr(GreedyForwardSelector(k=4), earlier)(X, y, weight)
    before = attributes(selector)
    with pytest.raises(error):
        selector.fit(*spoil(X[:, :4], y, weight))
    assert attributes(selector) == before
    with pytest.raises(ValueError, match="k=0"):
        selector.set_params(k=0).fit(X, y)
    assert attributes(selector) == before


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_interrupt_of_the_selection_leaves_the_selector_as_it_was(method, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 5)), rng.standard_normal(40)
    selector = GreedyForwardSelector(k=4).partial_fit(X, y)
    before = attributes(selector)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_gfs.selection._squared_error.SquaredErrorSearch.run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        getattr(selector, method)(X, y)
    assert attributes(selector) == before


def test_a_first_chunk_that_is_refused_leaves_an_unfitted_selector():
    selector = GreedyForwardSelector(k=4)
    with pytest.raises(ValueError, match="no column of X varies"):
        selector.partial_fit(np.ones((5, 3)), np.arange(5.0))
    assert not attributes(selector) or list(attributes(selector)) == ["_statistics"]
    assert not hasattr(selector, "n_features_in_")


def test_fit_forgets_the_sums():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 5)), rng.standard_normal(40)
    selector = GreedyForwardSelector(k=4).partial_fit(X, y).fit(X, y)
    expected = GreedyForwardSelector(k=4).partial_fit(X[:20], y[:20])
    assert attributes(selector.partial_fit(X[:20], y[:20])) == attributes(expected)


def test_copies_of_a_selector_share_no_sums():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 5)), rng.standard_normal(40)
    selector = GreedyForwardSelector(k=4).partial_fit(X, y)
    before = attributes(selector)
    copy(selector).partial_fit(-X, y)
    assert attributes(selector) == before


@pytest.mark.parametrize("means", [0.0, 1e-200])
def test_of_atoms_whose_squares_vanish_only_those_of_zeros_are_let_pass(means):
    # On the l1 ball, where an atom may be taken many times over.
    atoms = np.column_stack([np.full(4, means), [1.0, 2.0, 3.0, 5.0]])
    statistics = SelectionStatistics().update(atoms, np.arange(4.0))
    if means:
        with pytest.raises(ValueError, match="atom 0 among them"):
            statistics.select(2, hull="l1", radius=1.0)
    else:
        assert statistics.select(2, hull="l1", radius=1.0).picks[0] == 1


def test_what_is_no_statistics_and_no_truth_value_is_named():
    statistics = SelectionStatistics().update(np.eye(3), np.arange(3.0))
    with pytest.raises(TypeError, match="other must be a SelectionStatistics, got int"):
        statistics.merge(3)
    with pytest.raises(TypeError, match="standardize='no' must be True or False, got str"):
        statistics.select(2, standardize="no")
