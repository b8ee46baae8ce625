"""Weights of columns that minimise any smooth loss of the outputs plus a penalty on their squares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

from sklearn_gfs._typing import Float64Array

# Given outputs, (n_samples, n_outputs): the loss of all samples, and its derivatives in the same shape.
ValueAndResidual = Callable[[Float64Array], tuple[float, Float64Array]]


def minimise_penalised(
    value_and_residual: ValueAndResidual,
    columns: Float64Array,
    factor: Float64Array,
    penalties: Float64Array,
    start: Float64Array,
    **options: Any,
) -> Float64Array:
    """
    Return weights that minimise the loss of `columns @ weights` plus half the penalties times the squared weights.

    L-BFGS-B minimises by coordinates `factor @ weights`. If factor' factor is about the second derivative, the problem
    is well conditioned in these coordinates, and few iterations are enough.

    Parameters
    ----------
    value_and_residual : callable
    columns : ndarray of shape (n_samples, n_columns)
    factor : ndarray of shape (n_columns, n_columns)
        Upper triangular.
    penalties : ndarray of shape (n_columns,)
    start : ndarray of shape (n_columns, n_outputs)
        Initial weights.
    **options
        Options of SciPy's L-BFGS-B.
    """
    costs = penalties[:, None]

    def function(flat: Float64Array) -> tuple[float, Float64Array]:
        weights = solve_triangular(factor, flat.reshape(start.shape))
        value, residual = value_and_residual(columns @ weights)
        slopes = columns.T @ residual + costs * weights
        penalised = value + 0.5 * float(np.sum(costs * weights**2))
        return penalised, solve_triangular(factor, slopes, trans="T").ravel()

    found = minimize(function, (factor @ start).ravel(), jac=True, method="L-BFGS-B", options=options)
    weights: Float64Array = solve_triangular(factor, found.x.reshape(start.shape))
    return weights
