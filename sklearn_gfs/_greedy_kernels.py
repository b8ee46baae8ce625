"""
The inner loops of greedy forward selection: arrays in, arrays out.

Here belong the compiled loops, and the one way in which the package compiles a loop. They know no
estimator, validate nothing and allocate only work space; what a Gram column costs, and when to
compute one, is decided by their callers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

# Why a kernel handed control back.
DONE = 0  # all the picks asked for
NEEDS_COLUMN = 1  # the Gram column of the next pick is not there
CONVERGED = 2  # the gap fell to tol
IMPRECISE = 3  # the loss is too small a difference of the statistics

# Running scalars of a selection, kept in one array so that kernels can update them.
SQUARED_NORM = 0  # <z, z>, z the sum of the picks
TARGET_PRODUCT = 1  # <z, y>
PICKED_NORMS = 2  # sum of the squared norms of the picks


def jit(function: Callable[..., Any]) -> Any:
    """Compile a serial loop that releases the GIL; cached on disk where a cache can be written."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no directory to write a cache to
        return numba.njit(nogil=True)(function)


@jit
def choose(scores, counts, tolerance):
    """Index of the least score; within the tolerance a picked atom wins, then the lowest index."""
    least = scores[0]
    for i in range(1, scores.shape[0]):
        least = min(least, scores[i])
    first = -1
    for i in range(scores.shape[0]):
        if scores[i] <= least + tolerance:
            if counts[i] > 0:
                return i
            if first < 0:
                first = i
    return first


@jit
def scores_of(t, signed, radius, c, norms, s, slopes, scores):
    """
    Criterion of every atom for pick t, and the size of the slope it came from.

    With Z the sum of the picks, s = <x_i, Z> and c = <x_i, Y>, adding radius * x_i v' changes ||Z - tY||^2
    by 2 radius <s_i - t c_i, v> + radius^2 ||x_i||^2 at ||v|| = 1. ``signed`` leaves v free, so that the
    best is opposite to the slope; otherwise v is 1.
    """
    n_directions, n_atoms = c.shape
    if signed:
        for i in range(n_atoms):
            slopes[i] = 0.0
        for o in range(n_directions):
            for i in range(n_atoms):
                slopes[i] += (s[o, i] - t * c[o, i]) ** 2
        for i in range(n_atoms):
            slopes[i] = -np.sqrt(slopes[i])
    else:
        for i in range(n_atoms):
            slopes[i] = s[0, i] - t * c[0, i]
    for i in range(n_atoms):
        scores[i] = radius * (2.0 * slopes[i] + radius * norms[i])


@jit
def squared_error_steps(
    start,
    stop,
    signed,
    radius,
    c,
    norms,
    target_norm,
    tie,
    precision,
    tol,
    slots,
    columns,
    s,
    counts,
    running,
    picks,
    directions,
    losses,
    gaps,
):
    """
    Take steps of greedy forward selection for squared error, as long as the Gram columns are there.

    ``columns[slots[i]]`` is column i of the Gram matrix; a slot below zero says that it is not there.
    ``tie`` and ``precision`` are relative to the size of the terms whose difference a score, or a loss, is.
    Returns the number of picks taken so far, why it stopped, and the atom whose column it needs, if any.
    """
    n_directions, n_atoms = c.shape
    slopes = np.empty(n_atoms)
    scores = np.empty(n_atoms)
    v = np.ones(n_directions)
    scores_of(start + 1.0, signed, radius, c, norms, s, slopes, scores)
    for j in range(start, stop):
        t = j + 1.0
        best = np.argmin(scores)
        size = radius * radius * norms[best]
        for o in range(n_directions):
            size += 2.0 * radius * (abs(s[o, best]) + t * abs(c[o, best]))
        pick = choose(scores, counts, tie * size)
        if slots[pick] < 0:
            return j, NEEDS_COLUMN, pick

        squared_norm = running[SQUARED_NORM] + radius * radius * norms[pick]
        product = running[TARGET_PRODUCT]
        for o in range(n_directions):
            if signed:
                v[o] = (s[o, pick] - t * c[o, pick]) / slopes[pick] if slopes[pick] < 0.0 else (1.0 if o == 0 else 0.0)
            squared_norm += 2.0 * radius * v[o] * s[o, pick]
            product += radius * v[o] * c[o, pick]
        picked_norms = running[PICKED_NORMS] + radius * radius * norms[pick]
        loss = 0.5 * (squared_norm / (t * t) - 2.0 * product / t + target_norm)
        if loss < precision * max(target_norm, picked_norms / t):
            return j, IMPRECISE, pick

        running[SQUARED_NORM] = squared_norm
        running[TARGET_PRODUCT] = product
        running[PICKED_NORMS] = picked_norms
        column = columns[slots[pick]]
        for o in range(n_directions):
            directions[j, o] = v[o]
            for i in range(n_atoms):
                s[o, i] += radius * v[o] * column[i]
        counts[pick] += 1
        picks[j] = pick
        losses[j] = loss
        # Slopes at t, divided by t, are those of the gradient at the mean of the picks.
        scores_of(t, signed, radius, c, norms, s, slopes, scores)
        gaps[j] = max(squared_norm / (t * t) - product / t - radius * slopes.min() / t, 0.0)
        if gaps[j] <= tol:
            return j + 1, CONVERGED, -1
        scores_of(t + 1.0, signed, radius, c, norms, s, slopes, scores)
    return stop, DONE, -1
