"""Which samples are held out: in proportion, whatever order, repetition, weights and units; what that is good for."""

from functools import partial

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import peak
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_classification, make_friedman1
from sklearn.metrics import balanced_accuracy_score

from sklearn_gfs import GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs._weights import count_copies
from sklearn_gfs.network._data import distinct, divide, is_table, project
from sklearn_gfs.network._holdout import copies_that_count, effective_number, held_out_shares
from sklearn_gfs.network._standardisation import Standardisation

SEEDS = st.integers(0, 2**31 - 1)


def shares_of(along, targets, weight=None, *, fraction=0.2, seed=0, labels=None, table=False):
    """Shares of samples with these weights, which count copies where they can."""
    targets = np.asarray(targets, dtype=float).reshape(len(along), -1)
    copies = count_copies(weight, len(along))
    rng = np.random.default_rng(seed)
    return held_out_shares(along, targets, weight, copies, fraction, rng, is_table=lambda *_: table, labels=labels)


@given(seed=SEEDS, n_samples=st.integers(2, 40), fraction=st.floats(0.05, 0.95), table=st.booleans())
def test_held_out_samples_do_not_depend_on_order_repetition_or_units(seed, n_samples, fraction, table):
    rng = np.random.default_rng(seed)
    along, targets = rng.normal(size=n_samples), rng.integers(0, 3, size=n_samples)
    weight = rng.integers(1, 4, size=n_samples) * 1.0
    weight[0] = 1.0
    shares = shares_of(along, targets, weight, fraction=fraction, seed=seed, table=table)
    assert 0 < shares @ weight < weight.sum()
    order = rng.permutation(n_samples)
    shuffled = shares_of(along[order], targets[order], weight[order], fraction=fraction, seed=seed, table=table)
    np.testing.assert_array_equal(shuffled, shares[order])
    scaled = shares_of(1024 * along, targets, 0.7 * weight, fraction=fraction, seed=seed, table=table)
    np.testing.assert_allclose(scaled, shares, atol=1e-12)
    samples = np.repeat(np.arange(n_samples), weight.astype(int))
    repeated = shares_of(along[samples], targets[samples], fraction=fraction, seed=seed, table=table)
    np.testing.assert_allclose(np.bincount(samples, repeated), weight * shares, atol=1e-12)
    if not table:  # all copies are in the same part, unless their sample outweighs its neighbours
        assert np.mean((shares == 0) | (shares == 1)) > 0.8 or n_samples < 10


@given(seed=SEEDS, n_copies=st.integers(2, 9), n_cells=st.integers(2, 30), fraction=st.floats(0.02, 0.9))
def test_of_repeated_samples_both_parts_get_copies(seed, n_copies, n_cells, fraction):
    cells = np.repeat(np.arange(n_cells), n_copies)
    targets = np.random.default_rng(seed).normal(size=n_cells)[cells]
    shares = shares_of(cells * 1.0, targets, fraction=fraction, seed=seed, table=True)
    assert set(np.unique(shares)) <= {0.0, 1.0}  # copies are held out as a whole
    held = np.bincount(cells, shares)
    assert (held < n_copies).all()
    assert (held <= np.ceil(n_copies * fraction)).all()
    if fraction * n_copies <= n_copies - 1:
        assert abs(held.sum() - fraction * len(cells)) <= 1 + (n_copies * fraction > n_copies - 1) * n_cells


@given(seed=SEEDS, sizes=st.lists(st.integers(1, 60), min_size=2, max_size=5), fraction=st.floats(0.05, 0.3))
def test_every_class_is_held_out_in_proportion(seed, sizes, fraction):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.eye(len(sizes))[y]
    importance = rng.uniform(0.5, 30, size=len(sizes))[y]  # as class weights are
    for weight in (None, importance):
        shares = shares_of(rng.normal(size=len(y)), labels, weight, fraction=fraction, seed=seed, labels=labels)
        held = labels.T @ shares
        assert (held <= np.maximum(0.5 * np.array(sizes), fraction * np.array(sizes) + 1)).all()
        assert (held < sizes).all()
        if min(sizes) >= 2 / fraction:
            assert (held >= fraction * np.array(sizes) - 1).all()


