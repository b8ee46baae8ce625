"""Geometry of hulls whose atoms and targets have a large offset in common: distances do not depend on it."""

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_gfs import theory

OFFSETS = [0.0, 1e5, 1e7, 1e8, 1e9]


def shifted(seed, n_samples, n_atoms, offset):
    """Return atoms and targets with an offset, and the same less the offset, without rounding between the two."""
    rng = np.random.default_rng(seed)
    atoms, y = rng.normal(size=(n_samples, n_atoms)) + offset, rng.normal(size=n_samples) + offset
    return atoms, y, atoms - offset, y - offset


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("seed", range(5))
def test_the_diameter(seed, offset):
    atoms, _, near, _ = shifted(seed, 30, 6, offset)
    pairs = [np.mean((near[:, i] - near[:, j]) ** 2) for i, j in itertools.combinations(range(6), 2)]
    assert_allclose(theory.hull_diameter(atoms), math.sqrt(max(pairs)), rtol=1e-12)


def test_the_diameter_of_two_atoms():
    assert theory.hull_diameter(np.array([[0.0, 2.0], [0.0, 0.0]]) + 1e9) == pytest.approx(math.sqrt(2), rel=1e-12)


@pytest.mark.parametrize("offset", OFFSETS)
def test_the_diameter_of_neurons(offset):
    """Equal output weights of 1 leave the activations as they are, for each of two outputs."""
    atoms, _, near, _ = shifted(3, 20, 5, offset)
    found = theory.hull_diameter(atoms, output_weights=np.ones((5, 2)))
    assert_allclose(found, math.sqrt(2) * theory.hull_diameter(near), rtol=1e-12)


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("seed", range(5))
def test_the_spread(seed, offset):
    atoms, _, near, _ = shifted(seed, 30, 6, offset)
    assert_allclose(theory.hull_spread(atoms), theory.hull_spread(near), rtol=1e-12)


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("seed", range(5))
def test_the_nearest_point(seed, offset):
    atoms, y, near, near_y = shifted(seed, 30, 6, offset)
    found, right = theory.hull_optimum(atoms, y), theory.hull_optimum(near, near_y)
    assert_allclose(found.loss, right.loss, rtol=1e-12)
    assert_allclose(np.mean((near @ found.weights - near_y) ** 2) / 2, right.loss, rtol=1e-12)
    assert found.gap <= 1e-12 * right.loss


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("seed", range(5))
def test_the_gap(seed, offset):
    atoms, y, near, near_y = shifted(seed, 30, 6, offset)
    prediction = atoms[:, 0]
    assert_allclose(
        theory.duality_gap(atoms, y, prediction), theory.duality_gap(near, near_y, prediction - offset), rtol=1e-12
    )


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("seed", range(5))
def test_membership(seed, offset):
    atoms, _, near, _ = shifted(seed, 3, 8, offset)
    inside = near @ np.full(8, 1 / 8) + offset
    assert theory.hull_membership(atoms, inside).inside is True
    assert theory.hull_membership(atoms, np.full(3, 5.0) + offset).inside is False


@pytest.mark.parametrize("offset", OFFSETS)
def test_membership_of_a_point_on_the_border_is_known_to_rounding(offset):
    """The hull is a line between two atoms, so that the rounding of the targets takes these off the hull."""
    atoms = shifted(0, 5, 2, offset)[0]
    assert theory.hull_membership(atoms, atoms @ [0.25, 0.75]).inside is True


@pytest.mark.parametrize("far", [1e12, 1e16])
def test_the_spread_of_atoms_beside_a_far_one_without_weight(far):
    atoms = np.array([[far, 0.0, 0.1]])
    assert_allclose(theory.hull_spread(atoms, weights=[0.0, 0.5, 0.5]), 0.0025, rtol=1e-12)
