"""
Standardised columns: their units, which of them vary, and a selection among these in terms of all columns as they are.

Columns come as samples or as means over samples. How a source of inner products standardises what it reads is in
``_gram_standardized``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sklearn_gfs._chunks import row_chunks, working_memory
from sklearn_gfs._typing import Float64Array, GreedyPath

from ._automatic_radius import TIE
from ._gram import ArrayAtoms, Moments
from ._gram_standardized import StandardizedAtoms, StandardizedSparseAtoms, shifted
from ._gram_sums import GramAtoms, as_source
from ._protocol import Source
from ._sample_moments import SampleMoments

# Size of the pieces, in which columns are standardised: temporary arrays stay in a core's own cache.
_COPY_BYTES = 2**18


class StandardizedColumns(NamedTuple):
    """
    The columns that vary, less their mean and over their standard deviation, and the units of all columns.

    Parameters
    ----------
    source : Source
        Inner products of the columns that vary, and of y less its mean.
    varying : ndarray of shape (n_varying,)
        Indices of these columns.
    mean, scale : ndarray of shape (n_columns,)
        Mean and standard deviation of every column.
    mean_y : ndarray of shape (n_targets,)
        Mean of every target.
    """

    source: Source
    varying: NDArray[np.int64]
    mean: Float64Array
    scale: Float64Array
    mean_y: Float64Array

    def of_all(self, path: GreedyPath) -> GreedyPath:
        """Return the path of a selection among the columns that vary in terms of all columns."""
        counts = np.zeros(len(self.mean), dtype=np.int64)
        counts[self.varying] = path.counts
        weights = np.zeros((len(self.mean), *path.weights.shape[1:]))
        weights[self.varying] = path.weights
        return path._replace(picks=self.varying[path.picks], counts=counts, weights=weights)

    def nearest_first(self) -> NDArray[np.int64]:
        """Return all columns, those that correlate most with y first, those that don't vary last; equals in order."""
        moments, nearness = self.source.moments(), np.full(len(self.mean), -1.0)
        nearness[self.varying] = np.sqrt((moments.c**2).sum(axis=0) / moments.norms)
        largest, tie = np.inf, TIE * float(np.sqrt(moments.target_norm))
        for column in self.varying[np.argsort(-nearness[self.varying])]:
            if nearness[column] >= largest - tie:
                nearness[column] = largest
            largest = nearness[column]
        return np.argsort(-nearness, kind="stable")

    def in_own_units(self, weights: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Return coefficients and intercept, for columns as they are, from weights of all standardised columns."""
        coef = np.zeros_like(weights)
        coef[self.varying] = (weights[self.varying].T / self.scale[self.varying]).T
        return coef, self.mean_y - self.mean @ coef


def standardized_samples(X: Any, y: Float64Array, weight: Float64Array | None, *, refusal: str) -> StandardizedColumns:
    """Return standardised samples; raise an error with the text `refusal` if no column varies."""
    X, mean, scale, pivot = _mean_and_scale(X, weight)
    mean_y = np.average(y, axis=0, weights=weight)
    varying = _varying(mean + pivot, scale, refusal)
    source = _source(X, y - mean_y, weight, (mean, scale), varying)
    return StandardizedColumns(source, varying, mean + pivot, scale, mean_y)


def standardized_moments(moments: SampleMoments, *, refusal: str) -> StandardizedColumns:
    """Return standardised means over samples; raise an error with the text `refusal` if no column varies."""
    scale = np.sqrt(np.maximum(np.diagonal(moments.gram), 0.0))
    varying = _varying(moments.mean_atoms, scale, refusal)
    gram = moments.gram[np.ix_(varying, varying)]
    gram /= scale[varying]
    gram /= scale[varying, None]
    products = Moments(moments.c[:, varying] / scale[varying], np.ones(len(varying)), moments.target_norms.sum())
    source = as_source(GramAtoms(gram, products))
    return StandardizedColumns(source, varying, moments.mean_atoms, scale, moments.mean_y)


def _varying(mean: Float64Array, scale: Float64Array, refusal: str) -> NDArray[np.int64]:
    """Return the indices of the columns that vary by more than the rounding of their mean, which is float64."""
    varying = np.flatnonzero(scale > 10 * np.finfo(np.float64).eps * np.abs(mean))
    if not len(varying):
        raise ValueError(refusal)
    return varying


def _mean_and_scale(X: Any, weight: Float64Array | None) -> tuple[Any, Float64Array, Float64Array, Float64Array]:
    """
    Return X, mean and standard deviation of every column in float64, and what the columns were shifted by.

    Only sparse columns far from zero are shifted; of a dense array the second pass goes about the first's means.
    """
    n_samples, n_features = X.shape
    share = np.full(n_samples, 1.0 / n_samples) if weight is None else weight / weight.sum()
    mean, rest, squares, pivot = np.zeros((4, n_features))
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused below
        if sparse.issparse(X):
            X, pivot = shifted(X, share)
            rest, squares = X.T @ share, X.multiply(X).T @ share
        else:
            blocks = list(row_chunks(n_samples, 8 * n_features))
            for rows in blocks:
                mean += share[rows] @ X[rows].astype(np.float64, copy=False)
            for rows in blocks:
                deviation = X[rows] - mean
                rest += share[rows] @ deviation
                deviation *= deviation
                squares += share[rows] @ deviation
        # Without the second term, the rounding of a mean could make a constant column vary.
        scale = np.sqrt(np.maximum(squares - rest**2, 0.0))
    if not np.isfinite(scale).all():
        raise ValueError("X holds values so large that the variance of a column overflows; scale X down")
    return X, mean + rest, scale, pivot


def _source(
    X: Any,
    y: Float64Array,
    weight: Float64Array | None,
    units: tuple[Float64Array, Float64Array],
    varying: NDArray[np.int64],
) -> ArrayAtoms:
    """Return the source of columns that vary, standardised once if a copy fits into working memory, else when read."""
    mean, scale = units
    if len(varying) < X.shape[1]:
        X, mean, scale = X[:, varying], mean[varying], scale[varying]
    if sparse.issparse(X):
        return StandardizedSparseAtoms(X, y, weight, mean=mean, scale=scale)
    if X.nbytes > working_memory():
        return StandardizedAtoms(X, y, weight, mean=mean, scale=scale)
    standardized = np.empty(X.shape, dtype=X.dtype)
    for rows in row_chunks(X.shape[0], 8 * X.shape[1], _COPY_BYTES):
        standardized[rows] = (X[rows] - mean) / scale
    return ArrayAtoms(standardized, y, weight)
