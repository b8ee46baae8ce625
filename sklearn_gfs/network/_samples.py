"""
Samples as training reads them: standardised rows and their targets, gathered batch by batch or chunk by chunk.

Which samples are trained on, and in which order, is decided elsewhere.
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


# Where no more than this share of the inputs differs from zero, products with these alone are faster.
_MOST_STORED = 0.2
# From so many bytes on X is in no cache.
_LARGE = 2**26
# Batches that stand for many samples take so many bytes at most, but of the widest inputs there are so many rows.
_BATCH_BYTES, _LEAST_ROWS = 2**27, 64
# Bytes that an input takes together with the number of its column.
_ENTRY_BYTES = 8


def has_few_entries(X: Any, standardisation: Standardisation | None) -> bool:
    """Say whether few inputs differ from zero, once they are standardised, and X stores these only."""
    is_shifted = standardisation is None or standardisation.mean is not None
    return bool(sparse.issparse(X) and not is_shifted and X.nnz <= _MOST_STORED * X.shape[0] * X.shape[1])


class Samples:
    """
    Rows of X, standardised, and their targets, gathered batch by batch.

    X is never copied as a whole: a batch is gathered, made dense and standardised in a buffer of its own. Where X is
    standardised already a batch is gathered only. Indicators of classes may stay a byte each: batches hold numbers.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples, n_outputs)
    standardisation : Standardisation or None
        None where X is standardised already.
    rows : ndarray of shape (n_rows,)
        The samples to be used.
    weight : ndarray of shape (n_samples,), default=None
        Weights of the samples; only their ratios among the rows matter.
    device : str, default="cpu"
        Where batches are put.
    dtype : dtype, default=None
        That of the batches: inputs are rounded to it once they are standardised. None for that of the targets.
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
        # torch gathers rows with all its threads, but warns of arrays that it must not write to.
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
        self._weight = None
        if weight is not None:
            self._weight = (weight / weight[rows].mean()).astype(self.dtype)

    @cached_property
    def _lies_apart(self) -> bool:
        """Whether X is in Fortran's order, and no cache holds it."""
        X = self._X
        is_large = isinstance(X, np.ndarray) and X.flags.f_contiguous and X.nbytes >= _LARGE and X.shape[1] > 1
        return is_large and not numba_for("Training").config.DISABLE_JIT

    @property
    def few_entries(self) -> bool:
        """Whether few inputs differ from zero, and `entries` serve."""
        return has_few_entries(self._X, self._standardisation)

    @property
    def entries_bytes(self) -> float:
        """Size of one sample's inputs where `entries` serve."""
        return (1 + self._X.nnz / self._X.shape[0]) * _ENTRY_BYTES

    @property
    def row_bytes(self) -> int:
        """Size of one sample's inputs in a batch."""
        return int(self._X.shape[1] * self._X.dtype.itemsize)

    @property
    def n_bytes(self) -> int:
        """Size of all rows' inputs as batches."""
        return int(len(self.rows) * self._X.shape[1] * self.dtype.itemsize)

    def batches(self, rows: IntArray, most: int | None = None) -> Iterator[IntArray]:
        """Yield so many rows at a time, by default `CHUNK_ROWS`, or fewer where these would be large as batches."""
        row_bytes = self._X.shape[1] * (self._X.dtype.itemsize + self.dtype.itemsize)
        size = min(most or CHUNK_ROWS, max(_BATCH_BYTES // row_bytes, _LEAST_ROWS))
        return (rows[chunk] for chunk in row_batches(len(rows), size))

    def part(self, rows: IntArray) -> Samples:
        """Return these samples only; their weights stay as they are beside those of the others."""
        part = copy(self)
        part.rows = rows
        return part

    def bring(self) -> None:
        """Keep the inputs of all samples on the device, for batches, if they take half of its room at most."""
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
        weight = None if self._weight is None else torch.from_numpy(self._weight[rows]).to(self._device)
        return Batch(self._inputs(rows), torch.from_numpy(y).to(self._device), weight)

    def _inputs(self, rows: IntArray, out: torch.Tensor | None = None) -> torch.Tensor:
        """Return the standardised inputs of these samples; gathered into `out`, where that is given."""
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
        Write what `gather` returns to arrays with a row for each sample, and return the weights.

        New memory for every batch would cost as much as gathering, where the system's allocator gives large pieces back
        at once (Dask tells it to).
        """
        if not (self._standardisation is None and isinstance(self._X, np.ndarray) and self._X.dtype == X.dtype):
            self._standardise_into(X, rows)
        else:
            self._take_into(X, self._X, rows)
        return self.fill_targets(rows, y)

    def fill_targets(self, rows: IntArray, y: FloatArray) -> FloatArray | None:
        """Write the targets of these samples to an array with a row for each, and return the weights."""
        self._take_into(y, self._targets, rows)
        return None if self._weight is None else self._weight[rows]

    def entries(self, rows: IntArray) -> Entries:
        """Return the inputs of these samples that differ from zero; X may be dense where other samples are not."""
        part = sparse.csr_array(self._X[rows])
        values = part.data if self._standardisation is None else self._standardisation.apply(part).data
        starts, columns = part.indptr.astype(np.int64), part.indices.astype(np.int32, copy=False)
        return Entries(starts, columns, values.astype(np.float32))

    def _take_into(self, out: FloatArray, array: FloatArray, rows: IntArray) -> None:
        """Write some rows of an array; by way of memory that is kept where `out` has spaces between its rows."""
        taken, shape = out, (len(rows), array.shape[1])
        if not (out.flags.c_contiguous and out.dtype == array.dtype):
            n_bytes = math.prod(shape) * array.itemsize
            if self._space.size < n_bytes:
                self._space = np.empty(n_bytes, dtype=np.uint8)
            taken = self._space[:n_bytes].view(array.dtype).reshape(shape)
        array.take(rows, axis=0, out=taken, mode="clip")  # no index is clipped; other modes copy
        if taken is not out:
            out[...] = taken

    def arrays(self, rows: IntArray) -> tuple[FloatArray, FloatArray, FloatArray | None]:
        """Return what `gather` does as arrays; targets have a row for each sample."""
        X = np.empty((len(rows), self._X.shape[1]), self.dtype)
        y = np.empty((len(rows), self._targets.shape[1]), self.dtype)
        return X, y, self.fill(rows, X, y)

    def _standardise_into(self, X: FloatArray, rows: IntArray) -> None:
        """Write the standardised inputs of these samples."""
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
        """Return all rows as one batch; in the precision of X there is never more than a chunk of them."""
        import torch

        n_rows = len(self.rows)
        X = torch.empty((n_rows, self._X.shape[1]), dtype=self._torch_dtype, device=self._device)
        y = torch.empty((self._targets.shape[1], n_rows), dtype=self._torch_dtype, device=self._device)
        for chunk in row_batches(n_rows, CHUNK_ROWS):
            X[chunk], y[:, chunk] = self.gather(self.rows[chunk])[:2]
        weight = None if self._weight is None else torch.from_numpy(self._weight[self.rows]).to(self._device)
        return Batch(X, y, weight)


class HeldOut:
    """
    Samples that judge networks: one batch that is kept, or of many samples chunks that are gathered at every look.

    Parameters
    ----------
    samples : Samples
        The rows of these.
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
        """Write the targets to an array with a row for each sample; return what `Samples.entries` does, and weights."""
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