@given(seed=SEEDS, n_samples=st.integers(2, 80), fraction=st.floats(0.05, 0.9), n_labels=st.integers(1, 6))
def test_no_label_is_held_out_altogether(seed, n_samples, fraction, n_labels):
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=(n_samples, n_labels)) < 0.1).astype(float)
    weight = rng.uniform(0.1, 2, size=n_samples)
    shares = shares_of(rng.normal(size=n_samples), labels, weight, fraction=fraction, seed=seed, labels=labels)
    assert ((shares >= 0) & (shares <= 1)).all()
    for members in (labels > 0, labels <= 0):
        total, held = weight @ members, (weight * shares) @ members
        assert (held <= max(0.5, fraction) * total * (1 + 1e-9)).all()


@given(seed=SEEDS, n_samples=st.integers(30, 200), heavy=st.floats(50.0, 1e40))
def test_a_sample_that_outweighs_its_neighbours_is_in_both_parts(seed, n_samples, heavy):
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.5, 1.5, size=n_samples)
    weight[3] = heavy
    shares = shares_of(rng.normal(size=n_samples), rng.normal(size=n_samples), weight, fraction=0.2, seed=seed)
    assert 0.05 < shares[3] < 0.35
    others = np.delete(shares, 3)
    assert set(np.unique(others)) == {0.0, 1.0}
    assert abs(others.sum() - 0.2 * n_samples) <= 2


@pytest.mark.parametrize(
    ("weight", "copies"),
    [
        ([1.0, 2.0, 3.0], [1, 2, 3]),
        ([2.0, 4.0, 6.0], [1, 2, 3]),
        ([0.2, 0.3, 1.0], [2, 3, 10]),
        ([0.3, 0.4, 1.0], [1, 1, 1]),  # the least stands for three
        ([0.99, 1.0, 1.0], [1, 1, 1]),
        ([5.0, 5.0, 5.0], [1, 1, 1]),
        ([12.5, 0.5208333333333334], [24, 1]),
        ([1.0, 1.2345], [1, 1]),  # multiples of too small a unit
        ([1.0, 1e40], [1, 1]),
        ([1.0, np.pi], [1, 1]),
    ],
)
@pytest.mark.parametrize("unit", [1.0, 0.7, 1e-300, 1e200])
def test_weights_with_a_common_unit_count_copies(weight, copies, unit):
    np.testing.assert_array_equal(count_copies(unit * np.array(weight), len(weight)), copies)


@given(st.lists(st.tuples(st.floats(0.01, 100), st.integers(1, 9)), min_size=1, max_size=20))
def test_weights_are_worth_as_many_samples_as_have_even_ones(samples):
    weight, copies = (np.array(column, dtype=float) for column in zip(*samples, strict=True))
    worth = effective_number(weight, copies)
    assert worth == pytest.approx(naive.effective_number(weight, copies))
    assert worth == pytest.approx(effective_number(np.repeat(weight / copies, copies.astype(int)), np.ones(1)))
    assert worth * (1 + 1e-9) >= 1
    assert worth <= copies.sum() * (1 + 1e-9)
    assert effective_number(3 * copies, copies) == pytest.approx(effective_number(None, copies))


def test_the_held_out_part_is_a_fraction_of_each_class():
    rng = np.random.default_rng(13)
    targets = np.repeat([0.0, 1.0], [200, 100])
    shares = shares_of(rng.normal(size=300), targets, fraction=0.1)
    assert abs(shares[:200].sum() - 20) <= 1
    assert abs(shares[200:].sum() - 10) <= 1


