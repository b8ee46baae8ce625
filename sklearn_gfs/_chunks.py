"""
How many rows are read, copied or computed at once, where that is a matter of memory.

Whoever needs rows in pieces says what a row takes and how much may be taken. Other sizes stand where they are used:
those on which the time of a product depends, and the number of samples that go through a network together.
"""

from __future__ import annotations

from collections.abc import Iterator

from sklearn import get_config

# Pieces that stay in the last cache while several things are done with each.
CHUNK_BYTES = 2**23
# Pieces of which several copies are made, in float64, on top of what is kept.
PIECE_BYTES = 2**20
# Atoms that are computed at once: there are two pieces for a moment, and the allocator keeps what it has once given.
_ATOM_BYTES = 2**22
# Rows of which products are not slow for the lack of more.
_ENOUGH = 512


def row_chunks(n_rows: int, row_bytes: int, most_bytes: float | None = None) -> Iterator[slice]:
    """Rows in pieces of so many bytes at most, by default `CHUNK_BYTES`, and of one row at least."""
    most_bytes = CHUNK_BYTES if most_bytes is None else most_bytes
    return row_batches(n_rows, max(int(most_bytes // row_bytes), 1))


def row_batches(n_rows: int, size: int) -> Iterator[slice]:
    """Rows in pieces of so many."""
    # scikit-learn's gen_batches validates its arguments, which takes longer than a small piece.
    return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))


def rows_at_once(row_bytes: int, most_bytes: int, least: int, most: int) -> int:
    """
    Return how many rows of atoms are computed at once, between the least and the most.

    They take `_ATOM_BYTES`. Of wide atoms there are `_ENOUGH` rows, for products of fewer are slow. None take more than
    `most_bytes`.
    """
    return min(max(min(max(_ATOM_BYTES // row_bytes, _ENOUGH), most_bytes // row_bytes), least), most)


def working_memory() -> float:
    """Bytes that scikit-learn's configuration allows for temporary arrays."""
    return get_config()["working_memory"] * 2**20
