"""
The units of training: features and targets are standardised, and fitted networks converted to the units of the data.

Nothing here trains, and nothing here knows estimators.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from sklearn_gfs._chunks import PIECE_BYTES, row_chunks

from ._standardisation import Standardisation, named_columns, warn_of_lost_digits

if TYPE_CHECKING:
    from sklearn_gfs._typing import FloatArray, IntArray

    from ._parameters import Network

# Largest mean squared norm of the inputs; larger standardised inputs are multiplied by a factor below one. With many
# features, a step of the same length in every coordinate would otherwise move pre-activations too far.
_INPUT_SQUARED_NORM = 12.0

# Largest factor, and inverse of the least, by which a weight of a network changes when scales change. A larger change
# comes from samples that were too few to estimate scales.
_MOST_RESCALED = 4.0

# Share of values other than the more common one of a feature's least and largest value, below which values are rare.
_COMMON = 0.5
# Factor between the size of a feature's rare values and the median size, from which the size has no effect. Smaller
# differences, as between weights of words, are kept; larger ones are differences of units.
_UNITS = 100.0
# Least variance that float64 holds with all digits.
_LEAST_VARIANCE = np.finfo(np.float64).tiny
# Number of samples that are examined first to find features that may be constant.
_FIRST_FEW = 64


class Edges(NamedTuple):
    """The least and the largest values of features, and the shares of the samples that have them."""

    least: FloatArray
    largest: FloatArray
    at_least: FloatArray
    at_largest: FloatArray

    def joined(self, other: Edges, share: float) -> Edges:
        """Return the edges of these samples and others together; `share` is the other samples' share."""
        least, largest = np.minimum(self.least, other.least), np.maximum(self.largest, other.largest)
        shares = (1 - share, share)
        both = list(zip((self, other), shares, strict=True))
        at_least = sum(part * one.at_least * (one.least == least) for one, part in both)
        at_largest = sum(part * one.at_largest * (one.largest == largest) for one, part in both)
        return Edges(least, largest, np.asarray(at_least), np.asarray(at_largest))

    @property
    def rarity(self) -> FloatArray:
        """The share of values other than the more common edge, over `_COMMON`; one if values are not rare."""
        others = 1 - np.maximum(self.at_least, self.at_largest)
        return np.asarray(np.clip(others / _COMMON, np.finfo(np.float64).eps, 1))

    def differ(self, n_samples: float) -> np.ndarray:
        """Return which features of a dense X have values that differ by more than rounding in a sum of samples."""
        with np.errstate(over="ignore"):  # such values are refused
            spread = self.largest - self.least
        size = np.maximum(np.abs(self.least), np.abs(self.largest))
        return np.asarray(spread > n_samples * np.finfo(np.float64).eps * size)


class Moments(NamedTuple):
    """Means and variances of features and targets, for the standardisation; `x_mean` is None for sparse X."""

    n_seen: float
    x_mean: FloatArray | None
    x_variance: FloatArray  # for sparse X the mean squares
    x_varies: np.ndarray
    x_edges: Edges  # for sparse X the shares of zeros only
    y_mean: FloatArray
    y_variance: FloatArray
    y_varies: np.ndarray


class Scaling(NamedTuple):
    """
    How inputs and targets are standardised, and the mean squared norm of standardised inputs.

    y is standardised to (y - y_mean) / y_scale. With many features the inputs are multiplied by `x_shrink`, so that
    their norm is not too large. If the inputs are only some features of the data, `features` has their indices and the
    number of all. `y_known` marks targets that are constant; None if no target is.
    """

    inputs: Standardisation
    x_squared_norm: float
    x_shrink: float
    y_mean: FloatArray
    y_scale: FloatArray
    features: tuple[IntArray, int] | None = None
    y_known: np.ndarray | None = None

    @property
    def output_scale(self) -> FloatArray:
        """Factor from outputs to the units of the data: zero for a constant target."""
        return self.y_scale if self.y_known is None else np.where(self.y_known, 0.0, self.y_scale)

    def warn_of_digits(self, dtype: np.dtype[Any], y_varies: np.ndarray) -> None:
        """Warn of features and targets whose variation, relative to their means, is lost in this precision."""
        if self.inputs.mean is not None:
            warn_of_lost_digits("X", self.inputs.mean * self.inputs.inverse_scale, dtype)
        warn_of_lost_digits("y", np.where(y_varies, self.y_mean / self.y_scale, 0.0), dtype)


class FittedNetwork(NamedTuple):
    """A network in the units of the data: X @ coefs[0] + intercepts[0], the activation, @ coefs[1] + intercepts[1]."""

    coefs: list[FloatArray]
    intercepts: list[FloatArray]


