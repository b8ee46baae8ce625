"""
The loss of a two-layer network over all its samples, for second-order training: value, gradient, curvature.

Everything is summed over chunks of samples: activations and products in the objective's precision, sums in float64.
``_second_order`` makes steps of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._threads import threads_for

from ._curvature import RowsCurvature, WholeCurvature
from ._data import CHUNK_ROWS
from ._jacobian import JacobianRows, fill_rows
from ._pairs import PairSums

if TYPE_CHECKING:
    from sklearn_gfs._activations import Activation
    from sklearn_gfs._typing import Float64Array, FloatArray, IntArray

    from ._curvature import Curvature
    from ._losses import Loss
    from ._parameters import Network
    from ._samples import Samples

Number = TypeVar("Number", bound=np.generic)

# Number of elements in the rows of the Jacobian that are multiplied at once, so that they stay in the cache.
_BLOCK = 2**20


class Shape(NamedTuple):
    """
    Sizes of a network, and the order of its parameters in a vector.

    The order is coefficients, hidden intercepts, output coefficients, output intercepts. Coefficients are stored neuron
    by neuron, output coefficients too. The weights of neurons are folded into the output coefficients.
    """

    n_features: int
    n_hidden: int
    n_outputs: int

    @property
    def n_of_hidden(self) -> int:
        """Number of parameters of the hidden layer."""
        return self.n_hidden * (self.n_features + 1)

    @property
    def n_parameters(self) -> int:
        """Number of all parameters."""
        return self.n_of_hidden + (self.n_hidden + 1) * self.n_outputs

    @property
    def n_columns(self) -> int:
        """Number of parameters of the same network with one output."""
        return self.n_of_hidden + self.n_hidden + 1

    def parts(
        self, vector: NDArray[Number]
    ) -> tuple[NDArray[Number], NDArray[Number], NDArray[Number], NDArray[Number]]:
        """Return views: (n_hidden, n_features), (n_hidden,), (n_hidden, n_outputs), (n_outputs,)."""
        n_coef, n_of_hidden = self.n_hidden * self.n_features, self.n_of_hidden
        return (
            vector[:n_coef].reshape(self.n_hidden, self.n_features),
            vector[n_coef:n_of_hidden],
            vector[n_of_hidden : -self.n_outputs].reshape(self.n_hidden, self.n_outputs),
            vector[-self.n_outputs :],
        )


def shape_of(network: Network) -> Shape:
    """Return the sizes of a network."""
    n_features, n_hidden = network.hidden_coef.shape
    return Shape(n_features, n_hidden, len(network.output_intercept))


def to_vector(network: Network) -> Float64Array:
    """Return the parameters in one vector."""
    parts = (
        network.hidden_coef.T,
        network.hidden_intercept,
        network.output_coef * network.weights[:, None].astype(np.float64),
        network.output_intercept,
    )
    return np.concatenate([np.ravel(part).astype(np.float64) for part in parts])


def to_network(vector: FloatArray, like: Network) -> Network:
    """Return the network with the parameters of the vector, with the neurons' weights and the precision of `like`."""
    coef, intercept, out_coef, out_intercept = shape_of(like).parts(vector)
    dtype = like.hidden_coef.dtype
    return like._replace(
        hidden_coef=np.ascontiguousarray(coef.T, dtype=dtype),
        hidden_intercept=intercept.astype(dtype),
        output_coef=(out_coef / like.weights[:, None]).astype(dtype),
        output_intercept=out_intercept.astype(dtype),
    )


