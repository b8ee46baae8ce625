"""Greedy forward selection against its plain-loop oracle, its invariants, and the theory's bounds."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import naive
import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import minimize
from sklearn import config_context
from strategies import cases

from sklearn_gfs import SelectionStatistics, greedy_forward_selection
from sklearn_gfs.selection import _gram_columns
from sklearn_gfs.selection import _greedy_kernels as kernels
from sklearn_gfs.selection._gram import ArrayAtoms
from sklearn_gfs.selection._squared_error import _PRECISION

LOSS = {"rtol": 1e-9, "atol": 1e-14}


def factorised(case, k=None, **options):
    """Select from the neurons of a case without ever forming their outputs."""
    options = {"output_weights": case.B, "sample_weight": case.weight, **options}
    return greedy_forward_selection(case.H, case.y, case.k if k is None else k, **options)


def make(n_samples=200, n_atoms=40, seed=0):
    """Atoms and one noisy target in their hull's neighbourhood."""
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((n_samples, n_atoms))
    return atoms, 0.5 * atoms[:, 1] + 0.2 * atoms[:, 2] + 0.3 * rng.standard_normal(n_samples)


@given(cases(), st.booleans())
def test_factorised_and_stacked_atoms_agree_with_the_oracle(case, with_offset):
    offset = np.arange(case.y.shape[1]) - 0.5 if with_offset else None
    picks, losses, gaps = naive.greedy(
        case.atoms, case.y, case.k, weight=case.weight, offset=0.0 if offset is None else offset
    )
    stacked = greedy_forward_selection(case.atoms, case.y, case.k, sample_weight=case.weight, offset=offset)
    for path in (factorised(case, offset=offset), stacked):
        np.testing.assert_array_equal(path.picks, picks)
        np.testing.assert_allclose(path.losses, losses, **LOSS)
        np.testing.assert_allclose(path.gaps, np.maximum(gaps, 0), rtol=1e-7, atol=1e-12)
        np.testing.assert_array_equal(path.counts, np.bincount(picks, minlength=case.B.shape[0]))
        np.testing.assert_allclose(path.weights, path.counts / case.k)


@given(cases(), st.floats(0.1, 10.0))
def test_l1_ball_agrees_with_the_oracle(case, radius):
    picks, losses, gaps = naive.greedy(case.atoms, case.y, case.k, weight=case.weight, signs=(1.0, -1.0), radius=radius)
    path = factorised(case, hull="l1", radius=radius)
    np.testing.assert_array_equal(path.picks, picks)
    np.testing.assert_allclose(path.losses, losses, **LOSS)
    np.testing.assert_allclose(path.gaps, np.maximum(gaps, 0), rtol=1e-7, atol=1e-12)
    mean = np.einsum("sno,n->so", case.atoms, path.weights)
    np.testing.assert_allclose(path.losses[-1], naive.mean_loss(mean, case.y, case.weight), **LOSS)
    assert np.abs(path.weights).sum() <= radius * (1 + 1e-12)


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


@given(cases(), st.floats(0.1, 10.0), st.integers(0, 2**32 - 1))
def test_ball_over_several_targets_turns_each_atom_the_best_way(case, radius, seed):
    path = greedy_forward_selection(case.H, case.y, case.k, hull="l1", radius=radius, sample_weight=case.weight)
    weights = path.weights.reshape(len(path.counts), -1)
    np.testing.assert_allclose(path.losses[-1], naive.mean_loss(case.H @ weights, case.y, case.weight), **LOSS)
    assert np.linalg.norm(weights, axis=1).sum() <= radius * (1 + 1e-12)
    before = 0.0
    if case.k > 1:
        shorter = greedy_forward_selection(
            case.H, case.y, case.k - 1, hull="l1", radius=radius, sample_weight=case.weight
        )
        before = (case.k - 1) * case.H @ shorter.weights.reshape(weights.shape)
    for direction in np.random.default_rng(seed).standard_normal((20, case.y.shape[1])):
        direction /= np.linalg.norm(direction)
        for atom in range(case.H.shape[1]):
            other = (before + radius * np.outer(case.H[:, atom], direction)) / case.k
            assert path.losses[-1] <= naive.mean_loss(other, case.y, case.weight) * (1 + 1e-9) + 1e-12


