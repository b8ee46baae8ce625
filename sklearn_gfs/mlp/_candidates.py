"""
The selections that one dense network could be pruned by: the paper's and corrective ones. One of them is chosen.

Here belong the ridges that are tried, the choice between candidates, and weights that are re-solved on all samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sklearn_gfs._typing import Float64Array, FloatArray, GreedyPath
from sklearn_gfs.selection import Solved, SteepestPath, degrees_of_freedom, solve

if TYPE_CHECKING:
    from sklearn_gfs.network import Loss
    from sklearn_gfs.selection import CorrectivePath

# Largest ratio of the losses before re-training, corrective selection over the paper's selection, at which the
# corrective selection is kept. With a higher ratio, re-training from the paper's selection gets equally far.
WORTH = 0.7
# Degrees of freedom that a fitted weight counts for if its neuron was chosen by the loss (Friedman 1991): the choice of
# the neuron fits the data, too.
_CHOICE = 3.0
# Ridges that are tried, as shares of the mean diagonal of the Gram matrix.
RIDGES: tuple[float, ...] = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


class Candidate(NamedTuple):
    """
    One selection, and its prefixes.

    Parameters
    ----------
    ridge : float or None
        Ridge of a corrective selection; None for the paper's selection.
    path : GreedyPath
        All picks.
    prefix : callable
        Given a number of picks, returns the path of the first picks.
    score : callable
        Given a number of picks, returns the criterion of the choice without held-out samples: the loss, or its estimate
        by generalised cross-validation.
    """

    ridge: float | None
    path: GreedyPath
    prefix: Callable[[int], GreedyPath]
    score: Callable[[int], float]


class Chosen(NamedTuple):
    """The selection that prunes a network: picks on all samples, picks of the trial, and the ridge of `Candidate`."""

    path: GreedyPath
    trial_path: GreedyPath
    ridge: float | None


def uncorrected(path: GreedyPath) -> Candidate:
    """Return the paper's selection."""
    return Candidate(None, path, lambda k: prefix(path, k), lambda k: float(path.losses[k - 1]))


def corrected(ridge: float, path: CorrectivePath, n_samples: float) -> Candidate:
    """Return a corrective selection on samples whose effective number is `n_samples`."""
    from sklearn_gfs.selection import cross_validated  # loaded by the selection only

    # The loss chooses the neurons, so their weights count more than once; the intercept is not chosen.
    losses = np.append(cross_validated(path, n_samples, per_degree=_CHOICE), np.inf)  # infinite without a pick
    return Candidate(ridge, path.path, path.prefix, lambda k: float(losses[min(k, len(path.picks)) - 1]))


def solved_by_gradient(
    ridge: float,
    path: SteepestPath,
    n_neurons: int,
    problem: tuple[Float64Array, FloatArray, FloatArray | None, Loss],
    n_samples: float,
) -> Candidate:
    """Return picks by the gradient, with weights solved for at this ridge; `n_samples` is the effective number."""
    (columns, targets, weight, loss), penalty = problem, ridge * path.variance

    @cache
    def solved(k: int) -> Solved:
        start = None if path.solved is None else path.solved[k]
        return solve(columns[:, : k + 1], targets, weight, loss, penalty, start=start)

    def prefix(k: int) -> GreedyPath:
        picks = path.picks[:k]
        weights = np.zeros((n_neurons, targets.shape[1]))
        weights[picks], counts = solved(len(picks)).weights, np.bincount(picks, minlength=n_neurons)
        intercept = solved(len(picks)).intercept
        return GreedyPath(picks, path.losses[:k], path.gaps[:k], counts, weights, intercept=intercept)

    def score(k: int) -> float:
        n_picks = min(k, len(path.picks))
        degrees = degrees_of_freedom(columns[:, : n_picks + 1], weight, targets.shape[1], penalty)
        return solved(n_picks).loss + _CHOICE * degrees / n_samples

    return Candidate(ridge, prefix(len(path.picks)), prefix, score)


def choose(
    candidates: Sequence[Candidate],
    k: int,
    judge: Callable[[GreedyPath], float] | None,
    *,
    worth: float,
) -> tuple[Candidate, float]:
    """
    Return the candidate whose first k picks have the least loss, and the least loss of all candidates.

    The loss is that of the judge, or the candidates' own scores without a judge. A corrective selection is chosen only
    if its loss is at most `worth` times the loss of the paper's selection, if the paper's is a candidate. The returned
    loss is the least of all candidates in any case, so that losses at different iterations can be compared.
    """
    scores = [candidate.score(k) if judge is None else judge(candidate.prefix(k)) for candidate in candidates]
    best, least = int(np.argmin(scores)), min(scores)
    others = [place for place, candidate in enumerate(candidates) if candidate.ridge is None]
    if others and least > worth * scores[others[0]]:
        best = others[0]
    return candidates[best], least


def prefix(path: GreedyPath, k: int) -> GreedyPath:
    """Return the path of the first k picks."""
    counts = np.bincount(path.picks[:k], minlength=len(path.counts))
    return GreedyPath(path.picks[:k], path.losses[:k], path.gaps[:k], counts, counts / k)
