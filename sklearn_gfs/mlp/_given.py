"""
What a path is given: how to train, on which data, and where an earlier one ended.

Here belong values only; what is done with them is in ``_prepared`` and ``_path``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_gfs._typing import FloatArray, IntArray
from sklearn_gfs.network import Moments, TrainingSettings, TrainingState

# Arrays of a number for each coefficient of a dense network that are in memory at once, and bytes of a number.
_NETWORKS, _NUMBER = 4, 4


class PathSettings(NamedTuple):
    """How to pre-train, prune and re-train; the names are those of the estimators' parameters."""

    n_hidden: int
    n_retrain: int | str
    early_stopping: bool
    validation_fraction: float | str
    selection_samples: int | str | None
    corrective: bool | str
    training: TrainingSettings
    retrain_solver: str = "auto"
    keeps_posterior: bool = False

    @property
    def retrains(self) -> bool:
        """Whether what is left is re-trained at all."""
        return isinstance(self.n_retrain, str) or self.n_retrain > 0


class PathData(NamedTuple):
    """
    What is trained on.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features), float32 or float64
    targets : ndarray of shape (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,) or None
        Samples of weight zero are as if they were not there.
    scale_targets : bool
        Whether targets are divided by their standard deviation. Those that are not are indicators of classes.
    counted : ndarray of shape (n_samples,) or None
        The weights without those of classes. Where they are multiples of a unit they are numbers of copies.
    validation : tuple of inputs, targets and weights (or None), default=None
        Samples that decide how long to re-train, in place of some held out.
    features : tuple of ndarray and int, default=None
        Which of how many features X has; None for all.
    """

    X: Any
    targets: FloatArray
    weight: FloatArray | None
    scale_targets: bool
    counted: FloatArray | None
    validation: tuple[Any, FloatArray, FloatArray | None] | None = None
    features: tuple[IntArray, int] | None = None

    def of_stored_features(self, n_hidden: int) -> PathData:
        """
        Return the data without the features that sparse X stores no value of, if that saves memory.

        Hashed words have a million features, of which most are zero in every sample. The dense network has a row of
        coefficients for each.
        """
        if not sparse.issparse(self.X):
            return self
        is_stored = np.zeros(self.X.shape[1], dtype=bool)
        is_stored[self.X.indices] = True
        stored = np.flatnonzero(is_stored)
        saved = (self.X.shape[1] - len(stored)) * n_hidden * _NETWORKS * _NUMBER
        if not len(stored) or saved <= self.X.data.nbytes + self.X.indices.nbytes:
            return self
        validation = self.validation
        if validation is not None:
            validation = (validation[0][:, stored], *validation[1:])
        return self._replace(X=self.X[:, stored], validation=validation, features=(stored, self.X.shape[1]))


class DenseState(NamedTuple):
    """All that a later path needs to go on where this one ended; NumPy only."""

    seeds: IntArray
    moments: Moments
    training: TrainingState
