"""Samples on their way into a batch: standardised, rounded, and taken from rows."""

import numpy as np
import pytest
import torch
from memory import peak
from scipy import sparse

from sklearn_gfs.network import _data, _samples
from sklearn_gfs.network._data import by_rows
from sklearn_gfs.network._samples import HeldOut, Samples
from sklearn_gfs.network._scaling import measure_moments, scaling_of
from sklearn_gfs.network._standardisation import Standardisation


def test_samples_are_standardised_in_place_and_sparse_ones_by_scale():
    rng = np.random.default_rng(9)
    X = 5 + 3 * rng.normal(size=(50, 3))
    X[:, 1] = 7.0
    before = X.copy()
    scaling = scaling_of(measure_moments(X, X[:, :1]), center_targets=True, scale_targets=True)
    samples = Samples(X, X[:, :1], scaling.inputs, np.arange(50))
    standardised = samples.gather(np.arange(50)).X.numpy()
    np.testing.assert_allclose(standardised.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(standardised.std(axis=0), [1, 0, 1], atol=1e-12)
    np.testing.assert_array_equal(X, before)
    assert (scaling.y_mean, scaling.y_scale) == (pytest.approx(X[:, 0].mean()), pytest.approx(X[:, 0].std()))

    sparse_moments = measure_moments(sparse.csr_array(X), X[:, :1])
    sparse_scaling = scaling_of(sparse_moments, center_targets=False, scale_targets=False)
    assert sparse_scaling.inputs.mean is None
    rows = Samples(sparse.csr_array(X), X[:, :1], sparse_scaling.inputs, np.arange(50)).gather(np.arange(50)).X.numpy()
    np.testing.assert_allclose((rows**2).mean(axis=0), [1, 0, 1])


def test_many_features_are_shrunk_to_a_bounded_norm():
    X = np.random.default_rng(10).normal(size=(200, 500))
    scaling = scaling_of(measure_moments(X, X[:, :1]), center_targets=True, scale_targets=False)
    rows = Samples(X, X[:, :1], scaling.inputs, np.arange(200)).gather(np.arange(200)).X.numpy()
    assert np.mean(np.sum(rows**2, axis=1)) == pytest.approx(12)
    assert scaling.x_squared_norm == pytest.approx(12)


def test_batches_are_rounded_once_they_are_standardised():
    rng = np.random.default_rng(17)
    small = 1e-3 * rng.normal(size=(40, 3))
    X, scale = 1e6 + small, np.full(3, 1e3)
    samples = Samples(X, np.zeros((40, 1), np.float32), Standardisation(np.full(3, 1e6), scale), np.arange(40))
    batch = samples.gather(np.arange(40)).X
    assert batch.dtype == torch.float32
    np.testing.assert_allclose(batch.numpy(), scale * small, atol=1e-6)
    huge = sparse.csr_array(1e300 * small)
    samples = Samples(huge, np.zeros((40, 1), np.float32), Standardisation(None, scale / 1e300), np.arange(40))
    np.testing.assert_allclose(samples.gather(np.arange(40)).X.numpy(), scale * small, rtol=1e-6)


def test_samples_are_taken_from_rows_that_lie_together(monkeypatch):
    X = np.asfortranarray(np.random.default_rng(15).normal(size=(30, 3)))
    assert by_rows(X).flags.c_contiguous
    monkeypatch.setattr(_data, "_MOST_COPIED_BYTES", X.nbytes - 1)
    assert by_rows(X) is X


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_with_spaces_between_them_are_gathered_by_way_of_memory_that_is_kept(dtype):
    rng = np.random.default_rng(0)
    X, targets = rng.normal(size=(50, 3)).astype(dtype), rng.normal(size=(50, 2)).astype(dtype)
    samples, rows = Samples(X, targets, None, np.arange(50)), rng.integers(0, 50, size=5000)
    inputs, outputs = (np.zeros((5000, 16), np.float32)[:, :n] for n in (3, 2))
    samples.fill(rows[:10], inputs[:10], outputs[:10])
    samples.fill(rows, inputs, outputs)
    np.testing.assert_array_equal(inputs, X[rows].astype(np.float32))
    np.testing.assert_array_equal(outputs, targets[rows].astype(np.float32))
    if dtype == np.float32:
        assert peak(samples.fill, rows, inputs, outputs)[0] < 5000


def test_indicators_stay_bytes_until_they_are_in_a_batch():
    rng = np.random.default_rng(3)
    X, labels, rows = rng.normal(size=(60, 3)), rng.integers(0, 4, 60)[:, None] == np.arange(4), np.arange(5, 55)
    kept = Samples(X, labels, None, rows, dtype=np.float32)
    numbers = Samples(X, labels.astype(np.float32), None, rows)
    assert kept.dtype == numbers.dtype == np.float32
    some = rng.permutation(rows)[:30]
    for found, expected in zip(
        (*kept.gather(some)[:2], *kept.everything()[:2]),
        (*numbers.gather(some)[:2], *numbers.everything()[:2]),
        strict=True,
    ):
        assert found.dtype == torch.float32
        assert torch.equal(found, expected)
    for found, expected in zip(kept.arrays(some)[:2], numbers.arrays(some)[:2], strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_many_samples_are_held_out_in_chunks(monkeypatch, weighted):
    rng = np.random.default_rng(4)
    X, y, rows = rng.normal(size=(100, 3)), rng.normal(size=(100, 2)), rng.permutation(100)[:70]
    samples = Samples(X, y, None, rows, rng.uniform(1, 2, 100) if weighted else None)
    [whole] = HeldOut(samples)
    monkeypatch.setattr(_samples, "CHUNK_BYTES", 70 * 3 * 8 - 1)
    monkeypatch.setattr(_samples, "CHUNK_ROWS", 32)
    held_out = HeldOut(samples)
    for _ in range(2):
        batches = list(held_out)
        assert [len(batch.X) for batch in batches] == [32, 32, 6]
        assert len(held_out) == 70
        torch.testing.assert_close(torch.cat([batch.X for batch in batches]), whole.X, rtol=0, atol=0)
        torch.testing.assert_close(torch.cat([batch.y for batch in batches], 1), whole.y, rtol=0, atol=0)
    if weighted:
        torch.testing.assert_close(torch.cat([batch.weight for batch in batches]), whole.weight, rtol=0, atol=0)
    else:
        assert whole.weight is None


@pytest.mark.parametrize("weighted", [False, True])
def test_samples_held_out_that_are_kept_are_not_gathered_again(monkeypatch, weighted):
    rng = np.random.default_rng(5)
    X, y, rows = 5 + 3 * rng.normal(size=(100, 3)), rng.normal(size=(100, 2)), rng.permutation(100)[:70]
    standardisation = Standardisation(np.full(3, 5.0), np.full(3, 1 / 3))
    weight = rng.uniform(1, 2, 100) if weighted else None
    samples = Samples(X, y, standardisation, rows, weight, dtype=np.float32)

    def filled(held_out):
        inputs, targets = (np.full((80, 16), 7, np.float32) for _ in range(2))
        of_samples = held_out.fill(inputs[:70, :3], targets[:70, :2])
        return inputs, targets, np.ones(70) if of_samples is None else of_samples

    kept = HeldOut(samples)
    filled(kept)
    monkeypatch.setattr(_samples, "CHUNK_BYTES", 0)
    expected = filled(HeldOut(samples))
    monkeypatch.setattr(Samples, "fill", None)
    monkeypatch.setattr(Samples, "gather", None)
    for found, wanted in zip(filled(kept), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_wide_inputs_are_made_dense_a_few_rows_at_a_time():
    X = sparse.csr_array((np.ones(900), (np.arange(900), np.arange(900) % 50)), shape=(900, 60_000))
    moments = measure_moments(X, np.zeros((900, 1)))
    scaling = scaling_of(moments, center_targets=False, scale_targets=False)
    held_out = HeldOut(Samples(X, np.zeros((900, 1)), scaling.inputs, np.arange(900)))
    sizes = [batch.X.numel() for batch in held_out]
    assert sum(sizes) == X.shape[0] * X.shape[1]
    assert max(sizes) * 8 <= 2**27
    narrow = Samples(X[:, :50], np.zeros((900, 1)), None, np.arange(900))
    assert [len(rows) for rows in narrow.batches(np.arange(9000))] == [4096, 4096, 808]
