"""Plans for the inner products: none changes the picks, each foresees well and keeps to its memory."""

from __future__ import annotations

import importlib
from pathlib import Path

import numba
import numpy as np
import pytest
from memory import peak
from scipy import sparse
from sklearn import config_context

from selection.small import make
from sklearn_gfs import SelectionStatistics, greedy_forward_selection
from sklearn_gfs.selection import _gram_columns
from sklearn_gfs.selection import _greedy_kernels as kernels
from sklearn_gfs.selection._gram_pivots import PivotedColumns


def chunked(atoms, y, k, **options):
    """Select from statistics gathered in three chunks on two objects."""
    first, second = SelectionStatistics(), SelectionStatistics()
    first.update(atoms[:50], y[:50]).update(atoms[50:60], y[50:60])
    second.update(atoms[60:], y[60:])
    return first.merge(second).select(k, **options)


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
            patch.setattr(_gram_columns, "_LARGEST_BLOCK", 7)
            path = greedy_forward_selection(atoms, y, 120, output_weights=weights, **options)
        np.testing.assert_array_equal(path.picks, expected.picks)
        np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-10)
        np.testing.assert_allclose(path.gaps, expected.gaps, rtol=1e-7, atol=1e-12)


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
    foreseen, wanted_next = [], PivotedColumns._wanted_next

    def record(self, step, n_new, n_others, *arguments):
        foreseen.append((wanted_next(self, step, n_new, n_others, *arguments), n_others))
        return foreseen[-1][0]

    monkeypatch.setattr(PivotedColumns, "_wanted_next", record)
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    monkeypatch.setattr(PivotedColumns, "_foresight_pays", lambda *state: True)
    greedy_forward_selection(H, y, 60, output_weights=B)
    assert len(foreseen) > 1
    atoms = np.concatenate([atoms for atoms, _ in foreseen])
    assert len(set(atoms)) == len(atoms)
    assert all((len(atoms) + n_others) % kernels.WIDTH == 0 for atoms, n_others in foreseen)


@pytest.mark.parametrize("factor", [2.0**-200, 2.0**80, 2.0**200])
def test_numbers_that_float32_has_not_are_foreseen_as_others_are(factor, monkeypatch):
    rng = np.random.default_rng(0)
    atoms, y = rng.standard_normal((400, 80)), rng.standard_normal(400)
    foreseen, wanted_next = [], PivotedColumns._wanted_next
    monkeypatch.setattr(
        PivotedColumns, "_wanted_next", lambda *a: foreseen.append(wanted_next(*a).tolist()) or np.array(foreseen[-1])
    )
    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    path = greedy_forward_selection(atoms, y, 20)
    expected = foreseen.copy()
    foreseen.clear()
    np.testing.assert_array_equal(greedy_forward_selection(factor * atoms, factor * y, 20).picks, path.picks)
    assert foreseen == expected
    assert len(foreseen[0]) > 8


def test_blocks_go_over_to_single_columns_where_foresight_is_poor(monkeypatch):
    rng = np.random.default_rng(0)
    H, y = rng.standard_normal((400, 300)), rng.standard_normal(400)
    room, wanted_next, passes = PivotedColumns._room, PivotedColumns._wanted_next, []

    def mislead(self, step, n_new, n_others, problem, state):
        """The atom that is needed now, and the worst ones."""
        others = np.flatnonzero(self.slots < 0)
        worst = others[np.argsort(-state.scores[others])[: n_new - 1]]
        return np.concatenate([wanted_next(self, step, 1, n_others, problem, state), worst])

    def record(self, atoms):
        passes.append(len(atoms))
        return room(self, atoms)

    monkeypatch.setattr(_gram_columns, "plan", lambda *sizes: "blocks")
    monkeypatch.setattr(PivotedColumns, "_room", record)
    monkeypatch.setattr(PivotedColumns, "_wanted_next", mislead)
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
    assert _gram_columns.plan(1500, 1000, 8, 200, "several") == "blocks"
    assert _gram_columns.plan(1500, 200, 8, 200, "several") == "whole"


@pytest.mark.parametrize("working_memory", [1e-6, 0.01, 1024])
@pytest.mark.parametrize("hull", ["convex", "l1"])
def test_working_memory_never_changes_the_picks(working_memory, hull):
    atoms, y = make(500, 60)
    expected = greedy_forward_selection(atoms, y, 80, hull=hull)
    with config_context(working_memory=working_memory):
        for path in (greedy_forward_selection(atoms, y, 80, hull=hull), chunked(atoms, y, 80, hull=hull)):
            np.testing.assert_array_equal(path.picks, expected.picks)
            np.testing.assert_allclose(path.losses, expected.losses, rtol=1e-9)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="tracing every number of an interpreted loop takes minutes")
@pytest.mark.parametrize("sizes", [(1500, 300, 60), (20_000, 100, 30), (200, 400, 300)])
def test_memory_stays_within_what_the_plan_says(sizes, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    planned_bytes = importlib.import_module("_planned").planned_bytes
    n_samples, n_atoms, k = sizes
    rng = np.random.default_rng(0)
    atoms, y = rng.standard_normal((n_samples, n_atoms), dtype=np.float32), rng.standard_normal(n_samples)
    greedy_forward_selection(atoms, y, k)
    most, _ = peak(greedy_forward_selection, atoms, y, k)
    planned = planned_bytes(n_samples, n_atoms, 4, k)
    assert most <= 1.3 * planned + 8 * y.nbytes
