"""Standardisation that follows the data: parts whose scales, or whose variation, come late."""

import itertools
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from naive import inverse_scales, network_outputs
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, make_friedman1

from sklearn_gfs import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor
from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs.network import _scaling
from sklearn_gfs.network._parameters import initial_network
from sklearn_gfs.network._scaling import measure_moments, rescaled, scaling_of

SMALL = {"n_pretrain": 50, "k": 20, "n_hidden": 100, "n_retrain": 200, "random_state": 0}
SEEDS = st.integers(0, 2**31 - 1)


@given(
    seed=SEEDS, first=st.integers(1, 20), kinds=st.sampled_from(["dense", "sparse", "dense, sparse", "sparse, dense"])
)
def test_moments_of_parts_are_those_of_the_whole(seed, first, kinds):
    rng = np.random.default_rng(seed)
    X, y = 3 + rng.normal(size=(30, 3)), rng.normal(size=(30, 2)) * [1, 1e4]
    X[:, 1] = 7.0
    X[:, 2] *= rng.uniform(size=30) < 0.3
    weight = rng.integers(1, 4, size=30) * 1.0
    one, two = (
        (sparse.csr_array if "sparse" in kind else np.asarray) for kind in (kinds + ", " + kinds).split(", ")[:2]
    )
    parts = measure_moments(one(X[:first]), y[:first], 0.3 * weight[:first], n_copies=weight[:first].sum())
    parts = measure_moments(two(X[first:]), y[first:], weight[first:], n_copies=weight[first:].sum(), earlier=parts)
    whole = measure_moments(one(X), y, weight, n_copies=weight.sum())
    assert parts.n_seen == weight.sum()
    assert (parts.x_mean is None) == kinds.startswith("sparse")
    for name in ("x_mean", "x_variance", "x_varies", "y_mean", "y_variance", "y_varies"):
        if getattr(whole, name) is not None:
            np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-9, atol=1e-9, err_msg=name)
    for found, expected in zip(parts.x_edges, whole.x_edges, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert whole.x_varies.tolist() == [True, False, True]


@given(seed=SEEDS, first=st.integers(1, 29), kind=st.sampled_from([np.asarray, sparse.csr_array]))
def test_rows_of_equally_many_copies_count_as_often(seed, first, kind):
    rng = np.random.default_rng(seed)
    X, y = 3 + rng.normal(size=(30, 3)), rng.normal(size=(30, 2)) * [1, 1e4]
    copies = np.where(np.arange(30) < first, 2, 5)
    parts = measure_moments(kind(X[:first]), y[:first], n_copies=2.0 * first)
    parts = measure_moments(kind(X[first:]), y[first:], n_copies=5.0 * (30 - first), earlier=parts)
    whole = measure_moments(kind(np.repeat(X, copies, axis=0)), np.repeat(y, copies, axis=0))
    assert parts.n_seen == whole.n_seen
    for name in ("x_mean", "x_variance", "y_mean", "y_variance"):
        if getattr(whole, name) is not None:
            np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-9, err_msg=name)


@given(seed=SEEDS, weighted=st.booleans(), is_sparse=st.booleans(), piece=st.sampled_from([1, 60, 2**20]))
def test_scales_are_those_of_plain_loops(seed, weighted, is_sparse, piece):
    rng = np.random.default_rng(seed)
    shares = np.array([0.05, 0.3, 0.5, 0.7, 1.0, 0.1, 0.2])
    X = rng.normal(size=(50, 7)) * (rng.uniform(size=(50, 7)) < shares) + [0, 0, 0, 0, 3, 0, 0]
    X[:, 1] = X[:, 1] != 0
    X[0], X[1] = 1.0, 0.0  # every feature varies
    X *= [1, 1, 1, 1, 1, 5, 1e4]
    weight = rng.uniform(0.5, 2, 50) if weighted else np.ones(50)
    with mock.patch.object(_scaling, "PIECE_BYTES", piece):
        moments = measure_moments(sparse.csr_array(X) if is_sparse else X, X[:, :1], weight if weighted else None)
    found = scaling_of(moments, center_targets=True, scale_targets=True).inputs.inverse_scale
    np.testing.assert_allclose(found, inverse_scales(X.T.tolist(), weight.tolist(), sparse=is_sparse), rtol=1e-9)


