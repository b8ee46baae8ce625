"""Losses that are small differences of large numbers: exact where they can be, and a warning where not."""

from __future__ import annotations

from fractions import Fraction

import naive
import numpy as np
import pytest

from selection.small import make
from sklearn_gfs import SelectionStatistics, greedy_forward_selection


def test_statistics_say_when_they_cannot_resolve_the_loss():
    atoms, y = make()
    y = atoms[:, 3]
    with pytest.warns(UserWarning, match="less exact"):
        path = SelectionStatistics().update(atoms, y).select(3)
    assert path.picks[0] == 3


@pytest.mark.parametrize(("neurons", "standardize"), [(True, False), (False, True), (False, False)])
def test_sums_say_when_they_cannot_resolve_the_loss_of_a_corrective_selection(neurons, standardize):
    rng = np.random.default_rng(0)
    atoms = np.c_[rng.normal(size=(200, 5)), np.ones(200)]
    y = 1e6 + atoms[:, 0] + 1e-3 * rng.normal(size=200)
    if neurons or standardize:
        y = 1e3 * atoms[:, 0] + 1e-3 * rng.normal(size=200)  # beside an intercept the mean does not count
    options = {"output_weights": np.ones((6, 1)) if neurons else None, "standardize": standardize}
    statistics = SelectionStatistics().update(atoms, y)
    with pytest.warns(UserWarning, match="After [12] picks the loss is below 1e-07 of the sums") as caught:
        statistics.select(4, corrective=True, **options)
    assert len(caught) == 1
    # A warning would be an error: who compares ridges chooses among those that fit closely.
    statistics.corrective_paths(4, [0.0, 1.0], output_weights=np.ones((6, 1)) if neurons else None)


@pytest.mark.parametrize("shape", ["factorised", "stacked"])
def test_float32_losses_are_those_of_the_picks(shape):
    rng = np.random.default_rng(0)
    H, B = rng.random((3000, 50), dtype=np.float32), rng.standard_normal((50, 3), dtype=np.float32)
    y = H[:, :5] @ rng.standard_normal((5, 3)) + 10.0
    atoms = H[:, :, None] * B
    path = (
        greedy_forward_selection(H, y, 40, output_weights=B)
        if shape == "factorised"
        else greedy_forward_selection(atoms, y, 40)
    )
    exact = H[:, :, None].astype(np.float64) * B if shape == "factorised" else atoms.astype(np.float64)
    means = np.cumsum(exact[:, path.picks], axis=1) / np.arange(1, 41)[:, None]
    losses = 0.5 * ((means - y[:, None]) ** 2).sum(axis=2).mean(axis=0)
    np.testing.assert_allclose(path.losses, losses, rtol=1e-6)


def ill_conditioned():
    """Problems whose losses are tiny differences of large numbers."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((40, 8))
    yield "offset", 1e8 + noise, 1e8 + rng.standard_normal(40)
    yield "near duplicates", noise[:, :1] + 1e-9 * noise, noise[:, 0] + 1e-9 * rng.standard_normal(40)
    yield "scaled", 1e8 * noise, 1e8 * noise[:, :3].mean(axis=1) + rng.standard_normal(40)
    yield "tiny", 1e-8 * noise, 1e-8 * rng.standard_normal(40)
    yield "exact", noise, noise[:, :2].mean(axis=1)


@pytest.mark.parametrize(("name", "atoms", "y"), ill_conditioned())
@pytest.mark.parametrize("hull", ["convex", "l1"])
def test_ill_conditioned_atoms_agree_with_the_oracle(name, atoms, y, hull):
    # In fractions, since rounding leaves plain loops seven digits of these losses.
    exact_atoms, exact_y = (np.vectorize(Fraction, otypes=[object])(a) for a in (atoms, y))
    options = {"signs": (1, -1) if hull == "l1" else (1,), "radius": 1, "offset": 0}
    picks, losses, gaps = naive.greedy(exact_atoms[:, :, None], exact_y[:, None], 10, tie=0.0, **options)
    path = greedy_forward_selection(atoms, y, 10, hull=hull, radius=1.0 if hull == "l1" else None)
    np.testing.assert_array_equal(path.picks, picks)
    np.testing.assert_allclose(path.losses, losses.astype(float), rtol=1e-9, atol=1e-30)
    gaps = np.maximum(gaps.astype(float), 0)
    np.testing.assert_allclose(path.gaps, gaps, rtol=1e-5, atol=1e-15 if name == "exact" else 0.0)


def few_valued(seed, kind):
    """Atoms that are nearly constant, or take few values: sums of their products round to one side."""
    rng = np.random.default_rng(seed)
    n_samples, n_atoms = int(rng.choice([2000, 9000, 20000])), int(rng.choice([37, 130, 300]))
    if kind == "nearly constant":
        atoms = np.tile(rng.uniform(0.5, 1, n_atoms).astype(np.float32), (n_samples, 1))
        some = atoms[:, ::5]
        some += (rng.normal(size=some.shape) * 1e-3).astype(np.float32)
    else:
        atoms = np.repeat(rng.uniform(0.2, 0.9, size=(8, n_atoms)), -(-n_samples // 8), axis=0)[:n_samples]
        atoms = atoms.astype(np.float32)
    copied = rng.integers(0, n_atoms, n_atoms // 3)
    atoms[:, rng.integers(0, n_atoms, n_atoms // 3)] = atoms[:, copied]
    mean = atoms[:, rng.integers(0, n_atoms, 3)].astype(float).mean(axis=1)
    return atoms, mean + 0.3 * rng.normal(size=n_samples)


@pytest.mark.parametrize(
    ("seed", "kind", "options"),
    [
        (4, "nearly constant", {}),
        (40, "nearly constant", {}),
        (39, "eight values", {"hull": "l1", "radius": 2.0}),  # copies differ in float64, too
        (15, "eight values", {"corrective": True}),
        (31, "eight values", {"corrective": True}),
    ],
)
def test_float32_picks_of_atoms_with_few_values_are_those_of_float64(seed, kind, options):
    atoms, y = few_valued(seed, kind)
    path = greedy_forward_selection(atoms, y, 20, **options)
    exact = greedy_forward_selection(atoms.astype(np.float64), y, 20, **options)
    np.testing.assert_array_equal(path.picks, exact.picks)
    np.testing.assert_allclose(path.losses, exact.losses, rtol=1e-9)


@pytest.mark.parametrize(("seed", "n_picks"), [(0, 3), (20, 3)])
def test_float32_picks_for_the_log_loss_of_nearly_constant_atoms(seed, n_picks):
    atoms, y = few_valued(seed, "nearly constant")
    labels, options = (y > 0.6).astype(int), {"loss": "log_loss", "corrective": True}
    path = greedy_forward_selection(atoms, labels, n_picks, **options)
    exact = greedy_forward_selection(atoms.astype(np.float64), labels, n_picks, **options)
    np.testing.assert_array_equal(path.picks, exact.picks)
    np.testing.assert_allclose(path.losses, exact.losses, rtol=1e-9)
