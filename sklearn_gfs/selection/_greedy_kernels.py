"""
The inner loops of greedy forward selection for squared error: arrays in, arrays out.

Here belong the compiled loops over atoms. They know no estimator, validate nothing and allocate only work space; what
a Gram column costs, and when to compute one, is decided by their callers.

Operations on whole arrays are written out as loops: numba compiles each such operation, an assignment to a slice and a
minimum included, as several functions of its own, which takes longer than the loop around them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._jit import formula, inlined, jit

# Reasons of a kernel's end.
DONE = 0  # all picks are made
NEEDS_COLUMN = 1  # the Gram column of the next pick is not known
CONVERGED = 2  # the gap is at most tol
IMPRECISE = 3  # the loss is too small a difference of the statistics
IN_DOUBT = 4  # the statistics are too inexact to say which atom is best
UNRESOLVED = 5  # the gap is too small a difference of the statistics
DEPENDENT = 6  # the statistics are too inexact to say whether an atom depends on the picks

# Running scalars of a selection, kept in one array so that kernels can update them.
SQUARED_NORM = 0  # <Z, Z>, Z the sum of the picks
TARGET_PRODUCT = 1  # <Z, Y>
PICKED_NORMS = 2  # sum of the squared norms of the picks

# A product of matrices costs the same up to the next multiple of this many columns.
WIDTH = 8


class Problem(NamedTuple):
    """
    The fixed data of a selection for squared error.

    ``signed`` means that atoms may be taken in any direction, on the ball of that ``radius``. Otherwise the hull is
    convex and the radius 1. ``tie`` and ``precision`` are relative to the size of the terms whose difference is a score
    or a loss. With a ``precision`` of minus infinity no loss is too small, and gaps that are not known are -1.
    ``doubt`` is the relative error that an inner product may have. If scores differ by less than the effect of such
    errors, the best atom is in doubt, and a smaller gap is not known. Zero means products that are exact up to ties.
    """

    c: NDArray[np.float64]  # <x_i, Y>, (n_directions, n_atoms)
    norms: NDArray[np.float64]  # ||x_i||^2
    lengths: NDArray[np.float64]  # ||x_i||
    longest: float  # of these
    target_norm: float  # ||Y||^2
    signed: bool
    radius: float
    tie: float
    doubt: float
    precision: float
    tol: float

    def unstoppable(self) -> Problem:
        """Return the problem without limits that would end a look ahead."""
        return self._replace(tol=-1.0, doubt=0.0, precision=-np.inf)


class Ahead(NamedTuple):
    """
    Data for estimates of unknown Gram columns, and memory for these estimates.

    Inner products of the columns of ``base`` estimate those of the atoms before output weights. The output weights of
    an atom are a column of ``weights``. The products of both are multiplied by ``unit``. At most len(found) atoms are
    estimated and written to ``found``, which is padded with -1. From the second step on, scores whose relative
    difference is at most ``tie`` are ties.
    """

    base: NDArray[np.float32]  # (n_rows, n_atoms)
    weights: NDArray[np.float32]  # (n_outputs, n_atoms)
    unit: float
    tie: float
    found: NDArray[np.int64]
    estimates: NDArray[np.float64]  # (len(found), n_atoms), of the atoms found
    work: NDArray[np.float32]  # (2, n_atoms)


def no_ahead() -> Ahead:
    """Return empty data, with which nothing is estimated."""
    nothing, none = np.empty((0, 0), dtype=np.float32), np.empty(0, dtype=np.int64)
    return Ahead(nothing, nothing, 1.0, 0.0, none, np.empty((0, 0)), nothing)


class State(NamedTuple):
    """The state of a selection, which kernels update."""

    s: NDArray[np.float64]  # <x_i, Z>, (n_directions, n_atoms)
    running: NDArray[np.float64]
    counts: NDArray[np.int64]
    picks: NDArray[np.int64]
    directions: NDArray[np.float64]  # (k, n_directions)
    losses: NDArray[np.float64]
    gaps: NDArray[np.float64]
    slopes: NDArray[np.float64]  # of every atom, at the next pick when a kernel hands control back
    scores: NDArray[np.float64]

    def copied(self) -> State:
        """Return a copy of the state to look ahead with."""
        return self._replace(**{name: array.copy() for name, array in self._asdict().items()})


@jit
def index_of_least(values: NDArray[np.float64]) -> int:
    """Return the index of the least value, the lowest index of several."""
    index, least = 0, values[0]
    for i in range(values.shape[0]):
        # A branch that is hardly ever taken: a choice without one would wait for the value before.
        if values[i] < least:
            index, least = i, values[i]
    return index


@inlined
def first_of_best(scores: NDArray[np.float64], counts: NDArray[np.int64], threshold: float) -> int:
    """Return the index of the first score up to the threshold, of a picked atom if possible; -1 without any."""
    first = -1
    for i in range(scores.shape[0]):
        if scores[i] <= threshold:
            if counts[i] > 0:
                return i
            if first < 0:
                first = i
    return first


@jit
def choose(scores: NDArray[np.float64], counts: NDArray[np.int64], tolerance: float) -> int:
    """Return the index of the least score; within the tolerance a picked atom comes first, then the lowest index."""
    index: int = first_of_best(scores, counts, scores[index_of_least(scores)] + tolerance)
    return index


@jit
def score(
    t: float, problem: Problem, s: NDArray[np.float64], slopes: NDArray[np.float64], scores: NDArray[np.float64]
) -> None:
    """
    Write the score of every atom for pick t, and the slope from which it is computed.

    Adding radius * x_i v' at ||v|| = 1 to the sum Z changes ||Z - tY||^2 by
    2 radius <s_i - t c_i, v> + radius^2 ||x_i||^2. A free v is best opposite to s_i - t c_i.
    """
    n_directions, n_atoms = problem.c.shape
    radius = problem.radius
    if problem.signed:
        for i in range(n_atoms):
            slopes[i] = 0.0
        for o in range(n_directions):
            for i in range(n_atoms):
                difference = s[o, i] - t * problem.c[o, i]
                slopes[i] += difference * difference
        for i in range(n_atoms):
            slopes[i] = -np.sqrt(slopes[i])
    else:
        for i in range(n_atoms):
            slopes[i] = s[0, i] - t * problem.c[0, i]
    for i in range(n_atoms):
        scores[i] = radius * (2.0 * slopes[i] + radius * problem.norms[i])


@formula
def terms(t: float, problem: Problem, s: NDArray[np.float64], atom: int) -> float:
    """Return the size of the terms whose sum is the score of an atom."""
    radius = problem.radius
    size = radius * radius * problem.norms[atom]
    for o in range(problem.c.shape[0]):
        size += 2.0 * radius * (abs(s[o, atom]) + t * abs(problem.c[o, atom]))
    return size


@inlined
def first_of_equals(t: float, problem: Problem, state: State, best: int, tie: float, near: float) -> int:
    """
    Return the index of the first atom that ties with the best, of a picked atom if possible.

    Scores tie that differ by no more than ``tie`` times the larger of their terms, or than ``near``.
    """
    least, own = state.scores[best], terms(t, problem, state.s, best)
    # No terms are larger than these, by Cauchy and Schwarz: those of an atom matter only if its score is so close.
    length = problem.radius * problem.longest
    most = length * (length + 2.0 * np.sqrt(problem.c.shape[0]) * t * (length + np.sqrt(problem.target_norm)))
    threshold = least + max(tie * max(own, most), near)
    first = -1
    for i in range(state.scores.shape[0]):
        if state.scores[i] <= threshold:
            reached = max(tie * max(own, terms(t, problem, state.s, i)), near)
            if state.scores[i] <= least + reached:
                if state.counts[i] > 0:
                    return i
                if first < 0:
                    first = i
    return first


@formula
def reach(t: float, problem: Problem, picked_norms: float) -> float:
    """
    Return twice a bound of the norm of the sum of t picks minus t times y; errors of products are relative to it.

    ``picked_norms`` is the sum of the picks' squared norms: errors of products with different picks add up like its
    root.
    """
    return 2.0 * (np.sqrt(picked_norms) + t * np.sqrt(problem.target_norm))


@formula
def least_gap(t: float, problem: Problem, running: NDArray[np.float64], steepest: float) -> float:
    """Return the Frank-Wolfe gap at the mean of t picks; ``steepest`` is the least of the slopes at t."""
    # Divided by t, the slopes are those of the gradient at the mean.
    gap = running[SQUARED_NORM] / (t * t) - running[TARGET_PRODUCT] / t - problem.radius * steepest / t
    return max(gap, 0.0)


@formula
def gap_error(t: float, problem: Problem, picked_norms: float) -> float:
    """Return the error of the gap from the errors of the inner products."""
    return problem.doubt * problem.radius * problem.longest * reach(t, problem, picked_norms) / t


@inlined
def in_doubt(t: float, problem: Problem, state: State, pick: int, best: int) -> bool:
    """
    Whether errors of the inner products may have decided the pick, or its direction.

    ``best`` has the least score. Of two atoms the error of the longer one counts.
    """
    size, least, own = reach(t, problem, state.running[PICKED_NORMS]), state.scores[best], problem.lengths[best]
    n_contenders = 0
    for i in range(state.scores.shape[0]):
        length = problem.radius * max(problem.lengths[i], own)
        n_contenders += state.scores[i] <= least + problem.doubt * length * (size + length)
    length = problem.radius * problem.lengths[pick]
    turning = problem.doubt * length * (size + length)
    return n_contenders > 1 or (problem.signed and -4.0 * problem.radius * state.slopes[pick] <= turning)


@inlined
def turn(
    t: float, problem: Problem, s: NDArray[np.float64], slope: float, tie: float, pick: int, v: NDArray[np.float64]
) -> None:
    """Write the direction of a pick to v; if all directions tie, the pick is not turned."""
    turned = -4.0 * problem.radius * slope > tie
    for o in range(v.shape[0]):
        if turned:
            v[o] = (s[o, pick] - t * problem.c[o, pick]) / slope
        else:
            v[o] = 1.0 if o == 0 else 0.0


@inlined
def moments_with(problem: Problem, state: State, pick: int, v: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the running scalars after a pick in this direction."""
    radius = problem.radius
    squared_norm = state.running[SQUARED_NORM] + radius * radius * problem.norms[pick]
    product = state.running[TARGET_PRODUCT]
    for o in range(v.shape[0]):
        squared_norm += 2.0 * radius * v[o] * state.s[o, pick]
        product += radius * v[o] * problem.c[o, pick]
    return squared_norm, product, state.running[PICKED_NORMS] + radius * radius * problem.norms[pick]


