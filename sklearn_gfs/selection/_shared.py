"""Sums over blocks of samples, which several threads add up where the atoms are large."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from sklearn_gfs._threads import n_blas_threads, one_thread
from sklearn_gfs._typing import Float64Array

# Bytes of the atoms from which on several threads read them.
_SHARED_BYTES = 2**25


def threads_to_read(n_bytes: int) -> int:
    """How many threads read so many bytes of atoms."""
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

    Each thread calls ``work((turn, n_threads), *totals)``, with totals of its own. It is to take the blocks of that
    turn, one of so many.
    """
    own = [totals, *(tuple(map(np.zeros_like, totals)) for _ in range(n_threads - 1))]
    in_turns(lambda turn: work(turn, *own[turn[0]]), n_threads)
    for some in own[1:]:
        for total, more in zip(totals, some, strict=True):
            total += more
