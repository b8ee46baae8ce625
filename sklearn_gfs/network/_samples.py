"""
Samples for training: standardised rows and their targets, gathered batch by batch or chunk by chunk.

The callers choose the samples and their order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sklearn_gfs._chunks import CHUNK_BYTES, row_batches
from sklearn_gfs._requirements import numba_for

from ._data import CHUNK_ROWS, Batch, Entries
from ._device import room_on
from ._gather_kernels import gather_standardised

if TYPE_CHECKING:
    import torch

    from sklearn_gfs._typing import FloatArray, IntArray

    from ._standardisation import Standardisation


# Largest share of inputs that differ from zero for which products of these inputs alone are faster.
_MOST_STORED = 0.2
# Size of X, in bytes, from which it is in no cache.
_LARGE = 2**26
# Largest size of a chunk of samples, in bytes.
_BATCH_BYTES = 2**27
# Least number of rows of a chunk, even if wide inputs then take more memory.
_LEAST_ROWS = 64
# Bytes of an input, as float32, and the index of its column, as int32.
_ENTRY_BYTES = 8


def has_few_entries(X: Any, standardisation: Standardisation | None) -> bool:
    """Whether X is sparse, and few of its standardised inputs differ from zero."""
    is_shifted = standardisation is None or standardisation.mean is not None
    return bool(sparse.issparse(X) and not is_shifted and X.nnz <= _MOST_STORED * X.shape[0] * X.shape[1])


class Samples:
    """
    Rows of X, standardised, and their targets, gathered batch by batch.

    X is never copied as a whole: a batch is gathered, made dense and standardised in a buffer of its own. If X is
    standardised already, a batch is gathered only. Indicators of classes may take one byte each; batches hold floats.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples, n_outputs)
    standardisation : Standardisation or None
        None if X is standardised already.
    rows : ndarray of shape (n_rows,)
        Indices of the samples that are used.
    weight : ndarray of shape (n_samples,), default=None
        Weights of the samples; only their ratios among the rows matter.
    device : str, default="cpu"
        Device of the batches.
    dtype : dtype, default=None
        The dtype of the batches; inputs are rounded to it after they are standardised. None means the targets' dtype.
    """

    def __init__(
        self,
        X: Any,
        targets: FloatArray,
        standardisation: Standardisation | None,
        rows: IntArray,
        weight: FloatArray | None = None,
        device: str = "cpu",
        dtype: Any = None,
    ) -> None:
        import torch

        self._device = device
        self.on_device = device != "cpu"
        self._X = X
        # torch gathers rows with all its threads. It warns of read-only arrays, so these are gathered by NumPy.
        self._tensor = torch.from_numpy(X) if isinstance(X, np.ndarray) and X.flags.carray else None
        self._table: torch.Tensor | None = None
        self._is_brought = False
        self._room = torch.empty((0, 0))
        self._space = np.empty(0, dtype=np.uint8)
        self._targets = targets
        self.dtype: np.dtype[Any] = targets.dtype if dtype is None else np.dtype(dtype)
        self._torch_dtype = torch.from_numpy(np.empty(0, self.dtype)).dtype
        kept = None if standardisation is None else standardisation.astype(X.dtype)
        self._standardisation, self._in_torch = kept, None if kept is None else kept.in_torch(device)
        self.rows = rows
        self.weight: FloatArray | None = None  # by the index of a sample
        if weight is not None:
            self.weight = (weight / weight[rows].mean()).astype(self.dtype)

    @cached_property
    def _lies_apart(self) -> bool:
        """Whether X is in Fortran order, and too large for a cache."""
        X = self._X
        is_large = isinstance(X, np.ndarray) and X.flags.f_contiguous and X.nbytes >= _LARGE and X.shape[1] > 1
        return is_large and not numba_for("Training").config.DISABLE_JIT

    @property
    def few_entries(self) -> bool:
        """Whether few inputs differ from zero, so that training reads `entries`."""
        return has_few_entries(self._X, self._standardisation)

    @property
    def entries_bytes(self) -> float:
        """Mean size of one sample's `entries`, in bytes."""
        return (1 + self._X.nnz / self._X.shape[0]) * _ENTRY_BYTES

    @property
    def row_bytes(self) -> int:
        """Size of one sample's inputs in X, if dense, in bytes."""
        return int(self._X.shape[1] * self._X.dtype.itemsize)

    @property
    def n_bytes(self) -> int:
        """Size of the inputs of all rows in batches, in bytes."""
        return int(len(self.rows) * self._X.shape[1] * self.dtype.itemsize)

    def batches(self, rows: IntArray, most: int | None = None) -> Iterator[IntArray]:
        """Yield at most `most` rows at a time, by default `CHUNK_ROWS`, or fewer if a batch would be large."""
        row_bytes = self._X.shape[1] * (self._X.dtype.itemsize + self.dtype.itemsize)
        size = min(most or CHUNK_ROWS, max(_BATCH_BYTES // row_bytes, _LEAST_ROWS))
        return (rows[chunk] for chunk in row_batches(len(rows), size))

    def part(self, rows: IntArray) -> Samples:
        """Return these samples only; their weights are not normalised again."""
        part = copy(self)
        part.rows = rows
        return part

    def bring(self) -> None:
        """Keep the inputs of all samples on the device, for batches, if they take at most half of `room_on` it."""
        import torch

        shape = self._X.shape
        if self._is_brought:
            return
        self._is_brought = True
        if isinstance(self._X, np.ndarray) and 2 * math.prod(shape) * self.dtype.itemsize <= room_on(self._device):
            table = torch.empty(shape, dtype=self._torch_dtype, device=self._device)
            for chunk in row_batches(len(table), CHUNK_ROWS):
                table[chunk] = self._inputs(np.arange(chunk.start, chunk.stop))
            self._table = table

    def gather(self, rows: IntArray) -> Batch:
        """Return the standardised inputs, the targets and the weights of these samples."""
        import torch

        y = np.array(self._targets.take(rows, axis=0).T, dtype=self.dtype, order="C")
        weight = None if self.weight is None else torch.from_numpy(self.weight[rows]).to(self._device)
        return Batch(self._inputs(rows), torch.from_numpy(y).to(self._device), weight)

    def _inputs(self, rows: IntArray, out: torch.Tensor | None = None) -> torch.Tensor:
        """Return the standardised inputs of these samples, in `out` if given."""
        import torch

        if self._table is not None:
            return self._table.index_select(0, torch.from_numpy(rows).to(self._device))
        if self._tensor is not None:
            X = torch.index_select(self._tensor, 0, torch.from_numpy(rows), out=out).to(self._device)
        else:
            part = self._X[rows]
            X = torch.from_numpy(part.toarray() if sparse.issparse(part) else part).to(self._device)
        return (X if self._in_torch is None else self._in_torch.apply(X)).to(self._torch_dtype)

    def fill(self, rows: IntArray, X: FloatArray, y: FloatArray) -> FloatArray | None:
        """
        Write inputs and targets, as of `gather`, to arrays with a row for each sample, and return the weights.

        New memory for every batch could take as long as gathering: some allocators return large pieces to the system at
        once (Dask configures them so).
        """
        if not (self._standardisation is None and isinstance(self._X, np.ndarray) and self._X.dtype == X.dtype):
            self._standardise_into(X, rows)
        else:
            self._take_into(X, self._X, rows)
        return self.fill_targets(rows, y)

    def fill_targets(self, rows: IntArray, y: FloatArray) -> FloatArray | None:
        """Write the targets of these samples to an array with a row for each, and return the weights."""
        self._take_into(y, self._targets, rows)
        return None if self.weight is None else self.weight[rows]

    def entries(self, rows: IntArray) -> Entries:
        """Return the inputs of these samples that differ from zero; X may be dense if training data are sparse."""
        part = sparse.csr_array(self._X[rows])
        values = part.data if self._standardisation is None else self._standardisation.apply(part).data
        starts, columns = part.indptr.astype(np.int64), part.indices.astype(np.int32, copy=False)
        return Entries(starts, columns, values.astype(np.float32))

    def _take_into(self, out: FloatArray, array: FloatArray, rows: IntArray) -> None:
        """Write some rows of an array to `out`, through a buffer if the rows of `out` are not adjacent."""
        taken, shape = out, (len(rows), array.shape[1])
        if not (out.flags.c_contiguous and out.dtype == array.dtype):
            n_bytes = math.prod(shape) * array.itemsize
            if self._space.size < n_bytes:
                self._space = np.empty(n_bytes, dtype=np.uint8)
            taken = self._space[:n_bytes].view(array.dtype).reshape(shape)
        array.take(rows, axis=0, out=taken, mode="clip")  # all indices are valid; other modes make a copy
        if taken is not out:
            out[...] = taken

    def arrays(self, rows: IntArray) -> tuple[FloatArray, FloatArray, FloatArray | None]:
        """Return inputs, targets and weights of these samples as arrays; targets have a row for each sample."""
        X = np.empty((len(rows), self._X.shape[1]), self.dtype)
        y = np.empty((len(rows), self._targets.shape[1]), self.dtype)
        return X, y, self.fill(rows, X, y)

    def _standardise_into(self, X: FloatArray, rows: IntArray) -> None:
        """Write the standardised inputs of these samples to X."""
        import torch

        if self._lies_apart and self._standardisation is not None and self._standardisation.mean is not None:
            kept = self._standardisation
            address = self._X.ctypes.data, *self._X.strides
            gather_standardised(self._X, *address, rows, kept.mean, kept.inverse_scale, X)
            return
        gathered = None
        if self._tensor is not None:
            if len(self._room) < len(rows):
                self._room = self._tensor.new_empty((len(rows), X.shape[1]))
            gathered = self._room[: len(rows)]
        torch.from_numpy(X).copy_(self._inputs(rows, gathered))

    def gather_batches(self, rows: IntArray, batch_size: int) -> list[Batch]:
        """Return these samples as batches of this size."""
        from torch import split

        X, y, weight = self.gather(rows)
        weights = [None] * (len(rows) // batch_size) if weight is None else split(weight, batch_size)
        return [Batch(*batch) for batch in zip(split(X, batch_size), split(y, batch_size, 1), weights, strict=True)]

    def everything(self) -> Batch:
        """Return all rows as one batch; a copy in the precision of X exists of one chunk at a time only."""
        import torch

        n_rows = len(self.rows)
        X = torch.empty((n_rows, self._X.shape[1]), dtype=self._torch_dtype, device=self._device)
        y = torch.empty((self._targets.shape[1], n_rows), dtype=self._torch_dtype, device=self._device)
        for chunk in row_batches(n_rows, CHUNK_ROWS):
            X[chunk], y[:, chunk] = self.gather(self.rows[chunk])[:2]
        weight = None if self.weight is None else torch.from_numpy(self.weight[self.rows]).to(self._device)
        return Batch(X, y, weight)


class HeldOut:
    """
    Held-out samples: one batch that is kept, or chunks that are gathered for each evaluation if samples are many.

    Parameters
    ----------
    samples : Samples
        All rows of these samples are held out.
    """

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    @cached_property
    def _kept(self) -> Batch | None:
        samples = self._samples
        return samples.everything() if samples.on_device or samples.n_bytes <= CHUNK_BYTES else None

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._samples.rows)

    def __iter__(self) -> Iterator[Batch]:
        """Return the batches; the mean weight over all of them is one."""
        if self._kept is not None:
            return iter([self._kept])
        rows = self._samples.rows
        return map(self._samples.gather, self._samples.batches(rows))

    def on(self, device: str) -> Iterator[Batch]:
        """Return the batches on another device."""
        for X, y, weight in self:
            yield Batch(X.to(device), y.to(device), None if weight is None else weight.to(device))

    def entries(self, y: FloatArray) -> tuple[Entries, FloatArray | None]:
        """Write the targets to an array with a row for each sample; return the entries and the weights."""
        rows = self._samples.rows
        return self._samples.entries(rows), self._samples.fill_targets(rows, y)

    def fill(self, X: FloatArray, y: FloatArray) -> FloatArray | None:
        """Write all samples to arrays with a row for each, and return the weights."""
        if self._kept is not None:
            import torch

            inputs, targets, weight = self._kept
            torch.from_numpy(X).copy_(inputs)
            torch.from_numpy(y).copy_(targets.T)
            return None if weight is None else weight.cpu().numpy()
        rows = self._samples.rows
        weights = [self._samples.fill(rows[chunk], X[chunk], y[chunk]) for chunk in row_batches(len(rows), CHUNK_ROWS)]
        known = [weight for weight in weights if weight is not None]
        return np.concatenate(known) if known else None