@inlined
def add_to_sum(problem: Problem, state: State, v: NDArray[np.float64], columns: NDArray[np.float64], slot: int) -> None:
    """Update the inner products with the sum of the picks by a pick in this direction."""
    for o in range(v.shape[0]):
        step = problem.radius * v[o]
        for i in range(columns.shape[1]):
            state.s[o, i] += step * columns[slot, i]


@jit
def multiply_out(base: NDArray[np.float32], atom: int, out: NDArray[np.float32]) -> None:
    """Write the inner products of one column of the base with all of them."""
    for i in range(out.shape[0]):
        out[i] = 0.0
    whole = base.shape[0] // 4 * 4
    for r in range(0, whole, 4):
        a, b, c, d = base[r, atom], base[r + 1, atom], base[r + 2, atom], base[r + 3, atom]
        for i in range(out.shape[0]):
            out[i] += a * base[r, i] + b * base[r + 1, i] + c * base[r + 2, i] + d * base[r + 3, i]
    for r in range(whole, base.shape[0]):
        a = base[r, atom]
        for i in range(out.shape[0]):
            out[i] += a * base[r, i]


@inlined
def estimated(ahead: Ahead, norms: NDArray[np.float64], pick: int) -> int:
    """Return the row of the estimates with an atom's column, computed if needed; -1 if there is no room."""
    row = 0
    while row < ahead.found.shape[0] and ahead.found[row] >= 0:
        if ahead.found[row] == pick:
            return row
        row += 1
    if row == ahead.found.shape[0]:
        return -1
    ahead.found[row] = pick
    multiply_out(ahead.base, pick, ahead.work[0])
    multiply_out(ahead.weights, pick, ahead.work[1])
    for i in range(ahead.work.shape[1]):
        ahead.estimates[row, i] = ahead.unit * ahead.work[0, i] * ahead.work[1, i]
    ahead.estimates[row, pick] = norms[pick]
    return row


