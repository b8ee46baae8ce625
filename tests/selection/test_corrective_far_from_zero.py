"""Corrective selection of neurons that are far from zero for their spread, and of neurons that do not vary."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sklearn_gfs import SelectionStatistics, greedy_forward_selection
from sklearn_gfs.selection import ComputedRows

STORED = {
    "array": np.asarray,
    "columns": np.asfortranarray,
    "sparse": sparse.csr_array,
    "tensor": torch.tensor,
    "computed": lambda A: ComputedRows(
        lambda rows, some: np.array(A[rows] if some is None else A[rows][:, some]), A.shape, A.dtype
    ),
    "tensors": lambda A: ComputedRows(
        lambda rows, some: torch.tensor(A[rows] if some is None else A[rows][:, some]), A.shape, A.dtype, on_device=True
    ),
}


def far_away(seed, power, n_samples=60):
    """Six neurons of different spread, some of them up to 10 ** power away from zero, and a target that needs four."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n_samples, 6)) * 10.0 ** rng.uniform(-1, 1, size=6)
    A += rng.integers(-1, 2, size=6) * 10.0 ** rng.uniform(0, power, size=6)
    y = centred(A)[:, :4] @ rng.normal(size=4) + 0.3 * rng.normal(size=n_samples)
    return A, y


def centred(A, weight=None):
    """The atoms about their means; rounding is that of the atoms themselves."""
    near = A - np.average(A, axis=0, weights=weight)
    return near - np.average(near, axis=0, weights=weight)


def least_losses(A, y, picks, weight=None):
    """The least losses of the first picks, from least squares about the means."""
    weight = np.ones(len(y)) if weight is None else weight
    root = np.sqrt(weight / weight.sum())[:, None]
    B, target = centred(A, weight) * root, centred(y[:, None], weight) * root
    B /= np.linalg.norm(B, axis=0)
    some = [B[:, picks[:n]] for n in range(1, len(picks) + 1)]
    return np.array([0.5 * np.sum((target - C @ np.linalg.lstsq(C, target)[0]) ** 2) for C in some])


def select(A, y, stored="array", k=6, weight=None, **options):
    if stored == "sums":
        statistics = SelectionStatistics()
        for rows in np.array_split(np.arange(len(y)), 3):
            statistics.update(A[rows], y[rows], None if weight is None else weight[rows])
        return statistics.select(k, corrective=True, output_weights=np.ones((A.shape[1], 1)), **options)
    options |= {"corrective": True, "output_weights": np.ones((A.shape[1], 1)), "sample_weight": weight}
    return greedy_forward_selection(STORED[stored](A), y, k, **options)


@given(st.integers(0, 2**32 - 1), st.sampled_from([*STORED, "sums"]), st.floats(0.0, 10.0), st.booleans())
def test_neurons_that_vary_are_solved_for_however_far_they_are_from_zero(seed, stored, power, weighted):
    A, y = far_away(seed, power)
    weight = np.random.default_rng(seed).uniform(0.1, 2.0, len(y)) if weighted else None
    path = select(A, y, stored, weight=weight, tol=0.0)
    expected = select(centred(A, weight), y, weight=weight, tol=0.0)
    np.testing.assert_array_equal(path.picks, expected.picks)
    least = least_losses(A, y, path.picks, weight)
    np.testing.assert_allclose(path.losses, least, rtol=1e-6)
    np.testing.assert_allclose(path.losses - path.gaps, least[-1], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:After 1 picks the loss is below")  # sums say no more
@pytest.mark.parametrize("stored", [*STORED, "sums"])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_one_neuron_far_from_zero_beside_one_that_is_not(ridge, stored):
    rng = np.random.default_rng(0)
    z, other = rng.normal(size=(2, 300))
    path = select(np.c_[1e7 + z, other], 2 * z, stored, k=1, ridge=ridge, tol=0.0)
    expected = select(np.c_[z, other], 2 * z, k=1, ridge=ridge, tol=0.0)
    assert path.picks.tolist() == [0]
    np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-6, atol=1e-14)
    np.testing.assert_allclose(path.gaps, expected.gaps, rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("shape", [(3000, 400), (300, 1600)])
def test_many_neurons_far_from_zero(shape):
    rng = np.random.default_rng(0)
    A = rng.normal(size=shape) + rng.choice([0.0, 1e7, -3e8], size=shape[1])
    y = centred(A)[:, ::40] @ rng.normal(size=len(range(0, shape[1], 40))) + rng.normal(size=shape[0])
    path, expected = select(A, y, k=20), select(centred(A), y, k=20)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-6)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 10.0))
def test_neurons_far_from_zero_by_the_log_loss(seed, power):
    A, y = far_away(seed, power)
    y = (y + np.random.default_rng(seed).normal(size=len(y)) * 2 * np.std(y) > 0).astype(int)
    path = select(A, y, loss="log_loss", ridge=1e-3)
    expected = select(centred(A), y, loss="log_loss", ridge=1e-3)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-5)


@given(st.integers(0, 2**32 - 1), st.floats(-1e12, 1e12), st.booleans(), st.sampled_from([*STORED, "sums", "logits"]))
def test_what_rounding_alone_makes_vary_is_constant(seed, value, weighted, stored):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(50, 4)) + 10.0 ** rng.uniform(0, 10)
    A[:, 0] = value
    A[:, 1] = value * (1.0 + rng.integers(-2, 3, size=50) * np.finfo(float).eps)
    A[:, 2] = 1.0 / 3.0
    y, weight = rng.normal(size=50), rng.uniform(0.1, 2.0, 50) if weighted else None
    if stored == "logits":
        path = select(A, (y > 0).astype(int), weight=weight, loss="log_loss", ridge=1e-3)
    else:
        path = select(A, y, stored, weight=weight, tol=0.0)
    assert path.picks.tolist() == [3]


@given(st.integers(0, 2**32 - 1), st.sampled_from([*STORED, "sums"]), st.booleans())
def test_in_float32_the_rounding_is_that_of_float32(seed, stored, first):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(60, 3)).astype(np.float32)
    A[:, 1] = np.float32(1e4) * (1 + rng.integers(-1, 2, size=60) * np.finfo(np.float32).eps)
    y = rng.normal(size=60)
    assert 1 not in select(A, y, stored, k=3, tol=0.0).picks
    if stored == "sums":  # one part of float32 is enough
        parts = [A.astype(float), A] if first else [A, A.astype(float)]
        statistics = SelectionStatistics().update(parts[0], y)
        statistics.merge(SelectionStatistics().update(parts[1], y))
        assert 1 not in statistics.select(3, corrective=True, output_weights=np.ones((3, 1))).picks
