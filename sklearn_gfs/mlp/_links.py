"""
From the outputs of a network of classes to probabilities: one object for each activation of the output layer.

No other module compares their names; which loss has which is the loss's own affair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

from sklearn_gfs._typing import FloatArray


class Link(ABC):
    """What turns the outputs of a network of classes into probabilities."""

    name: str
    gives_probabilities = True

    def scores(self, outputs: FloatArray) -> FloatArray:
        """Return what a prediction compares: of classes that exclude each other the largest number wins."""
        return outputs

    @abstractmethod
    def of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the probabilities of classes that exclude each other, a column for each."""

    @abstractmethod
    def log_of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the logarithms of these."""


class Identity(Link):
    """Outputs that are estimates of probabilities themselves, as those of the squared error are."""

    name = "identity"
    gives_probabilities = False

    def of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the nearest probabilities."""
        if outputs.shape[1] == 1:
            outputs = np.hstack([1 - outputs, outputs])
        return project_to_simplex(outputs)

    def log_of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the logarithms of these."""
        with np.errstate(divide="ignore"):
            return np.log(self.of_classes(outputs))


class Logistic(Link):
    """Outputs that are logits, of the second of two classes or of labels one by one."""

    name = "logistic"

    def scores(self, outputs: FloatArray) -> FloatArray:
        """Return probabilities, as a label is predicted from one half on."""
        return np.asarray(expit(outputs))

    def of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the probabilities of both classes."""
        return np.hstack([expit(-outputs), expit(outputs)])

    def log_of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the logarithms of these, without the detour."""
        return np.hstack([log_expit(-outputs), log_expit(outputs)])


class Softmax(Link):
    """Outputs that are the logits of several classes."""

    name = "softmax"

    def of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the probabilities of the classes."""
        return np.asarray(softmax(outputs, axis=1))

    def log_of_classes(self, outputs: FloatArray) -> FloatArray:
        """Return the logarithms of these, without the detour."""
        return np.asarray(log_softmax(outputs, axis=1))


def inside(estimates: FloatArray) -> FloatArray:
    """Return probabilities of labels one by one: none is impossible or certain, so that logarithms stay finite."""
    margin = np.finfo(estimates.dtype).eps
    return np.clip(estimates, margin, 1 - margin)


def project_to_simplex(outputs: FloatArray) -> FloatArray:
    """Return for each row the nearest point of the probability simplex (Duchi et al., 2008)."""
    descending = -np.sort(-outputs, axis=1)
    excess = np.cumsum(descending, axis=1) - 1
    # The ratio grows with the number of coordinates as long as all of them stay positive, and falls from there on.
    shift = np.max(excess / np.arange(1, outputs.shape[1] + 1, dtype=outputs.dtype), axis=1, keepdims=True)
    projected: FloatArray = np.maximum(outputs - shift, 0)
    return projected


# By scikit-learn's names, which are those of `out_activation_`.
LINKS: dict[str, Link] = {link.name: link for link in (Identity(), Logistic(), Softmax())}
