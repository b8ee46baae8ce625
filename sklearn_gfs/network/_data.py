"""
The samples that a path trains on: their order, their numbers of copies, and their division into two parts.

``_holdout`` decides how they are divided, ``_samples`` makes batches of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sklearn_gfs._chunks import row_batches
from sklearn_gfs._typing import FloatArray, IntArray
from sklearn_gfs._weights import count_copies

from ._standardisation import Standardisation

if TYPE_CHECKING:
    import torch

# Number of rows that go through a network together. It does not depend on the dtype of X, so that products round alike.
CHUNK_ROWS = 4096
# Largest number of hidden coefficients of a dense network that is trained in the precision of the data, if a mini-batch
# holds all samples. A larger network takes too much time in float64.
_FEW_COEFFICIENTS = 500_000
# Largest size, in bytes, of inputs that are standardised once and kept: the copy is small, and stays in the cache.
_MOST_KEPT_BYTES = 2**23
# Largest size, in bytes, of inputs in Fortran order that are copied to C order.
_MOST_COPIED_BYTES = 2**26
# Number of distinct rows below which any rows count as the cells of a table.
_FEW_CELLS = 20


class Batch(NamedTuple):
    """Inputs (a row per sample), targets (a column per sample) and weights, whose mean over all samples is one."""

    X: torch.Tensor
    y: torch.Tensor
    weight: torch.Tensor | None


class Entries(NamedTuple):
    """
    Standardised inputs of some samples, only those that differ from zero.

    Parameters
    ----------
    starts : ndarray of int64 of shape (n_samples + 1,)
        The entries of sample i are at ``starts[i]`` up to ``starts[i + 1]``.
    columns : ndarray of int32 of shape (n_entries,)
        Features of the entries; a feature may come twice, and its values are then added up.
    values : ndarray of float32 of shape (n_entries,)
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]


class Part(NamedTuple):
    """
    Some of the samples.

    Parameters
    ----------
    rows : ndarray of shape (n_rows,)
        Indices of the samples in this part.
    weight : ndarray of shape (n_samples,) or None
        Weight of every sample, also of others, in this part; None if all weights are equal.
    """

    rows: IntArray
    weight: FloatArray | None

    @property
    def weight_of_rows(self) -> FloatArray | None:
        """The weights of the samples in this part."""
        return None if self.weight is None else self.weight[self.rows]


class Parts(NamedTuple):
    """
    The samples for training and those held out of it; a sample may be in both, with a part of its weight in each.

    The rows of the whole are in order: first the rows that only train, last the rows that are only held out.
    """

    whole: Part
    train: Part
    held_out: Part


def divide(rows: IntArray, shares: FloatArray, weight: FloatArray | None) -> Parts:
    """Return the parts, given the held-out share of each row, and the weights of all samples."""
    kind = (shares > 0).astype(np.int8) + (shares >= 1)
    in_order = rows[np.argsort(kind, kind="stable")]
    train, held = in_order[: int(np.sum(kind < 2))], in_order[int(np.sum(kind < 1)) :]
    if len(train) + len(held) == len(rows):  # each row is in one part only
        return Parts(Part(in_order, weight), Part(train, weight), Part(held, weight))
    whole = np.ones(rows.max() + 1) if weight is None else weight
    train_weight, held_weight = whole.copy(), whole.copy()
    train_weight[rows] *= 1.0 - shares
    held_weight[rows] *= shares
    return Parts(Part(in_order, weight), Part(train, train_weight), Part(held, held_weight))


class Used(NamedTuple):
    """
    The samples that are used.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,) or None
    rows : ndarray of shape (n_rows,) or None
        Indices of the samples that are used; None for all.
    copies : ndarray of shape (n_rows,)
        Number of copies of each of these samples.
    in_full_batch : bool
        Whether one batch holds all of these samples.
    """

    X: Any
    targets: FloatArray
    weight: FloatArray | None
    rows: IntArray | None
    copies: FloatArray
    in_full_batch: bool

    @property
    def weight_of_rows(self) -> FloatArray | None:
        """The weights of the samples that are used."""
        return self.weight if self.weight is None or self.rows is None else self.weight[self.rows]

    @property
    def all_rows(self) -> IntArray:
        """The rows as indices."""
        return np.arange(self.X.shape[0]) if self.rows is None else self.rows

    def training_dtype(self, n_hidden: int, batch_size: int | None) -> np.dtype[Any]:
        """
        Return the precision of training: the precision of the data in full batch, float32 in mini-batches.

        The noise of mini-batches is larger than the rounding of float32 by orders of magnitude, and float64 takes twice
        the time. If a mini-batch holds all samples, only small networks have the precision of the data.
        """
        is_small = self.X.shape[1] * n_hidden <= _FEW_COEFFICIENTS
        exact = self.in_full_batch and (batch_size is None or is_small)
        return np.dtype(self.X.dtype if exact else np.float32)

    def is_table(self, samples: IntArray, part: float) -> bool:
        """Whether these samples are the cells of a table; see the function `is_table`."""
        return is_table(self.X, samples if self.rows is None else self.rows[samples], part)


