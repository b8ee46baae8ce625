"""
Which samples are held out: a systematic sample that neither order, nor repetition, nor units can change.

Shares of samples only; ``mlp._prepared`` divides the samples accordingly.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_gfs._typing import FloatArray, IntArray

# The automatic fraction, unless a limit below holds.
_FRACTION = 0.1
# Least number of held-out samples: a few dozen samples hardly distinguish numbers of iterations.
_ENOUGH_SAMPLES = 100
# Largest automatic fraction, so that enough samples train.
_MOST = 0.3
# Largest number of held-out samples: more of them do not decide better, and each evaluation takes longer.
_MOST_SAMPLES = 20_000
# Distance from 0 or 1 within which a share is rounded, for each sample.
_ROUNDING = 1e-9
# Largest number of distinct samples that are examined to distinguish a table from other data.
_MOST_CELLS = 2000
# Ratio of distinct values of a feature to distinct samples above which the feature is a measurement.
_TELLS_APART = 0.5
# Mean number of copies of a distinct sample above which the ratio below holds instead.
_MANY_COPIES = 10
# The ratio for samples with many copies. A categorical feature with many values, such as a price of articles, also has
# few equal values among distinct samples.
_TELLS_COPIES_APART = 0.9
# Largest share of a class's weight that is held out, unless the fraction is larger.
_LARGEST_LOSS = 0.5
# Largest number of neighbours on either side that a sample is compared with. Each neighbour takes a pass over all
# samples.
_MOST_NEIGHBOURS = 20
# Largest number of marks that a heavy sample can have.
_MOST_MARKS = 100


def effective_number(weight: FloatArray | None, copies: FloatArray) -> float:
    """
    Return the effective number of samples, which is small if few samples have most of the weight.

    Kish's formula [1]_, with the weight of a sample divided equally among its copies.

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
    Return the effective number of samples over their number, if each sample has the mean weight of its class.

    Differences of weights within a class have no effect.

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
    """Return the ratio of distinct values to distinct samples above which a feature is a measurement."""
    return _TELLS_COPIES_APART if copies.mean() > _MANY_COPIES else _TELLS_APART


def copies_that_count(copies: FloatArray, is_table: Callable[[IntArray, float], bool]) -> FloatArray:
    """
    Return the number of samples that each sample counts for: its number of copies in a table, else one.

    Measurements hardly ever repeat, so copies of them, or whole weights, give no more information than one sample.
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
    Return for each sample the share of its weight that is held out: 0, 1, or a share between them.

    About this fraction is held out of every range of targets, and of every class; at least one sample, never all. The
    fraction "auto" is a tenth. Fewer than 1000 samples give 100 held-out samples, but at most 0.3 of them. More than
    200 000 samples give 20 000.

    Samples with the same inputs and targets are copies of one distinct sample. The distinct samples are put in order by
    a random projection of the targets. Samples with equal targets, for example of a class, are ordered by
    `along_inputs`. Marks are set in this order at distances of 1 / fraction, from a random start. A distinct sample
    with a mark is held out as a whole.

    If the samples are the cells of a table (categories, small integers), future samples are copies of these cells.
    Other cells teach nothing about a held-out cell. Therefore each copy of a cell counts, and is held out or trains by
    itself, so that both parts get copies. A sample that weighs more than all its neighbours together is divided
    likewise: without the sample nothing would be learnt about its neighbourhood.

    Parameters
    ----------
    along_inputs : ndarray of shape (n_samples,)
        A random projection of the inputs; equal inputs have equal projections.
    targets : ndarray of shape (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,) or None
        Positive weights.
    copies : ndarray of shape (n_samples,)
        Number of copies of each sample, at least one.
    fraction : float or "auto"
    rng : RandomState
    is_table : callable
        Given the indices of some distinct samples, and the ratio of `cells_share`, returns whether they are the cells
        of a table.
    labels : ndarray of shape (n_samples, n_outputs), default=None
        Indicators of classes. At most half of each class's weight is held out, or `fraction` if that is more.

    Returns
    -------
    ndarray of shape (n_samples,)
        Shares between 0 and 1.
    """
    order, group, start = _in_order(along_inputs, targets, rng)
    # Each array below has a value for every sample, so arrays are deleted as soon as possible.
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
    if group is not None or weight is not None:  # without copies and weights no sample is heavy
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
    Return the samples in order, the index of the distinct sample of each of these, and a random start.

    The indices are None if all samples are distinct.
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
    Return for each distinct sample its weight over the mean weight of its neighbours, if it outweighs all; else zero.

    Neighbours are the samples within the distance of two marks, on either side.
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
    """Return the share of each distinct sample's copies that have a mark; at least one of several copies has none."""
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
    Return the share of each sample that is held out, given the share of its group, and its part of the group.

    The samples of a group are held out one after the other, each as a whole if possible. If `group` is None, each
    sample is a group.
    """
    shares: FloatArray = taken if group is None else taken[group]
    if group is not None and parts is not None:
        shares -= _starts_within(group, parts)
        shares /= parts
    np.clip(shares, 0.0, 1.0, out=shares)
    # Without this, rounding could split a sample that is held out, or trains, as a whole.
    whole = np.rint(shares)
    is_near = np.abs(shares - whole) < _ROUNDING * len(shares)
    shares[is_near] = whole[is_near]
    return shares


def _starts_within(group: IntArray, parts: FloatArray) -> FloatArray:
    """Return for each sample the sum of the parts of its group that come before the sample."""
    ends = np.cumsum(parts)
    first = np.searchsorted(group, np.arange(group[-1] + 1))
    before = np.concatenate([[0.0], ends[:-1]])
    return before - before[first][group]


def _spare_classes(shares: FloatArray, labels: FloatArray, weight: FloatArray | None, most: float) -> FloatArray:
    """Return the shares, reduced so that at most the share `most` of each class's weight is held out."""
    for column in labels.T:
        for members in (column > 0, column <= 0):
            some = np.ones(int(members.sum())) if weight is None else weight[members]
            total, held = some.sum(), some @ shares[members]
            if held > most * total:
                shares[members] *= most * total / held
    return shares
