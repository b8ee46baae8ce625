"""Samples whose features lie apart in memory are gathered by a loop of their own, to the same bits."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_gfs.network import _samples
from sklearn_gfs.network._samples import Samples
from sklearn_gfs.network._standardisation import Standardisation

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="only a compiled loop asks for memory ahead")


def filled(X, rows, dtype, width):
    """Return what `fill` writes to an array whose rows may have spaces between them."""
    rng = np.random.default_rng(0)
    standardisation = Standardisation(rng.normal(size=X.shape[1]), rng.uniform(0.1, 3, X.shape[1]))
    samples = Samples(X, np.zeros((len(X), 1), dtype), standardisation, np.arange(len(X)))
    out = np.zeros((len(rows), width), dtype)
    samples.fill(rows, out[:, : X.shape[1]], np.empty((len(rows), 1), dtype))
    return out, samples._lies_apart


@given(
    st.integers(0, 2**31 - 1),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
)
@pytest.mark.filterwarnings("ignore:compiling")
def test_rows_are_those_of_any_other_order(seed, dtype, out_dtype, read_only):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rng.integers(2, 40), rng.integers(2, 9))).astype(dtype)
    rows = rng.integers(0, len(X), size=rng.integers(1, 30))
    width = X.shape[1] + int(rng.integers(0, 3))
    expected, apart = filled(X, rows, out_dtype, width)
    assert not apart
    in_columns = np.asfortranarray(X)
    in_columns.flags.writeable = not read_only
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_samples, "_LARGE", 0)
        found, apart = filled(in_columns, rows, out_dtype, width)
    assert apart
    np.testing.assert_array_equal(found, expected)


def test_only_what_no_cache_holds_is_gathered_so(monkeypatch):
    X = np.asfortranarray(np.ones((6, 3)))
    rows = np.arange(3)
    assert not filled(X, rows, np.float32, 3)[1]
    monkeypatch.setattr(_samples, "_LARGE", X.nbytes)
    assert filled(X, rows, np.float32, 3)[1]
    assert not filled(X[:5], rows, np.float32, 3)[1]
    assert not filled(np.ascontiguousarray(X), rows, np.float32, 3)[1]
