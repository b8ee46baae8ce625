"""
Which samples are held out: a systematic sample that neither order, nor repetition, nor units can change.

Shares of samples only; what is done with the samples belongs in ``mlp._prepared``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_gfs._typing import FloatArray, IntArray

# The automatic fraction.
_FRACTION = 0.1
# It is larger where it comes to fewer samples: a few dozen hardly tell one number of iterations from another.
_ENOUGH_SAMPLES = 100
# It is never more than this: the others have to train.
_MOST = 0.3
# It is smaller where it comes to more samples: they would tell no better, but each look at them takes longer.
_MOST_SAMPLES = 20_000
# Shares this close to a whole number are whole.
_ROUNDING = 1e-9
# As many distinct samples tell a table from other data.
_MOST_CELLS = 2000
# A measurement tells this part of the distinct samples apart.
_TELLS_APART = 0.5
# Where there are so many copies of each on average, it must tell more of them apart: a list of prices, say, has few
# equal ones.
_MANY_COPIES = 10
_TELLS_COPIES_APART = 0.9
# No class loses more than this part of its weight, unless a larger fraction was asked for.
_LARGEST_LOSS = 0.5
# A sample is compared with at most so many neighbours to either side: each takes a pass over all samples.
_MOST_NEIGHBOURS = 20
# A heavy sample counts as so many marks at most.
_MOST_MARKS = 100


def effective_number(weight: FloatArray | None, copies: FloatArray) -> float:
    """
    Return how many samples of even weight tell as much: fewer where few samples have most of the weight.

    Kish's formula [1]_, each copy with its part of the weight.

    References
    ----------
    .. [1] L. Kish, "Survey Sampling", Wiley 1965, section 11.7.
    """
    if weight is None:
        return float(copies.sum())
    weight = weight / weight.sum()
    return float(1.0 / np.sum(weight * weight / copies))


def evenness_of_classes(labels: FloatArray, weight: FloatArray | None, copies: FloatArray) -> float:
    """
    Return which share of the samples tell as much where each sample has the mean weight of its class.

    Weights that differ within the classes do not count.

    Parameters
    ----------
    labels : ndarray of shape (n_samples, n_outputs)
        Indicators of classes; equal rows are one class.
    weight : ndarray of shape (n_samples,) or None
    copies : ndarray of shape (n_samples,)
    """
    if weight is None:
        return 1.0
    direction = np.random.RandomState(0).standard_normal(labels.shape[1])
    classes = np.unique(labels @ direction, return_inverse=True)[1]
    n_copies = np.bincount(classes, weights=copies).astype(np.float64, copy=False)
    mass = np.bincount(classes, weights=weight).astype(np.float64, copy=False)
    return effective_number(mass, n_copies) / float(n_copies.sum())


def cells_share(copies: FloatArray) -> float:
    """Return which part of distinct samples of so many copies a measurement tells apart."""
    return _TELLS_COPIES_APART if copies.mean() > _MANY_COPIES else _TELLS_APART


def copies_that_count(copies: FloatArray, is_table: Callable[[IntArray, float], bool]) -> FloatArray:
    """
    Return for how many samples each one counts: for its copies in a table, else for one.

    Measurements hardly ever repeat. Copies of them, or weights like numbers of copies, tell no more than one sample.
    """
    if copies.max() == 1 or is_table(np.arange(0, len(copies), -(-len(copies) // _MOST_CELLS)), cells_share(copies)):
        return copies
    return np.broadcast_to(1.0, len(copies))


def held_out_shares(
    along_inputs: FloatArray,
    targets: FloatArray,
    weight: FloatArray | None,
    copies: FloatArray,
    fraction: float | str,
    rng: Any,
    *,
    is_table: Callable[[IntArray, float], bool],
    labels: FloatArray | None = None,
) -> FloatArray:
    """
    Return for each sample the share of its weight that is held out: all, nothing, or a part.

    About this fraction is held out of every range of targets, and of every class; at least something, never everything.
    The fraction "auto" is a tenth, of fewer than 1000 samples 100 of them, but at most 0.3, of more than 200 000
    samples 20 000.

    Samples with the same inputs and targets are one sample, repeated. The distinct samples are put in order by a random
    projection of the targets. Those with equal targets (a class, say) are ordered by `along_inputs`. Every 1 /
    fraction-th of them is held out as a whole, from a random start.

    Where the samples are the cells of a table (categories, small integers), future samples are copies of these. What is
    learnt of other cells says nothing about a held-out cell. There each copy of a cell is counted and held out by
    itself, and both parts get copies. A sample that weighs more than all its neighbours together is divided likewise,
    wherever it is. Without it nothing would be learnt about its neighbourhood.

    Parameters
    ----------
    along_inputs : ndarray of shape (n_samples,)
        A random projection of the inputs; equal where the inputs are.
    targets : ndarray of shape (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,) or None
        Positive.
    copies : ndarray of shape (n_samples,)
        For how many samples each one stands; at least one.
    fraction : float or "auto"
    rng : RandomState
    is_table : callable
        Told where some of the distinct samples are, and which part of these a measurement tells apart, says whether
        they are the cells of a table.
    labels : ndarray of shape (n_samples, n_outputs), default=None
        Indicators of classes. No class is held out by more than half of its weight, or the fraction where that is more.

    Returns
    -------
    ndarray of shape (n_samples,)
        Between 0 and 1.
    """
    order, group, start = _in_order(along_inputs, targets, rng)
    # All that follows has a number for each sample, too: nothing is kept for longer than it is needed.
    del along_inputs, targets
    n_groups = len(order) if group is None else int(group[-1]) + 1
    if n_groups == 1:
        return np.zeros(len(order))
    copies = copies[order]
    in_group = copies if group is None else np.bincount(group, weights=copies).astype(np.float64, copy=False)
    parts = None if group is None else copies / in_group[group]
    del copies
    lengths: FloatArray = np.ones(n_groups)
    if in_group.max() > 1:
        some = np.arange(0, n_groups, -(-n_groups // _MOST_CELLS))
        distinct = some if group is None else np.searchsorted(group, some)
        lengths = in_group if is_table(order[distinct], cells_share(in_group)) else lengths
    del in_group
    if isinstance(fraction, str):
        n_samples = float(lengths.sum())
        fraction = min(max(_FRACTION, min(_MOST, _ENOUGH_SAMPLES / n_samples)), _MOST_SAMPLES / n_samples)
    if group is not None or weight is not None:  # of distinct samples that weigh the same none is heavy
        weights = np.ones(len(order)) if weight is None else weight[order]
        weights = weights if group is None else np.bincount(group, weights=weights).astype(np.float64, copy=False)
        np.maximum(lengths, _excess(weights, fraction), out=lengths)
        del weights
    taken = _marked_copies(lengths, fraction, start)
    del lengths
    shares = np.empty(len(order))
    shares[order] = _shares_within(group, parts, taken)
    return shares if labels is None else _spare_classes(shares, labels, weight, max(_LARGEST_LOSS, fraction))


def _in_order(along_inputs: FloatArray, targets: FloatArray, rng: Any) -> tuple[IntArray, IntArray | None, float]:
    """
    Return the samples in order, the number of the distinct sample that each of these is, and a random start.

    There are no numbers where all samples are distinct.
    """
    along_targets = np.zeros(len(targets))
    for column, factor in zip(targets.T, rng.standard_normal(targets.shape[1]), strict=True):
        along_targets += factor * column
    start = rng.uniform()
    order = np.lexsort((along_inputs, along_targets))
    begins = np.zeros(len(order), dtype=bool)
    for along in (along_targets, along_inputs):
        key = along[order]
        begins[1:] |= key[1:] != key[:-1]
    return order, None if begins[1:].all() else np.cumsum(begins), start


def _excess(weights: FloatArray, fraction: float) -> FloatArray:
    """
    Say for how many of its neighbours a distinct sample stands that weighs more than all of them; zero for others.

    Neighbours are those between two marks to either side.
    """
    n_groups, others = len(weights), np.zeros(len(weights))
    reach = min(math.ceil(1 / fraction), _MOST_NEIGHBOURS, n_groups - 1)
    for distance in range(1, reach + 1):
        others[distance:] += weights[:-distance]
        others[:-distance] += weights[distance:]
    heavy = np.flatnonzero(weights > others)
    n_others = np.minimum(heavy, reach) + np.minimum(n_groups - 1 - heavy, reach)
    numbers = np.minimum(weights[heavy] / (others[heavy] / n_others), _MOST_MARKS / fraction)
    others[:] = 0.0
    others[heavy] = numbers
    return others


def _marked_copies(lengths: FloatArray, fraction: float, start: float) -> FloatArray:
    """Return the part of each distinct sample that marks fall on; of what has copies, one is always left."""
    ends = np.cumsum(lengths)
    ends *= fraction
    ends -= start
    np.floor(ends, out=ends)
    marks = np.empty_like(ends)
    marks[0] = ends[0] - np.floor(-start)
    np.subtract(ends[1:], ends[:-1], out=marks[1:])
    del ends
    most = lengths - 1
    most[lengths < 2] = 1.0
    np.minimum(marks, most, out=marks)
    del most
    if not marks.any() or (marks >= lengths).all():
        middle = int(start * len(lengths))
        marks = np.where(np.arange(len(lengths)) == middle, 1.0, 0.0) if not marks.any() else marks
        if (marks >= lengths).all():
            marks[middle] = 0.0
    marks /= lengths
    return marks


def _shares_within(group: IntArray | None, parts: FloatArray | None, taken: FloatArray) -> FloatArray:
    """
    Deal out what is taken of each group to its samples, which are `parts` of it: as many whole ones as can be.

    Without numbers of groups each sample is one.
    """
    shares: FloatArray = taken if group is None else taken[group]
    if group is not None and parts is not None:
        shares -= _starts_within(group, parts)
        shares /= parts
    np.clip(shares, 0.0, 1.0, out=shares)
    # Rounding must not split a sample that is to be whole.
    whole = np.rint(shares)
    is_near = np.abs(shares - whole) < _ROUNDING * len(shares)
    shares[is_near] = whole[is_near]
    return shares


def _starts_within(group: IntArray, parts: FloatArray) -> FloatArray:
    """Say for each sample which part of its group comes before it."""
    ends = np.cumsum(parts)
    first = np.searchsorted(group, np.arange(group[-1] + 1))
    before = np.concatenate([[0.0], ends[:-1]])
    return before - before[first][group]


def _spare_classes(shares: FloatArray, labels: FloatArray, weight: FloatArray | None, most: float) -> FloatArray:
    """Leave in training, of every class, what must not be held out."""
    for column in labels.T:
        for members in (column > 0, column <= 0):
            some = np.ones(int(members.sum())) if weight is None else weight[members]
            total, held = some.sum(), some @ shares[members]
            if held > most * total:
                shares[members] *= most * total / held
    return shares
