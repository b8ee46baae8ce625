"""Blocks of samples: their size, and sums over blocks, which several threads compute if atoms are large."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from sklearn_gfs._chunks import row_chunks
from sklearn_gfs._threads import n_blas_threads, one_thread
from sklearn_gfs._typing import Float64Array

# Size of a block of rows, in bytes: it stays in the last cache while all its products are made. The sums of the blocks
# are float64, so that the error of float32 products does not grow with n_samples.
_BLOCK_BYTES = 2**23
# Least and largest number of rows of a block. With fewer rows products would be slow, with more less exact; the plans
# of Gram columns depend on both.
BLOCK_ROWS = (1024, 8192)
# Factor by which blocks that are copies are smaller, since their memory is in addition to the atoms.
COPIED = 8
# Number of values that are copied at once from the outputs of a few atoms.
_BATCH_VALUES = 2**18
# Size of the atoms, in bytes, from which several threads read them.
_SHARED_BYTES = 2**25


def block_rows(row_bytes: int) -> int:
    """Return the number of rows of a block, given the bytes of a row."""
    return min(max(_BLOCK_BYTES // row_bytes, BLOCK_ROWS[0]), BLOCK_ROWS[1])


def batches(n_samples: int, n_values: int, turn: tuple[int, int] = (0, 1)) -> Iterator[slice]:
    """
    Return slices of samples, small enough to be copied, if a sample has n_values values.

    With a turn, which is its index and the number of all turns, return only the batches of this turn.
    """
    return islice(row_chunks(n_samples, 8 * n_values, 8 * _BATCH_VALUES), turn[0], None, turn[1])


def threads_to_read(n_bytes: int) -> int:
    """Return the number of threads that read atoms of this size."""
    return n_blas_threads() if n_bytes >= _SHARED_BYTES else 1


def in_turns(work: Callable[[tuple[int, int]], Any], n_threads: int) -> list[Any]:
    """Return the results of ``work((turn, n_threads))`` for all turns, which run in a thread each."""
    if n_threads == 1:
        return [work((0, 1))]
    with one_thread(), ThreadPoolExecutor(n_threads - 1) as pool:
        others = [pool.submit(work, (turn, n_threads)) for turn in range(1, n_threads)]
        return [work((0, n_threads)), *(other.result() for other in others)]


def add_up(work: Callable[..., None], n_threads: int, *totals: Float64Array) -> None:
    """
    Add sums over blocks to the totals.

    Each thread calls ``work((turn, n_threads), *totals)`` with totals of its own. ``work`` must add every block of this
    turn.
    """
    own = [totals, *(tuple(map(np.zeros_like, totals)) for _ in range(n_threads - 1))]
    in_turns(lambda turn: work(turn, *own[turn[0]]), n_threads)
    for some in own[1:]:
        for total, more in zip(totals, some, strict=True):
            total += more
