"""
Whether extreme targets come with extreme features, so that neurons must not saturate.

Arrays in, a yes or no out; which activation follows is in ``_targets``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from sklearn_gfs._chunks import PIECE_BYTES, row_chunks
from sklearn_gfs._typing import FloatArray

# A target so many standard deviations from its mean is extreme, and so is a feature.
_FAR_TARGET, _FAR_FEATURE = 6.0, 5.0
# So many samples of the most extreme targets are asked for their features.
_ASKED = 3


def grows_with_tails(X: FloatArray, targets: FloatArray, weight: FloatArray | None) -> bool:
    """
    Say whether a target is extreme somewhere, and the samples where it is most so have an extreme feature each.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    targets : ndarray of shape (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,) or None
        Samples that weigh nothing are not there.
    """
    rows = np.arange(len(X)) if weight is None else np.flatnonzero(weight)
    far = [_far_samples(column) for column in targets[rows].T]
    if not any(map(len, far)):
        return False
    scaler = StandardScaler()
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused later
        for chunk in row_chunks(len(rows), X.shape[1] * 8, PIECE_BYTES):
            scaler.partial_fit(X[rows[chunk]])
        return any(
            bool((np.abs(scaler.transform(X[rows[some]])).max(axis=1) >= _FAR_FEATURE).all())
            for some in far
            if len(some)
        )


def _far_samples(target: FloatArray) -> Any:
    """Return the samples of the most extreme numbers; none where no number is extreme."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        distance = np.abs(target - target.mean(dtype=np.float64)) / target.std(dtype=np.float64)
    order = np.argsort(-distance, kind="stable")[:_ASKED]
    return order if distance[order[0]] >= _FAR_TARGET else order[:0]
