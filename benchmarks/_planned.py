"""What a selection for squared error takes beyond its input, by its plan; a benchmark and a test compare with it."""

from __future__ import annotations

from sklearn_gfs.selection import _gram_columns as columns
from sklearn_gfs.selection._blocks import block_rows


def planned_bytes(n_rows: int, n_atoms: int, itemsize: int, k: int, directions: str = "one") -> int:
    """Return the bytes of the arrays that the plan for these sizes has."""
    rows, most = block_rows(n_atoms * itemsize), columns._LARGEST_BLOCK
    if columns.plan(n_rows, n_atoms, itemsize, k, directions) == "whole" and n_atoms <= columns._fit(n_atoms):
        return n_atoms**2 * (2 * 8 + itemsize)  # the matrix, its product of output weights, and that of one block
    # With room for columns foreseen, and what they tell of others.
    kept = (8 + 4) * n_atoms * (columns.capacity(n_atoms, k) + most)
    preview = 3 * itemsize * n_atoms * columns._preview_rows(n_rows)  # as read, as scaled, and their squares
    product = most * ((8 + itemsize) * n_atoms + 2 * itemsize * rows)
    return kept + preview + product
