"""
From the outputs of a network of classes to probabilities: one object for each activation of the output layer.

No other module compares their names. Each loss names its output activation itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

from sklearn_gfs._typing import FloatArray


class Link(ABC):
    """Function from the outputs of a network of classes to probabilities."""

    name: str
    gives_probabilities = True

    def scores(self, outputs: FloatArray) -> FloatArray:
        """Return the scores that a prediction compares: the predicted class has the largest score."""
        return outputs

    @abstractmethod
    def of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the probabilities of classes that exclude each other, a column for each."""

    @abstractmethod
    def log_of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the logarithms of the probabilities of `of_classes`."""


class Identity(Link):
    """Outputs that are estimates of probabilities, as with the squared error."""

    name = "identity"
    gives_probabilities = False

    def of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the point of the probability simplex that is nearest to the outputs."""
        if outputs.shape[1] == 1:
            outputs = np.hstack([1 - outputs, outputs])
        return project_to_simplex(outputs)

    def log_of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the logarithms of the probabilities of `of_classes`."""
        with np.errstate(divide="ignore"):
            return np.log(self.of_classes(outputs))


class Logistic(Link):
    """Outputs that are logits: one of the second of two classes, or one for each label."""

    name = "logistic"

    def scores(self, outputs: FloatArray) -> FloatArray:
        """Return probabilities: a label is predicted if its probability is at least one half."""
        return np.asarray(expit(outputs))

    def of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the probabilities of both classes."""
        return np.hstack([expit(-outputs), expit(outputs)])

    def log_of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the logarithms of the probabilities, from the logits directly, so that they stay finite."""
        return np.hstack([log_expit(-outputs), log_expit(outputs)])


class Softmax(Link):
    """Outputs that are the logits of several classes."""

    name = "softmax"

    def of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the probabilities of the classes."""
        return np.asarray(softmax(outputs, axis=1))

    def log_of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the logarithms of the probabilities, from the logits directly, so that they stay finite."""
        return np.asarray(log_softmax(outputs, axis=1))


def inside(estimates: FloatArray) -> FloatArray:
    """Return the estimates clipped to values above 0 and below 1, so that logarithms stay finite."""
    margin = np.finfo(estimates.dtype).eps
    return np.clip(estimates, margin, 1 - margin)


def project_to_simplex(outputs: FloatArray) -> FloatArray:
    """Return for each row the nearest point of the probability simplex (Duchi et al., 2008)."""
    descending = -np.sort(-outputs, axis=1)
    excess = np.cumsum(descending, axis=1) - 1
    # The ratio grows with the number of coordinates while all of these stay positive, and then falls.
    shift = np.max(excess / np.arange(1, outputs.shape[1] + 1, dtype=outputs.dtype), axis=1, keepdims=True)
    projected: FloatArray = np.maximum(outputs - shift, 0)
    return projected


# Keys are scikit-learn's names of output activations, which `out_activation_` has, too.
LINKS: dict[str, Link] = {link.name: link for link in (Identity(), Logistic(), Softmax())}
