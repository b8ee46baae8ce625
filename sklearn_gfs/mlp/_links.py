"""
From the outputs of a network of classes to probabilities: one object for each activation of the output layer.

No other module compares their names; which loss has which is the loss's own affair.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

from sklearn_gfs._typing import FloatArray


class Identity:
    """Outputs that are estimates of probabilities themselves, as those of the squared error are."""

    name = "identity"
    gives_probabilities = False

    def estimates(self, outputs: FloatArray) -> FloatArray:
        """Return estimates of probabilities, which need be none."""
        return outputs

    def of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the probabilities of classes that exclude each other, a column for each."""
        if outputs.shape[1] == 1:
            outputs = np.hstack([1 - outputs, outputs])
        return project_to_simplex(outputs)

    def log_of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the logarithms of these."""
        with np.errstate(divide="ignore"):
            return np.log(self.of_classes(outputs))

    def of_labels(self, outputs: FloatArray) -> FloatArray:
        """Return the probability of each label; none is impossible or certain, so that logarithms stay finite."""
        margin = np.finfo(outputs.dtype).eps
        return np.clip(self.estimates(outputs), margin, 1 - margin)


class Logistic(Identity):
    """Outputs that are logits, of the second of two classes or of labels one by one."""

    name = "logistic"
    gives_probabilities = True

    def estimates(self, outputs: FloatArray) -> FloatArray:
        """Return probabilities."""
        return np.asarray(expit(outputs))

    def of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the probabilities of both classes."""
        return np.hstack([expit(-outputs), expit(outputs)])

    def log_of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the logarithms of these, without the detour."""
        return np.hstack([log_expit(-outputs), log_expit(outputs)])


class Softmax(Identity):
    """Outputs that are the logits of several classes."""

    name = "softmax"
    gives_probabilities = True

    def of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the probabilities of the classes."""
        return np.asarray(softmax(outputs, axis=1))

    def log_of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the logarithms of these, without the detour."""
        return np.asarray(log_softmax(outputs, axis=1))


def project_to_simplex(outputs: FloatArray) -> FloatArray:
    """Return for each row the nearest point of the probability simplex (Duchi et al., 2008)."""
    descending = -np.sort(-outputs, axis=1)
    excess = np.cumsum(descending, axis=1) - 1
    # The ratio grows with the number of coordinates as long as all of them stay positive, and falls from there on.
    shift = np.max(excess / np.arange(1, outputs.shape[1] + 1, dtype=outputs.dtype), axis=1, keepdims=True)
    projected: FloatArray = np.maximum(outputs - shift, 0)
    return projected


# By scikit-learn's names, which are those of `out_activation_`.
LINKS: dict[str, Identity] = {link.name: link for link in (Identity(), Logistic(), Softmax())}