class Objective:
    """
    The mean loss of networks of one shape over some samples.

    Parameters
    ----------
    shape : Shape
    samples : Samples
    activation : Activation
    loss : Loss
    seed : int
        Seed of the order of the samples, which is random so that any part of the samples represents all.
    """

    def __init__(self, shape: Shape, samples: Samples, activation: Activation, loss: Loss, seed: int = 0) -> None:
        self.shape, self.loss = shape, loss
        self._samples, self._activation = samples, activation
        self._rows: IntArray = np.random.RandomState(seed).permutation(samples.rows)
        self.n_samples, self.dtype = len(self._rows), samples.dtype

    def in_double(self) -> Objective:
        """Return the same objective in float64; steps need less precision."""
        found = copy(self)
        found.dtype = np.dtype(np.float64)
        return found

    def _chunks(self, n_rows: int, first: int = 0, n_taken: int | None = None) -> Iterator[_Chunk]:
        """Yield chunks of standardised samples: `n_taken` of them from the position `first`, by default all."""
        rows = self._rows if n_taken is None else self._rows.take(np.arange(first, first + n_taken), mode="wrap")
        for chunk in self._samples.batches(rows, n_rows):
            # Sorted, so that memory or a file is read in order.
            yield _Chunk(*self._samples.arrays(np.sort(chunk)))

    def _in_precision(self, vector: Float64Array) -> Iterable[FloatArray]:
        return self.shape.parts(vector.astype(self.dtype))

    def value(self, vector: Float64Array) -> float:
        """Return the mean loss of the network with these parameters; infinite if a value overflows."""
        total, parts = 0.0, _Parameters(*self._in_precision(vector))
        with np.errstate(over="ignore", invalid="ignore"):
            for chunk in self._chunks(CHUNK_ROWS):
                total += self._loss_of(parts.outputs(parts.hidden(chunk.X, self._activation)), chunk)
        return total / self.n_samples if np.isfinite(total) else np.inf

    def errors_of_outputs(self, vector: Float64Array) -> Float64Array:
        """Return half the mean squared distance of each output from its target."""
        total, parts = np.zeros(self.shape.n_outputs), _Parameters(*self._in_precision(vector))
        for chunk in self._chunks(CHUNK_ROWS):
            residual = parts.outputs(parts.hidden(chunk.X, self._activation)).astype(np.float64) - chunk.y
            total += 0.5 * (np.ones(len(residual)) if chunk.weight is None else chunk.weight) @ residual**2
        return total / self.n_samples

    def _loss_of(self, outputs: FloatArray, chunk: _Chunk) -> float:
        losses = self.loss.values(outputs.astype(np.float64), chunk.y)
        return float(losses.sum() if chunk.weight is None else losses @ chunk.weight)

    def value_and_gradient(self, vector: Float64Array) -> tuple[float, Float64Array]:
        """Return the mean loss and its gradient."""
        gradient, total = np.zeros(len(vector)), 0.0
        coef, intercept, out_coef, out_intercept = self.shape.parts(gradient)
        parts = _Parameters(*self._in_precision(vector))
        with np.errstate(over="ignore", invalid="ignore"):
            for chunk in self._chunks(CHUNK_ROWS):
                hidden, slope = parts.hidden_and_slope(chunk.X, self._activation)
                outputs = parts.outputs(hidden)
                total += self._loss_of(outputs, chunk)
                residual = self.loss.residual(outputs, chunk.y, chunk.weight)
                with threads_for(2.0 * len(residual) * self.shape.n_of_hidden):
                    out_coef += hidden.T @ residual
                    slope *= residual @ parts.out_coef.T
                    coef += slope.T @ chunk.X
                out_intercept += residual.sum(axis=0)
                intercept += slope.sum(axis=0)
        return total / self.n_samples if np.isfinite(total) else np.inf, gradient / self.n_samples

    def curvature(self, vector: Float64Array, first: int = 0, n_taken: int | None = None) -> Curvature:
        """
        Return the Gauss-Newton matrix of the mean loss, over all samples, or over `n_taken` from the position `first`.

        The whole Jacobian is never in memory. If it has fewer rows than columns, the rows are kept as factors. For the
        squared error, and for one output, the matrix is computed from the matrix of a network of one output. The
        outputs then share the rows of the samples, and an entry of two neurons only needs another factor.
        """
        n_samples = self.n_samples if n_taken is None else n_taken
        if self.has_few_rows:
            return RowsCurvature(self._factored_rows(vector, first, n_taken, 1 / np.sqrt(n_samples)))
        if self._is_separable:
            matrix = _expanded(self._of_one_output(vector, first, n_taken), self.shape, self.shape.parts(vector)[2])
        else:
            matrix = np.zeros((len(vector), len(vector)))
            for rows in self._rows_of(vector, first, n_taken):
                with threads_for(2.0 * rows.size * len(vector)):
                    matrix += rows.T @ rows
        matrix /= n_samples
        return WholeCurvature(matrix)

    def _of_one_output(self, vector: Float64Array, first: int, n_taken: int | None) -> Float64Array:
        """Return the Gauss-Newton matrix, summed over samples, of a network of one output with coefficients of one."""
        parts = _Parameters(*self._in_precision(vector))
        sums = PairSums(self.shape.n_features, self.shape.n_hidden, self.dtype)
        for chunk in self._chunks(sums.n_rows, first, n_taken):
            hidden, slope = parts.hidden_and_slope(chunk.X, self._activation)
            (factor,) = self.loss.curvature_roots(parts.outputs(hidden)[:, :1])
            factor = factor if chunk.weight is None else factor * np.sqrt(chunk.weight)[:, None]
            sums.add(factor * slope, chunk.X, np.hstack([factor * hidden, factor]))
        return sums.matrix()

    @property
    def has_few_rows(self) -> bool:
        """Whether the Jacobian has fewer rows than columns."""
        return has_few_rows(self.shape, self.n_samples)

    @property
    def _is_separable(self) -> bool:
        return self.loss.is_quadratic or self.shape.n_outputs == 1

    def _factored_rows(self, vector: Float64Array, first: int, n_taken: int | None, scale: float) -> JacobianRows:
        """Return rows R of the Jacobian in float64, times `scale`; R' R is the curvature."""
        parts, found = _Parameters(*self._in_precision(vector)), []
        for chunk in self._chunks(CHUNK_ROWS, first, n_taken):
            hidden, slope = parts.hidden_and_slope(chunk.X, self._activation)
            for root in self.loss.curvature_roots(parts.outputs(hidden)):
                factor = scale * (root if chunk.weight is None else root * np.sqrt(chunk.weight)[:, None])
                found.append((slope * (factor @ parts.out_coef.T), chunk.X, hidden, factor))
        return JacobianRows(*(np.concatenate(arrays).astype(np.float64) for arrays in zip(*found, strict=True)))

    def _rows_of(self, vector: Float64Array, first: int, n_taken: int | None) -> Iterator[FloatArray]:
        """Yield blocks of rows; the sum of their products R' R is the curvature. The next block overwrites the last."""
        shape, loss = self.shape, self.loss
        parts = _Parameters(*self._in_precision(vector))
        n_rows = max(_BLOCK // shape.n_parameters, 1)
        memory = np.empty((n_rows, shape.n_parameters), dtype=self.dtype)
        for chunk in self._chunks(n_rows, first, n_taken):
            hidden, slope = parts.hidden_and_slope(chunk.X, self._activation)
            rows = memory[: len(hidden)]
            for root in loss.curvature_roots(parts.outputs(hidden)):
                factor = root if chunk.weight is None else root * np.sqrt(chunk.weight)[:, None]
                of_outputs = hidden[:, :, None] * factor[:, None, :]
                fill_rows(rows, slope * (factor @ parts.out_coef.T), chunk.X, of_outputs, factor)
                yield rows


def has_few_rows(shape: Shape, n_samples: int) -> bool:
    """Whether the Jacobian has fewer rows than columns; a step then solves a system with an equation for each row."""
    return n_samples * shape.n_outputs < shape.n_parameters


class _Chunk(NamedTuple):
    X: FloatArray
    y: FloatArray
    weight: FloatArray | None


class _Parameters(NamedTuple):
    """The parts of a vector of parameters, in the precision of the objective."""

    coef: FloatArray
    intercept: FloatArray
    out_coef: FloatArray
    out_intercept: FloatArray

    def _inputs(self, X: FloatArray) -> FloatArray:
        with threads_for(2.0 * len(X) * self.coef.size):
            values: FloatArray = X @ self.coef.T
        values += self.intercept
        return values

    def hidden(self, X: FloatArray, activation: Activation) -> FloatArray:
        """Return the hidden activations."""
        values = self._inputs(X)
        activation.apply(values)
        return values

    def hidden_and_slope(self, X: FloatArray, activation: Activation) -> tuple[FloatArray, FloatArray]:
        """Return the hidden activations and the derivatives of the activation."""
        values = self._inputs(X)
        slope = activation.slope(values)
        activation.apply(values)
        return values, slope

    def outputs(self, hidden: FloatArray) -> FloatArray:
        """Return the outputs."""
        with threads_for(2.0 * len(hidden) * self.out_coef.size):
            outputs: FloatArray = hidden @ self.out_coef
        return outputs + self.out_intercept


def _expanded(matrix: Float64Array, shape: Shape, out_coef: Float64Array) -> Float64Array:
    """Return the curvature of all outputs, given the matrix of a network of one output with coefficients of one."""
    n, n_outputs = shape.n_of_hidden, shape.n_outputs
    of_hidden = np.concatenate([np.repeat(out_coef, shape.n_features, axis=0), out_coef])
    whole = np.empty((shape.n_parameters, shape.n_parameters))
    np.multiply(matrix[:n, :n], of_hidden @ of_hidden.T, out=whole[:n, :n])
    whole[:n, n:] = (matrix[:n, n:, None] * of_hidden[:, None, :]).reshape(n, -1)
    whole[n:, :n] = whole[:n, n:].T
    whole[n:, n:] = np.kron(matrix[n:, n:], np.eye(n_outputs))
    return whole
