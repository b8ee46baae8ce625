"""
The loop that looks ahead: the picks of a selection for squared error whose Gram columns are estimated where they lack.

Arrays in, arrays written. What the estimates are made of, and how far to look, is decided by the caller.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._jit import jit

from ._greedy_kernels import Problem, State, add_to_sum, first_of_best, index_of_least, score, terms, turn

# Estimates can't tell scores apart that differ by less than this part of their terms. Twins of a pick are no news.
_TIE = 1e-6


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


@jit
def look_ahead(
    step: int,
    problem: Problem,
    state: State,
    slots: NDArray[np.int64],
    columns: NDArray[np.float64],
    base: NDArray[np.float32],
    weights: NDArray[np.float32],
    unit: float,
    found: NDArray[np.int64],
    estimates: NDArray[np.float64],
    work: NDArray[np.float32],
) -> int:
    """
    Continue with a selection until so many atoms without a column are picked as `found` has room for.

    Parameters
    ----------
    step : int
        Picks taken so far.
    problem, state
        What the selection is given, and a copy of what it has come to, which is changed.
    slots, columns : ndarray
        The Gram columns that are there.
    base : ndarray of shape (n_rows, n_atoms)
        The inner products of its columns stand for those of the atoms before output weights.
    weights : ndarray of shape (n_outputs, n_atoms)
        Output weights.
    unit : float
        What the products of both are multiplied by.
    found : ndarray of shape (n_new,)
        Where the atoms are written.
    estimates : ndarray of shape (n_new, n_atoms)
        Work space: their columns.
    work : ndarray of shape (2, n_atoms)
        More of it.

    Returns
    -------
    int
        How many were found. The scores of the state are those of the pick that would come next.
    """
    n_found, s, scores = 0, state.s, state.scores
    score(step + 1.0, problem, s, state.slopes, scores)
    for j in range(step, state.picks.shape[0]):
        t = j + 1.0
        best = index_of_least(scores)
        tie = (problem.tie if j == step else _TIE) * terms(t, problem, s, best)
        pick, v = first_of_best(scores, state.counts, scores[best] + tie), state.directions[j]
        if pick < 0:  # the scores are no numbers
            break
        if problem.signed:
            turn(t, problem, s, state.slopes[pick], tie, pick, v)
        there, row = columns, slots[pick]
        if row < 0:
            there, row = estimates, 0
            while row < n_found and found[row] != pick:
                row += 1
            if row == found.shape[0]:
                break
            if row == n_found:
                found[row] = pick
                n_found += 1
                multiply_out(base, pick, work[0])
                multiply_out(weights, pick, work[1])
                for i in range(work.shape[1]):
                    estimates[row, i] = unit * work[0, i] * work[1, i]
                estimates[row, pick] = problem.norms[pick]
        add_to_sum(problem, state, v, there, row)
        state.counts[pick] += 1
        score(t + 1.0, problem, s, state.slopes, scores)
    return n_found
