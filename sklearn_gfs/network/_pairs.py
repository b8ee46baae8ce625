"""
The Gauss-Newton matrix of a network of one output, from products of pairs of neurons and pairs of inputs.

An entry for two hidden coefficients is a sum over samples of s_i s_j x_f x_g: slopes of two neurons times two inputs.
The sum is symmetric in the neurons and in the inputs. So one product is enough, of unordered pairs of neurons and
unordered pairs of inputs. It takes half the multiplications of a product of the Jacobian's rows with themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sklearn_gfs._threads import threads_for

if TYPE_CHECKING:
    from sklearn_gfs._typing import Float64Array, FloatArray, IntArray

# Number of elements that are multiplied at once, so that they stay in the cache.
_BLOCK = 2**21


class _Buffers(NamedTuple):
    """Arrays with a column per sample: pairs of neurons, pairs of inputs, derivatives by hidden parameters."""

    of_neurons: FloatArray
    of_inputs: FloatArray
    columns: FloatArray


class PairSums:
    """
    Sums over samples from which the Gauss-Newton matrix is made.

    Parameters
    ----------
    n_features : int
    n_hidden : int
    dtype : dtype
        The dtype of the products; they are summed in float64.

    Attributes
    ----------
    n_rows : int
        Largest number of samples to add at once.
    """

    def __init__(self, n_features: int, n_hidden: int, dtype: np.dtype[Any]) -> None:
        n_inputs = n_features + 1  # the last input is one, for the intercept
        self._n_inputs, self._n_hidden, self._dtype = n_inputs, n_hidden, dtype
        self._buffers = self._empty(0)
        self._of_pairs = np.zeros((_n_pairs(n_hidden), _n_pairs(n_inputs)))
        self._of_layers = np.zeros((n_hidden * n_inputs, n_hidden + 1))
        self._of_outputs = np.zeros((n_hidden + 1, n_hidden + 1))
        self.n_rows = max(_BLOCK // (sum(self._of_pairs.shape) + len(self._of_layers)), 1)

    def _empty(self, n_rows: int) -> _Buffers:
        n_hidden, n_inputs = self._n_hidden, self._n_inputs
        shapes = (_n_pairs(n_hidden), n_rows), (_n_pairs(n_inputs), n_rows), (n_hidden, n_inputs, n_rows)
        return _Buffers(*(np.empty(shape, self._dtype) for shape in shapes))

    def add(self, slope: FloatArray, X: FloatArray, last: FloatArray) -> None:
        """Add samples: their slopes, inputs, and the derivatives by the output layer, the intercept's at the end."""
        n_rows = len(X)
        if self._buffers.columns.shape[-1] != n_rows:
            self._buffers = self._empty(n_rows)
        of_neurons, of_inputs, columns = self._buffers
        slopes, inputs = np.ascontiguousarray(slope.T), np.ones((X.shape[1] + 1, n_rows), self._dtype)
        inputs[:-1] = X.T
        _fill_pairs(of_neurons, slopes)
        _fill_pairs(of_inputs, inputs)
        np.multiply(slopes[:, None], inputs, out=columns)
        columns = columns.reshape(-1, n_rows)
        with threads_for(2.0 * n_rows * (self._of_pairs.size + self._of_layers.size)):
            self._of_pairs += of_neurons @ of_inputs.T
            self._of_layers += columns @ last
            self._of_outputs += last.T @ last

    def matrix(self) -> Float64Array:
        """Return the sum of the products of the Jacobian's rows; for the order of its columns see `Shape`."""
        n_hidden, n_inputs = self._n_hidden, self._n_inputs
        n_coef, n_of_hidden = n_hidden * (n_inputs - 1), n_hidden * n_inputs
        whole = np.empty((n_of_hidden + n_hidden + 1,) * 2)
        coef = whole[:n_coef, :n_coef].reshape(n_hidden, n_inputs - 1, n_hidden, n_inputs - 1)
        mixed = whole[:n_coef, n_coef:n_of_hidden].reshape(n_hidden, n_inputs - 1, n_hidden)
        intercepts, places, start = whole[n_coef:n_of_hidden, n_coef:n_of_hidden], _places(n_inputs), 0
        for i in range(n_hidden):  # the pairs of this neuron with itself and later neurons
            stop = start + n_hidden - i
            block = self._of_pairs[start:stop].take(places.ravel(), axis=1).reshape(-1, *places.shape)
            coef[i:, :, i] = block[:, :-1, :-1]
            coef[i, :, i:] = block[:, :-1, :-1].transpose(1, 0, 2)
            mixed[i:, :, i] = block[:, :-1, -1]
            mixed[i, :, i:] = block[:, :-1, -1].T
            intercepts[i, i:] = intercepts[i:, i] = block[:, -1, -1]
            start = stop
        of_layers = self._of_layers.reshape(n_hidden, n_inputs, n_hidden + 1)
        whole[:n_coef, n_of_hidden:] = of_layers[:, :-1].reshape(n_coef, -1)
        whole[n_coef:n_of_hidden, n_of_hidden:] = of_layers[:, -1]
        whole[n_of_hidden:, n_of_hidden:] = self._of_outputs
        whole[n_coef:, :n_coef] = whole[:n_coef, n_coef:].T
        whole[n_of_hidden:, n_coef:n_of_hidden] = whole[n_coef:n_of_hidden, n_of_hidden:].T
        return whole


def _n_pairs(n: int) -> int:
    return n * (n + 1) // 2


def _places(n: int) -> IntArray:
    """Return an (n, n) array of the index of each pair, the same for both orders of a pair."""
    places = np.empty((n, n), dtype=np.intp)
    upper = np.triu_indices(n)
    places[upper] = places.T[upper] = np.arange(_n_pairs(n))
    return places


def _fill_pairs(pairs: FloatArray, rows: FloatArray) -> None:
    """Write the products of all pairs of rows: of each row with itself and later rows."""
    start = 0
    for i in range(len(rows)):
        stop = start + len(rows) - i
        np.multiply(rows[i], rows[i:], out=pairs[start:stop])
        start = stop