@pytest.mark.parametrize(
    ("n_samples", "n_held_out"),
    [(10, 3), (300, 90), (400, 100), (1000, 100), (3000, 300), (400_000, 20_000)],
)
@pytest.mark.parametrize("n_copies", [1, 5])
def test_the_automatic_fraction_holds_out_enough_samples(n_samples, n_held_out, n_copies):
    if n_samples % n_copies == 0:
        along = np.repeat(np.random.default_rng(14).normal(size=n_samples // n_copies), n_copies)
        shares = shares_of(along, np.zeros(n_samples), fraction="auto", seed=15, table=True)
        assert abs(shares.sum() - n_held_out) <= 1


def test_all_samples_equal_hold_nothing_out():
    assert not shares_of(np.zeros(5), np.ones(5), fraction=0.5).any()


def test_few_samples_with_a_large_or_small_fraction_leave_something_in_each_part():
    for fraction in (1e-6, 1 - 1e-6):
        for n_samples in range(2, 6):
            shares = shares_of(np.arange(n_samples) * 1.0, np.zeros(n_samples), fraction=fraction)
            assert 0 < shares.sum() < n_samples


@given(seed=SEEDS, n_rows=st.integers(1, 30))
def test_parts_hold_all_the_weight(seed, n_rows):
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(rng.uniform(size=40) < 0.7)[:n_rows]
    shares = rng.choice([0.0, 0.25, 1.0], size=len(rows))
    weight = rng.uniform(1, 2, size=40)
    parts = divide(rows, shares, weight)
    train, held = np.zeros(40), np.zeros(40)
    train[parts.train.rows] = parts.train.weight_of_rows
    held[parts.held_out.rows] = parts.held_out.weight_of_rows
    np.testing.assert_allclose(held[rows], shares * weight[rows])
    np.testing.assert_allclose((train + held)[rows], weight[rows])
    assert sorted(parts.whole.rows) == sorted(rows)


@pytest.mark.parametrize("kind", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_distinct_samples_are_the_same_in_any_order(kind, dtype):
    rng = np.random.default_rng(3)
    X, y = rng.integers(-1, 2, size=(60, 2)).astype(dtype) * 0.5, rng.integers(0, 2, size=(60, 1)) * 1.0
    weight = rng.integers(1, 4, size=60) * 1.0
    found = distinct(kind(X), y, weight, weight)
    order = rng.permutation(np.repeat(np.arange(60), weight.astype(int)))
    again = distinct(kind(np.where(X == 0, -X, X)[order]), y[order], None, np.ones(len(order)))
    for one, other in zip(found, again, strict=True):
        one, other = (a.toarray() if sparse.issparse(a) else a for a in (one, other))
        np.testing.assert_array_equal(one, other)
    samples = np.hstack([found[0].toarray() if sparse.issparse(found[0]) else found[0], found[1]])
    for sample, total in zip(samples, found[2], strict=True):
        assert total == weight @ np.all(np.hstack([X, y]) == sample, axis=1)
    assert len(samples) == len(np.unique(np.hstack([X, y]), axis=0))


def test_projections_of_equal_rows_are_equal_wherever_they_are():
    rng = np.random.default_rng(4)
    rows = np.repeat(np.arange(7), 1300)
    X = rng.normal(size=(7, 33))[rows] + 1e6
    for data in (X, np.asfortranarray(X), sparse.csr_array(X)):
        standardisation = Standardisation(X.mean(axis=0), np.ones(33))
        projections = project(data, np.arange(len(X)), standardisation, rng.normal(size=33))
        assert len(np.unique(projections)) == 7


@pytest.mark.parametrize("convert", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_a_table_is_told_from_measurements(convert):
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 5, size=(300, 3))
    one_hot = np.hstack([np.eye(5)[column] for column in codes.T])
    measured = rng.normal(size=(300, 3))
    rows = np.arange(100, 300)
    for cells in (codes * 1.0, one_hot, np.round(rng.uniform(0, 50, size=(300, 2)))):
        assert is_table(convert(cells), rows, 0.5)
        assert not is_table(convert(np.hstack([cells, measured[:, :1]])), rows, 0.9)
    assert not is_table(convert(measured), rows, 0.5)
    assert is_table(convert(measured), rows[:19], 0.5)  # as few as the cells of a small table


@pytest.mark.parametrize(("n_copies", "part"), [(9, 0.5), (11, 0.9)])
def test_many_copies_are_those_of_cells_unless_a_feature_tells_nearly_all_apart(n_copies, part):
    """Of 36 articles 25 have a price of their own, and yet each is sold a hundred times."""
    asked = []
    rows = np.repeat(np.arange(36.0), n_copies)
    rng = np.random.default_rng(0)
    held_out_shares(
        rows, rows[:, None], None, np.ones(len(rows)), 0.1, rng, is_table=lambda _, told: not asked.append(told)
    )
    assert asked == [part]
    prices = np.hstack([np.arange(25), np.arange(11)])[:, None] * 1.0
    assert is_table(prices, np.arange(36), part) == (part == 0.9)


def test_a_class_of_a_few_cells_is_learnt():
    """One cell in three of each class; a cell that is held out whole says nothing about its neighbours."""
    rng = np.random.default_rng(0)
    prices = rng.permutation(np.arange(36) % 30) / 4
    cells = np.concatenate([np.repeat(np.arange(1, 36), 100), [0, 0, 0]])
    X, y = prices[cells, None], np.where(cells == 0, 3, cells % 3)
    X = np.hstack([X, np.eye(3)[rng.integers(0, 3, size=36)][cells]])
    for seed in range(3):
        assert GreedyPrunedMLPClassifier(random_state=seed).fit(X, y).score(X, y) > 0.9


# What it is good for.


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("interactions", [False, True])
def test_a_table_of_categories_is_learnt(seed, interactions):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(3, size=600), rng.integers(4, size=600)
    X = np.hstack([np.eye(3)[rows], np.eye(4)[columns]])
    y = rng.normal(size=(3, 4))[rows, columns] if interactions else rows + rng.normal(size=4)[columns]
    assert GreedyPrunedMLPRegressor(random_state=seed).fit(X, y).score(X, y) > 0.99


def test_whole_number_weights_do_not_hide_that_noise_is_learnt():
    X, y = load_diabetes(return_X_y=True)
    weight = np.random.default_rng(0).integers(1, 6, size=221)
    scores = [
        GreedyPrunedMLPRegressor(random_state=seed).fit(X[:221], y[:221], weight).score(X[221:], y[221:])
        for seed in range(3)
    ]
    assert min(scores) > 0.35  # with copies in both parts the noise is learnt by heart


@pytest.mark.parametrize("weight", [0.99, 1.5, 2.0])
def test_one_weight_does_not_multiply_the_samples(weight):
    X, y = load_diabetes(return_X_y=True)
    weights = np.ones(221)
    weights[0] = weight
    plain, weighted = (
        GreedyPrunedMLPRegressor(random_state=0).fit(X[:221], y[:221], w).score(X[221:], y[221:])
        for w in (None, weights)
    )
    assert weighted > plain - 0.1


def test_copies_of_measurements_count_for_one():
    rng = np.random.default_rng(0)
    copies = rng.integers(1, 9, 300).astype(float)
    for X, expected in ((rng.normal(size=(300, 2)), np.ones(300)), (rng.integers(9, size=(300, 2)), copies)):
        found = copies_that_count(copies, partial(is_table, X))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_rare_classes_of_great_weight_are_learnt(loss):
    scores = []
    for seed in range(3):
        X, y = make_classification(2000, weights=[0.96], random_state=seed)
        model = GreedyPrunedMLPClassifier(class_weight="balanced", loss=loss, random_state=seed)
        scores.append(balanced_accuracy_score(y[1000:], model.fit(X[:1000], y[:1000]).predict(X[1000:])))
    assert np.mean(scores) > 0.8


@pytest.mark.parametrize("which", ["one", "a tenth"])
def test_samples_of_great_weight_do_not_stop_training(which):
    X, y = make_friedman1(1000, noise=1.0, random_state=0)
    weight = np.ones(500)
    weight[np.arange(500) == 7 if which == "one" else X[:500, 0] < 0.1] = 1e4 if which == "one" else 30.0
    scores = [
        GreedyPrunedMLPRegressor(random_state=seed).fit(X[:500], y[:500], weight).score(X[500:], y[500:])
        for seed in range(3)
    ]
    assert np.mean(scores) > 0.8


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_in_full_batch_order_and_repetition_change_no_bit(loss, kind):
    rng = np.random.default_rng(5)
    y = np.arange(50) % 3
    X = rng.normal(size=(50, 4)) + 2 * np.eye(3, 4)[y]
    weight = rng.integers(0, 4, size=50)
    model = GreedyPrunedMLPClassifier(loss=loss, random_state=0)
    expected = clone(model).fit(kind(X), y, weight)
    order = rng.permutation(50)
    for samples, weights in ((order, weight[order]), (rng.permutation(np.repeat(order, weight[order])), None)):
        other = clone(model).fit(kind(X[samples]), y[samples], weights)
        assert other.n_retrain_ == expected.n_retrain_
        for one, two in zip(expected.coefs_ + expected.intercepts_, other.coefs_ + other.intercepts_, strict=True):
            np.testing.assert_array_equal(one, two)


def test_few_numbers_are_held_for_each_sample():
    rng, n = np.random.RandomState(0), 20_000
    along, labels = rng.standard_normal(n), np.eye(3, dtype=np.float32)[rng.randint(3, size=n)]
    given = along, labels, None, np.ones(n), "auto", rng
    most, shares = peak(held_out_shares, *given, is_table=lambda *_: False, labels=labels)
    assert shares.sum() == pytest.approx(n / 10, rel=0.01)
    assert most < 8 * n * 6.5
