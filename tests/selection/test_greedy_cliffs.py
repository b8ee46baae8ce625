"""A selection for squared error costs about the same whatever the values: counted, not timed."""

from __future__ import annotations

from fractions import Fraction

import naive
import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import peak
from scipy import sparse
from strategies import cases

from selection.small import tensor
from sklearn_gfs import greedy_forward_selection
from sklearn_gfs.selection import _gram, _gram_layouts, _gram_torch, _loss_kernels

N_SAMPLES, N_ATOMS, K = 700, 200, 40
MB = 2**20
interpreted = pytest.mark.skipif(
    numba.config.DISABLE_JIT, reason="tracing every number of an interpreted loop takes minutes"
)


@pytest.fixture
def counted(monkeypatch):
    """Count the numbers that are read of the atoms: in passes over all of them, and of single ones."""
    read = {"n": 0}

    def count_values(values):
        def counting(self, atoms, rows):
            taken = values(self, atoms, rows)
            read["n"] += taken.size
            return taken

        return counting

    def count_blocks(blocks):
        def counting(self, *turn):
            read["n"] += self.n_rows * self.n_atoms if self.has_rows else self.atoms.nnz
            yield from blocks(self, *turn)

        return counting

    for source in (_gram.ArrayAtoms, _gram_layouts.SparseAtoms, _gram_torch.TorchAtoms):
        monkeypatch.setattr(source, "_values", count_values(source._values))
    for source in (_gram.ArrayAtoms, _gram_layouts.StackedAtoms, _gram_layouts.SparseAtoms, _gram_torch.TorchAtoms):
        monkeypatch.setattr(source, "_blocks", count_blocks(source._blocks))

    def count(*arguments, **options):
        read["n"] = 0
        path = greedy_forward_selection(*arguments, **options)
        return read["n"], path

    return count


LAYOUTS = {
    "array": (lambda atoms: atoms, {}),
    "fortran": (np.asfortranarray, {}),
    "float32": (lambda atoms: atoms.astype(np.float32), {}),
    "sparse": (sparse.csr_array, {}),
    "tensor": (tensor, {}),
    "tensor of float32": (lambda atoms: tensor(atoms.astype(np.float32)), {}),
    "weights": (lambda atoms: atoms, {"sample_weight": np.linspace(0.5, 2.0, N_SAMPLES)}),
    "ball": (lambda atoms: atoms, {"hull": "l1", "radius": 1.0}),
    "ball of float32": (lambda atoms: atoms.astype(np.float32), {"hull": "l1", "radius": 1.0}),
    "output weights": (lambda atoms: atoms, {"output_weights": np.linspace(1.0, 2.0, 2 * N_ATOMS).reshape(-1, 2)}),
    "outputs": (lambda atoms: np.stack([atoms, atoms[::-1]], axis=2), {}),
    "outputs of float32": (lambda atoms: np.stack([atoms, atoms[::-1]], axis=2).astype(np.float32), {}),
}


def outputs_of(atoms, i, options):
    """Output of one atom, in float64."""
    column = np.asarray(atoms[:, [i]].toarray()[:, 0] if sparse.issparse(atoms) else atoms[:, i], dtype=np.float64)
    return np.outer(column, options["output_weights"][i]) if "output_weights" in options else column


