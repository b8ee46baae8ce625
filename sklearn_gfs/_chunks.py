"""
How many rows are read, copied or computed at once, where that is a matter of memory.

Whoever needs rows in pieces says what a row takes and how much may be taken. Other sizes stand where they are used:
those on which the time of a product depends, and the number of samples that go through a network together.
"""

from __future__ import annotations

from collections.abc import Iterator

from sklearn import get_config

# Size of a piece, in bytes, that stays in the last cache for several operations.
CHUNK_BYTES = 2**23
# Size of a piece, in bytes, of which several float64 copies are made.
PIECE_BYTES = 2**20
# Size of the atoms that are computed at once, in bytes. Two pieces are in memory at the same time, and the allocator
# does not return memory to the system.
_ATOM_BYTES = 2**22
# Number of rows from which products are not slow.
_ENOUGH = 512


def row_chunks(n_rows: int, row_bytes: int, most_bytes: float | None = None) -> Iterator[slice]:
    """Return slices of rows, each of at most `most_bytes`, by default `CHUNK_BYTES`, but of at least one row."""
    most_bytes = CHUNK_BYTES if most_bytes is None else most_bytes
    return row_batches(n_rows, max(int(most_bytes // row_bytes), 1))


def row_batches(n_rows: int, size: int) -> Iterator[slice]:
    """Return slices of at most `size` rows."""
    # scikit-learn's gen_batches validates its arguments, which takes longer than a small piece.
    return (slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size))


def rows_at_once(row_bytes: int, most_bytes: int, least: int, most: int) -> int:
    """
    Return the number of rows of atoms that are computed at once, between `least` and `most`.

    The rows take `_ATOM_BYTES`. If rows are wide, `_ENOUGH` rows are computed, because products of fewer rows are slow,
    but at most `most_bytes`.
    """
    return min(max(min(max(_ATOM_BYTES // row_bytes, _ENOUGH), most_bytes // row_bytes), least), most)


def working_memory() -> float:
    """Return the bytes that scikit-learn's configuration allows for temporary arrays."""
    return get_config()["working_memory"] * 2**20
