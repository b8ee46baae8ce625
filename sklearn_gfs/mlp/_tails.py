"""
Whether extreme targets come with extreme features, so that neurons must not saturate.

Arrays in, a yes or no out; ``_targets`` chooses the activation accordingly.
"""

from __future__ import annotations

import numpy as np

from sklearn_gfs._typing import FloatArray, IntArray
from sklearn_gfs.network import measure_moments

# Distance from the mean, in standard deviations, from which a target is extreme.
_FAR_TARGET = 6.0
# The same distance of a feature.
_FAR_FEATURE = 5.0
# Number of samples with the most extreme targets whose features are examined.
_ASKED = 3


def grows_with_tails(X: FloatArray, targets: FloatArray, weight: FloatArray | None) -> bool:
    """
    Say whether a target has extreme values, and each sample of its most extreme values has an extreme feature.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,) or None
        Samples of weight zero have no effect.
    """
    rows = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
    far = [rows[some] for some in map(_far_samples, targets[rows].T) if len(some)]
    if not far:
        return False
    moments = measure_moments(X, targets, rows=rows)
    assert moments.x_mean is not None  # X is dense
    scale = np.where(moments.x_varies, np.sqrt(moments.x_variance), np.inf)
    distances = (np.abs((X[some] - moments.x_mean) / scale).max(axis=1) for some in far)
    return any(bool((distance >= _FAR_FEATURE).all()) for distance in distances)


def _far_samples(target: FloatArray) -> IntArray:
    """Return the indices of the samples of the most extreme values; empty if no value is extreme."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # values that are not finite are refused later
        distance = np.abs(target - target.mean(dtype=np.float64)) / target.std(dtype=np.float64)
    if not distance.max() >= _FAR_TARGET:
        return np.empty(0, dtype=np.intp)
    return np.argsort(-distance, kind="stable")[:_ASKED]
