"""The softmax of outputs of the classes, from which both searches for the log loss start."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sklearn_gfs._typing import Float64Array


class Softmax(NamedTuple):
    """
    What the loss and its slopes need; all arrays have the dimensions of the outputs.

    Parameters
    ----------
    full : ndarray
        Logits of all classes.
    p : ndarray
        Probabilities of all classes.
    top : ndarray
        Largest logit of each sample.
    log_norm : ndarray
        Logarithm of the sum of the exponentials of the logits, each less the largest.
    """

    full: Float64Array
    p: Float64Array
    top: Float64Array
    log_norm: Float64Array


def softmax(outputs: Float64Array, axis: int) -> Softmax:
    """Return the softmax over the classes, along this axis; a single output is the logit of the second of two."""
    full = np.concatenate([np.zeros_like(outputs), outputs], axis=axis) if outputs.shape[axis] == 1 else outputs
    top = full.max(axis=axis, keepdims=True)
    p = full - top
    np.exp(p, out=p)
    norm = p.sum(axis=axis, keepdims=True)
    p /= norm
    return Softmax(full, p, top, np.log(norm))
