"""
The inputs of a training path: settings, data, and the state in which an earlier path ended.

Here belong values only; ``_prepared`` and ``_path`` use them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_gfs._typing import FloatArray, IntArray
from sklearn_gfs.network import Moments, TrainingSettings, TrainingState

# Number of arrays, each with a value per coefficient of the dense network, that are in memory at once in training.
_NETWORKS = 4
# Bytes of one of these values, which are float32.
_NUMBER = 4


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
        """Whether the subnetwork is re-trained at all."""
        return isinstance(self.n_retrain, str) or self.n_retrain > 0


class PathData(NamedTuple):
    """
    The data of a training path.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features), float32 or float64
    targets : ndarray of shape (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,) or None
        Samples of weight zero have no effect.
    scale_targets : bool
        Whether targets are continuous and divided by their standard deviation; if not, they are indicators of classes.
    counted : ndarray of shape (n_samples,) or None
        The weights without the factors of the classes. If they are multiples of a unit, they are numbers of copies.
    validation : tuple of inputs, targets and weights (or None), default=None
        Samples that decide how long to re-train, in place of held-out samples.
    features : tuple of ndarray and int, default=None
        Indices of the features that X has, and the number of all features; None if X has all.
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
        Return the data without the features for which a sparse X stores no value, if that saves memory.

        Hashed words have a million features, and most are zero in every sample. The dense network would have a row of
        coefficients for each of these.
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
    """The state from which a later path continues this one; NumPy only."""

    seeds: IntArray
    moments: Moments
    training: TrainingState
