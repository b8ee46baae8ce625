"""The kernels of the selection for squared error, against their oracles, and how kernels are compiled."""

from __future__ import annotations

import naive
import numba
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sklearn_gfs.selection import _greedy_kernels as kernels


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_sums_over_rows_agree_with_the_oracle(n_rows, n_atoms, seed):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n_rows, n_atoms))
    weight = rng.uniform(size=n_rows)
    for passed, meant in ((weight, weight), (np.empty(0), np.ones(n_rows))):
        norms, expected = np.ones(n_atoms), np.ones(n_atoms)
        kernels.add_squares(rows, passed, norms)
        naive.add_squares(rows, meant, expected)
        np.testing.assert_allclose(norms, expected, rtol=1e-12)


def test_kernels_compile_where_no_cache_can_be_written(monkeypatch):
    def refuse(*args, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", refuse)
    assert kernels.jit(lambda x: x + 1)(1) == 2
