"""
The neurons that a search by the gradient picks from: their products with residuals, and their activations.

Activations are kept, a row for each sample, or are computed whenever they are read.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_gfs._chunks import row_batches
from sklearn_gfs._typing import Float64Array, FloatArray, IntArray

from ._thin import product

if TYPE_CHECKING:
    from ._gram_computed import ComputedRows

# Number of neurons whose moments are computed at once.
_BLOCK = 64


class KeptNeurons:
    """Activations that are kept, of shape (n_samples, n_neurons)."""

    def __init__(self, hidden: FloatArray, width: int) -> None:
        self._hidden = hidden
        self._width = width

    def products(self, residual: FloatArray) -> Float64Array:
        """Products of every neuron with the rows of the residual, (n_outputs, n_neurons)."""
        return np.asarray(product(residual.T, self._hidden), dtype=np.float64)

    def means_and_variances(self, share: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Means and variances of all neurons, for samples of these shares."""
        means, variances = np.empty((2, self._hidden.shape[1]))
        for block in row_batches(len(means), _BLOCK):
            values = self._hidden[:, block].astype(np.float64)
            means[block] = share @ values
            values -= means[block]
            values *= values
            variances[block] = share @ values
        return means, variances

    def rows(self, neurons: IntArray) -> FloatArray:
        """Activations of some neurons, (len(neurons), n_samples), filled up with zeros."""
        if np.array_equal(neurons, np.arange(self._hidden.shape[1])):
            return self._all_rows
        return _filled_up(self._hidden.take(neurons, axis=1), self._width)

    @cached_property
    def _all_rows(self) -> FloatArray:
        """Activations of all neurons, cached because several picks in turn read them if neurons are few."""
        return _filled_up(self._hidden, self._width)


class ComputedNeurons:
    """Activations that are computed whenever they are read."""

    def __init__(self, hidden: ComputedRows, width: int) -> None:
        self._hidden = hidden
        self._width = width

    def products(self, residual: FloatArray) -> Float64Array:
        """Products of every neuron with the rows of the residual, (n_outputs, n_neurons)."""
        products = np.zeros((len(residual), self._hidden.shape[1]))
        for some in self._hidden.pieces():
            products += product(residual[:, some].T, self._hidden[some])
        return products

    def means_and_variances(self, share: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Means and variances of all neurons, for samples of these shares."""
        means, squares = np.zeros((2, self._hidden.shape[1]))
        for some in self._hidden.pieces():
            values = self._hidden[some].astype(np.float64)
            means += share[some] @ values
            values *= values
            squares += share[some] @ values
        return means, np.maximum(squares - means**2, 0.0)

    def rows(self, neurons: IntArray) -> FloatArray:
        """Activations of some neurons, (len(neurons), n_samples), filled up with zeros."""
        rows = np.zeros((len(neurons), _places(self._hidden.shape[0], self._width)), dtype=self._hidden.dtype)
        for some in self._hidden.pieces():
            rows[:, some] = self._hidden[some, neurons].T
        return rows


def neurons_of(hidden: FloatArray | ComputedRows, dtype: Any = None, width: int = 1) -> KeptNeurons | ComputedNeurons:
    """
    Return the neurons that have these activations.

    Activations that are kept may have another precision than the given ones. The length of a row of activations is a
    multiple of the width.
    """
    if isinstance(hidden, np.ndarray):
        return KeptNeurons(hidden.astype(hidden.dtype if dtype is None else dtype, copy=False), width)
    return ComputedNeurons(hidden, width)


def _places(n_samples: int, width: int) -> int:
    return -(-n_samples // width) * width


def _filled_up(columns: FloatArray, width: int) -> FloatArray:
    """Return the columns as rows, filled up with zeros to a multiple of the width."""
    n_samples, n_columns = columns.shape
    rows = np.zeros((n_columns, _places(n_samples, width)), columns.dtype)
    rows[:, :n_samples] = columns.T
    return rows
