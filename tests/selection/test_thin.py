"""Products with few columns, against plain loops, and when they are made by the package's own loop."""

from __future__ import annotations

import naive
import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from sklearn_gfs import _emitter
from sklearn_gfs.selection import _blocks, _gram, _thin

pytestmark = pytest.mark.skipif(
    numba.config.DISABLE_JIT or not _emitter.host()[1], reason="made of the processor's own instructions"
)


def matrices(n_rows, n_left, n_columns, dtype, seed, spare=0):
    """Two matrices, the right one with some more columns between its rows, and their product in float64."""
    rng = np.random.default_rng(seed)
    left = rng.standard_normal((n_rows, n_left)).astype(dtype)
    right = rng.standard_normal((n_rows, n_columns + spare)).astype(dtype)[:, :n_columns]
    return left, right, left.astype(np.float64).T @ right


@given(
    st.integers(1, 40), st.integers(1, 11), st.integers(0, 3), st.sampled_from(["f4", "f8"]), st.integers(0, 2**32 - 1)
)
@example(33, 8, 0, "f4", 0)
def test_thin_products_agree_with_the_oracle(n_rows, n_left, more, dtype, seed):
    left, right, _ = matrices(n_rows, n_left, 96 + more, dtype, seed)
    expected = naive.transposed_product(left.astype(float).tolist(), right.astype(float).tolist())
    tolerance = 1e-5 if dtype == "f4" else 1e-13
    np.testing.assert_allclose(_thin.thin_product(left, right), expected, rtol=0, atol=tolerance)


@given(
    st.integers(1, 2500),
    st.integers(1, 50),
    st.integers(96, 1300),
    st.integers(0, 40),
    st.sampled_from(["f4", "f8"]),
    st.integers(0, 2**32 - 1),
)
@example(2049, 9, 1100, 0, "f4", 0)  # several sums of rows, and columns in two chunks
def test_thin_products_agree_with_those_of_a_library(n_rows, n_left, n_columns, spare, dtype, seed):
    left, right, expected = matrices(n_rows, n_left, n_columns, dtype, seed, spare)
    error = np.abs(_thin.thin_product(left, right) - expected).max() / np.sqrt(n_rows)
    assert error < (4e-6 if dtype == "f4" else 1e-14)


def test_what_is_not_a_number_stays_in_its_own_products():
    left, right, expected = matrices(70, 9, 100, "f4", 0)
    right[3, 7] = np.nan
    found = _thin.thin_product(left, right)
    assert np.isnan(found[:, 7]).all()
    np.testing.assert_allclose(np.delete(found, 7, axis=1), np.delete(expected, 7, axis=1), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("right", "n_left", "thin"),
    [
        (np.ones((2000, 100), "f4"), 16, True),
        (np.ones((2000, 100), "f8"), 2, True),
        (np.ones((2000, 200), "f4")[::2, :150], 16, True),
        (np.ones((2000, 100), "f4"), 1, False),
        (np.ones((2000, 100), "f4"), 64, False),
        (np.ones((3000, 60), "f4"), 16, False),  # few columns
        (np.ones((200, 100), "f4"), 16, False),  # small
        (np.ones((100, 2000), "f4").T, 16, False),
        (np.ones((2000, 200), "f4")[:, ::2], 16, False),
        (np.broadcast_to(np.ones(100, "f4"), (2000, 100)), 16, False),
    ],
)
def test_which_products_are_thin(right, n_left, thin):
    assert _thin.is_thin(np.ones((len(right), n_left), right.dtype), right) == thin


@pytest.mark.parametrize("weighted", [False, True])
def test_several_threads_add_up_the_same_and_repeat_bit_by_bit(weighted, monkeypatch):
    monkeypatch.setattr(_blocks, "_SHARED_BYTES", 0)
    rng = np.random.default_rng(0)
    atoms, y = rng.standard_normal((20_000, 120)).astype("f4"), rng.standard_normal((20_000, 2))
    source = _gram.ArrayAtoms(atoms, y, rng.uniform(size=20_000) if weighted else None)
    some, found = np.arange(3, 20), []
    for n_threads in (1, 2, 2):
        with threadpool_limits(n_threads):
            out = np.empty((17, 120))
            found.append([*source.moments(some, out), out, source.columns(some), *source.exact_moments(some)])
            found[-1].append(source.variances(np.zeros(17), some))
    for one, two, again in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(two, again)


def test_a_thread_that_fails_is_heard(monkeypatch):
    monkeypatch.setattr(_blocks, "_SHARED_BYTES", 0)
    source = _gram.ArrayAtoms(np.ones((20_000, 120), "f4"), np.ones((20_000, 1)), None)
    blocks = source._blocks

    def fail_in_the_second_turn(turn):
        if turn[0] == 1:
            raise MemoryError
        yield from blocks(turn)

    monkeypatch.setattr(source, "_blocks", fail_in_the_second_turn)
    with threadpool_limits(2), pytest.raises(MemoryError):
        source.columns(np.arange(3))
