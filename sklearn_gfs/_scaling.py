"""
The units that networks are trained in: features and targets standardised, and networks taken back to the data's units.

Nothing here trains, and nothing here knows estimators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

if TYPE_CHECKING:
    from ._network import Network
    from ._typing import FloatArray, IntArray

# Standardised inputs are shrunk until their mean squared norm is at most this: with many features a step of the same
# length in every coordinate would otherwise move a pre-activation by more than the activation can follow.
_INPUT_SQUARED_NORM = 12.0
# Size of the pieces in which the moments of X are taken.
_CHUNK_BYTES = 2**26


class Scaling(NamedTuple):
    """x is standardised to (x - x_mean) * x_inverse_scale, y to (y - y_mean) / y_scale; x_mean None for sparse X."""

    x_mean: FloatArray | None
    x_inverse_scale: FloatArray
    x_squared_norm: float
    y_mean: FloatArray
    y_scale: FloatArray


class FittedNetwork(NamedTuple):
    """A network in the units of the data: X @ coefs[0] + intercepts[0], the activation, @ coefs[1] + intercepts[1]."""

    coefs: list[FloatArray]
    intercepts: list[FloatArray]


def measure_scaling(
    X: Any,
    targets: FloatArray,
    weight: FloatArray | None,
    rows: IntArray | None = None,
    *,
    center_targets: bool,
    scale_targets: bool,
) -> Scaling:
    """
    Standardise features, sparse ones by scale only, and where asked for targets.

    A constant feature is scaled by zero: it has taught nothing, so it must not count where it takes another value. A
    constant target keeps its scale. With `rows`, the others weigh nothing.

    Raises
    ------
    ValueError
        If a feature or a target varies too much for its variance to be a finite number.
    """
    if sparse.issparse(X):
        x_mean, x_scale = None, _root_mean_squares(X, weight)
        varies = x_scale > 0
    else:
        x_mean, x_scale, varies = _standardisation(X, weight, rows)
    if not np.isfinite(x_scale).all():
        raise ValueError("X holds values so large that the variance of a feature overflows; scale X down.")
    n_varying = max(int(varies.sum()), 1)
    shrink = min(1.0, np.sqrt(_INPUT_SQUARED_NORM / n_varying))
    y_mean, y_scale, _ = _standardisation(targets, weight, rows)
    if not np.isfinite(y_scale).all():
        raise ValueError("y holds values so large that its variance overflows; scale y down.")
    if not center_targets:
        y_mean = np.zeros(targets.shape[1])
    if not scale_targets:
        y_scale = np.ones(targets.shape[1])
    inverse_scale = np.divide(shrink, x_scale, out=np.zeros_like(x_scale), where=varies)
    return Scaling(x_mean, inverse_scale, shrink**2 * n_varying, y_mean, y_scale)


def _root_mean_squares(X: Any, weight: FloatArray | None) -> FloatArray:
    """Return for each column of a CSR array the root of its mean square, in float64 and infinite where it overflows."""
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    with np.errstate(over="ignore"):  # the caller refuses what is not finite
        squares = np.square(X.data, dtype=np.float64)
    if weight is not None:
        squares *= np.repeat(weight, np.diff(X.indptr))
    total = X.shape[0] if weight is None else weight.sum()
    return np.sqrt(np.bincount(X.indices, squares, minlength=X.shape[1]) / total)


def _standardisation(
    values: FloatArray, weight: FloatArray | None, rows: IntArray | None
) -> tuple[FloatArray, FloatArray, np.ndarray]:
    """Return mean and scale of each column, infinite where it overflows, and which columns vary."""
    scaler = StandardScaler()
    # Chunk by chunk, since the scaler makes copies of what it is given, and X may be larger than memory.
    n_rows = max(1, _CHUNK_BYTES // (values.shape[1] * values.dtype.itemsize))
    with np.errstate(over="ignore", invalid="ignore"):  # the caller refuses what is not finite
        for chunk in gen_batches(len(values) if rows is None else len(rows), n_rows):
            part = chunk if rows is None else rows[chunk]
            scaler.partial_fit(values[part], sample_weight=None if weight is None else weight[part])
    # The scaler leaves at one the scale of a column whose variance is nothing but rounding.
    varies = (scaler.var_ > 0) & ((scaler.scale_ != 1) | np.isclose(scaler.var_, 1))
    return scaler.mean_, np.where(np.isfinite(scaler.var_), scaler.scale_, np.inf), varies


def log_odds(targets: FloatArray, weight: FloatArray | None, *, labelwise: bool = False) -> FloatArray:
    """Return the outputs under which the log loss of constant outputs is least, for targets of zeros and ones."""
    shares = np.average(targets, axis=0, weights=weight)
    least = 0.5 / len(targets)
    if targets.shape[1] == 1 or labelwise:
        return np.log(np.maximum(shares, least)) - np.log(np.maximum(1 - shares, least))
    logs = np.log(np.maximum(shares, least))
    return logs - logs.mean()


def in_data_units(network: Network, scaling: Scaling, dtype: Any) -> FittedNetwork:
    """Fold the standardisation and the neurons' weights into the coefficients, in float64, then round to the dtype."""
    coef = network.hidden_coef.astype(np.float64) * scaling.x_inverse_scale[:, None]
    intercept = network.hidden_intercept.astype(np.float64)
    if scaling.x_mean is not None:
        intercept = intercept - scaling.x_mean @ coef
    out_coef = network.output_coef.astype(np.float64) * network.weights[:, None] * scaling.y_scale
    out_intercept = network.output_intercept.astype(np.float64) * scaling.y_scale
    return FittedNetwork(
        [coef.astype(dtype), out_coef.astype(dtype)], [intercept.astype(dtype), out_intercept.astype(dtype)]
    )
