"""
The inner loops of greedy forward selection for the log loss of a mean of probabilities: arrays in, arrays out.

Only the probability of each sample's own class counts. The loops know no estimator and validate nothing but that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._jit import inlined, jit

from ._greedy_kernels import choose
from ._log_loss_kernels import inner_product

_LANES = 16  # number of products that are made at the same time
_RUN = 1024  # number of samples whose values are multiplied before a logarithm is taken
PROBABILITY_RANGE = (-1e-6, 1.0 + 1e-6)  # probabilities lie in it: beyond zero and one by rounding only
_LOW, _HIGH = PROBABILITY_RANGE


@jit
def own_class(
    start: int,
    stop: int,
    tile: int,
    atoms: NDArray[np.floating[Any]],
    flat: NDArray[np.floating[Any]],
    classes: NDArray[np.int64],
    least: float,
    out: NDArray[np.floating[Any]],
) -> int:
    """
    Copy every atom's probability of the sample's own class, for some samples; raise values below ``least`` to it.

    ``atoms`` (n_samples, n_atoms, n_classes) is read once, a tile of samples at a time, and ``out`` (n_atoms,
    n_samples) is written as runs of a tile. ``flat`` is the same with one row a sample, or has no rows where the
    atoms lie differently. Return the number of values, of any class, that are no probabilities.
    """
    wrong = 0
    for first in range(start, stop, tile):
        last = min(first + tile, stop)
        for s in range(first, last if flat.shape[0] > 0 else first):
            row = flat[s]
            for j in range(row.shape[0]):
                wrong += not ((row[j] >= _LOW) & (row[j] <= _HIGH))
        for i in range(atoms.shape[1]):
            for c in range(atoms.shape[2] if flat.shape[0] == 0 else 0):
                for s in range(first, last):
                    wrong += not ((atoms[s, i, c] >= _LOW) & (atoms[s, i, c] <= _HIGH))
            for s in range(first, last):
                out[i, s] = max(least, atoms[s, i, classes[s]])
    return wrong


@jit
def own_share(
    start: int,
    stop: int,
    tile: int,
    atoms: NDArray[np.floating[Any]],
    shares: NDArray[np.float64],
    classes: NDArray[np.int64],
    least: float,
    out: NDArray[np.float64],
) -> int:
    """
    Do the same as ``own_class`` for atoms (n_samples, n_atoms) times the shares of the classes.

    ``shares`` is (n_atoms, n_classes), or (n_atoms, 1) for the share of the second of two classes.
    """
    wrong = 0
    single = shares.shape[1] == 1
    for first in range(start, stop, tile):
        last = min(first + tile, stop)
        for i in range(atoms.shape[1]):
            low, high = shares[i, 0], shares[i, 0]
            for c in range(1, shares.shape[1]):
                low, high = min(low, shares[i, c]), max(high, shares[i, c])
            for s in range(first, last):
                value = float(atoms[s, i])
                a, b = value * low, value * high
                wrong += not ((a >= _LOW) & (b >= _LOW) & (a <= _HIGH) & (b <= _HIGH))
                own = value * shares[i, 0 if single else classes[s]]
                if single and classes[s] == 0:
                    own = 1.0 - own
                out[i, s] = max(least, own)
    return wrong


@jit
def probability_gain(total: NDArray[np.float64], atom: NDArray[np.floating[Any]], weight: NDArray[np.float64]) -> float:
    """Return the weighted sum over samples of log(total + atom), like ``log_sum`` without storing the sums."""
    gain = 0.0
    if weight.shape[0] > 1:
        for s in range(total.shape[0]):
            gain += weight[s] * np.log(total[s] + atom[s])
        return gain
    lanes = np.empty(_LANES)
    for start in range(0, total.shape[0], _RUN):
        stop = start + _RUN if start + _RUN < total.shape[0] else total.shape[0]
        whole = start + (stop - start) // _LANES * _LANES
        for i in range(_LANES):
            lanes[i] = 1.0
        for s in range(start, whole, _LANES):
            for i in range(_LANES):
                lanes[i] *= total[s + i] + atom[s + i]
        for s in range(whole, stop):
            lanes[s - whole] *= total[s] + atom[s]
        low, high = lanes[0], lanes[0]
        for i in range(_LANES):
            low = lanes[i] if lanes[i] < low else low
            high = lanes[i] if lanes[i] > high else high
        if low > 1e-290 and high < 1e290:
            for i in range(_LANES):
                gain += np.log(lanes[i])
        else:
            for s in range(start, stop):
                gain += np.log(total[s] + atom[s])
    return gain * weight[0]


@jit
def probability_gains(
    order: NDArray[np.int64],
    total: NDArray[np.float64],
    height: float,
    atoms: NDArray[np.floating[Any]],
    weight: NDArray[np.float64],
    tolerance: float,
    best: NDArray[np.float64],
    bounds: NDArray[np.float64],
    gains: NDArray[np.float64],
) -> None:
    """
    Write the gain of each atom, which it adds to sum w log(total); minus infinity for atoms that can't be the best.

    ``atoms`` (n_atoms, n_samples) holds the probability of each sample's own class. ``bounds`` are upper bounds of
    the gains, and are replaced by them. ``best`` holds the largest gain so far, of all threads. ``height`` is the sum
    without the atom.
    """
    for i in order:
        gains[i] = -np.inf
        if bounds[i] >= best[0] - tolerance:
            gains[i] = probability_gain(total, atoms[i], weight) - height
            bounds[i] = gains[i]
            best[0] = max(best[0], gains[i])


@jit
def probability_slopes(
    order: NDArray[np.int64],
    inverse: NDArray[np.float64],
    atoms: NDArray[np.floating[Any]],
    steepest: NDArray[np.float64],
    slopes: NDArray[np.float64],
) -> None:
    """
    Compute the slopes <atom, w / total> again for atoms that could be the steepest by their earlier slopes.

    As the total grows every slope shrinks, so that an earlier one is an upper bound.
    """
    for i in order:
        if slopes[i] > steepest[0]:
            slopes[i] = inner_product(inverse, atoms[i])
            steepest[0] = max(steepest[0], slopes[i])


class Progress(NamedTuple):
    """The state of a selection from step to step."""

    total: NDArray[np.float64]  # (n_samples,), sum of the picks
    inverse: NDArray[np.float64]  # (n_samples,), weight / total
    gains: NDArray[np.float64]  # of each atom, as the slopes and their bounds
    bounds: NDArray[np.float64]
    slopes: NDArray[np.float64]
    counts: NDArray[np.int64]
    order: NDArray[np.int64]  # in which the atoms are looked at
    losses: NDArray[np.float64]  # room for the gains with the other sign
    best: NDArray[np.float64]  # (1,), room for the largest so far


@inlined
def take_pick(now: Progress, atoms: NDArray[np.floating[Any]], weight: NDArray[np.float64], tolerance: float) -> int:
    """Pick the atom of the largest gain, and add it to the total."""
    for i in range(now.gains.shape[0]):
        now.losses[i] = -now.gains[i]
    pick = choose(now.losses, now.counts, tolerance)
    now.counts[pick] += 1
    equal = weight.shape[0] == 1
    for s in range(now.total.shape[0]):
        now.total[s] += atoms[pick, s]
    for s in range(now.total.shape[0]):
        now.inverse[s] = (weight[0] if equal else weight[s]) / now.total[s]
    return pick


@inlined
def note_step(
    now: Progress,
    step: int,
    pick: int,
    height: float,
    least: float,
    picks: NDArray[np.int64],
    losses: NDArray[np.float64],
    gaps: NDArray[np.float64],
) -> None:
    """
    Write pick, loss and gap of a step, and bound the gains of the next step by log(1 + slope).

    The mean of a logarithm is at most the logarithm of the mean. ``height`` includes the pick.
    """
    steepest = now.slopes[0]
    for i in range(now.slopes.shape[0]):
        bound = np.log1p(now.slopes[i])
        # The gains of the first step are relative to an empty sum, and no bounds.
        now.bounds[i] = bound if step == 0 or bound < now.bounds[i] else now.bounds[i]
        steepest = now.slopes[i] if now.slopes[i] > steepest else steepest
    picks[step], losses[step] = pick, np.log(step + 1.0) - height
    gap, above = (step + 1.0) * steepest - 1.0, losses[step] - least
    gap = above if above < gap else gap
    gaps[step] = gap if gap > 0.0 else 0.0


@inlined
def promising_first(values: NDArray[np.float64], order: NDArray[np.int64]) -> None:
    """Write the indices of the values to `order`, with the index of the largest value first."""
    first = 0
    for i in range(values.shape[0]):
        order[i] = i
        first = i if values[i] > values[first] else first
    order[0], order[first] = first, 0


@jit
def probability_path(
    now: Progress,
    atoms: NDArray[np.floating[Any]],
    weight: NDArray[np.float64],
    least: float,
    tie: float,
    tol: float,
    picks: NDArray[np.int64],
    losses: NDArray[np.float64],
    gaps: NDArray[np.float64],
) -> int:
    """
    Take picks until `picks` is full or the gap is at most `tol`, in a single thread; return the number of picks.

    No mean has a loss below ``least``. ``tie`` times the size of the terms makes a tie of two gains.
    """
    height = 0.0  # weighted sum of log(total)
    for step in range(picks.shape[0]):
        tolerance = tie * (1.0 + (height if height > 0.0 else -height))
        now.best[0] = -np.inf
        promising_first(now.bounds, now.order)
        probability_gains(now.order, now.total, height, atoms, weight, tolerance, now.best, now.bounds, now.gains)
        pick = take_pick(now, atoms, weight, tolerance)
        height += now.gains[pick]
        now.best[0] = -np.inf
        promising_first(now.slopes, now.order)
        probability_slopes(now.order, now.inverse, atoms, now.best, now.slopes)
        note_step(now, step, pick, height, least, picks, losses, gaps)
        if gaps[step] <= tol:
            return step + 1
    return picks.shape[0]
