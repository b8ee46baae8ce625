"""Columns that foresee each other: what is known from them of others, and which are wanted next."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context

from selection.small import make
from sklearn_gfs import greedy_forward_selection
from sklearn_gfs.selection import _gram_columns
from sklearn_gfs.selection import _greedy_kernels as kernels
from sklearn_gfs.selection._gram import ArrayAtoms
from sklearn_gfs.selection._gram_pivots import _ROUNDING, PivotedColumns


def source(n_samples, n_atoms, n_outputs, seed, *, size=1.0, dtype="f8"):
    """Neurons that have much in common, and what is selected from them."""
    rng = np.random.default_rng(seed)
    H = np.maximum(rng.standard_normal((n_samples, 5)) @ rng.standard_normal((5, n_atoms)), 0).astype(dtype)
    B = rng.standard_normal((n_atoms, n_outputs))
    return ArrayAtoms(size * H, rng.standard_normal((n_samples, n_outputs)), None, output_weights=B)


def pivoted(atoms, k, monkeypatch):
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    return PivotedColumns(atoms, k)


@given(
    st.integers(1, 30), st.integers(1, 12), st.integers(1, 3), st.integers(0, 8), st.integers(1, 9),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_looking_ahead_agrees_with_the_oracle(n_atoms, n_rows, n_outputs, n_known, n_new, seed):
    rng = np.random.default_rng(seed)
    base, B = rng.standard_normal((n_rows, n_atoms)).astype("f4"), rng.standard_normal((n_atoms, n_outputs))
    estimates = 0.5 * (base.T @ base).astype(float) * (B @ B.T)
    rows = rng.standard_normal((20, n_atoms))
    gram, c = rows.T @ rows / 20, rng.standard_normal(n_atoms)
    there = rng.permutation(n_atoms)[: min(n_known, n_atoms)]
    slots = np.full(n_atoms, -1)
    slots[there] = np.arange(len(there))
    picks, k = there[:2], 20
    state = kernels.State(
        gram[picks].sum(axis=0)[None], np.zeros(3), np.bincount(picks, minlength=n_atoms), np.zeros(k, int),
        np.ones((k, 1)), *np.zeros((2, k)), *np.zeros((2, n_atoms)),
    )  # fmt: skip
    norms, lengths = np.diagonal(gram).copy(), np.sqrt(np.diagonal(gram))
    given_ = kernels.Problem(c[None], norms, lengths, lengths.max(), 1.0, False, 1.0, 0.0, 0.0, -np.inf, -1.0)
    found = np.full(n_new, -1)
    ahead = kernels.Ahead(
        base, np.ascontiguousarray(B.T, "f4"), 0.5, 0.0, found, np.empty((n_new, n_atoms)), np.empty((2, n_atoms), "f4")
    )
    kernels.squared_error_steps(len(picks), k, given_, state, slots, gram[there], -1, np.ones(1), ahead)
    expected = naive.look_ahead({i: gram[i] for i in there}, estimates, c, norms, picks, k, n_new)
    assert found[found >= 0].tolist() == expected


@pytest.mark.parametrize("size", [1e-60, 1.0, 1e60])
@pytest.mark.parametrize("weighted", [False, True])
def test_known_columns_tell_most_of_the_others(size, weighted, monkeypatch):
    atoms = source(200, 60, 2, 0, size=size)
    if weighted:
        atoms.sample_weight = np.linspace(0.1, 1, 200)
    columns = pivoted(atoms, 40, monkeypatch)
    columns.moments(np.arange(8))
    columns.add(np.arange(20, 32))
    columns.add(np.array([50]))
    columns._learn()
    columns.add(np.array([41, 3]))
    columns._learn()
    weight = np.ones(200) if atoms.sample_weight is None else atoms.sample_weight
    gram = (atoms.atoms * weight[:, None]).T @ atoms.atoms * atoms._scale / size**2
    base = columns._base[: columns._n_base].astype(float)
    told = columns._unit / size**2 * base.T @ base
    there = np.flatnonzero(columns.slots >= 0)
    largest = np.diagonal(gram)[there].max()
    np.testing.assert_allclose(told[there], gram[there], rtol=0, atol=3 * _ROUNDING * largest)
    left = np.linalg.norm(gram - told) / np.linalg.norm(gram)
    assert left < 0.1
    assert np.linalg.eigvalsh(gram - told).min() > -1e-5 * largest  # no more than there is


def test_the_columns_are_those_of_the_source(monkeypatch):
    atoms = source(200, 60, 2, 0)
    columns = pivoted(atoms, 40, monkeypatch)
    moments = columns.moments(np.arange(8))
    columns.add(np.arange(20, 32))
    expected = atoms.columns(np.arange(60))
    for atom in (0, 7, 20, 31, 45):
        np.testing.assert_allclose(columns.get(atom), expected[atom], rtol=1e-10, atol=1e-12)
    for found, wanted in zip(moments, atoms.moments(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("value", [0.0, np.inf, np.nan])
def test_columns_that_tell_nothing_are_left_out(value, monkeypatch):
    atoms = source(200, 60, 2, 0)
    columns = pivoted(atoms, 40, monkeypatch)
    columns.add(np.arange(8))
    columns._learn()
    for useless in (value, 1e50 * columns._unit):
        columns._unread.append((np.arange(10, 14), np.full((4, 60), useless)))
        columns._learn()
    assert columns._n_base == 8
    columns.add(np.arange(20, 24))
    columns._learn()
    assert columns._n_base == 12


def test_scores_that_are_no_numbers_end_the_look_ahead(monkeypatch):
    columns = pivoted(source(200, 60, 2, 0), 40, monkeypatch)
    moments = columns.moments(np.arange(8))
    norms, k = np.full(60, np.nan), 40
    given_ = kernels.Problem(moments.c, norms, norms, 1.0, 1.0, False, 1.0, 0.0, 0.0, -np.inf, -1.0)
    state = kernels.State(
        np.zeros((1, 60)), np.zeros(3), np.zeros(60, int), np.zeros(k, int), np.ones((k, 1)), *np.zeros((2, k)),
        *np.zeros((2, 60)),
    )  # fmt: skip
    assert len(columns._wanted_next(0, 24, 0, given_, state)) <= 24


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_few_columns_are_made_in_vain(copies, dtype, monkeypatch):
    rng = np.random.default_rng(0)
    H = np.maximum(rng.standard_normal((600, 8)) @ rng.standard_normal((8, 300 // copies)), 0)
    H = np.tile(H, copies).astype(dtype)
    B, y = np.tile(rng.standard_normal((300 // copies, 4)), (copies, 1)), rng.standard_normal((600, 4))
    made, room = [], PivotedColumns._room
    monkeypatch.setattr(PivotedColumns, "_room", lambda self, atoms: made.append(len(atoms)) or room(self, atoms))
    expected = greedy_forward_selection(H, y, 150, output_weights=B)
    assert not made  # the whole matrix is cheaper here
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    path = greedy_forward_selection(H, y, 150, output_weights=B)
    np.testing.assert_array_equal(path.picks, expected.picks)
    n_distinct = np.count_nonzero(path.counts)
    assert n_distinct > 40
    assert sum(made) < 1.5 * n_distinct + 24


@pytest.mark.parametrize("n_kept", [1, 10, 30])
def test_memory_for_a_few_columns_only_is_enough(n_kept, monkeypatch):
    atoms, y = make(500, 60)
    expected = greedy_forward_selection(atoms, y, 80)
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    with config_context(working_memory=n_kept * 8 * 60 / 2**20):
        np.testing.assert_array_equal(greedy_forward_selection(atoms, y, 80).picks, expected.picks)
