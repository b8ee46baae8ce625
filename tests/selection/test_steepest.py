"""The selection by the loss's gradient: its picks, and what is told of the picks on all samples."""

import itertools
from unittest import mock

import naive
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_gfs.network._losses import LabelwiseLogLoss, LogLoss, SquaredError
from sklearn_gfs.selection import OutputLayer, _steepest, _steepest_outputs, measure, pick_steepest


def problem(seed, n_outputs, *, weighted, n_samples=30, n_neurons=25):
    """Return activations, indicators, weights and output weights, in float64."""
    rng = np.random.default_rng(seed)
    hidden = np.maximum(rng.normal(size=(n_samples, n_neurons)), 0)
    classes = rng.integers(0, max(n_outputs, 2), n_samples)
    targets = classes[:, None].astype(float) if n_outputs == 1 else np.eye(n_outputs)[classes]
    weight = rng.uniform(0.1, 2, n_samples) if weighted else None
    coef, intercept = rng.normal(size=(n_neurons, n_outputs)), rng.normal(size=n_outputs)
    return hidden, targets, weight, OutputLayer(coef, intercept)


def by_torch():
    """Have no loss known by the compiled loop, while one is inside."""
    return mock.patch.object(_steepest_outputs, "loop_code", return_value=None)


def atoms_of(hidden, layer):
    return hidden[:, :, None] * layer.coef


def as_naive(targets, loss):
    """Return the targets as the naive losses take them."""
    if isinstance(loss, SquaredError):
        return targets
    return targets.argmax(axis=1) if targets.shape[1] > 1 else targets[:, 0].astype(int)


@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from([LogLoss(), SquaredError()]),
    st.sampled_from([0, 3, 7]),
)
def test_each_pick_is_the_best_of_the_steepest(seed, n_outputs, weighted, loss, n_first):
    """The first picks are the best of all; in float64, which torch takes."""
    hidden, targets, weight, layer = problem(seed, n_outputs, weighted=weighted)
    with mock.patch.object(_steepest, "_FIRST_PICKS", n_first), by_torch():
        picks, losses = pick_steepest(hidden, targets, weight, layer, loss, 7)
    y, intercept = as_naive(targets, loss), layer.intercept
    atoms = atoms_of(hidden, layer)
    n_tried = [len(layer.coef)] * n_first + [_steepest._TRIED] * (7 - n_first)
    expected = naive.steepest(atoms, y, n_tried, loss=loss.name, weight=weight, offset=intercept)
    assert picks.tolist() == expected
    weight = np.ones(len(y)) if weight is None else weight
    for j in range(1, 8):
        mean = atoms[:, picks[:j]].mean(axis=1) + intercept
        assert losses[j - 1] == pytest.approx(naive.mean_loss(mean, y, weight, loss.name), rel=1e-9)


def test_with_all_neurons_tried_picks_are_the_exact_ones(monkeypatch):
    hidden, targets, _, layer = problem(0, 3, weighted=False)
    monkeypatch.setattr(_steepest, "_TRIED", 25)
    monkeypatch.setattr(_steepest, "_ALL_TRIED", 0)
    with by_torch():
        picks, losses = pick_steepest(hidden, targets, None, layer, LogLoss(), 8)
    expected, expected_losses, _ = naive.greedy(
        atoms_of(hidden, layer), targets.argmax(axis=1), 8, loss="log_loss", offset=layer.intercept
    )
    np.testing.assert_array_equal(picks, expected)
    np.testing.assert_allclose(losses, expected_losses)


def test_all_neurons_are_tried_only_where_that_is_cheap():
    hidden, targets, _, layer = problem(4, 4, weighted=False)
    n_numbers = hidden.shape[1] * targets.size
    paths = []
    for limit in (n_numbers, n_numbers - 1, 0):
        with mock.patch.object(_steepest, "_ALL_TRIED", limit):
            paths.append(pick_steepest(hidden, targets, None, layer, SquaredError(), 7)[0].tolist())
    assert paths[0] != paths[1] == paths[2]


def in_chunks(hidden, targets, weight, cuts=(0, 7, 8, 30)):
    for start, stop in itertools.pairwise(cuts):
        rows = slice(start, stop)
        yield hidden[rows], targets[rows], None if weight is None else weight[rows]


@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.booleans(),
    st.integers(1, 20),
    st.sampled_from([LogLoss(), SquaredError()]),
)
def test_losses_and_gaps_are_those_of_the_picks(seed, n_outputs, weighted, k, loss):
    hidden, targets, weight, layer = problem(seed, n_outputs, weighted=weighted)
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, 25, k)
    path = measure(in_chunks(hidden, targets, weight), picks, layer, loss)
    atoms, y, intercept = atoms_of(hidden, layer), as_naive(targets, loss), layer.intercept
    weight = np.ones(len(y)) if weight is None else weight
    marked = {1, 2, 4, 8, 16, k}
    least = []
    for j in range(1, k + 1):
        mean = atoms[:, picks[:j]].mean(axis=1)
        assert path.losses[j - 1] == pytest.approx(naive.mean_loss(mean + intercept, y, weight, loss.name), rel=1e-9)
        if j in marked:
            gap = naive.gap(atoms, mean, y, loss=loss.name, weight=weight, offset=intercept)
            least.append(path.losses[j - 1] - gap)
    np.testing.assert_allclose(path.losses - path.gaps, max(least), rtol=1e-9, atol=1e-9)
    for shares in rng.dirichlet(np.full(25, 0.1), size=5):  # no mean of neurons is below
        outputs = np.einsum("sac,a->sc", atoms, shares) + intercept
        assert naive.mean_loss(outputs, y, weight, loss.name) >= max(least) - 1e-9
    assert path.counts.tolist() == np.bincount(picks, minlength=25).tolist()
    np.testing.assert_allclose(path.weights, path.counts / k)


def test_activations_elsewhere_give_the_same():
    hidden, targets, _, layer = problem(1, 3, weighted=False)
    picks = np.arange(9)
    here = measure(in_chunks(hidden, targets, None), picks, layer, LabelwiseLogLoss())
    there = measure(
        [(torch.from_numpy(h), t, w) for h, t, w in in_chunks(hidden, targets, None)],
        picks,
        layer,
        LabelwiseLogLoss(),
    )
    np.testing.assert_allclose(there.losses, here.losses, rtol=1e-12)
    np.testing.assert_allclose(there.gaps, here.gaps, rtol=1e-12)


def test_activations_that_are_not_finite_are_refused():
    hidden, targets, _, layer = problem(0, 3, weighted=False)
    hidden[3, 4] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        pick_steepest(hidden, targets, None, layer, LogLoss(), 3)
