"""Blocks of samples: how many are read at a time, and sums over them, which several threads add up of large atoms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from sklearn_gfs._chunks import row_chunks
from sklearn_gfs._threads import n_blas_threads, one_thread
from sklearn_gfs._typing import Float64Array

# Rows are read in blocks that stay in the last cache while all their products are made. The sums of the blocks
# are float64, so that the error of float32 products does not grow with n_samples. Blocks are no pieces of
# ``_chunks``: with fewer rows products would be slow, with more they would be less exact, and plans count on both.
_BLOCK_BYTES = 2**23
BLOCK_ROWS = (1024, 8192)
# Blocks that are copies are this many times smaller, as they come on top of the atoms.
COPIED = 8
# Values that are copied at a time of a few atoms' outputs.
_BATCH_VALUES = 2**18
# Bytes of the atoms from which on several threads read them.
_SHARED_BYTES = 2**25


def block_rows(row_bytes: int) -> int:
    """How many rows of this size to read at a time."""
    return min(max(_BLOCK_BYTES // row_bytes, BLOCK_ROWS[0]), BLOCK_ROWS[1])


def batches(n_samples: int, n_values: int, turn: tuple[int, int] = (0, 1)) -> Iterator[slice]:
    """
    Samples in batches that are small enough to be copied when a sample takes n_values values.

    With a turn, the index of one and how many there are, only the batches of this turn.
    """
    return islice(row_chunks(n_samples, 8 * n_values, 8 * _BATCH_VALUES), turn[0], None, turn[1])


def threads_to_read(n_bytes: int) -> int:
    """How many threads read atoms of this size."""
    return n_blas_threads() if n_bytes >= _SHARED_BYTES else 1


def in_turns(work: Callable[[tuple[int, int]], Any], n_threads: int) -> list[Any]:
    """What ``work((turn, n_threads))`` returns for each turn, one in each thread."""
    if n_threads == 1:
        return [work((0, 1))]
    with one_thread(), ThreadPoolExecutor(n_threads - 1) as pool:
        others = [pool.submit(work, (turn, n_threads)) for turn in range(1, n_threads)]
        return [work((0, n_threads)), *(other.result() for other in others)]


def add_up(work: Callable[..., None], n_threads: int, *totals: Float64Array) -> None:
    """
    Have sums over blocks added to the totals.

    Each thread calls ``work((turn, n_threads), *totals)``, with totals of its own. It is to take every block of that
    turn.
    """
    own = [totals, *(tuple(map(np.zeros_like, totals)) for _ in range(n_threads - 1))]
    in_turns(lambda turn: work(turn, *own[turn[0]]), n_threads)
    for some in own[1:]:
        for total, more in zip(totals, some, strict=True):
            total += more