def spreads(X):
    moments = measure_moments(X, X[:, :1])
    scaling = scaling_of(moments, center_targets=True, scale_targets=True)
    return (X * scaling.inputs.inverse_scale).std(axis=0)


def test_rare_values_are_scaled_alike_however_they_are_coded():
    rng = np.random.default_rng(0)
    rare = rng.uniform(size=(500, 1)) < 0.02
    X = np.hstack([rng.normal(size=(500, 1)), np.where(rare, 1, 0), np.where(rare, 0, 1), np.where(rare, 29.5, 30.5)])
    variance = 2 * rare.mean()
    np.testing.assert_allclose(spreads(X) ** 2, [1, variance, variance, variance])
    # Of two values that are equally common none is rare.
    assert spreads(np.repeat([[0.0], [1.0]], 50, axis=0)) == pytest.approx(1)


def test_sizes_of_rare_values_are_kept_unless_they_are_units():
    rng = np.random.default_rng(0)
    X = np.where(rng.permuted(np.arange(500)[:, None] < [10] * 5, axis=0), 1.0, 0.0)
    alike = spreads(X * [1, 1, 1, 2, 0.5])
    np.testing.assert_allclose(alike[3] / alike[0], 2 ** (1 - np.log(2) / np.log(100)))
    np.testing.assert_allclose(alike[4] / alike[0], alike[0] / alike[3])
    np.testing.assert_allclose(spreads(X * [1, 1, 1, 1e4, 1e-9]), alike[0])


@given(seed=SEEDS, centred=st.booleans())
def test_a_rescaled_network_does_the_same(seed, centred):
    rng = np.random.default_rng(seed)
    network = initial_network((3, 5, 2), ACTIVATIONS["tanh"], squared_norm=3.0, dtype=np.float64, rng=rng)
    network = network._replace(output_intercept=rng.normal(size=2))
    convert = np.asarray if centred else sparse.csr_array
    scalings = []
    for _ in range(2):
        X, y = (
            rng.uniform(0.7, 2) * rng.normal(size=(20, 3)) + rng.normal(size=3),
            rng.uniform(0.7, 2) * rng.normal(size=(20, 2)),
        )
        scalings.append(scaling_of(measure_moments(convert(X), y), center_targets=True, scale_targets=True))
    ratios = scalings[0].inputs.inverse_scale / scalings[1].inputs.inverse_scale
    assume((np.abs(np.log(ratios)) < np.log(4)).all())
    assume((np.abs(np.log(scalings[0].y_scale / scalings[1].y_scale)) < np.log(4)).all())
    new = rescaled(network, *scalings, np.array([True, True]))
    outputs = []
    for net, scaling in zip((network, new), scalings, strict=True):
        mean, inverse_scale = scaling.inputs
        Z = (X - (0 if mean is None else mean)) * inverse_scale
        outputs.append(network_outputs(Z, net, "tanh") * scaling.y_scale + scaling.y_mean)
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-9, atol=1e-9)


def test_weights_keep_their_size_where_scales_meant_nothing():
    network = initial_network(
        (3, 5, 1), ACTIVATIONS["relu"], squared_norm=3.0, dtype=np.float64, rng=np.random.default_rng(0)
    )
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 1))
    first = measure_moments(X * [0, 1e-6, 1] + [50, 0, 0], 0 * y)
    then = measure_moments(X, 1e-5 * y)
    before, after = (scaling_of(moments, center_targets=True, scale_targets=True) for moments in (first, then))
    new = rescaled(network, before, after, first.y_varies)
    ratios = np.abs(new.hidden_coef / network.hidden_coef)
    np.testing.assert_allclose(ratios[:2], [[1.0] * 5, [4.0] * 5])
    np.testing.assert_allclose(new.output_coef, network.output_coef)
    assert np.abs(new.hidden_intercept).max() < 10


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("n_first", [1, 2])
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
def test_a_first_part_of_few_samples_can_be_learnt_from(solver, n_first, convert):
    X, y = make_friedman1(600, random_state=0)
    X, y = 1e3 * X, 1e-3 * y
    model = GreedyPrunedMLPRegressor(**SMALL, solver=solver).partial_fit(convert(X[:n_first]), y[:n_first])
    for start in range(n_first, 400, 100):
        model.partial_fit(convert(X[start : start + 100]), y[start : start + 100])
    assert model.score(convert(X[400:]), y[400:]) > 0.6


