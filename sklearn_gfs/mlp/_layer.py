"""
The hidden activations of one network on the samples of a selection: kept, or computed anew whenever they are read.

Here belong the device of the activations, the size of the pieces in which they are computed, and the memory that they
may take. Nothing here selects.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sklearn_gfs._chunks import row_batches, rows_at_once
from sklearn_gfs.network import CHUNK_ROWS, hidden_activations, room_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sklearn_gfs._activations import Activation
    from sklearn_gfs._typing import FloatArray, IntArray
    from sklearn_gfs.network import Network
    from sklearn_gfs.selection import ComputedRows

# Largest memory, in bytes, of the activations that are computed at once.
_PIECE_BYTES = 2**27
# Least number of rows that are computed at once, even for a wide network.
_LEAST_ROWS = 64


class Room:
    """Memory for the activations of one network after another; the next network overwrites the activations."""

    def __init__(self) -> None:
        self._values: FloatArray = np.empty(0)

    def array(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> FloatArray:
        """Return an array of this shape in this memory; its values are those of the last use."""
        size = math.prod(shape)
        if self._values.dtype != dtype or len(self._values) < size:
            self._values = np.empty(size, dtype=dtype)
        return self._values[:size].reshape(shape)


class HiddenLayer:
    """
    The hidden neurons of a network; given indices of samples, the methods return activations.

    Parameters
    ----------
    network : Network
    inputs : callable
        Given the indices of some samples, returns their standardised inputs in `dtype`.
    activation : Activation
    dtype : numpy dtype
        Precision of the activations.
    device : str
        Where they are computed and kept; "cpu" means in NumPy.
    """

    def __init__(
        self,
        network: Network,
        inputs: Callable[[IntArray], Any],
        activation: Activation,
        dtype: np.dtype[Any],
        device: str,
    ) -> None:
        self._inputs, self._activation, self.dtype, self._device = inputs, activation, dtype, device
        self._network = network
        self.n_neurons = len(network.weights)

    def may_be_kept(self, n_samples: int, *, in_main_memory: bool = False) -> bool:
        """Whether the activations of n_samples samples may be kept on the device, or in main memory."""
        return n_samples * self.row_bytes <= room_on("cpu" if in_main_memory else self._device)

    @property
    def row_bytes(self) -> int:
        """Memory that the activations of one sample take."""
        return self.n_neurons * self.dtype.itemsize

    def pieces(self, n_samples: int) -> Iterator[slice]:
        """Yield the samples in pieces; the activations of a piece are computed at once."""
        return row_batches(n_samples, rows_at_once(self.row_bytes, _PIECE_BYTES, _LEAST_ROWS, CHUNK_ROWS))

    def in_main_memory(self, rows: IntArray, room: Room | None = None) -> FloatArray:
        """Return the activations of these samples, (n_rows, n_neurons), as an array, in the room if given."""
        hidden = (Room() if room is None else room).array((len(rows), self.n_neurons), self.dtype)
        for piece in self.pieces(len(rows)):
            self._array(rows[piece], out=hidden[piece])
        return hidden

    def in_turn(self, rows: IntArray) -> Iterator[tuple[slice, Any]]:
        """Yield pieces of these samples with their activations on the device; the next piece overwrites these."""
        room = np.empty((0, self.n_neurons), dtype=self.dtype)
        for piece in self.pieces(len(rows)):
            if self._device != "cpu":
                yield piece, self.kept(rows[piece])
                continue
            n_rows = piece.stop - piece.start
            room = np.empty((n_rows, self.n_neurons), dtype=self.dtype) if len(room) < n_rows else room
            yield piece, self._array(rows[piece], out=room[:n_rows])

    def kept(self, rows: IntArray, room: Room | None = None) -> Any:
        """Return the activations of these samples: in a tensor on a device other than "cpu", else in the room."""
        if self._device == "cpu":
            return self.in_main_memory(rows, room)
        import torch

        hidden = torch.empty((len(rows), self.n_neurons), dtype=self._tensors[0].dtype, device=self._device)
        for piece in self.pieces(len(rows)):
            self._tensor(rows[piece], out=hidden[piece])
        return hidden

    def computed(self, rows: IntArray, *, in_main_memory: bool = False) -> ComputedRows:
        """Return activations of these samples that are computed when read, on the device, or in main memory."""
        from sklearn_gfs.selection import ComputedRows

        on_device = self._device != "cpu" and not in_main_memory
        compute = self._tensor if on_device else self._array
        shape = len(rows), self.n_neurons
        return ComputedRows(lambda some, neurons: compute(rows[some], neurons), shape, self.dtype, on_device=on_device)

    def _array(self, rows: IntArray, neurons: IntArray | None = None, out: FloatArray | None = None) -> FloatArray:
        """Compute the activations of these samples and neurons, by default all neurons, in `out` if given."""
        coef, intercept = self._arrays
        if neurons is not None:
            coef, intercept = coef[:, neurons], intercept[neurons]
        return hidden_activations(self._inputs(rows), coef, intercept, self._activation, out)

    def _tensor(self, rows: IntArray, neurons: IntArray | None = None, out: Any = None) -> Any:
        """Compute the activations of these samples and neurons on the device."""
        import torch

        coef, intercept = self._tensors
        if neurons is not None:
            coef, intercept = coef[:, neurons.tolist()], intercept[neurons.tolist()]
        X = self._inputs(rows)
        X = torch.from_numpy(X.toarray() if sparse.issparse(X) else X).to(self._device)
        hidden = torch.addmm(intercept, X, coef, out=out)
        self._activation.apply_torch(hidden)
        return hidden

    @cached_property
    def _arrays(self) -> tuple[FloatArray, FloatArray]:
        """Return coefficients and intercepts, in the precision of the activations."""
        coef, intercept = self._network.hidden_coef, self._network.hidden_intercept
        return coef.astype(self.dtype, copy=False), intercept.astype(self.dtype)

    @cached_property
    def _tensors(self) -> tuple[Any, Any]:
        """Return coefficients and intercepts on the device."""
        import torch

        coef, intercept = (torch.from_numpy(array).to(self._device) for array in self._arrays)
        return coef, intercept
