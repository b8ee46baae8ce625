"""The specification of every kernel in plain loops: slow, obvious, and independent of the package."""

from __future__ import annotations

import numpy as np

TIE = 1e-12


def neurons(H, B):
    """All neurons' outputs, (n_samples, n_atoms, n_outputs), from activations and output weights."""
    return H[:, :, None] * B[None, :, :]


def squared_error(z, y, weight):
    """Mean over samples of half the squared distance."""
    return sum(w * 0.5 * np.sum((a - b) ** 2) for a, b, w in zip(z, y, weight, strict=True)) / np.sum(weight)


def greedy(atoms, y, k, loss=squared_error, weight=None, offset=0.0):
    """
    Greedy forward selection over the convex hull, trying every atom at every step.

    ``atoms`` is (n_samples, n_atoms, n_outputs) and y what the loss expects; returns picks and losses.
    """
    weight = np.ones(len(atoms)) if weight is None else weight
    picks: list[int] = []
    losses = []
    total = np.zeros((atoms.shape[0], atoms.shape[2]))
    for t in range(1, k + 1):
        tried = np.array([loss((total + atoms[:, i]) / t + offset, y, weight) for i in range(atoms.shape[1])])
        tied = np.flatnonzero(tried <= tried.min() * (1 + TIE))
        again = [i for i in tied if i in picks]
        picks.append(int(again[0] if again else tied[0]))
        total = total + atoms[:, picks[-1]]
        losses.append(tried[picks[-1]])
    return np.array(picks), np.array(losses)
