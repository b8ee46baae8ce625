"""However the atoms are held, and in whatever chunks they come, the picks are the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from strategies import cases

from selection.small import factorised, make
from sklearn_gfs import SelectionStatistics, greedy_forward_selection

FORMS = {
    "fortran": lambda atoms, path: np.asfortranarray(atoms),
    "list": lambda atoms, path: atoms.tolist(),
    "csr": lambda atoms, path: sparse.csr_matrix(atoms),
    "csc array": lambda atoms, path: sparse.csc_array(atoms),
    "strided": lambda atoms, path: np.repeat(atoms, 2, axis=1)[:, ::2],
    "big-endian": lambda atoms, path: atoms.astype(">f8"),
    "float32": lambda atoms, path: atoms.astype(np.float32),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("hull", ["convex", "l1"])
def test_every_way_to_hold_the_atoms_gives_the_same_picks(form, hull, tmp_path):
    atoms, y = make()
    expected = greedy_forward_selection(atoms, y, 30, hull=hull)
    path = greedy_forward_selection(FORMS[form](atoms, tmp_path), y, 30, hull=hull)
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-5 if form == "float32" else 1e-9)


def test_a_read_only_memory_map_is_read_in_place(tmp_path):
    atoms, y = make(20_000, 30)
    np.save(tmp_path / "atoms.npy", atoms)
    mapped = np.load(tmp_path / "atoms.npy", mmap_mode="r")
    expected = greedy_forward_selection(atoms, y, 30)
    np.testing.assert_array_equal(greedy_forward_selection(mapped, y, 30).picks, expected.picks)


def devices():
    """Devices that torch has here."""
    torch = pytest.importorskip("torch")
    return ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tensors_give_the_picks_of_arrays_on_every_device(dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    H, B, y = rng.random((9000, 60)).astype(dtype), rng.standard_normal((60, 3)), rng.standard_normal((9000, 3))
    weight = rng.uniform(0.5, 1.5, 9000)
    forms = {
        "factorised": (H, {"output_weights": B}),
        "stacked": (H[:, :, None] * B.astype(dtype), {}),
        "ball": (H, {"hull": "l1"}),
    }
    for atoms, options in forms.values():
        options["sample_weight"] = weight
        expected = greedy_forward_selection(atoms, y, 40, **options)
        for device in devices():
            tensor = torch.tensor(atoms, device=device, requires_grad=True)
            path = greedy_forward_selection(tensor, y, 40, **options)
            np.testing.assert_array_equal(path.picks, expected.picks)
            np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-6)
    exact = torch.tensor(H[:200])
    path = greedy_forward_selection(exact, H[:200, 3], 4)
    np.testing.assert_array_equal(path.picks, [3, 3, 3, 3])
    for device in devices():  # other numbers as float64, wherever they are
        whole = (100 * exact).to(device).int()
        path = greedy_forward_selection(whole, y[:200, 0], 4)
        expected = greedy_forward_selection(whole.cpu().numpy(), y[:200, 0], 4)
        np.testing.assert_array_equal(path.losses, expected.losses)
    logits = greedy_forward_selection(exact - 0.5, y[:200, 0] > 0, 5, loss="log_loss")
    expected = greedy_forward_selection(H[:200] - 0.5, y[:200, 0] > 0, 5, loss="log_loss")
    np.testing.assert_array_equal(logits.picks, expected.picks)


@given(cases(max_samples=30), st.lists(st.integers(1, 29), max_size=4))
def test_any_chunking_of_the_statistics_gives_the_same_picks(case, cuts):
    parts = np.split(np.arange(len(case.y)), sorted({cut for cut in cuts if cut < len(case.y)}))
    statistics = SelectionStatistics()
    for part in parts:
        statistics.merge(SelectionStatistics().update(case.H[part], case.y[part], case.weight[part] + 0.1))
    path = factorised(case, sample_weight=case.weight + 0.1)
    if path.losses.min() < 1e-6 * np.mean(case.y**2):
        return  # too exact a fit for statistics alone, which then warn
    streamed = statistics.select(case.k, output_weights=case.B)
    np.testing.assert_array_equal(streamed.picks, path.picks)
    np.testing.assert_allclose(streamed.losses, path.losses, rtol=1e-8)


def test_inputs_are_left_as_they_were():
    atoms, y = make()
    copies = atoms.copy(), y.copy()
    for array in (atoms, y):
        array.flags.writeable = False
    greedy_forward_selection(atoms, y, 10, offset=[1.0], sample_weight=np.abs(y) + 1.0)
    np.testing.assert_array_equal(atoms, copies[0])
    np.testing.assert_array_equal(y, copies[1])