@jit
def squared_error_steps(
    start: int,
    stop: int,
    problem: Problem,
    state: State,
    slots: NDArray[np.int64],
    columns: NDArray[np.float64],
    settled: int,
    direction: NDArray[np.float64],
    ahead: Ahead,
) -> tuple[int, int, int]:
    """
    Take steps of greedy forward selection for squared error while the Gram columns are known or estimated.

    ``columns[slots[i]]`` is column i of the Gram matrix; a negative slot means that the column is not known.
    ``settled`` is the atom to pick first, in this ``direction``, or negative if the caller has not chosen one. Return
    the number of picks so far, the reason of the end, and the atom that could not be picked, or -1.
    """
    running, slopes, scores = state.running, state.slopes, state.scores
    score(start + 1.0, problem, state.s, slopes, scores)
    for j in range(start, stop):
        t = j + 1.0
        v = state.directions[j]
        if j == start and settled >= 0:
            pick = settled
            for o in range(v.shape[0]):
                v[o] = direction[o]
        else:
            best = index_of_least(scores)
            near = 0.0 if j == start else ahead.tie * terms(t, problem, state.s, best)
            pick = first_of_equals(t, problem, state, best, problem.tie, near)
            if problem.doubt > 0.0 and in_doubt(t, problem, state, pick, best):
                return j, IN_DOUBT, pick
            if problem.signed:
                tie = max(problem.tie * terms(t, problem, state.s, pick), near)
                turn(t, problem, state.s, slopes[pick], tie, pick, v)
        there, slot = columns, slots[pick]
        if slot < 0:
            there, slot = ahead.estimates, estimated(ahead, problem.norms, pick)
        if slot < 0:
            return j, NEEDS_COLUMN, pick
        squared_norm, product, picked_norms = moments_with(problem, state, pick, v)
        loss = 0.5 * (squared_norm / (t * t) - 2.0 * product / t + problem.target_norm)
        if loss < problem.precision * max(problem.target_norm, picked_norms / t):
            return j, IMPRECISE, pick

        running[SQUARED_NORM], running[TARGET_PRODUCT], running[PICKED_NORMS] = squared_norm, product, picked_norms
        add_to_sum(problem, state, v, there, slot)
        state.counts[pick] += 1
        state.picks[j] = pick
        state.losses[j] = loss
        score(t, problem, state.s, slopes, scores)
        state.gaps[j] = least_gap(t, problem, running, slopes[index_of_least(slopes)])
        if problem.doubt > 0.0 and state.gaps[j] <= gap_error(t, problem, picked_norms):
            if problem.tol >= 0.0 or problem.precision > -np.inf:
                return j + 1, UNRESOLVED, -1
            state.gaps[j] = -1.0
        elif state.gaps[j] <= problem.tol:
            return j + 1, CONVERGED, -1
        score(t + 1.0, problem, state.s, slopes, scores)
    return stop, DONE, -1


@jit
def add_squares(block: NDArray[np.floating[Any]], weight: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Add the squared norms of the columns of a block; rows are weighted unless there are no weights."""
    n_rows, n_columns = block.shape
    zero = block.dtype.type(0.0)
    whole = 0
    if weight.shape[0] == 0:
        whole = n_rows // 8 * 8
        for r in range(0, whole, 8):
            for i in range(n_columns):
                square = zero
                for j in range(r, r + 8):
                    square += block[j, i] * block[j, i]
                out[i] += square
    for r in range(whole, n_rows):
        w = weight[r] if weight.shape[0] > 0 else 1.0
        for i in range(n_columns):
            out[i] += w * block[r, i] * block[r, i]
