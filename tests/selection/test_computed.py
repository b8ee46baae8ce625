"""Atoms that are computed whenever they are read: the same selection, in less memory, in a few passes."""

import numpy as np
import pytest
import torch
from memory import peak
from sklearn import config_context

from sklearn_gfs import greedy_forward_selection
from sklearn_gfs.selection import ComputedRows, _gram_computed


def neurons(n_samples=900, n_atoms=150, n_outputs=3, seed=0):
    """Return activations in float32, targets, output weights and an offset."""
    rng = np.random.default_rng(seed)
    hidden = np.maximum(rng.normal(size=(n_samples, 20)) @ rng.normal(size=(20, n_atoms)), 0).astype(np.float32)
    y, weights = rng.normal(size=(n_samples, n_outputs)), rng.normal(size=(n_atoms, n_outputs))
    return hidden, y, weights, rng.normal(size=n_outputs)


def computed(hidden, *, on_device=False):
    """Return rows that are copied from an array whenever they are read, and a list of what was read."""
    read = []

    def compute(samples, atoms):
        rows = hidden[samples] if atoms is None else hidden[samples][:, atoms]
        read.append((len(rows), atoms is None))
        return torch.tensor(rows) if on_device else np.array(rows)

    return ComputedRows(compute, hidden.shape, hidden.dtype, on_device=on_device), read


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("block_bytes", [2**25, 150 * 4 * 70])
def test_the_selection_is_that_of_kept_atoms(monkeypatch, on_device, weighted, n_outputs, block_bytes):
    for name in ("_BLOCK_BYTES", "_DEVICE_BLOCK_BYTES"):
        monkeypatch.setattr(_gram_computed, name, block_bytes)
    hidden, y, weights, offset = neurons(n_outputs=n_outputs)
    given = {"output_weights": weights, "offset": offset}
    if weighted:
        given["sample_weight"] = np.random.default_rng(1).uniform(0, 2, len(y))
    kept = greedy_forward_selection(hidden, y, 40, **given)
    path = greedy_forward_selection(computed(hidden, on_device=on_device)[0], y, 40, **given)
    np.testing.assert_array_equal(path.picks, kept.picks)
    np.testing.assert_allclose(path.losses, kept.losses, rtol=1e-12)
    np.testing.assert_allclose(path.gaps, kept.gaps, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("on_device", [False, True])
def test_ties_are_settled_on_the_samples(on_device):
    hidden, y, weights, _ = neurons()
    hidden[:, 75:], weights[75:] = hidden[:, :75], weights[:75]  # every atom twice
    kept = greedy_forward_selection(hidden, y, 30, output_weights=weights)
    path = greedy_forward_selection(computed(hidden, on_device=on_device)[0], y, 30, output_weights=weights)
    np.testing.assert_array_equal(path.picks, kept.picks)
    assert path.picks.max() < 75


@pytest.mark.parametrize("on_device", [False, True])
def test_small_losses_are_exact(on_device):
    """Where products can't tell a loss, it comes from the samples."""
    hidden, _, weights, _ = neurons()
    y = hidden[:, 3:4] * weights[3] * (1 + 1e-9)
    kept = greedy_forward_selection(hidden, y, 5, output_weights=weights)
    path = greedy_forward_selection(computed(hidden, on_device=on_device)[0], y, 5, output_weights=weights)
    np.testing.assert_array_equal(path.picks, kept.picks)
    np.testing.assert_allclose(path.losses, kept.losses, rtol=1e-6)
    np.testing.assert_allclose(path.gaps, kept.gaps, rtol=1e-3)


@pytest.mark.parametrize("on_device", [False, True])
def test_few_passes_are_made_and_few_rows_are_held(on_device):
    hidden, y, weights, _ = neurons(n_samples=8000, n_atoms=1000)
    rows, read = computed(hidden, on_device=on_device)
    path = greedy_forward_selection(rows, y, 30, output_weights=weights)
    assert len(np.unique(path.picks)) > 10
    # A few rows to foresee columns from, and one pass, or a second where some were not foreseen.
    assert sum(n_rows for n_rows, is_whole in read if is_whole) <= 2.2 * len(y)


def test_memory_is_bounded_whatever_the_number_of_samples(monkeypatch):
    monkeypatch.setattr(_gram_computed, "_BLOCK_BYTES", 2**19)
    hidden, y, weights, _ = neurons(n_samples=20_000, n_atoms=1500)
    rows, _ = computed(hidden)
    with config_context(working_memory=2):
        greedy_forward_selection(rows, y, 5, output_weights=weights)  # whatever is compiled on first use
        most, _ = peak(greedy_forward_selection, rows, y, 30, output_weights=weights)
    # Columns of the Gram matrix, those foreseen included, and some blocks; the atoms would be 114 MB, the matrix 17 MB.
    assert most < 8 * 2**20 + y.nbytes


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_corrective_selection_is_that_of_kept_atoms(on_device, weighted):
    hidden, y, weights, offset = neurons()
    given = {"output_weights": weights, "offset": offset, "corrective": True, "ridge": 1e-4}
    if weighted:
        given["sample_weight"] = np.random.default_rng(1).uniform(0, 2, len(y))
    kept = greedy_forward_selection(hidden, y, 20, **given)
    path = greedy_forward_selection(computed(hidden, on_device=on_device)[0], y, 20, **given)
    np.testing.assert_array_equal(path.picks, kept.picks)
    np.testing.assert_allclose(path.losses, kept.losses, rtol=1e-9)
    np.testing.assert_allclose(path.weights, kept.weights, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(path.intercept, kept.intercept, rtol=1e-7)
