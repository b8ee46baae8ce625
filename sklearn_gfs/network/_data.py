"""
The samples that a path trains on: in which order, each how often, and in which of the two parts.

How they are divided is decided in ``_holdout``; batches of them are made in ``_samples``.
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

# Rows that go through a network together: a number, so that products round alike whatever the dtype of X.
CHUNK_ROWS = 4096
# So many coefficients of a dense network are few.
_FEW_COEFFICIENTS = 500_000
# Inputs of at most so many bytes are standardised once and kept: they stay in the cache, and are a small copy.
_MOST_KEPT_BYTES = 2**23
# Inputs of at most so many bytes are copied where their columns lie together.
_MOST_COPIED_BYTES = 2**26
# So few distinct rows are the cells of a table, whatever they are.
_FEW_CELLS = 20


class Batch(NamedTuple):
    """Standardised inputs, a row for each sample; targets, a column for each; weights whose mean over all is one."""

    X: torch.Tensor
    y: torch.Tensor
    weight: torch.Tensor | None


class Entries(NamedTuple):
    """
    Standardised inputs of some samples, only those that differ from zero.

    Parameters
    ----------
    starts : ndarray of int64 of shape (n_samples + 1,)
        Those of sample i are at ``starts[i]`` up to ``starts[i + 1]``.
    columns : ndarray of int32 of shape (n_entries,)
        Their features; a feature may come twice, and its values are then added up.
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
        Which of them.
    weight : ndarray of shape (n_samples,) or None
        What each of all samples weighs in this part; None where all weigh the same.
    """

    rows: IntArray
    weight: FloatArray | None

    @property
    def weight_of_rows(self) -> FloatArray | None:
        """The weights of those that are in it."""
        return None if self.weight is None else self.weight[self.rows]


class Parts(NamedTuple):
    """
    The samples for training and those held out of it; a sample may be in both, with a part of its weight in each.

    The rows of the whole are in order: those that are only for training first, those that are only held out last.
    """

    whole: Part
    train: Part
    held_out: Part


def divide(rows: IntArray, shares: FloatArray, weight: FloatArray | None) -> Parts:
    """Divide rows, of each of which this share is held out; the weights are those of all samples."""
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
        Which of them are used; None for all.
    copies : ndarray of shape (n_rows,)
        For how many samples each of them stands.
    in_full_batch : bool
        Whether one batch holds all of them.
    """

    X: Any
    targets: FloatArray
    weight: FloatArray | None
    rows: IntArray | None
    copies: FloatArray
    in_full_batch: bool

    @property
    def weight_of_rows(self) -> FloatArray | None:
        """The weights of those that are used."""
        return self.weight if self.weight is None or self.rows is None else self.weight[self.rows]

    @property
    def all_rows(self) -> IntArray:
        """The rows as indices."""
        return np.arange(self.X.shape[0]) if self.rows is None else self.rows

    def training_dtype(self, n_hidden: int, batch_size: int | None) -> np.dtype[Any]:
        """
        Return the precision that networks are trained in: that of the data in full batch, float32 in mini-batches.

        The noise of mini-batches is larger than the rounding of float32 by orders of magnitude, and float64 takes twice
        the time. Where a mini-batch holds all samples, only networks whose time hardly counts are trained as in full
        batch.
        """
        is_small = self.X.shape[1] * n_hidden <= _FEW_COEFFICIENTS
        exact = self.in_full_batch and (batch_size is None or is_small)
        return np.dtype(self.X.dtype if exact else np.float32)

    def is_table(self, samples: IntArray, part: float) -> bool:
        """Say whether these of them are the cells of a table, see the function of that name."""
        return is_table(self.X, samples if self.rows is None else self.rows[samples], part)


def find_used(
    X: Any, targets: FloatArray, weight: FloatArray | None, counted: FloatArray | None, batch_size: int | None
) -> Used:
    """
    Leave out the samples of weight zero; in full batch bring the others to an order of their own, each once.

    Numbers of copies are read off `counted`: the weights as they were before classes were weighted.
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

    Batches are gathered faster from it than from an array whose columns lie together, but of a large array only a part
    of the rows is ever asked for.
    """
    if not isinstance(X, np.ndarray) or isinstance(X, np.memmap) or X.nbytes > _MOST_COPIED_BYTES:
        return X
    return np.ascontiguousarray(X)


def standardised_once(X: Any, standardisation: Standardisation, dtype: Any) -> FloatArray | None:
    """
    Return X standardised, in its own dtype, and rounded to the other.

    Many trainings read the same rows many times, and gathering is all that is left to do then. None where X is sparse
    or not small, or where a number would overflow.
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
    """Return standardised X @ direction of these rows or all; equal rows have equal numbers to the last bit."""
    projections = np.empty(X.shape[0] if rows is None else len(rows))
    for chunk in row_batches(len(projections), CHUNK_ROWS):
        projections[chunk] = standardisation.project(X[chunk if rows is None else rows[chunk]], direction)
    return projections


def is_table(X: Any, rows: IntArray, part: float) -> bool:
    """
    Say whether these distinct rows are the cells of a table: few, or no feature tells this part of them apart.

    Such are categories and small integers, but no measurements.
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
    Return the distinct samples in an order of their own, with the weights and the numbers of copies added up.

    What is computed of them is the same, to the last bit, however the samples were ordered or repeated.
    """
    first, sample = _distinct_rows(X, targets)
    total = np.bincount(sample, weights=weight).astype(np.float64)
    equal = bool((total == total[0]).all())
    return X[first], targets[first], None if equal else total, np.bincount(sample, weights=copies).astype(np.float64)


def _distinct_rows(X: Any, targets: FloatArray) -> tuple[IntArray, IntArray]:
    """Return where each distinct sample comes first, and which of them each sample is."""
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
    """Return the bytes of each row; zeros of both signs are the same."""
    return np.ascontiguousarray(values + values.dtype.type(0)).view(np.uint8).reshape(len(values), -1)