@pytest.mark.parametrize("n_exact", [1, 2])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_target_that_the_picks_reach_reads_no_more_than_one_they_do_not(counted, layout, n_exact):
    rng = np.random.default_rng(0)
    hold, options = LAYOUTS[layout]
    atoms = hold(rng.standard_normal((N_SAMPLES, N_ATOMS)))
    y = np.mean([outputs_of(atoms, i, options) for i in range(3, 3 + n_exact)], axis=0)
    noisy, _ = counted(atoms, y + rng.standard_normal(y.shape), K, **options)
    exact, path = counted(atoms, y, K, **options)
    assert exact <= 3 * noisy
    np.testing.assert_array_equal(np.flatnonzero(path.counts), np.arange(3, 3 + n_exact))
    assert path.losses[n_exact - 1 :: n_exact].max() < 1e-28
    assert path.gaps[n_exact - 1 :: n_exact].max() < 1e-13


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_atoms_far_from_zero_or_nearly_equal_read_no_more_than_others(counted, dtype):
    rng = np.random.default_rng(0)
    atoms = rng.standard_normal((N_SAMPLES, N_ATOMS)).astype(dtype)
    y = atoms[:, 0] + rng.standard_normal(N_SAMPLES)
    rounding = np.finfo(dtype).eps ** 0.75
    zero = np.zeros(N_SAMPLES)
    for shifted, target, like in (
        (atoms + dtype(1 / rounding), y + 1 / rounding, y),
        (atoms[:, :1] + dtype(rounding) * atoms, atoms[:, 0] + rounding * y, y),
        (atoms[:, :1] + dtype(rounding) * atoms, atoms[:, 0], zero),
        (np.repeat(atoms[:, :4], N_ATOMS // 4, axis=1), y, y),
    ):
        ordinary, _ = counted(atoms, like, K)
        read, path = counted(shifted, target, K)
        assert read <= 3 * ordinary
        residual = (shifted.astype(float) - target[:, None]) @ path.counts / K
        np.testing.assert_allclose(path.losses[-1], 0.5 * np.mean(residual**2), rtol=1e-9)


@interpreted
@pytest.mark.parametrize(
    ("usual", "unusual", "k"),
    [
        # Many picks of float32 atoms, whose losses are computed again in float64.
        ((300, 100, np.float64, None), (300, 100, np.float32, None), 12_000),
        # Atoms between which float32 products can't decide.
        ((190, 2000, np.float32, None), (190, 2000, np.float32, "equal"), 10),
        # A target that the picks reach.
        ((4000, 300, np.float64, None), (4000, 300, np.float64, "reached"), 40),
        ((4000, 300, np.float32, None), (4000, 300, np.float32, "reached"), 40),
    ],
)
def test_memory_does_not_depend_on_the_values(usual, unusual, k):
    peaks = []
    for n_samples, n_atoms, dtype, kind in (usual, unusual):
        rng = np.random.default_rng(0)
        atoms, y = rng.standard_normal((n_samples, n_atoms)).astype(dtype), rng.standard_normal(n_samples)
        if kind == "equal":
            atoms = atoms[:, :1] + dtype(1e-6) * atoms
        if kind == "reached":
            y = atoms[:, 3].copy()
        greedy_forward_selection(atoms, y, k)
        peaks.append(peak(greedy_forward_selection, atoms, y, k)[0])
    assert peaks[1] <= 3 * peaks[0] + MB


@pytest.mark.parametrize("hull", ["convex", "l1"])
def test_nearly_equal_float32_atoms_are_told_apart(hull):
    rng = np.random.default_rng(0)
    atoms = rng.standard_normal((30, 1)).astype(np.float32) + np.float32(1e-6) * rng.standard_normal((30, 40))
    atoms, y = atoms.astype(np.float32), rng.standard_normal(30)
    fractions = [np.vectorize(Fraction, otypes=[object])(a) for a in (atoms[:, :, None].astype(float), y[:, None])]
    signs = (1, -1) if hull == "l1" else (1,)
    picks, losses, gaps = naive.greedy(*fractions, 8, tie=0.0, signs=signs, radius=1, offset=0)
    path = greedy_forward_selection(atoms, y, 8, hull=hull, radius=None if hull == "convex" else 1.0)
    np.testing.assert_array_equal(path.picks, picks)
    np.testing.assert_allclose(path.losses, losses.astype(float), rtol=1e-9)
    np.testing.assert_allclose(path.gaps, np.maximum(gaps.astype(float), 0), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("hull", ["convex", "l1"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tol_does_not_stop_at_a_gap_that_products_cannot_tell(hull, dtype):
    rng = np.random.default_rng(0)
    offset = {np.float32: 1e4, np.float64: 1e8}[dtype]
    atoms, y = (offset + rng.standard_normal((40, 8))).astype(dtype), offset + rng.standard_normal(40)
    options = {"hull": hull, "radius": None if hull == "convex" else 1.0}
    full = greedy_forward_selection(atoms, y, 20, **options)
    tol = float(np.sort(full.gaps)[3]) * (1 + 1e-3)
    short = greedy_forward_selection(atoms, y, 20, tol=tol, **options)
    assert len(short.picks) == np.flatnonzero(full.gaps <= tol)[0] + 1 > 1


@given(cases(), st.floats(0.1, 2.0), st.integers(0, 2**32 - 1))
def test_losses_of_a_path_agree_with_the_oracle(case, radius, seed):
    rng = np.random.default_rng(seed)
    n_samples, n_atoms, n_outputs = case.atoms.shape
    picks = rng.integers(n_atoms, size=case.k)
    share = case.weight / case.weight.sum()
    # Atoms of several outputs, each taken as it is or negated; of one output, turned among several.
    for atoms, directions in (
        (case.atoms, rng.choice([-1.0, 1.0], (case.k, 1))),
        (case.H[:, :, None], rng.standard_normal((case.k, n_outputs))),
    ):
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        expected = naive.path_losses(atoms, case.y, picks, directions, radius, case.weight)
        wanted, losses = rng.random(case.k) < 0.5, np.zeros(case.k)
        for rows in np.array_split(np.arange(n_samples), 2):
            outputs = np.ascontiguousarray(atoms[rows].transpose(1, 2, 0))
            y = np.ascontiguousarray(case.y[rows].T)
            _loss_kernels.add_losses(picks, directions, radius, outputs, y, share[rows], wanted, losses)
        np.testing.assert_allclose(losses, np.where(wanted, expected, 0.0), rtol=1e-9, atol=1e-14)
        flat = np.sqrt(share)[:, None, None] * atoms
        gram = np.einsum("sio,sjo->ij", flat, flat)
        if directions.shape[1] > 1 or n_outputs == 1:
            c = np.einsum("s,si,so->oi", share, atoms[:, :, 0], case.y)
        else:
            c = np.einsum("s,sio,so->i", share, atoms, case.y)[None]
        losses, norm = np.empty(case.k), float(np.sum(share[:, None] * case.y**2))
        _loss_kernels.losses_from_gram(picks, directions, radius, gram, c, norm, np.zeros(c.shape), losses)
        np.testing.assert_allclose(losses, expected, rtol=1e-8, atol=1e-12)
