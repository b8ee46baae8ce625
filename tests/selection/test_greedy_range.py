"""Numbers of every size: compared as they should be, or refused; never compared wrongly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from strategies import cases

from selection.small import CLASSES, P, Z, tensor
from sklearn_gfs import GreedyForwardSelector, SelectionStatistics, greedy_forward_selection

RNG = np.random.default_rng(0)
ATOMS = RNG.standard_normal((60, 12))
Y = ATOMS[:, :3].mean(axis=1) + 0.3 * RNG.standard_normal(60)
B = RNG.standard_normal((12, 2))
Y2 = np.stack([Y, -Y], axis=1)


def select(atoms, y, **options):
    return greedy_forward_selection(atoms, y, 8, **options)


# Each selects from atoms and targets that are multiplied by numbers.
LAYOUTS = {
    "array": lambda a, b, **options: select(a * ATOMS, b * Y, **options),
    "fortran": lambda a, b, **options: select(np.asfortranarray(a * ATOMS), b * Y, **options),
    "float32": lambda a, b, **options: select((a * ATOMS).astype(np.float32), b * Y, **options),
    "sparse": lambda a, b, **options: select(sparse.csr_array(a * ATOMS), b * Y, **options),
    "tensor": lambda a, b, **options: select(tensor(a * ATOMS), b * Y, **options),
    "output weights": lambda a, b, **options: select(ATOMS, b * Y2, output_weights=a * B, **options),
    "outputs": lambda a, b, **options: select(a * ATOMS[:, :, None] * B, b * Y2, **options),
    "statistics": lambda a, b, **options: SelectionStatistics().update(a * ATOMS, b * Y).select(8, **options),
}
BALL = {"hull": "l1", "radius": 2.0}


@pytest.mark.parametrize("options", [{}, BALL, {"hull": "l1"}], ids=["convex", "ball", "automatic ball"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_too_small_or_too_large_for_their_squares_are_refused(layout, options):
    call = LAYOUTS[layout]
    if layout != "float32":  # which has no such numbers
        with pytest.raises(ValueError, match=r"y .* too large"):
            call(1e200, 1e200, **options)
        with pytest.raises(ValueError, match=r"atoms .* too large"):
            call(1e200, 1.0, **options)
        for size in (1e-162, 1e-200):
            with pytest.raises(ValueError, match=r"atoms .*so small that their squares vanish"):
                call(size, size if not options else 1.0, **options)
    with pytest.raises(ValueError, match=r"y .* too large"):
        call(1.0, 1e200, **options)
    if options:
        with pytest.raises(ValueError, match=r"y .*so small that their squares vanish"):
            call(1.0, 1e-162, **options)


@pytest.mark.parametrize("options", [{}, BALL, {"hull": "l1"}], ids=["convex", "ball", "automatic ball"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_unit_of_atoms_and_target_changes_nothing_else(layout, options):
    expected = LAYOUTS[layout](1.0, 1.0, **options)
    for exponent in (-140, -80, 80, 140) if layout == "float32" else (-240, -140, -70, 70, 140, 240):
        if layout == "float32" and abs(exponent) > 120:
            continue  # float32 has no such numbers
        unit = 2.0**exponent
        path = LAYOUTS[layout](unit, unit, **options)
        np.testing.assert_array_equal(path.picks, expected.picks)
        np.testing.assert_allclose(path.losses, expected.losses * unit**2, rtol=1e-9)
        np.testing.assert_allclose(path.gaps, expected.gaps * unit**2, rtol=1e-6)
        np.testing.assert_allclose(path.radius, expected.radius, rtol=1e-6)


@pytest.mark.parametrize("ridge", [0.0, 1e-3])
@pytest.mark.parametrize("of_y", [-230, -166, 0, 166, 177, 180, 230])
@pytest.mark.parametrize("of_atoms", [-230, -166, 0, 166, 177, 180, 230])
@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"float32"}))
def test_corrective_picks_do_not_depend_on_units(layout, of_atoms, of_y, ridge):
    """Powers of two round nothing; 2**177 is about 1e53."""
    chosen = LAYOUTS[layout](1.0, 1.0, corrective=True, ridge=ridge)
    scaled = LAYOUTS[layout](2.0**of_atoms, 2.0**of_y, corrective=True, ridge=ridge)
    np.testing.assert_array_equal(scaled.picks, chosen.picks)
    np.testing.assert_allclose(scaled.losses / 4.0**of_y, chosen.losses, rtol=1e-12)


@pytest.mark.parametrize("options", [{}, BALL], ids=["convex", "ball"])
@pytest.mark.parametrize("noise", [0.0, 1e-13, 2e-13, 5e-13, 1e-12, 1e-9])
def test_nor_does_it_where_only_the_samples_tell_losses_and_gaps(noise, options):
    y = ATOMS[:, [1, 4, 4, 7]].mean(axis=1) + noise * Y
    expected = greedy_forward_selection(ATOMS, y, 24, **options)
    for unit in (2.0**-30, 2.0**30):
        path = greedy_forward_selection(unit * ATOMS, unit * y, 24, **options)
        np.testing.assert_array_equal(path.picks, expected.picks)
        np.testing.assert_allclose(path.losses, expected.losses * unit**2, rtol=1e-9)
        np.testing.assert_allclose(path.gaps, expected.gaps * unit**2, rtol=1e-9)


def test_a_radius_too_large_for_the_squares_is_refused():
    with pytest.raises(ValueError, match=r"radius=1e\+100 makes the atoms too large"):
        greedy_forward_selection(ATOMS, Y, 3, hull="l1", radius=1e100)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_atoms_that_are_as_good_as_zero_beside_others_do_no_harm(dtype):
    tiny = ATOMS.astype(dtype)
    tiny[:, 5] *= dtype({np.float32: 1e-25, np.float64: 1e-180}[dtype])
    zero = tiny.copy()
    zero[:, 5] = 0.0
    np.testing.assert_array_equal(select(tiny, Y).picks, select(zero, Y).picks)
    if dtype == np.float64:
        with pytest.raises(ValueError, match="those of atom 5"):
            select(tiny, Y, **BALL)
        with pytest.raises(ValueError, match="those of atom 5"):
            select(tiny, np.zeros(60))


def test_all_zero_is_no_fault():
    for layout in (np.asarray, sparse.csr_array):
        path = greedy_forward_selection(layout(np.zeros((5, 3))), np.zeros(5), 4)
        np.testing.assert_array_equal(path.picks, [0, 0, 0, 0])
        np.testing.assert_array_equal(path.losses, np.zeros(4))
    path = greedy_forward_selection(ATOMS, np.zeros(60), 3, hull="l1", radius=1.0)
    assert np.isfinite(path.losses).all()
    # What stands on samples of no weight is as good as zero.
    weight = np.r_[np.ones(30), np.zeros(30)]
    atoms, y = np.where(weight[:, None] > 0, 0.0, ATOMS), np.where(weight > 0, 0.0, Y)
    path = greedy_forward_selection(atoms, y, 3, sample_weight=weight, hull="l1", radius=1.0)
    np.testing.assert_array_equal(path.losses, np.zeros(3))


UNITS = [5e-324, 1e-300, 1e-46, 1e-30, 1e30, 1e39, 1e300]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("layout", ["array", "fortran", "sparse", "tensor", "outputs", "blocks"])
def test_the_unit_of_weights_does_not_matter(layout, unit, dtype, monkeypatch):
    atoms = ATOMS.astype(dtype)
    y, weight = Y, np.arange(60) % 4
    if layout == "fortran":
        atoms = np.asfortranarray(atoms)
    if layout == "sparse":
        atoms = sparse.csr_array(atoms)
    if layout == "tensor":
        atoms = tensor(atoms)
    if layout == "outputs":
        atoms, y = (atoms[:, :, None] * B).astype(dtype), Y2
    if layout == "blocks":
        monkeypatch.setattr("sklearn_gfs.selection._gram_columns.plan", lambda *sizes: "blocks")
    expected = greedy_forward_selection(atoms, y, 12, sample_weight=weight)
    path = greedy_forward_selection(atoms, y, 12, sample_weight=weight * unit)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-12)
    same = greedy_forward_selection(atoms, y, 12, sample_weight=np.full(60, unit))
    np.testing.assert_array_equal(same.picks, greedy_forward_selection(atoms, y, 12).picks)


@pytest.mark.parametrize("hull", ["convex", "l1"])
def test_the_unit_of_weights_does_not_matter_to_the_selector(hull):
    selector = GreedyForwardSelector(k=6, hull=hull)
    expected = selector.fit(ATOMS, Y, np.arange(60) % 4).selection_path_
    for dtype in (np.float32, np.float64):
        for unit in (1e-46, 1e39):
            path = selector.fit(ATOMS.astype(dtype), Y, (np.arange(60) % 4) * unit).selection_path_
            np.testing.assert_array_equal(path, expected)


@pytest.mark.parametrize("unit", [1e-320, 1e-46, 1.0, 1e38, 1e308])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("from_logits", [True, False])
def test_equal_weights_of_any_unit_are_no_weights(unit, dtype, from_logits):
    atoms = (Z if from_logits else P).astype(dtype)
    options = {"loss": "log_loss", "from_logits": from_logits}
    path = greedy_forward_selection(atoms, CLASSES, 20, sample_weight=np.full(60, unit), **options)
    expected = greedy_forward_selection(atoms, CLASSES, 20, **options)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_array_equal(path.losses, expected.losses)


@pytest.mark.parametrize("exponent", [-1000, 1021])
@pytest.mark.parametrize("from_logits", [True, False])
def test_the_unit_of_weights_changes_nothing(exponent, from_logits):
    atoms, weight = Z if from_logits else P, np.random.default_rng(0).uniform(0.1, 3.0, 60)
    options = {"loss": "log_loss", "from_logits": from_logits}
    path = greedy_forward_selection(atoms, CLASSES, 20, sample_weight=np.ldexp(weight, exponent), **options)
    expected = greedy_forward_selection(atoms, CLASSES, 20, sample_weight=weight, **options)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-14)


@given(cases(), st.integers(-200, 200), st.sampled_from([np.float32, np.float64]))
def test_a_common_factor_scales_the_losses_alone(case, exponent, dtype):
    exponent = exponent // 2 if dtype == np.float32 else exponent
    unit, H = 2.0**exponent, case.H.astype(dtype)
    options = {"sample_weight": case.weight}
    path = greedy_forward_selection(H, case.y, case.k, output_weights=case.B, **options)
    scaled = greedy_forward_selection(H * dtype(unit), case.y * unit, case.k, output_weights=case.B, **options)
    np.testing.assert_array_equal(scaled.picks, path.picks)
    np.testing.assert_allclose(scaled.losses, path.losses * unit**2, rtol=1e-9, atol=1e-14 * unit**2)


@pytest.mark.parametrize("hull", ["convex", "l1"])
@pytest.mark.parametrize("unit", [2.0**-70, 2.0**70])
def test_columns_that_float32_could_not_hold_are_made_again(unit, hull, monkeypatch):
    monkeypatch.setattr("sklearn_gfs.selection._gram_columns.plan", lambda *sizes: "blocks")
    options = {"hull": hull}
    expected = select(ATOMS.astype(np.float32), Y, **options)
    path = select(ATOMS.astype(np.float32) * np.float32(unit), Y * unit, **options)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_allclose(path.gaps, expected.gaps * unit**2, rtol=1e-5)


def test_float32_atoms_that_vanish_are_compared_in_float64():
    # All others take the mean further from y than nothing does, so that the choice is among what vanishes.
    rng = np.random.default_rng(0)
    u = rng.random((3000, 1))
    nearly = u * (1.0 + 1e-7 * rng.standard_normal((3000, 30)))
    atoms = np.concatenate([1e-25 * nearly, -10.0 * u * rng.random((3000, 5))], axis=1).astype(np.float32)
    expected = greedy_forward_selection(atoms.astype(np.float64), u[:, 0], 5)
    assert expected.picks.max() < 30
    np.testing.assert_array_equal(greedy_forward_selection(atoms, u[:, 0], 5).picks, expected.picks)
