"""Corrective selection for squared error where atoms depend on the picks, or nearly so."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_gfs import SelectionStatistics, greedy_forward_selection

DTYPES = [np.float64, np.float32]


def both(atoms, y, k, **options):
    """The selection from samples, and from sums."""
    weight = options.pop("sample_weight", None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* less exact", category=UserWarning)  # some fit y
        sums = SelectionStatistics().update(atoms, y, weight).select(k, corrective=True, **options)
    return greedy_forward_selection(atoms, y, k, corrective=True, sample_weight=weight, **options), sums


def check_losses(path, atoms, y, weight=None):
    """Losses are those of the weights, and the picks are independent about their means."""
    outputs = path.intercept + atoms.astype(float) @ path.weights.reshape(atoms.shape[1], -1)
    squares = ((outputs - y.reshape(len(y), -1)) ** 2).sum(axis=1)
    np.testing.assert_allclose(path.losses[-1], 0.5 * np.average(squares, weights=weight), atol=1e-7 * np.mean(y**2))
    assert len(np.unique(path.picks)) == len(path.picks)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("free", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_more_neurons_are_picked_than_samples_tell_apart(seed, free, dtype):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(100, 10))
    H = np.tanh(X @ rng.normal(size=(10, 300)) * 0.1 + rng.normal(size=300) * 3).astype(dtype)
    y = np.sin(X[:, 0]) + rng.normal(size=100)
    for path in both(H, y, 150, output_weights=np.ones((300, 1)) if free else None):
        assert len(path.picks) == 100 - free
        check_losses(path, H, y)
        assert path.losses[-1] < 1e-7


@given(st.integers(0, 2**32 - 1), st.sampled_from(DTYPES), st.booleans(), st.booleans())
def test_atoms_far_from_zero_for_their_spread_are_picked_once_for_each_dimension(seed, dtype, free, weighted):
    rng = np.random.default_rng(seed)
    atoms = (10.0 + rng.normal(size=(10, 30)) * 10.0 ** -rng.integers(0, 4, size=30)).astype(dtype)
    y, options = rng.normal(size=10), {"sample_weight": rng.integers(1, 4, size=10) if weighted else None}
    for path in both(atoms, y, 15, output_weights=np.ones((30, 1)) if free else None, **options):
        assert 7 <= len(path.picks) <= 10 - free
        check_losses(path, atoms, y, options["sample_weight"])


@given(st.integers(0, 2**32 - 1), st.integers(0, 4), st.booleans())
def test_combinations_of_a_few_columns_count_as_so_many(seed, distance, free):
    rng = np.random.default_rng(seed)
    atoms = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 30)) + (10.0**distance if free else 0.0)
    for path in both(atoms, rng.normal(size=40), 15, output_weights=np.ones((30, 1)) if free else None):
        assert len(path.picks) == 5


def test_of_two_samples_one_neuron_is_picked():
    atoms = np.array([[1000.3475, 1001.9256, 1000.7824], [1000.3483, 999.2790, 1001.1007]])
    y, weight = np.array([[896.0, -385.0], [-1626.0, -1092.0]]), np.array([2.0, 1.0])
    for path in both(atoms, y, 3, output_weights=np.ones((3, 2)), sample_weight=weight):
        assert path.picks.tolist() == [0]  # each fits as well
