"""The radius that is found by itself depends neither on the precision of the products nor on that of the atoms."""

import numpy as np
import pytest

from sklearn_gfs import GreedyForwardSelector, greedy_forward_selection
from sklearn_gfs.selection import _on_samples


@pytest.mark.parametrize("n_samples", [20, 60, 100])
@pytest.mark.parametrize("seed", range(40))
def test_of_features_of_two_values(seed, n_samples):
    """Such features have many ties, and their standardised values are rounded."""
    rng = np.random.default_rng(seed)
    X, y = (rng.normal(size=(n_samples, 30)) > 0) * 1.0, rng.integers(0, 2, n_samples)
    radii = [GreedyForwardSelector(k=10).fit(X.astype(dtype), y).radius_ for dtype in (np.float32, np.float64)]
    assert radii[0] == pytest.approx(radii[1], rel=1e-6)


@pytest.mark.parametrize("kind", ["normal", "of two values", "of few values", "off"])
@pytest.mark.parametrize("n_samples", [2, 5, 20, 100])
@pytest.mark.parametrize("seed", range(20))
def test_of_atoms_that_float32_holds_exactly(seed, n_samples, kind):
    rng = np.random.default_rng(seed)
    atoms, y = rng.normal(size=(n_samples, 30)), np.round(3 * rng.normal(size=n_samples)) + 0.5
    if kind == "of two values":
        atoms = np.where(atoms > 0, 0.1, -0.1)
    elif kind == "of few values":
        atoms = 0.3 * np.round(2 * atoms)
    elif kind == "off":
        atoms = atoms + 30
    atoms = atoms.astype(np.float32)
    radii = [greedy_forward_selection(values, y, 3, hull="l1").radius for values in (atoms, atoms.astype(np.float64))]
    assert radii[0] == pytest.approx(radii[1], rel=1e-11)


@pytest.mark.parametrize("times", [1.0, -2.0])
@pytest.mark.parametrize("seed", range(6))
def test_a_target_that_is_an_atom_is_reached_without_a_pass_per_pick(seed, times, monkeypatch):
    """A radius that is too small by rounding would leave a loss that only the samples can tell from zero."""
    atoms = np.random.default_rng(seed).normal(size=(2000, 50)).astype(np.float32)
    passes = []
    distances = _on_samples.SampledPath.distances
    monkeypatch.setattr(
        _on_samples.SampledPath, "distances", lambda self, *args: (passes.append(1), distances(self, *args))[1]
    )
    path = greedy_forward_selection(atoms, times * atoms[:, 3], 50, hull="l1")
    assert len(passes) <= 5
    assert path.radius == pytest.approx(abs(times), rel=1e-14)
    assert path.losses[-1] <= 1e-30
