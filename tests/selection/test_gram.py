"""Every source of inner products, however the atoms are held, against plain loops."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from scipy import sparse

from selection.small import tensor
from sklearn_gfs import SelectionStatistics
from sklearn_gfs.selection import _blocks, _gram, _gram_layouts, _gram_torch
from sklearn_gfs.selection._blocks import batches, block_rows
from sklearn_gfs.selection._gram import ArrayAtoms, Moments
from sklearn_gfs.selection._gram_layouts import SparseAtoms, StackedAtoms
from sklearn_gfs.selection._gram_standardized import StandardizedAtoms, StandardizedSparseAtoms
from sklearn_gfs.selection._gram_sums import GramAtoms, sums_about
from sklearn_gfs.selection._gram_torch import TorchAtoms
from sklearn_gfs.selection._sources import check_regression, source_of

N_SAMPLES, N_ATOMS = 45, 7
RNG = np.random.default_rng(0)
H = RNG.standard_normal((N_SAMPLES, N_ATOMS))
H[:, 2] = 0.0
B = RNG.standard_normal((N_ATOMS, 3))
Y = RNG.standard_normal((N_SAMPLES, 3))
MEAN, SCALE = RNG.standard_normal(N_ATOMS), RNG.uniform(0.5, 2.0, N_ATOMS)
WEIGHT = RNG.uniform(0.2, 2.0, N_SAMPLES)
WEIGHT[5] = 0.0


def standardized(source, atoms, y, weight):
    return source(atoms, y, weight, mean=MEAN, scale=SCALE)


# Each holds the atoms in its way; beside it are the atoms' outputs, (n_samples, n_atoms, n_outputs), and y.
PLAIN, TURNED = H[:, :, None], H[:, :, None] * B
SOURCES = {
    "array": (lambda y, w: ArrayAtoms(H, y, w), PLAIN, Y[:, :1]),
    "several targets": (lambda y, w: ArrayAtoms(H, y, w), PLAIN, Y),
    "fortran": (lambda y, w: ArrayAtoms(np.asfortranarray(H), y, w), PLAIN, Y[:, :1]),
    "strided": (lambda y, w: ArrayAtoms(np.repeat(H, 2, axis=1)[:, ::2], y, w), PLAIN, Y[:, :1]),
    "reversed": (lambda y, w: ArrayAtoms(H[::-1][::-1], y, w), PLAIN, Y[:, :1]),
    "output weights": (lambda y, w: ArrayAtoms(H, y, w, output_weights=B), TURNED, Y),
    "fortran, output weights": (lambda y, w: ArrayAtoms(np.asfortranarray(H), y, w, output_weights=B), TURNED, Y),
    "outputs": (lambda y, w: StackedAtoms(TURNED, y, w), TURNED, Y),
    "fortran outputs": (lambda y, w: StackedAtoms(np.asfortranarray(TURNED), y, w), TURNED, Y),
    "sparse": (lambda y, w: SparseAtoms(sparse.csr_array(H), y, w), PLAIN, Y),
    "sparse, output weights": (lambda y, w: SparseAtoms(sparse.csr_array(H), y, w, output_weights=B), TURNED, Y),
    "standardized": (
        lambda y, w: standardized(StandardizedAtoms, H, y, w),
        ((H - MEAN) / SCALE)[:, :, None],
        Y[:, :1],
    ),
    "tensor": (lambda y, w: TorchAtoms(tensor(H), y, w), PLAIN, Y),
    "tensor, output weights": (lambda y, w: TorchAtoms(tensor(H), y, w, output_weights=B), TURNED, Y),
    "tensor of outputs": (lambda y, w: TorchAtoms(tensor(TURNED), y, w), TURNED, Y),
}
FLOAT32 = {
    "float32": (lambda y, w: ArrayAtoms(H.astype(np.float32), y, w), PLAIN, Y[:, :1]),
    "fortran float32": (lambda y, w: ArrayAtoms(np.asfortranarray(H, dtype=np.float32), y, w), PLAIN, Y[:, :1]),
    "float32 outputs": (lambda y, w: StackedAtoms(TURNED.astype(np.float32), y, w), TURNED, Y),
    "float32 tensor": (lambda y, w: TorchAtoms(tensor(H.astype(np.float32)), y, w), PLAIN, Y[:, :1]),
}
CONVEX = ["array", "fortran", "strided", "outputs", "fortran outputs", "tensor of outputs"]


@pytest.fixture(params=[1, 4, N_SAMPLES, 10 * N_SAMPLES], ids=lambda n: f"blocks of {n}")
def block(request, monkeypatch):
    """Read so many samples at a time."""
    n = request.param
    monkeypatch.setattr(_blocks, "BLOCK_ROWS", (n, n))
    monkeypatch.setattr(_gram_torch, "BLOCK_ROWS", (n, n))
    for module in (_gram, _gram_layouts):
        monkeypatch.setattr(module, "COPIED", 2 if n > 1 else 1)
    monkeypatch.setattr(_blocks, "_BATCH_VALUES", n * N_ATOMS)
    return n


def agree(source, outputs, y, weight, **tolerance):
    """Compare all that a source offers with plain loops."""
    tolerance = {"rtol": 1e-12, "atol": 1e-13, **tolerance}
    share = np.ones(N_SAMPLES) if weight is None else weight
    gram, c, norm = naive.inner_products(outputs, y, share)
    atoms = np.array([4, 0, 5])
    for wanted in (None, atoms):
        room = None if wanted is None else np.full((len(wanted), N_ATOMS), np.nan)
        moments = source.moments(wanted, room)
        np.testing.assert_allclose(moments.c, c, **tolerance)
        np.testing.assert_allclose(moments.norms, np.diagonal(gram), **tolerance)
        np.testing.assert_allclose(moments.target_norm, norm, **tolerance)
        if room is not None:
            np.testing.assert_allclose(room, gram[atoms], **tolerance)
    np.testing.assert_allclose(source.columns(atoms), gram[atoms], **tolerance)
    np.testing.assert_allclose(source.columns(atoms[:1]), gram[atoms[:1]], **tolerance)
    np.testing.assert_allclose(source.whole(), gram, **tolerance)
    np.testing.assert_allclose(source.among(atoms), gram[np.ix_(atoms, atoms)], **tolerance)
    exact, exact_c = source.exact_moments(atoms)
    np.testing.assert_allclose(exact, gram[np.ix_(atoms, atoms)], rtol=max(tolerance["rtol"], 1e-12), atol=1e-7)
    np.testing.assert_allclose(exact_c, c[:, atoms], rtol=max(tolerance["rtol"], 1e-12), atol=1e-7)
    np.testing.assert_allclose(source.row_weights()[:, 0], share / share.sum(), rtol=1e-12)
    for rows in (slice(None), slice(7, 12)):
        given = source.outputs(atoms, rows)
        np.testing.assert_allclose(
            given, outputs[rows][:, atoms], rtol=1e-5 if "atol" in tolerance else 1e-12, atol=1e-6
        )
    np.testing.assert_allclose(source.y, y)
    if source.has_rows:
        rows, moments = source.preview(len(share) * (outputs.shape[2] if source.n_rows > N_SAMPLES else 1))
        np.testing.assert_allclose(moments.c, c, **tolerance)
        np.testing.assert_allclose(moments.norms, np.diagonal(gram), **tolerance)
        np.testing.assert_allclose(moments.target_norm, norm, **tolerance)
        estimate = rows.T @ rows
        if source.output_weights is not None:
            estimate = estimate * (source.output_weights @ source.output_weights.T)
        np.testing.assert_allclose(estimate, gram, **tolerance)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.usefixtures("block")
def test_inner_products_agree_with_the_oracle(name, weighted):
    make, outputs, y = SOURCES[name]
    weight = WEIGHT if weighted else None
    agree(make(y, weight), outputs, y, weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", FLOAT32)
@pytest.mark.usefixtures("block")
def test_inner_products_of_float32_agree_with_the_oracle_and_better_ones_with_float64(name, weighted):
    make, outputs, y = FLOAT32[name]
    weight = WEIGHT if weighted else None
    source, rounded = make(y, weight), outputs.astype(np.float32).astype(float)
    agree(source, rounded, y, weight, rtol=1e-5, atol=1e-6)
    assert source.dtype == np.float32
    assert source.promote(about_y=False)
    assert not source.promote(about_y=False)
    agree(source, rounded, y, weight)
    assert source.promote(about_y=True)
    assert not source.promote(about_y=True)
    agree(source, rounded - y[:, None], 0 * y, weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CONVEX)
@pytest.mark.usefixtures("block")
def test_inner_products_about_y_agree_with_the_oracle(name, weighted):
    make, outputs, y = SOURCES[name]
    weight = WEIGHT if weighted else None
    source = make(y, weight)
    before = [array.copy() for array in (H, TURNED, y)]
    assert source.promote(about_y=True)
    agree(source, outputs - y[:, None], 0 * y, weight)
    for array, copy in zip((H, TURNED, y), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", ["output weights", "sparse", "sparse, output weights"])
def test_atoms_that_can_not_be_taken_about_y_stay_as_they_are(name):
    make, outputs, y = SOURCES[name]
    source = make(y, None)
    assert not source.promote(about_y=True)
    agree(source, outputs, y, None)


@pytest.mark.parametrize("weighted", [False, True])
def test_standardized_sparse_columns_agree_with_the_oracle(weighted):
    weight = WEIGHT if weighted else None
    share = np.ones(N_SAMPLES) if weight is None else weight
    mean = np.average(H, axis=0, weights=share)
    centred = Y - np.average(Y, axis=0, weights=share)
    outputs = ((H - mean) / SCALE)[:, :, None]
    source = StandardizedSparseAtoms(sparse.csr_array(H), centred, weight, mean=mean, scale=SCALE)
    gram, c, norm = naive.inner_products(outputs, centred, share)
    atoms, room = np.array([4, 0]), np.empty((2, N_ATOMS))
    moments = source.moments(atoms, room)
    for given, expected in (
        (moments.c, c),
        (moments.norms, np.diagonal(gram)),
        (moments.target_norm, norm),
        (room, gram[atoms]),
        (source.columns(atoms), gram[atoms]),
        (source.whole(), gram),
        (source.outputs(atoms), outputs[:, atoms]),
    ):
        np.testing.assert_allclose(given, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("output_weights", [None, B])
def test_inner_products_from_sums_agree_with_the_oracle(output_weights):
    outputs = PLAIN if output_weights is None else TURNED
    statistics = SelectionStatistics().update(H + 3.0, Y, WEIGHT)
    source = sums_about(0.0, statistics._moments, output_weights)
    gram, c, norm = naive.inner_products(outputs + 3.0 * (1.0 if output_weights is None else B), Y, WEIGHT)
    atoms, room = np.array([4, 0]), np.empty((2, N_ATOMS))
    moments = source.moments(atoms, room)
    for given, expected in (
        (moments.c, c),
        (moments.norms, np.diagonal(gram)),
        (moments.target_norm, norm),
        (room, gram[atoms]),
        (source.columns(atoms), gram[atoms]),
        (source.whole(), gram),
    ):
        np.testing.assert_allclose(given, expected, rtol=1e-10, atol=1e-12)
    assert not source.promote(about_y=True)
    assert source.has_target()
    np.testing.assert_array_equal(source.nonzero(np.array([0, 2])), [True, True])


def test_sums_of_small_targets_are_no_sums_of_zeros():
    atoms = Moments(np.zeros((1, 1)), np.ones(1), 0.0)
    assert not GramAtoms(np.ones((1, 1)), atoms).has_target()
    assert GramAtoms(np.ones((1, 1)), atoms._replace(target_norm=1e-200)).has_target()
    assert GramAtoms(np.ones((1, 1)), atoms._replace(c=np.full((1, 1), -1e-200))).has_target()


@pytest.mark.parametrize("small", [-1e-200, 1e-200])
def test_small_output_weights_are_no_zeros(small):
    weights = np.array([[0.0, 0.0], [small, 0.0]])
    for source in (
        GramAtoms(np.eye(2), Moments(np.zeros((1, 2)), np.zeros(2), 1.0), output_weights=weights),
        ArrayAtoms(np.eye(2), np.ones((2, 2)), None, output_weights=weights),
        SparseAtoms(sparse.csr_array(np.eye(2)), np.ones((2, 2)), None, output_weights=weights),
    ):
        np.testing.assert_array_equal(source.nonzero(np.arange(2)), [False, True])


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("name", [*SOURCES, *FLOAT32])
def test_what_is_zero_wherever_there_is_weight_is_told(name):
    make, _, y = {**SOURCES, **FLOAT32}[name]
    there = np.zeros(N_SAMPLES)
    there[[5, 44]] = 1.0
    atoms = np.array([2, 0])
    for weight in (None, there):
        source = make(y, weight)
        np.testing.assert_array_equal(source.nonzero(atoms), [name == "standardized", True])
        assert source.has_target()
        assert not make(np.where(source.row_weights() > 0, 0.0, y), weight).has_target()
    column = np.zeros((N_SAMPLES, 2))
    column[3, 1] = 1.0
    source = ArrayAtoms(column, y, there)
    np.testing.assert_array_equal(source.nonzero(np.array([0, 1])), [False, False])
    assert not ArrayAtoms(column, y, None, output_weights=np.zeros((2, 3))).nonzero(np.array([0, 1])).any()


def test_a_preview_of_some_rows_takes_them_evenly_and_scales_them_up():
    source = ArrayAtoms(H, Y, WEIGHT)
    rows, moments = source.preview(9)
    taken = slice(None, None, 5)
    scale = np.sqrt(WEIGHT[taken] / WEIGHT.sum() * N_SAMPLES / 9)[:, None]
    np.testing.assert_allclose(rows, H[taken] * scale)
    np.testing.assert_allclose(moments.c, (Y[taken] * scale).T @ rows)
    np.testing.assert_allclose(moments.norms, (rows**2).sum(axis=0))
    np.testing.assert_allclose(moments.target_norm, ((Y[taken] * scale) ** 2).sum())


def test_blocks_and_batches_are_of_the_size_that_is_meant():
    assert block_rows(8) == 8192
    assert block_rows(2**20) == 1024
    assert block_rows(2**11) == 2**12
    assert [(rows.start, rows.stop) for rows in batches(10, 2**16)] == [(0, 4), (4, 8), (8, 10)]
    assert list(batches(2, 2**30)) == [slice(0, 1), slice(1, 2)]
    assert list(batches(3, 1)) == [slice(0, 3)]


@pytest.mark.parametrize("unit", [5e-324, 1.0, 3.0, 1e300])
def test_weights_are_brought_to_one_without_rounding(unit):
    weight = np.array([0.0, 1.0, 2.0, 3.0]) * unit
    scaled = _gram._without_units(weight)
    assert 0.5 <= scaled.max() <= 1.0
    np.testing.assert_array_equal(np.frexp(scaled)[0], np.frexp(weight)[0])
    assert len(set(np.frexp(scaled[1:])[1] - np.frexp(weight[1:])[1])) == 1


def source(atoms, y):
    return source_of(*check_regression(atoms, y, None, None, None)[:3])


def test_atoms_stay_where_they_are():
    for atoms in (tensor(H), tensor(H.astype(np.float32))):
        assert source(atoms, Y[:, 0]).atoms.data_ptr() == atoms.data_ptr()
    for array in (H, H.astype(np.float32), np.asfortranarray(H), TURNED):
        y = Y if array.ndim == 3 else Y[:, 0]
        assert np.shares_memory(source(array, y).atoms, array)