@given(cases(), st.sampled_from(["convex", "l1"]))
def test_path_is_a_prefix_of_the_longer_path(case, hull):
    path, longer = (factorised(case, k=k, hull=hull) for k in (case.k, case.k + 1))
    np.testing.assert_array_equal(path.picks, longer.picks[:-1])
    np.testing.assert_allclose(path.losses, longer.losses[:-1], **LOSS)
    np.testing.assert_allclose(path.gaps, longer.gaps[:-1], rtol=1e-7, atol=1e-12)


@given(cases(), st.integers(0, 2**32 - 1))
def test_picks_follow_a_permutation_of_the_atoms_and_of_the_samples(case, seed):
    rng = np.random.default_rng(seed)
    H, B = rng.standard_normal(case.H.shape), rng.standard_normal(case.B.shape)  # no ties, which go by index
    atoms, samples = rng.permutation(H.shape[1]), rng.permutation(H.shape[0])
    path = greedy_forward_selection(H, case.y, case.k, output_weights=B)
    permuted = greedy_forward_selection(H[np.ix_(samples, atoms)], case.y[samples], case.k, output_weights=B[atoms])
    np.testing.assert_array_equal(atoms[permuted.picks], path.picks)
    np.testing.assert_allclose(permuted.losses, path.losses, **LOSS)


@given(cases(max_outputs=1), st.integers(0, 2**32 - 1))
def test_a_common_rotation_of_the_samples_changes_nothing(case, seed):
    rng = np.random.default_rng(seed)
    H, y = rng.standard_normal(case.H.shape), case.y[:, 0]
    rotation = np.linalg.qr(rng.standard_normal((len(y), len(y))))[0]
    path, rotated = (greedy_forward_selection(a, b, case.k) for a, b in ((H, y), (rotation @ H, rotation @ y)))
    np.testing.assert_array_equal(path.picks, rotated.picks)
    np.testing.assert_allclose(path.losses, rotated.losses, rtol=1e-7, atol=1e-12)


@given(cases(integer_weights=True), st.sampled_from(["convex", "l1"]))
def test_an_integer_weight_equals_repeating_the_sample(case, hull):
    repeated = case.weight.astype(int)
    path = factorised(case, hull=hull)
    again = greedy_forward_selection(
        np.repeat(case.H, repeated, axis=0),
        np.repeat(case.y, repeated, axis=0),
        case.k,
        output_weights=case.B,
        hull=hull,
    )
    np.testing.assert_array_equal(path.picks, again.picks)
    np.testing.assert_allclose(path.losses, again.losses, **LOSS)


@given(cases(max_samples=40), st.integers(0, 2**32 - 1))
def test_the_theory_bounds_hold_for_any_point_of_the_hull(case, seed):
    w = np.random.default_rng(seed).dirichlet(np.ones(case.B.shape[0]))
    path = factorised(case)
    point = np.einsum("sno,n->so", case.atoms, w)
    at_point = naive.mean_loss(point, case.y, case.weight)
    share = case.weight / case.weight.sum()
    spread = np.einsum("n,s,sno->", w, share, (case.atoms - point[:, None]) ** 2)
    k = np.arange(1, case.k + 1)
    slack = 1e-9 * (1 + at_point + spread)
    before = np.concatenate([[0.0], path.losses[:-1]])
    assert (k * path.losses <= (k - 1) * before + at_point + spread / (2 * k) + slack).all()
    assert (path.losses <= at_point + spread * np.cumsum(1 / k) / (2 * k) + slack).all()
    assert (path.losses <= (np.sqrt(at_point) + np.sqrt(spread / (2 * k))) ** 2 + slack).all()


@given(cases(max_samples=12, max_atoms=6, max_k=6), st.booleans())
def test_gap_bounds_the_distance_to_the_true_optimum(case, signed):
    options = {"hull": "l1", "radius": 0.7} if signed else {}
    path = factorised(case, **options)
    vertices = case.atoms.transpose(1, 0, 2)
    vertices = 0.7 * np.concatenate([vertices, -vertices]) if signed else vertices
    share = (case.weight / case.weight.sum())[:, None]
    optimum = minimize(
        lambda w: 0.5 * np.sum(share * (np.tensordot(w, vertices, 1) - case.y) ** 2),
        np.full(len(vertices), 1 / len(vertices)),
        jac=lambda w: np.einsum("so,nso->n", share * (np.tensordot(w, vertices, 1) - case.y), vertices),
        method="SLSQP",
        bounds=[(0, 1)] * len(vertices),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    )
    assert (path.gaps >= path.losses - optimum.fun - 1e-9).all()
    assert (path.gaps >= 0).all()


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