def measure_moments(
    X: Any,
    targets: FloatArray,
    weight: FloatArray | None = None,
    rows: IntArray | None = None,
    *,
    n_copies: float | None = None,
    earlier: Moments | None = None,
) -> Moments:
    """
    Return the moments of these samples, together with those of earlier ones.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,), default=None
    rows : ndarray of shape (n_rows,), default=None
        Indices of the samples that are used; the others have weight zero. None for all.
    n_copies : float, default=None
        Number of samples with their copies; None for the number of rows.
    earlier : Moments, default=None
        Moments of earlier samples. If given, they decide whether X is centred.
    """
    n_rows = float(X.shape[0] if rows is None else len(rows))
    n_copies = n_rows if n_copies is None else n_copies
    n_before = earlier.n_seen if earlier else 0.0
    if weight is not None:
        weight = weight * (n_copies / (weight if rows is None else weight[rows]).sum())
    else:
        n_before *= n_rows / n_copies  # without weights the scaler counts rows
    of_targets = _scaler(earlier and (n_before, earlier.y_mean, earlier.y_variance))
    y_mean, y_variance, y_varies = _mean_and_variance(of_targets, targets, weight, rows)
    y_mean = _exact_constants(y_mean, y_varies, targets, weight, rows, earlier)
    y = y_mean, y_variance, y_varies
    n_seen = n_copies + (earlier.n_seen if earlier else 0.0)
    share = n_copies / n_seen
    if earlier.x_mean is not None if earlier else not sparse.issparse(X):
        of_features = _scaler(earlier and (n_before, earlier.x_mean, earlier.x_variance))
        x_mean, x_variance, varies = _mean_and_variance(of_features, X, weight, rows)
        edges = _edges(X, weight, rows)
        edges = earlier.x_edges.joined(edges, share) if earlier else edges
        varies |= (x_variance < _LEAST_VARIANCE) & edges.differ(n_seen)
        return Moments(n_seen, x_mean, x_variance, varies, edges, *y)
    mean_squares, edges = _mean_squares(X, weight)
    varies = ((mean_squares > 0) | (edges.at_least < 1)) & ~_stored_constants(X, weight)
    if earlier:
        varies |= earlier.x_varies | ~np.isclose(mean_squares, earlier.x_variance, rtol=1e-9, atol=0.0)
        mean_squares = share * mean_squares + (1 - share) * earlier.x_variance
        edges = earlier.x_edges.joined(edges, share)
    return Moments(n_seen, None, mean_squares, varies, edges, *y)


def refuse_tiny(moments: Moments, dtype: np.dtype[Any], features: IntArray | None = None) -> None:
    """
    Raise an error for features that vary, but by so little that a variance underflows, or a scale in this dtype.

    Columns are named by their indices in `features`, if given.
    """
    least = max(math.sqrt(_LEAST_VARIANCE), np.finfo(dtype).tiny)
    tiny = np.flatnonzero(moments.x_varies & (np.sqrt(moments.x_variance) < least))
    if len(tiny):
        raise ValueError(
            f"{named_columns('X', tiny if features is None else features[tiny])} hold values so small that a variance "
            f"underflows in {dtype}. Scale them up, or leave them out."
        )


def share_of_values(moments: Moments) -> float:
    """Return the share of sparse inputs that differ from zero, among features that vary; one for an array."""
    if moments.x_mean is not None or not moments.x_varies.any():
        return 1.0
    return float(1 - moments.x_edges.at_least[moments.x_varies].mean())


def scaling_of(moments: Moments, *, center_targets: bool, scale_targets: bool) -> Scaling:
    """
    Return the scaling of features, sparse ones by scale only, and of targets as the arguments say.

    A constant feature is scaled by zero: nothing is learnt about it, so another value in later data must have no
    effect. A constant target has a scale of one. If it is centred, fitted networks return its mean. Features are scaled
    to a variance of one. Features with rare values, such as the indicator of a category or the count of a word, are
    scaled to a smaller variance.

    Raises
    ------
    ValueError
        If a feature or a target varies too much for its variance to be a finite number.
    """
    for name, variance in (("X", moments.x_variance), ("y", moments.y_variance)):
        if not np.isfinite(variance).all():
            raise ValueError(f"{name} holds values so large that a variance overflows; scale {name} down.")
    variance = _standardised_variance(moments)
    squared_norm = variance[moments.x_varies].sum() if moments.x_varies.any() else 1.0
    shrink = min(1.0, math.sqrt(_INPUT_SQUARED_NORM / squared_norm))
    x_scale = np.sqrt(moments.x_variance)
    inverse_scale = np.divide(shrink * np.sqrt(variance), x_scale, out=np.zeros_like(x_scale), where=moments.x_varies)
    y_mean = moments.y_mean if center_targets else np.zeros_like(moments.y_mean)
    y_scale = np.where(moments.y_varies & scale_targets, np.sqrt(moments.y_variance), 1.0)
    inputs = Standardisation(moments.x_mean, inverse_scale)
    y_known = ~moments.y_varies if center_targets else None
    return Scaling(inputs, shrink**2 * squared_norm, shrink, y_mean, y_scale, y_known=y_known)


