"""
The inner loops of corrective selection for squared error: arrays in, arrays out.

Here belong the compiled loops over atoms. A step picks the atom that takes most off the penalised loss, and adds a row
to the Cholesky factor of the picks, extended over all atoms: O(n_atoms (n_picks + n_targets)) operations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._jit import formula, inlined, jit

from ._greedy_kernels import CONVERGED, DEPENDENT, DONE, IMPRECISE, IN_DOUBT, NEEDS_COLUMN

# Running scalars of a selection, kept in one array so that kernels can update them.
PENALISED = 0  # loss of the picks with their penalty
REACH = 1  # squared length of the terms whose sum the residual is: y, and the picks times their weights


class Problem(NamedTuple):
    """
    The fixed data of a corrective selection.

    Below, the rest of an atom is its part orthogonal to the picks. An atom whose rest has a squared norm of at most
    ``enough`` depends on the picks linearly. ``slip`` is the relative error of an inner product; atoms whose gains
    differ by less than these errors are ties. With ``exact`` the first of these is picked; without it the caller
    decides. ``precision`` is the least share of a pick's squared norm in its rest, so that its products are exact
    enough. If the rest is at most the share ``noise`` of its terms, it may be rounding, and the caller decides.
    """

    raw_norms: NDArray[np.float64]  # ||x_i||^2, with the mean
    enough: NDArray[np.float64]
    target_norm: float  # ||Y||^2
    penalty: float
    least_gain: float  # least gain of a pick
    slip: float
    exact: bool
    precision: float
    stop_at: float  # penalised loss that is low enough
    noise: float
    n_settled: int = 0  # number of picks in the state that the caller has chosen

    def unstoppable(self) -> Problem:
        """Return the problem without limits that would end a look ahead."""
        return self._replace(exact=True, precision=-np.inf, stop_at=-np.inf, noise=0.0)

    def among(self, atoms: NDArray[np.int64]) -> Problem:
        """Return the problem of some atoms alone."""
        return self._replace(raw_norms=self.raw_norms[atoms], enough=self.enough[atoms])

    def look_ahead(
        self, step: int, state: State, slots: NDArray[np.int64], columns: NDArray[np.float64]
    ) -> tuple[int, int, int]:
        """Take steps while the columns are known; return the results of `corrective_steps`."""
        found: tuple[int, int, int] = corrective_steps(step, len(state.picks), self, state, slots, columns)
        return found


class State(NamedTuple):
    """The state of a corrective selection, which kernels update."""

    left: NDArray[np.float64]  # squared norm of every atom less its projection on the picks, plus the penalty
    rest: NDArray[np.float64]  # <x_i, residual>, (n_targets, n_atoms)
    rows: NDArray[np.float64]  # of the factor, (k, n_atoms); those that are still to come may be written over
    shares: NDArray[np.float64]  # (k, n_targets)
    picks: NDArray[np.int64]
    counts: NDArray[np.int64]  # one for a pick
    free: NDArray[np.bool_]  # whether an atom may be picked
    squares: NDArray[np.float64]  # sum over targets of rest squared
    scores: NDArray[np.float64]  # minus what an atom would take off twice the penalised loss; 1 for those not free
    slips: NDArray[np.float64]  # errors of the scores
    spread: NDArray[np.float64]  # squared length of the terms whose sum is what the picks leave of an atom
    steepest: NDArray[np.float64]  # sum of the squared slopes after each pick
    running: NDArray[np.float64]

    def copied(self) -> State:
        """Return a state to look ahead with: a copy, except arrays that a look ahead may overwrite."""
        kept = {"rows": self.rows, "shares": self.shares, "steepest": self.steepest}
        return self._replace(
            **{name: array.copy() for name, array in self._asdict().items() if name not in kept},
        )

    def among(self, atoms: NDArray[np.int64], n_picks: int, n_settled: int) -> State:
        """
        Return a state of some atoms alone, in order, to look ahead with.

        One of the `n_picks` picks is among the atoms and represents all, since picked atoms are only left out. The
        settled picks that come next are among the atoms.
        """
        names = ("left", "rest", "counts", "free", "squares", "scores", "slips", "spread")
        rows, picks = np.empty((len(self.rows), len(atoms))), self.picks.copy()
        np.take(self.rows[:n_picks], atoms, axis=1, out=rows[:n_picks], mode="clip")
        picks[:n_picks] = np.searchsorted(atoms, picks[: min(n_picks, 1)])
        picks[n_picks:n_settled] = np.searchsorted(atoms, picks[n_picks:n_settled])
        kept = {name: np.take(getattr(self, name), atoms, axis=-1) for name in names}
        return self._replace(rows=rows, picks=picks, running=self.running.copy(), **kept)


@formula
def slip_of_gain(squares: Any, left: Any, spread: Any, reach: float, slip: float) -> Any:
    """
    Return the error of an atom's gain, which is its squares over the squared norm of its rest.

    Errors of its products with the residual, and of its rest, are relative to the terms of these. No factor is of a
    higher order than the squares, so that nothing overflows before these do.
    """
    error = slip * np.sqrt(spread * reach)
    return (2.0 * np.sqrt(squares) * error + error * error + squares * (slip * (spread / left))) / left


@inlined
def score(problem: Problem, state: State) -> None:
    """Write the score of every atom that is free, and its error."""
    slip, reach = problem.slip, state.running[REACH]
    for i in range(state.left.shape[0]):
        if not state.free[i]:
            state.scores[i], state.slips[i] = 1.0, 0.0
            continue
        left, squares, spread = state.left[i], state.squares[i], state.spread[i]
        state.scores[i] = -squares / left
        if left <= 2.0 * slip * spread and not problem.exact:
            state.slips[i] = np.inf
        else:
            state.slips[i] = slip_of_gain(squares, left, spread, reach, slip)


@inlined
def choose(problem: Problem, state: State) -> tuple[int, bool]:
    """
    Return the first of the best atoms, -1 if no gain is large enough, and whether this choice is in doubt.
    """
    best, least = -1, -problem.least_gain
    for i in range(state.scores.shape[0]):
        if state.scores[i] < least:
            best, least = i, state.scores[i]
    threshold = least + (state.slips[best] if best >= 0 else 0.0)
    first, n_ties = -1, 0
    for i in range(state.scores.shape[0]):
        if state.free[i] and state.scores[i] - state.slips[i] <= threshold:
            first = i if first < 0 else first
            n_ties += 1
    if problem.exact:
        return (first if best >= 0 else -1), False
    return first, n_ties > 1 or (n_ties == 1 and best < 0)


@inlined
def add_row(
    j: int, pick: int, problem: Problem, state: State, column: NDArray[np.float64], row: NDArray[np.float64]
) -> None:
    """Add a pick's row to the factor: its column minus its projection on earlier picks, over the norm of its rest."""
    n_atoms = column.shape[0]
    rows, picks = state.rows, state.picks
    for i in range(n_atoms):
        row[i] = column[i]
    row[pick] += problem.penalty
    whole = j // 4 * 4
    for m in range(0, whole, 4):
        a, b, c, d = rows[m, pick], rows[m + 1, pick], rows[m + 2, pick], rows[m + 3, pick]
        for i in range(n_atoms):
            row[i] -= a * rows[m, i] + b * rows[m + 1, i] + c * rows[m + 2, i] + d * rows[m + 3, i]
    for m in range(whole, j):
        a = rows[m, pick]
        for i in range(n_atoms):
            row[i] -= a * rows[m, i]
    scale = 1.0 / np.sqrt(state.left[pick])
    for i in range(n_atoms):
        row[i] *= scale
    for m in range(j):
        row[picks[m]] = 0.0
    row[pick] = np.sqrt(state.left[pick])


