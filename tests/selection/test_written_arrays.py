"""What users write into arrays that they were given changes nothing that comes later."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_gfs import SelectionStatistics


@pytest.mark.parametrize("options", [{}, {"hull": "l1", "radius": 2.0}, {"corrective": True}, {"standardize": True}])
def test_what_is_written_into_public_arrays_changes_no_selection(options):
    rng = np.random.default_rng(0)
    atoms, y = rng.normal(size=(50, 6)) + 3.0, rng.normal(size=50) + 2.0
    statistics, other = SelectionStatistics().update(atoms, y), SelectionStatistics()
    expected = statistics.select(3, **options)
    for name in ("mean_atoms", "mean_y", "gram", "c", "target_norms"):
        getattr(statistics, name)[:] = 7.0
    for path in (statistics.select(3, **options), other.merge(statistics).select(3, **options)):
        np.testing.assert_array_equal(path.picks, expected.picks)
        np.testing.assert_array_equal(path.losses, expected.losses)
        np.testing.assert_array_equal(path.weights, expected.weights)
    np.testing.assert_allclose(other.mean_atoms, atoms.mean(axis=0))
    np.testing.assert_allclose(other.mean_y, y.mean())


def test_what_is_written_into_a_prefix_changes_no_other():
    rng = np.random.default_rng(0)
    path = SelectionStatistics().update(rng.normal(size=(50, 6)), np.arange(50.0) % 3).corrective_paths(4, [0.1])[0]
    expected = [array.copy() for array in path.prefix(3) if isinstance(array, np.ndarray)]
    for array in path.prefix(3):
        if isinstance(array, np.ndarray):
            array[:] = 0
    for found, array in zip((a for a in path.prefix(3) if isinstance(a, np.ndarray)), expected, strict=True):
        np.testing.assert_array_equal(found, array)
