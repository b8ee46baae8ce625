"""
Rows of the Jacobian of a two-layer network: written out, or as factors.

The derivatives of a sample by hidden coefficients are its slopes times its inputs. The derivatives by output
coefficients are its activations times a factor of each output. An inner product of rows is therefore a product of inner
products of factors. The number of operations grows with the number of neurons plus features, not with their product.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sklearn_gfs._typing import Float64Array, FloatArray


# Largest relative difference between a weight and the product of its two factors.
_ROUNDING = 1e-8


class JacobianRows:
    """
    Rows of the Jacobian; for the order of the columns see `Shape`.

    The weight of a column is a factor of its neuron times a factor of its feature or output.

    Parameters
    ----------
    slopes : ndarray of shape (n_rows, n_hidden)
    X : ndarray of shape (n_rows, n_features)
    hidden : ndarray of shape (n_rows, n_hidden)
    factors : ndarray of shape (n_rows, n_outputs)
    """

    def __init__(self, slopes: FloatArray, X: FloatArray, hidden: FloatArray, factors: FloatArray) -> None:
        self._slopes, self._X, self._hidden, self._factors = slopes, X, hidden, factors
        (self.n_rows, n_features), n_hidden, n_outputs = X.shape, slopes.shape[1], factors.shape[1]
        n_coef, n_of_hidden = n_hidden * n_features, n_hidden * (n_features + 1)
        self._ends = n_coef, n_of_hidden, n_of_hidden + n_hidden * n_outputs
        self.n_columns = self._ends[-1] + n_outputs

    def astype(self, dtype: Any) -> JacobianRows:
        """Return the rows in another precision."""
        return JacobianRows(*(part.astype(dtype) for part in (self._slopes, self._X, self._hidden, self._factors)))

    def _parts(self, vector: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array]:
        """Return views of the parts of a vector, like `Shape.parts`."""
        first, second, third = self._ends
        coef, intercept, out_coef, out_intercept = (
            vector[:first],
            vector[first:second],
            vector[second:third],
            vector[third:],
        )
        n_hidden = len(intercept)
        return coef.reshape(n_hidden, -1), intercept, out_coef.reshape(n_hidden, -1), out_intercept

    def written_out(self) -> FloatArray:
        """Return the rows as an array of shape (n_rows, n_parameters)."""
        rows = np.empty((self.n_rows, self.n_columns), self._slopes.dtype)
        of_outputs = self._hidden[:, :, None] * self._factors[:, None, :]
        fill_rows(rows, self._slopes, self._X, of_outputs, self._factors)
        return rows

    def squared_norm(self) -> float:
        """Return the sum of the squares of all elements of the rows."""
        parts = self._slopes, self._X, self._hidden, self._factors
        slopes, inputs, hidden, factors = (np.einsum("ij,ij->i", part, part) for part in parts)
        return float(slopes @ (inputs + 1) + factors @ (hidden + 1))

    def times(self, vector: Float64Array) -> Float64Array:
        """Return the product of the rows and a vector with an element for each parameter."""
        coef, intercept, out_coef, out_intercept = self._parts(vector)
        found: Float64Array = np.einsum("ij,ij->i", self._slopes, self._X @ coef.T + intercept)
        return found + np.einsum("ij,ij->i", self._factors, self._hidden @ out_coef + out_intercept)

    def transposed_times(self, numbers: Float64Array) -> Float64Array:
        """Return the product of the transposed rows and a vector with an element for each row."""
        slopes, factors = self._slopes * numbers[:, None], self._factors * numbers[:, None]
        parts = slopes.T @ self._X, slopes.sum(axis=0), self._hidden.T @ factors, factors.sum(axis=0)
        return np.concatenate([part.ravel() for part in parts])

    @cached_property
    def _of_slopes(self) -> Float64Array:
        return _gram(self._slopes)

    @cached_property
    def _of_hidden(self) -> Float64Array:
        return np.asarray(_gram(self._hidden) * _gram(self._factors))

    def _along_slopes(self, of_neurons: Float64Array) -> Float64Array:
        """Return the inner products of rows of slopes; if all neurons have the same factor, they are computed once."""
        first = of_neurons[0]
        return first * self._of_slopes if (of_neurons == first).all() else _gram(self._slopes * np.sqrt(of_neurons))

    def _along_hidden(self, of_neurons: Float64Array, of_outputs: Float64Array) -> Float64Array:
        """Return the inner products of rows, of the columns of output coefficients only."""
        first = of_neurons[0]
        if (of_neurons == first).all() and (of_outputs == of_outputs[0]).all():
            return np.asarray(first * of_outputs[0] * self._of_hidden)
        return np.asarray(_gram(self._hidden * np.sqrt(of_neurons)) * _gram(self._factors * np.sqrt(of_outputs)))

    def gram(self, weights: Float64Array) -> Float64Array:
        """Return the inner products of all pairs of rows, with weights of the columns."""
        coef, intercept, out_coef, out_intercept = self._parts(weights)
        of_neurons, of_features = _separated(coef)
        gram = _gram(self._X * np.sqrt(of_features))
        gram *= self._along_slopes(of_neurons)
        gram += self._along_slopes(intercept)
        gram += self._along_hidden(*_separated(out_coef))
        gram += _gram(self._factors * np.sqrt(out_intercept))
        return gram

    def products(self, other: JacobianRows, weights: Float64Array) -> Float64Array:
        """Return the inner products of these rows and the rows of `other`, with weights of the columns."""
        coef, intercept, out_coef, out_intercept = self._parts(weights)
        of_neurons, of_features = _separated(coef)
        products = (self._slopes * of_neurons) @ other._slopes.T
        products *= (self._X * of_features) @ other._X.T
        products += (self._slopes * intercept) @ other._slopes.T
        of_neurons, of_outputs = _separated(out_coef)
        along_hidden = (self._hidden * of_neurons) @ other._hidden.T
        along_hidden *= (self._factors * of_outputs) @ other._factors.T
        products += along_hidden
        products += (self._factors * out_intercept) @ other._factors.T
        return np.asarray(products)

    def squared_norms(self, weights: Float64Array) -> Float64Array:
        """Return the inner product of each row with itself, with weights of the columns."""
        coef, intercept, out_coef, out_intercept = self._parts(weights)
        slopes, X, hidden, factors = (part**2 for part in (self._slopes, self._X, self._hidden, self._factors))
        return np.einsum("ij,ij->i", slopes, X @ coef.T + intercept) + np.einsum(
            "ij,ij->i", factors, hidden @ out_coef + out_intercept
        )

    def at_least(self, weights: Float64Array, least: float) -> Float64Array:
        """Return the weights raised to at least `least`, such that each is still a product of two factors."""
        coef, intercept, out_coef, out_intercept = self._parts(weights)
        raised = [np.maximum(part, least) for part in (intercept, out_intercept)]
        blocks = [
            np.outer(of_rows, np.maximum(of_columns, least / of_rows.min()))
            for of_rows, of_columns in map(_separated, (coef, out_coef))
        ]
        return np.concatenate([part.ravel() for part in (blocks[0], raised[0], blocks[1], raised[1])])

    def forms(self, matrix: Float64Array, weights: Float64Array) -> Float64Array:
        """
        Return for each group of columns the weighted sum of the quadratic forms c' A c over its columns c.

        There is a group for each feature, one of the hidden intercepts, and one of the output coefficients. A is the
        matrix.
        """
        coef, intercept, out_coef, _ = self._parts(weights)
        of_neurons, of_features = _separated(coef)
        within = self._along_slopes(of_neurons)
        within *= matrix
        of_coef = of_features * np.einsum("ij,ij->j", self._X, within @ self._X)
        of_intercepts = np.vdot(matrix, self._along_slopes(intercept))
        of_out_coef = np.vdot(matrix, self._along_hidden(*_separated(out_coef)))
        return np.concatenate([of_coef, [of_intercepts, of_out_coef]])

    def sums(self, vector: Float64Array) -> Float64Array:
        """Return the sums of a vector over the groups of `forms`."""
        coef, intercept, out_coef, _ = self._parts(vector)
        return np.concatenate([coef.sum(axis=0), [intercept.sum(), out_coef.sum()]])


def _gram(rows: FloatArray) -> Float64Array:
    """Return the inner products of all pairs of rows."""
    return np.asarray(rows @ rows.T)  # for an array and its transpose BLAS needs half the operations


def _separated(block: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return factors of rows and of columns whose products are the elements of the block."""
    of_columns, largest = block[0], int(np.argmax(block[0]))
    of_rows = block[:, largest] / block[0, largest] if block[0, largest] else np.ones(len(block))
    if not (np.abs(np.outer(of_rows, of_columns) - block) <= _ROUNDING * np.abs(block)).all():
        raise ValueError("the weights of coefficients are not products of a neuron's and a feature's")
    return of_rows, of_columns


def fill_rows(rows: FloatArray, slope: FloatArray, X: FloatArray, of_outputs: FloatArray, last: FloatArray) -> None:
    """Write rows of the Jacobian to `rows`."""
    (n_rows, n_features), n_hidden = X.shape, slope.shape[1]
    n_coef, n_of_hidden = n_hidden * n_features, n_hidden * (n_features + 1)
    # Each row is a sample; the coefficients of a neuron are adjacent.
    coef = rows[:, :n_coef].reshape(n_rows, n_hidden, n_features)
    np.multiply(slope[:, :, None], X[:, None, :], out=coef)
    rows[:, n_coef:n_of_hidden] = slope
    rows[:, n_of_hidden : -last.shape[1]] = of_outputs.reshape(n_rows, -1)
    rows[:, -last.shape[1] :] = last
