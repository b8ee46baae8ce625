"""Which Gram columns are computed, and how often: none of it changes the picks, so the calls are looked at."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import config_context

from sklearn_gfs import greedy_forward_selection
from sklearn_gfs.selection import _gram_columns
from sklearn_gfs.selection import _greedy_kernels as kernels
from sklearn_gfs.selection._gram import ArrayAtoms
from sklearn_gfs.selection._gram_pivots import PivotedColumns


def problem(n_samples=300, n_atoms=60):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n_samples, n_atoms)), rng.standard_normal(n_samples)


@pytest.fixture
def asked(monkeypatch):
    """Record the atoms whose columns are computed, one call after the other."""
    calls, room = [], _gram_columns.GramColumns._room

    def record(self, atoms):
        calls.append(np.array(atoms))
        return room(self, atoms)

    monkeypatch.setattr(_gram_columns.GramColumns, "_room", record)
    return calls


@pytest.mark.parametrize("spare", [0, 1])
def test_columns_that_fit_are_computed_once(asked, monkeypatch, spare):
    atoms, y = problem()
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "column")
    distinct = np.count_nonzero(greedy_forward_selection(atoms, y, 50).counts)
    asked.clear()
    monkeypatch.setattr(_gram_columns, "capacity", lambda n_atoms, k: distinct + spare)
    greedy_forward_selection(atoms, y, 50)
    assert len(np.concatenate(asked)) == distinct
    asked.clear()
    monkeypatch.setattr(_gram_columns, "capacity", lambda n_atoms, k: distinct - 1)
    greedy_forward_selection(atoms, y, 50)
    assert len(np.concatenate(asked)) > distinct


@pytest.mark.parametrize(("n_targets", "first"), [(1, 31), (3, 29), (8, 24)])
def test_what_is_foreseen_is_a_block_and_the_targets_fill_the_first_one(monkeypatch, n_targets, first):
    atoms, _ = problem(n_atoms=200)
    rng = np.random.default_rng(1)
    B, y = rng.standard_normal((200, n_targets)), rng.standard_normal((300, n_targets))
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    wanted, wanted_next = [], PivotedColumns._wanted_next

    def record(self, step, n_new, n_others, *arguments):
        wanted.append((n_new, n_others))
        return wanted_next(self, step, n_new, n_others, *arguments)

    monkeypatch.setattr(PivotedColumns, "_wanted_next", record)
    greedy_forward_selection(atoms, y, 150, output_weights=B)
    assert wanted[0] == (first, n_targets)
    assert set(wanted[1:]) == {(24, 0)}


def test_the_first_block_does_not_count_for_whether_foresight_pays(monkeypatch):
    atoms, y = problem()
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    columns = PivotedColumns(ArrayAtoms(atoms, y[:, None], None), 50)
    given, state = at_the_start(columns.preview(), n_picks=50)
    assert len(columns.foresee_first(given, state)) > 8
    assert not columns._ever_foreseen.any()


def test_what_is_foreseen_is_neither_ended_by_the_gap_nor_by_doubt(monkeypatch):
    atoms, y = problem()
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    given, wanted_next = [], PivotedColumns._wanted_next

    def record(self, step, n_new, n_others, problem, state):
        given.append(problem)
        return wanted_next(self, step, n_new, n_others, problem, state)

    monkeypatch.setattr(PivotedColumns, "_wanted_next", record)
    greedy_forward_selection(atoms.astype(np.float32), y, 20, tol=0.1)
    assert given
    assert all((p.tol, p.doubt, p.precision) == (-1.0, 0.0, -np.inf) for p in given)


def test_a_preview_that_is_not_finite_foresees_nothing():
    atoms = np.full((300, 60), 1e21, dtype=np.float32)
    columns = PivotedColumns(ArrayAtoms(atoms, np.ones((300, 1)), None), 50)
    columns.plan = "blocks"
    assert columns.preview() is None


@pytest.mark.parametrize("with_weights", [False, True])
def test_estimates_from_all_rows_are_the_columns(with_weights):
    atoms, y = problem()
    B = np.random.default_rng(1).standard_normal((60, 2)) if with_weights else None
    source = ArrayAtoms(atoms, np.stack([y, y], axis=1), None, output_weights=B)
    columns = PivotedColumns(source, 50)
    columns._rows, _ = source.preview(300)
    np.testing.assert_allclose(columns.estimate(4), source.columns(np.array([4]))[0], rtol=1e-9, atol=1e-12)


def test_a_whole_matrix_that_does_not_fit_is_not_made(monkeypatch):
    atoms, y = problem()
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "whole")
    source = ArrayAtoms(atoms, y[:, None], None)
    for fit, expected in ((60, "whole"), (59, "blocks"), (1, "column")):
        monkeypatch.setattr(_gram_columns, "_fit", lambda n_atoms, fit=fit: fit)
        assert PivotedColumns(source, 20).plan == expected


def at_the_start(moments, *, n_picks):
    """Return what a selection of the convex hull is given, and its state before the first pick."""
    norms, lengths = moments.norms, np.sqrt(moments.norms)
    given = kernels.Problem(
        moments.c, norms, lengths, lengths.max(), moments.target_norm, False, 1.0, 0.0, 0.0, -np.inf, -1.0
    )
    zeros, counts, picks = np.zeros((2, len(norms))), np.zeros(len(norms), int), np.zeros(n_picks, int)
    state = kernels.State(
        np.zeros((1, len(norms))), np.zeros(3), counts, picks, np.ones((n_picks, 1)), *np.zeros((2, n_picks)), *zeros
    )
    return given, state


def test_rows_of_products_that_were_forgotten_are_read_anew(monkeypatch):
    atoms, y = problem(n_atoms=200)
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    read, preview = [], ArrayAtoms.preview
    monkeypatch.setattr(ArrayAtoms, "preview", lambda self, n_rows: read.append(n_rows) or preview(self, n_rows))
    columns = PivotedColumns(ArrayAtoms(atoms, y[:, None], None), 20)
    given, state = at_the_start(columns.source.moments(), n_picks=20)
    for _ in range(2):
        columns.add_foreseen(7, 0, given, state)
        columns.add_foreseen(8, 0, given, state)
        columns.forget()
    assert read == [38, 38]


@pytest.mark.parametrize("n_atoms", [100, 1000, 5000, 200_000])
def test_as_many_columns_are_kept_as_the_working_memory_holds(n_atoms):
    with config_context(working_memory=1):
        kept = _gram_columns.capacity(n_atoms, 10**6)
    column = 8 * n_atoms
    assert kept * column <= 2**20 or kept == 1
    assert (kept + 1) * column > 2**20 or kept == n_atoms


@pytest.mark.parametrize("n_others", [0, 3])
def test_what_fills_a_product_came_closest_to_being_picked(n_others, monkeypatch):
    atoms, y = problem(n_atoms=20)
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    columns = PivotedColumns(ArrayAtoms(atoms, y[:, None], None), 12)
    columns._rows = atoms / np.sqrt(len(atoms))
    moments = columns.source.moments()
    given, state = at_the_start(moments, n_picks=1)
    found = columns._wanted_next(0, 12, n_others, given, state)
    # One pick, the atom of the least score, and then those that would come next after it.
    assert found[0] == np.argmin(moments.norms - 2.0 * moments.c[0])
    mean = atoms[:, [found[0]]]
    scores = np.sum((mean + atoms - 2 * y[:, None]) ** 2, axis=0)
    order = [atom for atom in np.argsort(scores) if atom != found[0]]
    assert found[1:].tolist() == order[: 7 - n_others]


@pytest.mark.parametrize("kind", ["column", "blocks", "whole"])
def test_columns_say_how_exact_products_are(monkeypatch, kind):
    atoms, y = problem(n_atoms=40)
    atoms[:, 7] = 0
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: kind)
    monkeypatch.setattr(_gram_columns, "capacity", lambda n_atoms, k: 3)
    columns = PivotedColumns(ArrayAtoms(atoms, y[:, None], None), 10)
    norms = (atoms**2).mean(axis=0)
    assert columns.inexactness(1e-6, norms, norms) == 1e-6
    columns.add(np.array([3, 7, 9]))
    assert columns.inexactness(1e-6, norms, norms) == 1e-6
    columns.columns[columns.slots[3], 3] *= 1 + 1e-6
    assert columns.inexactness(1e-6, norms, norms) == 1e-6  # known already
    columns.add(np.array([5]))  # in place of the others, where there is no room
    columns.columns[columns.slots[5], 5] *= 1 + 1e-6
    assert columns.inexactness(1e-6, norms, norms) == pytest.approx(4e-6, rel=1e-6)
    assert columns.inexactness(1e-5, norms, norms) == 1e-5
    assert columns.inexactness(1e-6, norms, 10 * norms) == pytest.approx(4e-6, rel=1e-6)
    columns.forget()
    assert columns.inexactness(1e-6, norms, norms) == 1e-6
    columns.add(np.array([5]))
    columns.columns[columns.slots[5], 5] *= 1 + 1e-6
    assert columns.inexactness(1e-7, norms, 10 * norms) == pytest.approx(4e-7, rel=1e-6)
