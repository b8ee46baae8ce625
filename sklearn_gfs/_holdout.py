"""
Which samples are held out: a systematic sample that neither order, nor repetition, nor units can change.

Indices only; what is done with the samples belongs in ``_path``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._typing import FloatArray

# Projections that agree to this part of their spread belong to the same sample, repeated.
_DECIMALS = 9
# The automatic fraction is the first; where that comes to fewer than so many samples, what makes as many, up to the
# last. A few dozen samples hardly tell one number of iterations from another.
_FRACTION, _ENOUGH_SAMPLES, _MOST = 0.1, 100, 0.3


def held_out_mask(
    along_inputs: FloatArray, targets: FloatArray, weight: FloatArray | None, fraction: float | str, rng: Any
) -> np.ndarray:
    """
    Mark about this fraction of the samples, by weight, as held out; at least one sample, never all distinct ones.

    The fraction "auto" is a tenth, of fewer than 1000 distinct samples 100 of them, but at most 0.3.

    The samples are put in order by a random projection of the targets, those with equal targets (a class, say) by
    `along_inputs`, one of the standardised inputs, and every 1 / fraction-th is taken, from a random start: each
    class and each range of a numeric target is held out in proportion. A sample that is there twice is held out
    twice or not at all, and so counts like one of weight two.
    """
    along_targets = _rounded(targets @ rng.standard_normal(targets.shape[1]))
    along_inputs = _rounded(along_inputs)
    start = rng.uniform()
    order = np.lexsort((along_inputs, along_targets))
    keys = np.stack([along_targets[order], along_inputs[order]])
    group = np.concatenate([[0], np.cumsum(np.any(np.diff(keys, axis=1) != 0, axis=0))])
    weight = np.ones(len(order)) if weight is None else weight
    ends = np.cumsum(np.bincount(group, weights=weight[order]))
    if len(ends) == 1:
        return np.zeros(len(order), dtype=bool)
    if isinstance(fraction, str):
        fraction = max(_FRACTION, min(_MOST, _ENOUGH_SAMPLES / len(ends)))
    # The groups lie along a line, each as long as its weight; a group is taken when a mark falls on its stretch. There
    # are as many marks as a fraction of the distinct samples, whatever the unit of the weights.
    marks = np.floor(ends * (len(ends) * fraction / ends[-1]) - start)
    taken = np.diff(marks, prepend=np.floor(-start)) > 0
    if not taken.any() or taken.all():
        middle = np.arange(len(ends)) == int(start * len(ends))
        taken = middle if not taken.any() else ~middle
    mask = np.empty(len(order), dtype=bool)
    mask[order] = taken[group]
    return mask


def _rounded(values: FloatArray) -> FloatArray:
    spread = float(values.max() - values.min())
    return np.round((values - values.min()) / spread, _DECIMALS) if spread > 0 else np.zeros(len(values))
