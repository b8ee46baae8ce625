"""Rows come in pieces of bounded size, every row once and in order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context

from sklearn_gfs._chunks import row_chunks, working_memory


@given(n_rows=st.integers(1, 200), row_bytes=st.integers(1, 50), most_bytes=st.floats(0.5, 500))
def test_chunks_are_bounded_and_cover_all_rows(n_rows, row_bytes, most_bytes):
    chunks = [np.arange(n_rows)[rows] for rows in row_chunks(n_rows, row_bytes, most_bytes)]
    np.testing.assert_array_equal(np.concatenate(chunks), np.arange(n_rows))
    assert all(len(chunk) == 1 or len(chunk) * row_bytes <= most_bytes for chunk in chunks)
    assert all((len(chunk) + 1) * row_bytes > most_bytes for chunk in chunks[:-1])


def test_the_working_memory_is_the_users():
    with config_context(working_memory=3):
        assert working_memory() == 3 * 2**20
    with config_context(working_memory=0.25):
        assert working_memory() == 2**18
