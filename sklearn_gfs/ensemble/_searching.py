"""
Which models, with which weights: one selection, or the mean of several from parts of the library.

Here belong the additions of Caruana et al. to greedy selection, and the choice of a search. The squared error and the
log loss without these additions use the fast search of ``sklearn_gfs.selection``, everything else a plain search here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._typing import Float64Array
from sklearn_gfs.selection import corrective_paths, cross_validated, greedy_forward_selection

from ._criteria import Criterion, Evaluate, LogLossCriterion, LossCriterion, Score, SquaredErrorCriterion

# Ridges that a corrective selection tries, as shares of the mean diagonal of the Gram matrix.
_RIDGES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
# Relative difference below which values are ties. For a difference of terms it is relative to the terms.
_TIE = 1e-12
# Share of a path's largest loss below which a loss counts as zero, because it is only rounding.
_ZERO = 1e-15


class Library(NamedTuple):
    """The outputs of the models, the targets, and the weights of samples; a weight of w counts as w samples."""

    outputs: Sequence[Float64Array]  # for each model (n_samples, n_columns)
    y: NDArray[Any]  # indices of classes, or continuous targets (n_samples, n_columns)
    weight: Float64Array | None

    @property
    def holds_classes(self) -> bool:
        return self.y.ndim == 1

    def arrays(self) -> tuple[list[Float64Array], NDArray[Any]]:
        """Return outputs and y for the fast searches, where single columns are vectors."""
        if self.outputs[0].shape[1] > 1:
            return list(self.outputs), self.y
        return [values[:, 0] for values in self.outputs], self.y[:, 0]

    def part(self, models: NDArray[np.int64]) -> Library:
        """Return a library of some of the models."""
        return self._replace(outputs=[self.outputs[i] for i in models])


class Wanted(NamedTuple):
    """The settings of a selection; `evaluate` computes a score to maximise, or is None."""

    k: int
    loss: str
    evaluate: Evaluate | None
    n_bags: int
    bag_fraction: float
    n_init: int
    replace: bool
    corrective: bool

    @property
    def is_fast(self) -> bool:
        """Whether the fast search of ``sklearn_gfs.selection`` can select."""
        return self.corrective or (self.evaluate is None and self.n_init == 1 and self.replace)


class Path(NamedTuple):
    """A selection, pick by pick; with several bags the first axis of arrays is the bag."""

    picks: NDArray[np.int64]
    losses: Float64Array
    gaps: Float64Array
    scores: Float64Array | None


class Selection(NamedTuple):
    """The path, the number of picks that count, and the weights of all models."""

    path: Path
    n_picks: NDArray[np.int64]  # number of picks of the best prefix, for each bag
    weights: Float64Array


def select(library: Library, wanted: Wanted, rng: np.random.RandomState) -> Selection:
    """Return a selection from the library, or the mean of several selections from parts of it."""
    n_models = len(library.outputs)
    if wanted.corrective:
        return _corrective(library, wanted.k)
    if wanted.n_bags == 1:
        bags = [np.arange(n_models)]
    else:
        size = max(round(wanted.bag_fraction * n_models), 1)
        bags = [np.sort(rng.choice(n_models, size, replace=False)) for _ in range(wanted.n_bags)]
    paths, weights, n_picks = [], np.zeros(n_models), []
    for bag in bags:
        path = _select_once(library.part(bag), wanted)
        path = path._replace(picks=bag[path.picks])
        best = best_prefix(path)
        weights += np.bincount(path.picks[:best], minlength=n_models) / (best * len(bags))
        paths.append(path)
        n_picks.append(best)
    return Selection(_side_by_side(paths), np.array(n_picks), weights)


def best_prefix(path: Path) -> int:
    """Return the length of the best prefix: by the score, among equals by the loss, then the shortest."""
    best = np.arange(len(path.picks))
    losses = np.where(path.losses <= _ZERO * path.losses.max(), 0.0, path.losses)
    for values in (losses,) if path.scores is None else (-path.scores, losses):
        best = best[_ties(values[best])]
    return int(best[0]) + 1


def _corrective(library: Library, k: int) -> Selection:
    """Return a corrective selection; generalised cross-validation chooses the number of picks and the ridge."""
    outputs, y = library.arrays()
    y = np.eye(outputs[0].shape[1])[y] if library.holds_classes else y
    paths = corrective_paths(np.stack(outputs, axis=1), y, k, _RIDGES, sample_weight=library.weight)
    # Indicators of classes add up to one, so the last one gives no information.
    n_samples = len(library.y) if library.weight is None else float(library.weight.sum())
    n_values = n_samples * (library.outputs[0].shape[1] - library.holds_classes)
    # Models have no intercept. If the samples' weights add up to less than the degrees of freedom, the loss decides.
    errors = [cross_validated(path, n_values, n_free=0.0, least_left=1e-9) for path in paths]
    if not min(map(len, errors)):
        raise ValueError("corrective=True finds no model that lowers the loss")
    path = paths[int(np.argmin([some.min() for some in errors]))]
    n_picks = int(np.argmin(errors[paths.index(path)])) + 1
    weights: Float64Array = path.prefix(n_picks).weights
    return Selection(Path(path.picks, path.losses, path.gaps, None), np.array([n_picks]), weights)


def _side_by_side(paths: list[Path]) -> Path:
    if len(paths) == 1:
        return paths[0]
    scores = None if paths[0].scores is None else np.array([path.scores for path in paths])
    picks, losses, gaps = (np.array([path[i] for path in paths]) for i in range(3))
    return Path(picks, losses, gaps, scores)


def _select_once(library: Library, wanted: Wanted) -> Path:
    if wanted.is_fast:
        outputs, y = library.arrays()
        found = greedy_forward_selection(
            outputs, y, wanted.k, loss=wanted.loss, from_logits=False, sample_weight=library.weight
        )
        return Path(found.picks, found.losses, found.gaps, None)
    atoms = np.stack(library.outputs)
    score = None if wanted.evaluate is None else Score(atoms, wanted.evaluate)
    return greedy(loss_of(library, atoms, wanted.loss), wanted.k, score, n_init=wanted.n_init, replace=wanted.replace)


def loss_of(library: Library, atoms: Float64Array, name: str) -> LossCriterion:
    """Return the loss of this name as a criterion of the plain search."""
    n_samples = len(library.y)
    weight = np.ones(n_samples) if library.weight is None else library.weight
    weight = weight / weight.sum()
    if name == "log_loss":
        return LogLossCriterion(atoms[:, np.arange(n_samples), library.y], weight)
    y = np.eye(atoms.shape[2])[library.y] if library.holds_classes else library.y
    return SquaredErrorCriterion.of_outputs(atoms, y, weight)


def greedy(loss: LossCriterion, k: int, score: Score | None = None, *, n_init: int = 1, replace: bool = True) -> Path:
    """
    Return a path of k picks, each the best by the score, among equals by the loss; without a score by the loss alone.

    Among models that are still equal, a model that was picked already comes first, then the one with the lowest index.
    The first ``n_init`` picks are the models that are best alone. Without replacement the path ends when all models are
    picked.
    """
    criteria: list[Criterion] = [loss] if score is None else [score, loss]
    first = criteria[0].losses(1)
    order = _best_alone(first, criteria, min(n_init, len(first)) if n_init > 1 else 0)
    counts = np.zeros(len(first), dtype=np.int64)
    k = k if replace else min(k, len(counts))
    picks, losses, gaps, values = np.empty(k, dtype=np.int64), np.empty(k), np.empty(k), np.empty(k)
    for step in range(k):
        t = step + 1
        first = criteria[0].losses(t)
        pick = order[step] if step < len(order) else _choose(first, criteria, t, counts, replace=replace)
        counts[pick] += 1
        for criterion in criteria:
            criterion.add(pick)
        picks[step], values[step] = pick, first[pick]
        losses[step], gaps[step] = loss.value(t), loss.gap(t)
    return Path(picks, losses, gaps, None if score is None else -values)


def _best_alone(first: Float64Array, criteria: Sequence[Criterion], n_models: int) -> list[int]:
    """Return the indices of the ``n_models`` models that are best alone, the best first; nothing is picked yet."""
    taken = np.zeros(len(first), dtype=np.int64)
    order: list[int] = []
    for _ in range(n_models):
        order.append(_choose(first, criteria, 1, taken, replace=False))
        taken[order[-1]] = 1
    return order


def _choose(
    first: Float64Array, criteria: Sequence[Criterion], t: int, counts: NDArray[np.int64], *, replace: bool
) -> int:
    among = np.arange(len(counts)) if replace else np.flatnonzero(counts == 0)
    for criterion in criteria:
        if len(among) > 1:
            losses = (first if criterion is criteria[0] else criterion.losses(t))[among]
            among = among[_ties(losses, criterion.size(t, int(among[losses.argmin()])))]
    picked = among[counts[among] > 0]
    return int(picked[0] if len(picked) else among[0])


def _ties(values: Float64Array, size: float = 0.0) -> NDArray[np.bool_]:
    """Return a mask of the values that equal the least up to rounding, relative to values or to terms of this size."""
    least = values.min()
    return np.asarray(values <= least + _TIE * max(abs(least), size))