@inlined
def take(j: int, pick: int, problem: Problem, state: State) -> None:
    """Update atoms and residual by a pick whose row of the factor is known: subtract their projections on it."""
    row, share = state.rows[j], state.shares[j]
    n_atoms, gain, steepest = row.shape[0], 0.0, 0.0
    # Each atom, and y, loses the pick times a weight, and with it the terms that the pick is made of. Their signs are
    # as good as random, so that squares add up.
    terms = state.spread[pick] / (row[pick] * row[pick])
    for i in range(n_atoms):
        state.spread[i] += terms * row[i] * row[i]
        state.left[i] -= row[i] * row[i]
        state.free[i] = state.free[i] and state.left[i] > problem.enough[i]
        state.squares[i] = 0.0
    for t in range(share.shape[0]):
        share[t] = state.rest[t, pick] / row[pick]
        for i in range(n_atoms):
            state.rest[t, i] -= share[t] * row[i]
            state.squares[i] += state.rest[t, i] * state.rest[t, i]
        state.rest[t, pick] = 0.0
        gain += share[t] * share[t]
    state.free[pick] = False
    state.squares[pick] = 0.0
    for i in range(n_atoms):
        steepest += state.squares[i] if state.free[i] else 0.0  # slopes of the others are zero but for rounding
    state.counts[pick] = 1
    state.picks[j] = pick
    state.steepest[j] = steepest
    state.running[PENALISED] -= 0.5 * gain
    state.running[REACH] += terms * gain


@jit
def corrective_steps(
    start: int,
    stop: int,
    problem: Problem,
    state: State,
    slots: NDArray[np.int64],
    columns: NDArray[np.float64],
) -> tuple[int, int, int]:
    """
    Take steps of corrective selection while the Gram columns are known.

    ``columns[slots[i]]`` is column i of the Gram matrix; a negative slot means that the column is not known.
    Return the number of picks so far, the reason of the end, and the atom that could not be picked, or -1.
    """
    score(problem, state)
    for j in range(start, stop):
        if j < problem.n_settled:
            pick = state.picks[j]
        else:
            if j > 0 and state.running[PENALISED] <= problem.stop_at:
                return j, CONVERGED, -1
            pick, in_doubt = choose(problem, state)
            if pick < 0 or in_doubt:
                return j, CONVERGED if pick < 0 else IN_DOUBT, -1
            if state.left[pick] <= problem.noise * state.spread[pick]:
                return j, DEPENDENT, pick
        if slots[pick] < 0:
            return j, NEEDS_COLUMN, pick
        # The squared norm of the rest is at most the atom's, except for a penalty.
        share = min(state.left[pick] / max(problem.raw_norms[pick], 1e-300), 1.0)
        if share < problem.precision:
            return j, IMPRECISE, pick
        add_row(j, pick, problem, state, columns[slots[pick]], state.rows[j])
        take(j, pick, problem, state)
        score(problem, state)
    return stop, DONE, -1
