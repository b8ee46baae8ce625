"""The order in which gradient updates read the samples: an endless sequence of shuffles, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from sklearn_gfs._typing import IntArray


class Stream(NamedTuple):
    """The start and the sizes of a sequence of shuffles, from which any position can be found again."""

    start: int  # number of iterations before the stream
    n_rows: int
    batch_size: int


class Shuffles:
    """
    A sequence of shuffles that begins now, or goes on where an earlier training with the same sizes stopped.

    If a batch holds all samples, their order stays as it is.

    Parameters
    ----------
    rows : ndarray of shape (n_rows,)
        Indices of the samples.
    batch_size : int
        At most the number of rows.
    seed : int
    n_done : int
        Number of earlier iterations.
    earlier : Stream or None
        The stream of the earlier training.
    """

    def __init__(self, rows: IntArray, batch_size: int, seed: int, n_done: int, earlier: Stream | None) -> None:
        self.stream = Stream(n_done, len(rows), batch_size)
        if earlier is not None and earlier[1:] == self.stream[1:]:
            self.stream = earlier
        start = self.stream.start
        self._rows = rows
        self._rng = np.random.RandomState([seed, start] if start else seed)
        self._order: IntArray = np.empty(0, dtype=np.intp)
        self._is_whole = batch_size == len(rows)
        if not self._is_whole:
            self._skip((n_done - start) * batch_size)

    def next(self, n_rows: int) -> IntArray:
        """Return the next rows of the sequence; if a batch holds all samples, the number is a multiple of theirs."""
        if self._is_whole:
            return np.tile(self._rows, n_rows // len(self._rows))
        rows, self._order = np.split(self._order, [n_rows])
        if len(rows) == n_rows:
            return rows
        pieces = [rows.copy()]  # a copy, so that the whole old shuffle is not in memory beside the next
        del rows
        while (n_missing := n_rows - sum(map(len, pieces))) > 0:
            del self._order
            shuffled = self._rng.permutation(self._rows)
            pieces.append(shuffled[:n_missing].copy())
            self._order = shuffled[n_missing:]
        return np.concatenate(pieces)

    def _skip(self, n_rows: int) -> None:
        n_shuffles, n_used = divmod(n_rows, len(self._rows))
        for _ in range(n_shuffles):
            self._rng.permutation(self._rows)
        if n_used:
            self.next(n_used)
