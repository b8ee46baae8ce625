"""Atoms that do equally well, or all but equally well: which of them is picked."""

from __future__ import annotations

import numpy as np
import pytest

from selection.small import make
from sklearn_gfs import greedy_forward_selection
from sklearn_gfs.selection import _gram_columns
from sklearn_gfs.selection._squared_error import _PRECISION


@pytest.mark.parametrize("on_samples", [False, True])
@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("value", [0.1, -1 / 3, 0.7])
def test_an_atom_as_good_either_way_is_taken_as_it_is(monkeypatch, n_targets, value, on_samples):
    if on_samples:  # as where the loss is too small a difference of products
        monkeypatch.setattr("sklearn_gfs.selection._squared_error._PRECISION", dict.fromkeys(_PRECISION, np.inf))
    atom, y = value * np.array([1.0, 1 / 3, 1 / 7]), np.array([1 / 3, 0.1, 0.3])
    y -= atom * (atom @ y) / (atom @ atom)  # orthogonal but for rounding
    y = y if n_targets == 1 else np.outer(y, [1.0, -2.0])
    path = greedy_forward_selection(np.stack([atom, np.full(3, 9.0)], axis=1), y, 1, hull="l1", radius=3.0)
    np.testing.assert_allclose(path.weights.ravel(), [3.0] + [0.0] * (2 * n_targets - 1))


def test_ties_go_to_a_picked_atom_and_then_to_the_lowest_index():
    y = np.array([1.0, 1.0, 0.0])
    atoms = np.array([[0.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0], [9.0, 0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(greedy_forward_selection(atoms, y, 4).picks, [1, 1, 1, 1])
    orthogonal = np.eye(4)
    # Step 2 leaves three atoms that do equally well; step 4 could take any of the three again.
    np.testing.assert_array_equal(greedy_forward_selection(orthogonal, np.full(4, 0.25), 8).picks, [0, 1, 2, 3] * 2)
    np.testing.assert_array_equal(greedy_forward_selection(np.ones((3, 5)), np.zeros(3), 3).picks, [0, 0, 0])
    # After atom 1, 1.25 again is as far above 1 as the mean with 0.25 is below.
    np.testing.assert_array_equal(greedy_forward_selection([[0.25, 1.25]], [1.0], 3).picks, [1, 1, 0])
    probabilities = np.array([[[0.5, 0.5], [0.75, 0.25]], [[0.5, 0.5], [0.25, 0.75]]])
    for atoms in (probabilities, probabilities[:, [1, 0]]):
        path = greedy_forward_selection(atoms, [0, 0], 1, loss="log_loss", from_logits=False)
        assert path.picks[0] == int(atoms[0, 0, 0] != 0.5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("extra", [0, 60])
def test_an_atom_of_zeros_ties_with_one_that_does_as_well_but_for_rounding(dtype, extra):
    """The zero atom's score has no terms, so only those of the other one tell how far rounding reaches."""
    atoms, y = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]], dtype=dtype), np.array([0.0, 0.0, 1.0])
    atoms = np.concatenate([atoms, np.full((3, extra), 9.0, dtype=dtype)], axis=1)
    np.testing.assert_array_equal(greedy_forward_selection(atoms, y, 9).picks, [0, 1] * 4 + [0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_samples", [50, 1000])
def test_duplicates_are_decided_the_same_way_in_any_arithmetic(dtype, n_samples):
    atoms, y = make(n_samples, 30)
    atoms = atoms.astype(dtype)
    doubled = np.concatenate([atoms, atoms], axis=1)
    path = greedy_forward_selection(doubled, y, 40)
    assert path.picks.max() < 30
    np.testing.assert_array_equal(path.picks, greedy_forward_selection(atoms, y, 40).picks)


@pytest.mark.parametrize("hull", ["convex", "l1"])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_what_float32_products_cannot_tell_float64_ones_decide(hull, n_outputs, monkeypatch):
    rng = np.random.default_rng(0)
    atoms, B = rng.random((600, 40), dtype=np.float32), rng.standard_normal((40, n_outputs))
    # Twins that differ in the last digits only: by far less than the rounding of a product.
    order = rng.permutation(40)
    atoms = np.concatenate(
        [atoms, atoms[:, order] + np.float32(1e-6) * rng.random((600, 40), dtype=np.float32)], axis=1
    )
    y = rng.random((600, n_outputs))
    options = {"hull": hull, "radius": None if hull == "convex" else 2.0}
    if n_outputs > 1:
        options["output_weights"] = np.concatenate([B, B[order]])
    expected = greedy_forward_selection(atoms.astype(np.float64), y, 30, **options)
    for plan in ("column", "blocks", "whole"):
        monkeypatch.setattr(_gram_columns, "plan", lambda *sizes, plan=plan: plan)
        path = greedy_forward_selection(atoms, y, 30, **options)
        np.testing.assert_array_equal(path.picks, expected.picks)
        np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-9)


@pytest.mark.parametrize("hull", ["convex", "l1"])
def test_float32_atoms_of_very_different_length_are_told_apart(hull):
    """The scores' errors are those of the longer atom, which may be the best one or the one next to it."""
    options = {"hull": hull, "radius": 1.0 if hull == "l1" else None}
    for seed in range(100):
        atoms = np.random.default_rng(seed).normal(size=(20, 2)) * [1e-3, 1.0]
        y, atoms = atoms.mean(axis=1), atoms.astype(np.float32)
        losses = ((atoms.astype(np.float64) - y[:, None]) ** 2).mean(axis=0)
        if hull == "l1":
            losses = np.minimum(losses, ((atoms.astype(np.float64) + y[:, None]) ** 2).mean(axis=0))
        assert greedy_forward_selection(atoms, y, 1, **options).picks[0] == losses.argmin()


def test_an_atom_of_zeros_ties_with_a_long_one_where_the_loss_is_zero():
    atoms = [[0.0, 0.0, -2.0, 1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, -2.0, -2.0, -2.0, -2.0]]
    path = greedy_forward_selection(atoms, [0.0, 2.0], 14, hull="l1", radius=2.0, sample_weight=[2.0, 1.0])
    # After two picks y is reached. From there the atom of zeros costs as much as the other pick, and comes first.
    assert path.picks.tolist() == [0, 6] * 7