def _standardised_variance(moments: Moments) -> FloatArray:
    """
    Return the variances of standardised features: one, or for rare values the variance of rare values of size one.

    Differences of size between the rare values of features are kept, within the limit `_UNITS`.
    """
    variance = moments.x_edges.rarity
    rare = moments.x_varies & (variance < 1)
    if rare.any():
        size = 0.5 * np.log(moments.x_variance[rare] / variance[rare])
        size -= np.median(size)
        variance[rare] *= np.exp(2 * size * np.maximum(0, 1 - np.abs(size) / np.log(_UNITS)))
    return variance


def rescaled(network: Network, before: Scaling, after: Scaling, y_varied: np.ndarray) -> Network:
    """
    Return the network that has the same predictions with the scaling `after` as this network has with `before`.

    The change of a weight is limited to the factor `_MOST_RESCALED`. Weights stay as they are for a feature or a target
    that varies only now; `y_varied` marks the targets that varied before. Such weights had learnt nothing from the few
    earlier samples, and a very large or small weight could not learn.
    """
    (mean_before, inverse_before), (mean_after, inverse_after) = before.inputs, after.inputs
    inverse = np.where(inverse_before > 0, inverse_before, inverse_after)
    factor = np.divide(inverse, inverse_after, out=np.ones_like(inverse), where=inverse_after > 0)
    coef = network.hidden_coef * np.clip(factor, 1 / _MOST_RESCALED, _MOST_RESCALED)[:, None]
    intercept = network.hidden_intercept.astype(np.float64)
    if mean_before is not None and mean_after is not None:
        shift = (mean_after - mean_before) * inverse_after
        intercept = intercept + np.where(inverse_before > 0, shift, 0.0) @ coef
    factor = np.where(y_varied, before.y_scale / after.y_scale, 1.0)
    factor = np.clip(factor, 1 / _MOST_RESCALED, _MOST_RESCALED)
    dtype = network.hidden_coef.dtype
    return network._replace(
        hidden_coef=coef.astype(dtype),
        hidden_intercept=intercept.astype(dtype),
        output_coef=(network.output_coef * factor).astype(dtype),
        output_intercept=(network.output_intercept * factor + (before.y_mean - after.y_mean) / after.y_scale).astype(
            dtype
        ),
    )


def _mean_squares(X: Any, weight: FloatArray | None) -> tuple[FloatArray, Edges]:
    """Return the mean square of each column, in float64 and infinite after an overflow, and the shares of zeros."""
    X = sparse.csr_array(X)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    mean_squares, shares = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    row_bytes = 8 * X.nnz / max(X.shape[0], 1) + 1
    for rows in row_chunks(X.shape[0], row_bytes, PIECE_BYTES):  # X may fill most of the memory
        stored = slice(*X.indptr[[rows.start, rows.stop]])
        with np.errstate(over="ignore"):  # the caller refuses values that are not finite
            squares = np.square(X.data[stored], dtype=np.float64)
        others = (X.data[stored] != 0).astype(np.float64)
        if weight is not None:
            of_entries = np.repeat(weight[rows], np.diff(X.indptr[rows.start : rows.stop + 1]))
            squares *= of_entries
            others *= of_entries
        mean_squares += np.bincount(X.indices[stored], squares, minlength=X.shape[1])
        shares += np.bincount(X.indices[stored], others, minlength=X.shape[1])
    total, zero = float(X.shape[0] if weight is None else weight.sum()), np.zeros(X.shape[1])
    at_zero = 1 - shares / total
    return mean_squares / total, Edges(zero, zero, at_zero, at_zero)


def _stored_constants(X: Any, weight: FloatArray | None) -> np.ndarray:
    """Return which sparse columns have one nonzero value in all samples of positive weight."""
    X = sparse.csr_array(X)
    if weight is not None and not weight.all():
        X = X[np.flatnonzero(weight)]
    found, first = np.zeros(X.shape[1], dtype=bool), X[:_FIRST_FEW]
    if first.shape[0]:
        columns = np.flatnonzero(np.bincount(first.indices, minlength=X.shape[1]) >= first.shape[0])
        for part in (first, X):  # most columns differ in the first few samples
            some = part[:, columns].toarray()
            columns = columns[(some[0] != 0) & (some == some[0]).all(axis=0)]
        found[columns] = True
    return found


