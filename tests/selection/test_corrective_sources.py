"""Corrective selection from whatever holds the atoms, by whatever plan: the same path."""

from __future__ import annotations

import threading

import naive
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sklearn_gfs import GreedyForwardSelector, greedy_forward_selection
from sklearn_gfs.selection import _blocks, _corrective, _corrective_columns, _corrective_samples
from sklearn_gfs.selection._corrective_columns import CorrectiveColumns
from sklearn_gfs.selection._gram import ArrayAtoms
from sklearn_gfs.selection._kept import AtomsBesideKept
from sklearn_gfs.selection._sources import source_of


def count_asked(monkeypatch):
    """Return a list to which the number of columns computed together is added, call by call."""
    n_asked, room = [], CorrectiveColumns._room
    monkeypatch.setattr(CorrectiveColumns, "_room", lambda self, atoms: n_asked.append(len(atoms)) or room(self, atoms))
    return n_asked


def relus(n_samples=900, n_atoms=120, n_outputs=3, seed=0):
    """Hidden activations, some of which are zero, constant or equal, and targets that they explain in part."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, 12))
    H = np.maximum(X @ rng.standard_normal((12, n_atoms)) / 3 + rng.standard_normal(n_atoms), 0.0)
    H[:, 3], H[:, 5], H[:, 8] = 0.0, 2.5, H[:, 6]
    y = np.tanh(X @ rng.standard_normal((12, n_outputs)) / 2) + 0.1 * rng.standard_normal((n_samples, n_outputs))
    return H, y


def check_same(path, expected, rtol=1e-7):
    np.testing.assert_array_equal(path.picks, expected.picks)
    np.testing.assert_allclose(path.losses, expected.losses, rtol=rtol)
    np.testing.assert_allclose(path.weights, expected.weights, rtol=1e3 * rtol, atol=1e2 * rtol)
    np.testing.assert_allclose(path.intercept, expected.intercept, rtol=1e3 * rtol, atol=1e2 * rtol)


def neurons(H, y, k=30, **options):
    weights = np.ones((H.shape[1], np.shape(y)[1]))
    return greedy_forward_selection(H, y, k, corrective=True, output_weights=weights, **options)


def test_a_larger_problem_agrees_with_the_oracle():
    H, y = relus(n_samples=200, n_atoms=25)
    path = neurons(H, y, 12, ridge=1e-3, tol=0.0)
    picks, losses, gaps, weights, intercept = naive.corrective(H, y, 12, ridge=1e-3, intercept=True)
    np.testing.assert_array_equal(path.picks, picks)
    np.testing.assert_allclose(path.losses, losses, rtol=1e-9)
    np.testing.assert_allclose(path.gaps, gaps, rtol=1e-7)
    np.testing.assert_allclose(path.weights[picks], weights, rtol=1e-6)
    np.testing.assert_allclose(path.intercept, intercept, rtol=1e-6)


@pytest.mark.parametrize("plan", ["column", "blocks", "whole"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_plans_make_no_difference(plan, dtype, weighted, monkeypatch):
    H, y = relus()
    H = H.astype(dtype)
    weight = np.random.default_rng(1).uniform(0.1, 2.0, len(y)) if weighted else None
    expected = neurons(H.astype(float), y, sample_weight=weight, tol=0.0)
    monkeypatch.setattr(CorrectiveColumns, "_plan", lambda self, k: plan)
    check_same(neurons(H, y, sample_weight=weight), expected)


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csc_matrix, torch.from_numpy, np.asfortranarray, "memmap"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_atoms_of_every_kind(make, dtype, tmp_path):
    H, y = relus()
    H = H.astype(dtype)
    if make == "memmap":
        H.tofile(tmp_path / "atoms")
        atoms = np.memmap(tmp_path / "atoms", dtype=dtype, mode="r", shape=H.shape)
    else:
        atoms = make(H)
    check_same(neurons(atoms, y), neurons(H.astype(float), y))
    y = y[:, 0]
    path, expected = (greedy_forward_selection(some, y, 20, corrective=True) for some in (atoms, H.astype(float)))
    check_same(path, expected)


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_stacked_atoms_of_every_kind(make):
    rng = np.random.default_rng(0)
    atoms = rng.dirichlet(np.ones(4), (300, 40)).astype(np.float32)
    labels = rng.integers(0, 4, 300)
    path = greedy_forward_selection(make(atoms), labels, 10, corrective=True)
    check_same(path, greedy_forward_selection(atoms.astype(float), labels, 10, corrective=True))
    assert path.weights.shape == (40,)


def test_a_list_of_atoms():
    rng = np.random.default_rng(0)
    atoms = rng.dirichlet(np.ones(4), (300, 8))
    labels = rng.integers(0, 4, 300)
    path = greedy_forward_selection(list(atoms.transpose(1, 0, 2)), labels, 5, corrective=True)
    check_same(path, greedy_forward_selection(atoms, labels, 5, corrective=True))


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-7, 1e-5, 1e-3]), st.booleans())
def test_near_ties_of_float32_atoms_are_decided_in_float64(seed, distance, promoted):
    rng = np.random.default_rng(seed)
    H = rng.standard_normal((80, 6))
    H = np.concatenate([H, H + distance * rng.standard_normal(H.shape)], axis=1).astype(np.float32)
    y = H[:, :3].astype(float) @ rng.standard_normal((3, 2)) + 0.1 * rng.standard_normal((80, 2))
    few, _corrective._DOUBTS = _corrective._DOUBTS, 0 if promoted else 100
    try:
        path = neurons(H, y, 4)
    finally:
        _corrective._DOUBTS = few
    np.testing.assert_array_equal(path.picks, neurons(H.astype(float), y, 4).picks)


def test_products_in_float64_are_made_once_for_each_pair():
    H, y = relus(n_atoms=20)
    source = ArrayAtoms(H, y - y.mean(axis=0), None)
    products = _corrective_samples.ExactProducts(source, None)
    asked = []
    outputs = source.outputs
    source.outputs = lambda atoms, rows: asked.append(len(atoms)) or outputs(atoms, rows)
    for atoms in ([4, 2], [2, 9, 4], [9, 2]):
        _, gram, c = products.of(np.array(atoms))
        np.testing.assert_allclose(gram, H[:, atoms].T @ H[:, atoms] / len(H), atol=1e-12)
        np.testing.assert_allclose(c, (y - y.mean(axis=0)).T @ H[:, atoms] / len(H), atol=1e-12)
    assert sorted(set(asked)) == [2, 3]


@pytest.mark.parametrize("kind", ["array", "stacked"])
@pytest.mark.parametrize("weighted", [False, True])
def test_threads_share_products_in_float64(kind, weighted, monkeypatch):
    H, y = relus()
    weight = np.random.default_rng(1).uniform(0.1, 2.0, len(y)) if weighted else None
    rows, targets = H, y
    if kind == "stacked":
        H, y, weight = H.reshape(300, 3, -1).transpose(0, 2, 1), y[:300], weight if weight is None else weight[:300]
        targets = y.reshape(-1, 1)
    source = source_of(H, y, weight)
    share = np.full(len(y), 1.0) if weight is None else weight
    share = np.repeat(share / share.sum(), len(rows) // len(y))[:, None]
    some = np.array([4, 20, 9, 30])
    monkeypatch.setattr(ArrayAtoms, "n_threads", 2)
    monkeypatch.setattr(_blocks, "_BATCH_VALUES", 1000)
    read, values = set(), ArrayAtoms._values
    monkeypatch.setattr(
        ArrayAtoms, "_values", lambda self, *asked: read.add(threading.get_ident()) or values(self, *asked)
    )
    products = _corrective_samples.ExactProducts(source, None)
    products.of(some[:2])
    for gram, c in (products.of(some)[1:], source.exact_moments(some)):
        np.testing.assert_allclose(gram, rows[:, some].T @ (share * rows[:, some]), rtol=1e-9)
        np.testing.assert_allclose(c, targets.T @ (share * rows[:, some]), rtol=1e-9, atol=1e-12)
    assert len(read) > 1


def test_constant_neurons_of_float32_are_never_picked_and_cost_no_better_products(monkeypatch):
    H, y = relus(n_atoms=60)
    H[:, 20:50] = np.random.default_rng(0).uniform(-1.0, 1.0, 30)
    H = H.astype(np.float32)
    H[0, 30] = np.nextafter(H[0, 30], np.float32(9.0))  # constant but for the last digit of one sample
    promote, better = ArrayAtoms.promote, []
    monkeypatch.setattr(ArrayAtoms, "promote", lambda self, about_y: better.append(1) or promote(self, about_y=about_y))
    path = neurons(H, y, 15)
    assert not better
    monkeypatch.undo()
    path = neurons(H, y, 60)
    assert not path.counts[20:50].any()
    exact = H.astype(float)
    exact[0, 30] = exact[1, 30]  # in float64 the last digit of float32 counts
    check_same(path, neurons(exact, y, 60))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_picks_looked_for_among_a_few_atoms_are_the_same(dtype, monkeypatch):
    H, y = relus()
    H = H.astype(dtype)
    expected = neurons(H, y, 40)
    monkeypatch.setattr(_corrective_columns, "_FEW_CANDIDATES", 9)
    monkeypatch.setattr(_corrective_columns, "_MANY", 1)
    monkeypatch.setattr(CorrectiveColumns, "_plan", lambda self, k: "blocks")
    n_asked = count_asked(monkeypatch)
    check_same(neurons(H, y, 40), expected)
    assert max(n_asked) == 8
    assert len(n_asked) < 30


def test_beside_kept_columns_picks_are_looked_for_among_a_few_atoms(monkeypatch):
    H, y = relus()
    selector = GreedyForwardSelector(n_features_to_select=20, corrective=True, keep=[6, 7])
    expected = selector.fit(H, y).selection_path_
    monkeypatch.setattr(_corrective_columns, "_FEW_CANDIDATES", 30)
    monkeypatch.setattr(_corrective_columns, "_MANY", 1)
    monkeypatch.setattr(CorrectiveColumns, "_plan", lambda self, k: "blocks")
    found, among = [], AtomsBesideKept.among
    monkeypatch.setattr(AtomsBesideKept, "among", lambda self, atoms: found.append(among(self, atoms)) or found[-1])
    np.testing.assert_array_equal(selector.fit(H, y).selection_path_, expected)
    assert 0 < len(found) < 15


def test_products_among_a_few_atoms_beside_kept_ones_are_those_of_their_columns():
    H, y = relus()
    source = AtomsBesideKept(ArrayAtoms(H, y, None), np.array([6, 7]))
    some = np.array([4, 0, 9])
    np.testing.assert_allclose(source.among(some), source.columns(some)[:, some], rtol=1e-9, atol=1e-12)


def test_all_that_is_foreseen_among_all_the_atoms_is_picked(monkeypatch):
    H, y = relus()
    monkeypatch.setattr(_corrective_columns, "_FEW_CANDIDATES", H.shape[1] - 1)
    monkeypatch.setattr(_corrective_columns, "_MANY", 1)
    monkeypatch.setattr(CorrectiveColumns, "_plan", lambda self, k: "blocks")
    asked, room = [], CorrectiveColumns._room
    monkeypatch.setattr(CorrectiveColumns, "_room", lambda self, atoms: asked.append(atoms) or room(self, atoms))
    path = neurons(H, y, 40)
    np.testing.assert_array_equal(np.sort(np.concatenate(asked)), np.sort(path.picks))


def test_blocks_go_over_to_single_columns_where_foresight_is_poor(monkeypatch):
    H, y = relus(n_atoms=300)
    expected = neurons(H, y, 60)
    monkeypatch.setattr(CorrectiveColumns, "_plan", lambda self, k: "blocks")
    n_asked, wanted_next = count_asked(monkeypatch), CorrectiveColumns._wanted_next

    def mislead(self, step, n_new, n_others, problem, state):
        """The atom that is needed now, and the worst ones."""
        others = np.flatnonzero(self.slots < 0)
        worst = others[np.argsort(-state.scores[others])[: n_new - 1]]
        return np.concatenate([wanted_next(self, step, 1, n_others, problem, state), worst])

    monkeypatch.setattr(CorrectiveColumns, "_wanted_next", mislead)
    check_same(neurons(H, y, 60), expected)
    assert n_asked[1:4] == [16, 16, 16]  # on trial
    assert n_asked.count(1) > len(n_asked) // 2


def read_rows(monkeypatch, **settings):
    """Have picks looked for on some rows, whatever the size."""
    monkeypatch.setattr(CorrectiveColumns, "_plan", lambda self, k: "blocks")
    for name, value in {"_MANY": 1, "_FEW_ROWS": 0, **settings}.items():
        monkeypatch.setattr(_corrective_columns, name, value)


def test_with_all_the_rows_every_column_that_is_foreseen_is_picked(monkeypatch):
    H, y = relus()
    read_rows(monkeypatch, _ROWS=1)
    monkeypatch.setattr(CorrectiveColumns, "_n_preview", lambda self: len(H))
    asked, room = [], CorrectiveColumns._room
    monkeypatch.setattr(CorrectiveColumns, "_room", lambda self, atoms: asked.append(atoms) or room(self, atoms))
    path = neurons(H, y, 40)
    assert list(map(len, asked)) == [5, 8, 8, 8, 8, 8]  # with the targets the first fill a product
    np.testing.assert_array_equal(np.concatenate(asked)[:40], path.picks)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_picks_looked_for_on_some_rows_are_the_same(dtype, weighted, monkeypatch):
    H, y = relus()
    H = H.astype(dtype)
    options = {"sample_weight": np.random.default_rng(1).uniform(0.1, 2.0, len(y)) if weighted else None}
    expected = neurons(H, y, 40, **options)
    read_rows(monkeypatch, _CANDIDATES=9)
    n_asked = count_asked(monkeypatch)
    check_same(neurons(H, y, 40, **options), expected)
    assert n_asked[0] == 5  # with the targets and the ones they fill a product
    assert max(n_asked) == 8
    assert len(n_asked) < 30


def test_beside_kept_columns_picks_are_looked_for_on_some_rows(monkeypatch):
    H, y = relus()
    selector = GreedyForwardSelector(n_features_to_select=20, corrective=True, keep=[6, 7])
    expected = selector.fit(H, y).selection_path_
    read_rows(monkeypatch)
    read, sample = [], AtomsBesideKept.sample
    monkeypatch.setattr(AtomsBesideKept, "sample", lambda self, *asked: read.append(asked) or sample(self, *asked))
    np.testing.assert_array_equal(selector.fit(H, y).selection_path_, expected)
    assert read


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["array", "stacked", "tensor", "kept"])
def test_inner_products_of_all_rows_are_the_columns(kind, weighted):
    H, y = relus()
    weight = np.random.default_rng(1).uniform(0.1, 2.0, len(y)) if weighted else None
    if kind == "stacked":
        H = H.reshape(300, 3, -1).transpose(0, 2, 1)
        source = source_of(H, y[:300], weight if weight is None else weight[:300])
    else:
        source = source_of(torch.from_numpy(H) if kind == "tensor" else H, y, weight)
    source = AtomsBesideKept(source, np.array([6, 7])) if kind == "kept" else source
    some = np.array([4, 0, 9])
    expected = source.columns(some)[:, some]
    rows = source.sample(some, source.n_rows)
    np.testing.assert_allclose(rows.T @ rows, expected, rtol=1e-9, atol=1e-12)
    shares = [source.sample(some, source.n_rows, (turn, 3)) for turn in range(3)]
    np.testing.assert_array_equal([len(share) for share in shares], len(rows) // 3)
    np.testing.assert_allclose(sum(share.T @ share for share in shares), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_estimates_are_exact_where_columns_are_known(dtype, monkeypatch):
    H, y = relus()
    monkeypatch.setattr(CorrectiveColumns, "_plan", lambda self, k: "blocks")
    columns = CorrectiveColumns(ArrayAtoms(H.astype(dtype), y, None), 20)
    atoms = np.arange(0, 60, 2)
    for known in ([4, 3, 8, 20], [6, 30, 7, 50]):  # one is zero, two are equal
        columns.add(np.array(known))
        estimates = columns._estimated(np.flatnonzero(columns.slots >= 0), atoms)
        known = [atom for atom in known if atom in atoms]
        found = estimates(np.searchsorted(atoms, known))
        tolerance = 1e-4 if dtype == np.float32 else 1e-9
        np.testing.assert_allclose(found, columns.source.columns(np.array(known))[:, atoms], atol=tolerance)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_of_long_passes_rows_tell_what_no_column_does(n_threads, monkeypatch):
    H, y = relus()
    source, atoms, known = ArrayAtoms(H, y, None), np.arange(0, 60, 2), np.array([4, 20, 30])
    gram = source.columns(np.arange(60))[:, :60]
    said = gram[:, known] @ np.linalg.inv(gram[np.ix_(known, known)]) @ gram[known]
    monkeypatch.setattr(ArrayAtoms, "n_threads", n_threads)
    for setting, expected in ((10**6, said), (1, gram)):
        read_rows(monkeypatch, _ROWS=1, _MANY=setting)
        columns = CorrectiveColumns(source, 20)
        columns.add(known)
        found = columns._estimated(known, atoms)(np.arange(3, 8))
        np.testing.assert_allclose(found, expected[np.ix_(atoms[3:8], atoms)], rtol=1e-9, atol=1e-12)


def test_plans_go_by_what_columns_cost():
    def plan(n_samples, n_atoms, k, dtype=np.float32):
        atoms = np.lib.stride_tricks.as_strided(np.zeros(1, dtype), (n_samples, n_atoms), (0, 0))
        return CorrectiveColumns(ArrayAtoms(atoms, np.zeros((n_samples, 1)), None), k).plan

    assert plan(30_000, 1000, 100) == "blocks"
    assert plan(2000, 1000, 50) == "column"
    assert plan(30_000, 200, 150) == "whole"
    assert plan(1000, 5000, 50) == "blocks"  # with candidates


def test_neurons_of_one_input_are_selected_where_no_column_is_foreseen():
    """A few of the rows may say that no pick will lower the loss, while all rows say that one does."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(10_000, 1))
    H = np.tanh(0.3 * x @ rng.normal(size=(1, 1000)) + 0.3 * rng.normal(size=1000)).astype(np.float32)
    y = np.sin(5 * x[:, 0]) + 0.1 * rng.normal(size=10_000)
    path = neurons(H, y[:, None], k=50, ridge=1e-6)
    assert len(set(path.picks)) == len(path.picks) > 10
    errors = H.astype(np.float64) @ path.weights + path.intercept - y[:, None]
    np.testing.assert_allclose(0.5 * np.mean(errors**2), path.losses[-1], rtol=1e-6)