def test_more_picks_than_atoms():
    atoms, y = make(n_atoms=3)
    path = greedy_forward_selection(atoms, y, 100)
    assert path.counts.sum() == 100
    picks, losses, _ = naive.greedy(atoms[:, :, None], y[:, None], 20)
    np.testing.assert_array_equal(path.picks[:20], picks)
    np.testing.assert_allclose(path.losses[:20], losses, **LOSS)


def chunked(atoms, y, k, **options):
    """Select from statistics gathered in three chunks on two objects."""
    first, second = SelectionStatistics(), SelectionStatistics()
    first.update(atoms[:50], y[:50]).update(atoms[50:60], y[50:60])
    second.update(atoms[60:], y[60:])
    return first.merge(second).select(k, **options)


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


@pytest.mark.parametrize("forced", ["column", "blocks", "whole"])
@pytest.mark.parametrize("hull", ["convex", "l1"])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_plan_gives_the_same_picks(forced, hull, weighted, monkeypatch):
    rng = np.random.default_rng(0)
    H, B, y = np.maximum(rng.standard_normal((400, 80)), 0), rng.standard_normal((80, 2)), rng.standard_normal((400, 2))
    options = {"hull": hull, "sample_weight": rng.integers(0, 3, 400) if weighted else None}
    for atoms, weights in ((H, B), (H[:, :, None] * B, None), (sparse.csr_array(H), B)):
        expected = greedy_forward_selection(atoms, y, 120, output_weights=weights, **options)
        with monkeypatch.context() as patch:
            patch.setattr(_gram_columns, "plan", lambda *sizes: forced)
            patch.setattr(_gram_columns, "_BLOCKS", (3, 7))
            path = greedy_forward_selection(atoms, y, 120, output_weights=weights, **options)
        np.testing.assert_array_equal(path.picks, expected.picks)
        np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-10)
        np.testing.assert_allclose(path.gaps, expected.gaps, rtol=1e-7, atol=1e-12)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_sums_over_rows_agree_with_the_oracle(n_rows, n_atoms, seed):
    rng = np.random.default_rng(seed)
    rows, atom = rng.standard_normal((n_rows, n_atoms)), int(rng.integers(n_atoms))
    expected = rng.standard_normal(n_atoms)
    column = expected.copy()
    kernels.add_column(rows, atom, column)
    naive.add_column(rows, atom, expected)
    np.testing.assert_allclose(column, expected, rtol=1e-12, atol=1e-12)
    weight = rng.uniform(size=n_rows)
    for passed, meant in ((weight, weight), (np.empty(0), np.ones(n_rows))):
        norms, expected = np.ones(n_atoms), np.ones(n_atoms)
        kernels.add_squares(rows, passed, norms)
        naive.add_squares(rows, meant, expected)
        np.testing.assert_allclose(norms, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("hull", "radius"),
    [("convex", None), ("l1", 0.5), ("l1", None)],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_with_all_the_rows_everything_is_foreseen_in_one_pass(hull, radius, weighted, monkeypatch):
    rng = np.random.default_rng(0)
    H, B, y = rng.random((400, 80)), rng.standard_normal((80, 2)), rng.standard_normal((400, 2))
    weight = rng.uniform(0.5, 1.5, 400) if weighted else None
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    monkeypatch.setattr(_gram_columns, "_preview_rows", lambda n_rows: n_rows)
    monkeypatch.setattr(_gram_columns.GramColumns, "add", None)  # what would compute more columns
    options = {"hull": hull, "radius": radius, "sample_weight": weight}
    for atoms, weights in ((H, B), (H[:, :, None] * B, None)):
        path = greedy_forward_selection(atoms, y, 20, output_weights=weights, **options)
        assert np.count_nonzero(path.counts) > 3


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_foreseen_atoms_are_new_and_fill_a_product(n_outputs, monkeypatch):
    rng = np.random.default_rng(0)
    H, B, y = rng.random((400, 80)), rng.standard_normal((80, n_outputs)), rng.standard_normal((400, n_outputs))
    foreseen, wanted_next = [], _gram_columns.GramColumns._wanted_next

    def record(self, step, n_new, n_others, *arguments):
        foreseen.append((wanted_next(self, step, n_new, n_others, *arguments), n_others))
        return foreseen[-1][0]

    monkeypatch.setattr(_gram_columns.GramColumns, "_wanted_next", record)
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    monkeypatch.setattr(_gram_columns.GramColumns, "_foresight_pays", lambda *state: True)
    greedy_forward_selection(H, y, 60, output_weights=B)
    assert len(foreseen) > 1
    atoms = np.concatenate([atoms for atoms, _ in foreseen])
    assert len(set(atoms)) == len(atoms)
    assert all((len(atoms) + n_others) % kernels.WIDTH == 0 for atoms, n_others in foreseen)


def test_blocks_go_over_to_single_columns_where_foresight_is_poor(monkeypatch):
    rng = np.random.default_rng(0)
    H, y = rng.standard_normal((400, 300)), rng.standard_normal(400)
    preview, room, passes = ArrayAtoms.preview, _gram_columns.GramColumns._room, []

    def mislead(self, n_rows):
        rows, moments = preview(self, n_rows)
        return rng.standard_normal(rows.shape), moments._replace(c=rng.standard_normal(moments.c.shape))

    def record(self, atoms):
        passes.append(len(atoms))
        return room(self, atoms)

    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    monkeypatch.setattr(_gram_columns.GramColumns, "_room", record)
    monkeypatch.setattr(ArrayAtoms, "preview", mislead)
    misled = greedy_forward_selection(H, y, 40)
    assert passes[0] > 1
    assert passes.count(1) > len(passes) // 2
    monkeypatch.undo()
    np.testing.assert_array_equal(misled.picks, greedy_forward_selection(H, y, 40).picks)


def test_the_plan_follows_the_sizes():
    assert _gram_columns.plan(100, 20, 8, 500) == "whole"
    assert _gram_columns.plan(30_000, 1000, 4, 100) == "blocks"
    assert _gram_columns.plan(1000, 500, 8, 1) == "column"
    assert _gram_columns.plan(1500, 1000, 8, 200) == "blocks"
    assert _gram_columns.plan(1500, 1000, 8, 200, "several") == "whole"


@pytest.mark.parametrize("working_memory", [1e-6, 0.01, 1024])
@pytest.mark.parametrize("hull", ["convex", "l1"])
def test_working_memory_never_changes_the_picks(working_memory, hull):
    atoms, y = make(500, 60)
    expected = greedy_forward_selection(atoms, y, 80, hull=hull)
    with config_context(working_memory=working_memory):
        for path in (greedy_forward_selection(atoms, y, 80, hull=hull), chunked(atoms, y, 80, hull=hull)):
            np.testing.assert_array_equal(path.picks, expected.picks)
            np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-9)


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