def _edges(X: Any, weight: FloatArray | None, rows: IntArray | None) -> Edges:
    """Return the edges of these samples."""
    n_rows, n_done = X.shape[0] if rows is None else len(rows), 0.0
    none, nowhere = np.zeros(X.shape[1]), np.full(X.shape[1], np.inf)
    found = Edges(nowhere, -nowhere, none, none)
    for chunk in row_chunks(n_rows, X.shape[1] * 8, PIECE_BYTES):
        some = chunk if rows is None else rows[chunk]
        part = X[some].toarray() if sparse.issparse(X) else X[some]
        of_rows = np.ones(len(part)) if weight is None else weight[some]
        edges = part.min(axis=0), part.max(axis=0)
        n_more = float(of_rows.sum())
        more = Edges(*edges, *(of_rows @ (part == edge) / n_more for edge in edges))
        n_done += n_more
        found = found.joined(more, n_more / n_done)
    return found


def _scaler(known: tuple[float, FloatArray | None, FloatArray] | None) -> StandardScaler:
    """Return scikit-learn's scaler in its state after samples of this number, mean and variance."""
    scaler = StandardScaler()
    if known is not None:
        n_features = len(known[2])
        scaler.n_samples_seen_, scaler.mean_, scaler.var_ = np.full(n_features, known[0]), *known[1:]
        scaler.n_features_in_, scaler.scale_ = n_features, np.sqrt(known[2])
    return scaler


def _mean_and_variance(
    scaler: StandardScaler, values: Any, weight: FloatArray | None, rows: IntArray | None
) -> tuple[FloatArray, FloatArray, np.ndarray]:
    """Return mean and variance of each column, infinite after an overflow, and which columns vary."""
    # In pieces, because the scaler copies its input, and X may be larger than memory.
    n_rows, row_bytes = values.shape[0] if rows is None else len(rows), values.shape[1] * 8
    with np.errstate(over="ignore", invalid="ignore"):  # the caller refuses values that are not finite
        for chunk in row_chunks(n_rows, row_bytes, PIECE_BYTES):
            some = chunk if rows is None else rows[chunk]
            part = values[some].toarray() if sparse.issparse(values) else values[some]
            part = part.astype(np.float32) if part.dtype == bool else part
            scaler.partial_fit(part, sample_weight=None if weight is None else weight[some])
    # The scaler sets the scale of a column to one if its variance is only rounding.
    varies = (scaler.var_ > 0) & ((scaler.scale_ != 1) | np.isclose(scaler.var_, 1))
    # Rounding may leave a variance just below zero.
    return scaler.mean_, np.where(np.isfinite(scaler.var_), np.maximum(scaler.var_, 0.0), np.inf), varies


def _exact_constants(
    y_mean: FloatArray,
    y_varies: np.ndarray,
    targets: FloatArray,
    weight: FloatArray | None,
    rows: IntArray | None,
    earlier: Moments | None,
) -> FloatArray:
    """Return the means of targets; for constant targets the exact value, without the rounding of a sum."""
    columns = np.flatnonzero(~y_varies)
    if not len(columns):
        return y_mean
    used = np.arange(len(targets)) if rows is None else rows
    used = used if weight is None else used[weight[used] > 0]
    some = targets[np.ix_(used, columns)]
    is_constant = (some == some[0]).all(axis=0)
    if earlier is not None:
        is_constant &= earlier.y_mean[columns] == some[0]
    y_mean = y_mean.copy()
    y_mean[columns[is_constant]] = some[0, is_constant]
    return y_mean


def in_data_units(network: Network, scaling: Scaling, dtype: Any) -> FittedNetwork:
    """
    Return the network in the units of the data, rounded from float64 to the dtype.

    The standardisation and the neurons' weights are folded into the coefficients. Features that the network was not
    trained on get coefficients of zero, and so do outputs of constant targets, which return the mean.
    """
    coef, intercept = scaling.inputs.folded_into(
        network.hidden_coef.astype(np.float64), network.hidden_intercept.astype(np.float64)
    )
    out_coef = network.output_coef.astype(np.float64) * network.weights[:, None] * scaling.output_scale
    out_intercept = network.output_intercept.astype(np.float64) * scaling.output_scale
    if scaling.features is not None:
        known, n_features = scaling.features
        some, coef = coef, np.zeros((n_features, coef.shape[1]), dtype=dtype)
        coef[known] = some
    return FittedNetwork(
        [coef.astype(dtype, copy=False), out_coef.astype(dtype)], [intercept.astype(dtype), out_intercept.astype(dtype)]
    )