def find_used(
    X: Any, targets: FloatArray, weight: FloatArray | None, counted: FloatArray | None, batch_size: int | None
) -> Used:
    """
    Return the samples of positive weight; in full batch each distinct sample once, in an order that depends on values.

    Numbers of copies are read from `counted`, the weights without those of classes.
    """
    rows = None if weight is None or weight.all() else np.flatnonzero(weight)
    n_rows = X.shape[0] if rows is None else len(rows)
    copies = count_copies(counted if counted is None or rows is None else counted[rows], n_rows)
    if batch_size is not None and batch_size < n_rows:
        return Used(by_rows(X), targets, weight, rows, copies, in_full_batch=False)
    if rows is not None and weight is not None:
        X, targets, weight = X[rows], targets[rows], weight[rows]
    X, targets, weight, copies = distinct(X, targets, weight, copies)
    return Used(X, targets, weight, None, copies, in_full_batch=True)


def by_rows(X: Any) -> Any:
    """
    Return X in C order, unless it is a file or its copy would be large.

    Batches are gathered faster from C order than from Fortran order. A large array is not copied, because training
    often reads only a part of its rows.
    """
    if not isinstance(X, np.ndarray) or isinstance(X, np.memmap) or X.nbytes > _MOST_COPIED_BYTES:
        return X
    return np.ascontiguousarray(X)


def standardised_once(X: Any, standardisation: Standardisation, dtype: Any) -> FloatArray | None:
    """
    Return X, standardised in its own dtype and rounded to `dtype`.

    Many trainings read the same rows many times, and then need no further standardisation. Return None if X is sparse
    or large, or if a value would overflow.
    """
    dtype = np.dtype(dtype)
    if not isinstance(X, np.ndarray) or X.size * dtype.itemsize > _MOST_KEPT_BYTES:
        return None
    kept, standardisation = np.empty(X.shape, dtype=dtype), standardisation.astype(X.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        for chunk in row_batches(len(X), CHUNK_ROWS):
            kept[chunk] = standardisation.apply(X[chunk].copy())
    return kept if np.isfinite(kept).all() else None


def project(X: Any, rows: IntArray | None, standardisation: Standardisation, direction: FloatArray) -> FloatArray:
    """Return standardised X @ direction for these rows or all; equal rows give equal values to the last bit."""
    projections = np.empty(X.shape[0] if rows is None else len(rows))
    for chunk in row_batches(len(projections), CHUNK_ROWS):
        projections[chunk] = standardisation.project(X[chunk if rows is None else rows[chunk]], direction)
    return projections


def is_table(X: Any, rows: IntArray, part: float) -> bool:
    """
    Whether these distinct rows are the cells of a table, such as categories and small integers, and not measurements.

    They are if they are few, or if no feature has more distinct values than this part of their number.
    """
    if len(rows) < _FEW_CELLS:
        return True
    most = part * len(rows)
    if sparse.issparse(X):
        cells = X[rows].tocsc()
        many = np.flatnonzero(np.diff(cells.indptr) > most)
        columns = (cells.data[cells.indptr[column] : cells.indptr[column + 1]] for column in many)
    else:
        columns = iter(X[rows].T)
    return not any(len(np.unique(values)) > most for values in columns)


def distinct(
    X: Any, targets: FloatArray, weight: FloatArray | None, copies: FloatArray
) -> tuple[Any, FloatArray, FloatArray | None, FloatArray]:
    """
    Return the distinct samples, ordered by their values, with the sums of weights and of numbers of copies.

    Results computed from the distinct samples are the same, to the last bit, for any order or repetition of the
    samples.
    """
    first, sample = _distinct_rows(X, targets)
    total = np.bincount(sample, weights=weight).astype(np.float64)
    equal = bool((total == total[0]).all())
    return X[first], targets[first], None if equal else total, np.bincount(sample, weights=copies).astype(np.float64)


def _distinct_rows(X: Any, targets: FloatArray) -> tuple[IntArray, IntArray]:
    """Return the first index of each distinct sample, and for each sample the index of its distinct sample."""
    n_samples = len(targets)
    ends = _bytes_of_rows(targets)
    if sparse.issparse(X):
        X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
        rows = [slice(X.indptr[i], X.indptr[i + 1]) for i in range(n_samples)]
        keys = [X.indices[row].astype(np.int64).tobytes() + X.data[row].tobytes() for row in rows]
        keys = [key + end.tobytes() for key, end in zip(keys, ends, strict=True)]
        places = {key: place for place, key in enumerate(sorted(set(keys)))}
        sample = np.array([places[key] for key in keys])
        return np.unique(sample, return_index=True)[1], sample
    joined = np.concatenate([_bytes_of_rows(X), ends], axis=1)
    _, first, sample = np.unique(
        joined.view(np.dtype((np.void, joined.shape[1]))).ravel(), return_index=True, return_inverse=True
    )
    return first, sample


def _bytes_of_rows(values: FloatArray) -> np.ndarray:
    """Return the bytes of each row; zeros of both signs give the same bytes."""
    return np.ascontiguousarray(values + values.dtype.type(0)).view(np.uint8).reshape(len(values), -1)