def test_statistics_say_when_they_cannot_resolve_the_loss():
    atoms, y = make()
    y = atoms[:, 3]
    with pytest.warns(UserWarning, match="less exact"):
        path = SelectionStatistics().update(atoms, y).select(3)
    assert path.picks[0] == 3


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


@given(cases(max_samples=40), st.floats(0.0, 1.0))
def test_tol_ends_the_path_at_the_first_gap_at_most_tol(case, tol):
    full, short = factorised(case), factorised(case, tol=tol)
    reached = np.flatnonzero(full.gaps <= tol)
    stop = reached[0] + 1 if len(reached) else case.k
    np.testing.assert_array_equal(short.picks, full.picks[:stop])
    assert short.counts.sum() == stop
    np.testing.assert_allclose(short.weights, short.counts / stop)


def test_inputs_are_left_as_they_were():
    atoms, y = make()
    copies = atoms.copy(), y.copy()
    for array in (atoms, y):
        array.flags.writeable = False
    greedy_forward_selection(atoms, y, 10, offset=[1.0], sample_weight=np.abs(y) + 1.0)
    np.testing.assert_array_equal(atoms, copies[0])
    np.testing.assert_array_equal(y, copies[1])


GOOD = {"atoms": np.ones((4, 2)), "y": np.arange(4.0), "k": 3}


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ({"k": 0}, ValueError, "k=0 must be an integer of at least 1"),
        ({"k": 2.0}, TypeError, "k=2.0 must be an integer"),
        ({"k": True}, TypeError, "k=True must be an integer"),
        ({"tol": -1.0}, ValueError, "tol=-1.0 must be a finite number of at least 0"),
        ({"tol": "0"}, TypeError, "tol='0' must be"),
        ({"hull": "l2"}, ValueError, "hull='l2' is not known; it must be 'convex' or 'l1'"),
        ({"radius": 2.0}, ValueError, "radius=2.0 needs hull='l1'"),
        ({"hull": "l1", "radius": 0.0}, ValueError, "radius=0.0 must be a finite number above 0"),
        ({"hull": "l1", "radius": np.nan}, ValueError, "radius=nan must be"),
        ({"hull": "l1", "radius": "best"}, TypeError, "radius='best' must be"),
        ({"loss": "hinge"}, ValueError, "loss='hinge' is not known"),
        ({"atoms": np.ones(4)}, ValueError, r"atoms has shape \(4,\); it must be \(n_samples, n_atoms\) or"),
        ({"atoms": np.ones((0, 2)), "y": []}, ValueError, "atoms has shape .* at least one sample"),
        ({"atoms": np.ones((4, 2)) * 1j}, ValueError, "Complex data not supported"),
        ({"atoms": np.full((4, 2), np.nan)}, ValueError, "atoms .* contain NaN"),
        ({"atoms": np.full((4, 2), np.inf)}, ValueError, "atoms .* contain NaN"),
        ({"y": np.arange(3.0)}, ValueError, "y has 3 samples and atoms has 4"),
        ({"y": np.full(4, np.nan)}, ValueError, "y .* contains NaN"),
        ({"y": np.ones((4, 2))}, ValueError, "y has 2 outputs and the atoms have one"),
        ({"y": np.ones((4, 1, 1))}, ValueError, "y has shape"),
        ({"atoms": np.ones((4, 2, 3))}, ValueError, "atoms has 3 outputs and y has 1"),
        ({"sample_weight": np.ones(3)}, ValueError, "sample_weight has shape"),
        ({"sample_weight": -np.ones(4)}, ValueError, "sample_weight must be finite and not negative"),
        ({"sample_weight": np.zeros(4)}, ValueError, "zero everywhere"),
        ({"offset": [1.0, 2.0]}, ValueError, r"offset has shape \(2,\)"),
        ({"output_weights": np.ones((3, 1))}, ValueError, r"output_weights has shape \(3, 1\)"),
        ({"output_weights": np.full((2, 1), np.nan)}, ValueError, "NaN"),
        ({"atoms": np.ones((4, 2, 1)), "output_weights": np.ones((2, 1))}, ValueError, "atoms has shape"),
    ],
)
def test_bad_arguments_are_named(bad, error, message):
    with pytest.raises(error, match=message):
        greedy_forward_selection(**{**GOOD, **bad})


def test_kernels_compile_where_no_cache_can_be_written(monkeypatch):
    def refuse(*args, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", refuse)
    assert kernels.jit(lambda x: x + 1)(1) == 2


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="tracing every number of an interpreted loop takes minutes")
@pytest.mark.parametrize("sizes", [(1500, 300, 60), (20_000, 100, 30), (200, 400, 300)])
def test_memory_stays_within_what_the_plan_says(sizes):
    n_samples, n_atoms, k = sizes
    rng = np.random.default_rng(0)
    atoms, y = rng.standard_normal((n_samples, n_atoms), dtype=np.float32), rng.standard_normal(n_samples)
    greedy_forward_selection(atoms, y, k)
    tracemalloc.start()
    try:
        greedy_forward_selection(atoms, y, k)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    planned = _gram_columns.planned_bytes(n_samples, n_atoms, 4, k)
    assert peak <= 1.3 * planned + 8 * y.nbytes