def test_first_parts_of_single_samples_of_classes():
    X, y = load_digits(return_X_y=True)
    scores = []
    for starts in ([0, 500], [0, 1, 2, 3, 500]):
        model = GreedyPrunedMLPClassifier(**SMALL)
        for start, stop in itertools.pairwise([*starts, 1000]):
            model.partial_fit(X[start:stop], y[start:stop], classes=np.arange(10))
        scores.append(model.score(X[1000:], y[1000:]))
    assert scores[1] > scores[0] - 0.05


@pytest.mark.parametrize("how", ["partial_fit", "warm_start"])
@pytest.mark.parametrize("cls", [GreedyPrunedMLP, GreedyPrunedMLPRegressor])
def test_features_may_begin_to_vary_late(cls, how):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4))
    X[:100, [0, 2]] = [1.0, 0.0]  # constant among the first
    y = X[:, 0] + np.abs(X[:, 1])
    model = cls(**SMALL, warm_start=how == "warm_start")
    if how == "warm_start":
        model.fit(X[:100], y[:100]).set_params(n_pretrain=150).fit(X[100:400], y[100:400])
    else:
        model.partial_fit(X[:100], y[:100])
        assert not model.coefs_[0][0].any()  # nothing was learnt of a constant
        for part in (slice(100, 250), slice(250, 400)):
            model.partial_fit(X[part], y[part])
    assert model.coefs_[0][0].any()
    assert model.score(X[400:], y[400:]) > 0.85  # without the feature it is 0.3


def test_all_constant_features_may_begin_to_vary_late():
    X, y = make_friedman1(600, random_state=0)
    model = GreedyPrunedMLPRegressor(**SMALL).partial_fit(np.ones((50, 10)), y[:50])
    for start in (0, 200):
        model.partial_fit(X[start : start + 200], y[start : start + 200])
    assert model.score(X[400:], y[400:]) > 0.6


def test_parts_count_by_their_samples_and_a_warm_start_anew():
    X, y = make_friedman1(300, random_state=0)
    weight = np.arange(300) % 3 + 0.0
    model = GreedyPrunedMLPRegressor(**SMALL, batch_size=None).partial_fit(X[:200], y[:200], weight[:200])
    model.partial_fit(X[200:], y[200:]).partial_fit(X[:1], y[:1])
    moments = model._dense_state[0].moments
    assert moments.n_seen == weight[:200].sum() + 101
    rows = np.concatenate([np.repeat(np.arange(200), weight[:200].astype(int)), np.arange(200, 300), [0]])
    np.testing.assert_allclose(moments.x_mean, X[rows].mean(axis=0))
    np.testing.assert_allclose(moments.y_variance, y[rows].var())
    model = GreedyPrunedMLPRegressor(**SMALL, warm_start=True).fit(X[:200], y[:200]).fit(X[200:], y[200:])
    np.testing.assert_allclose(model._dense_state[0].moments.x_mean, X[200:].mean(axis=0))


def test_parts_of_the_same_scale_teach_as_much_as_ever():
    X, y = make_friedman1(1200, random_state=0)
    parts = GreedyPrunedMLPRegressor(**SMALL)
    for start in range(0, 1000, 250):
        parts.partial_fit(X[start : start + 250], y[start : start + 250])
    whole = clone(parts).set_params(n_pretrain=200).fit(X[:1000], y[:1000])
    assert parts.score(X[1000:], y[1000:]) > whole.score(X[1000:], y[1000:]) - 0.1
