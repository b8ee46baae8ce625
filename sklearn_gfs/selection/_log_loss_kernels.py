"""
The inner loops of greedy forward selection for the log loss: arrays in, arrays out.

Here belong the compiled loops over samples. They know no estimator and validate nothing; the bounds that rule
candidates out are handed to them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._jit import inlined, jit

# exp(x) = 2^k exp(r): adding the magic number rounds x / ln 2 to the integer k, which then stands in the low bits.
_MAGIC = 6755399441055744.0  # 1.5 * 2^52
_MAGIC_BITS = 0x4338000000000000
_LOG2_E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10

_TILE = 256  # samples evaluated together, small enough for the first cache
_LANES = 16  # logarithms are taken of products of a tile's every 16th value


@jit
def exp_in_place(x: NDArray[np.float64], scratch: NDArray[np.float64]) -> None:
    """Replace values of at most 0 by their exponentials, in a form that compilers vectorise."""
    bits = scratch.view(np.int64)
    for i in range(x.shape[0]):
        v = x[i] if x[i] > -708.0 else -708.0
        shifted = v * _LOG2_E + _MAGIC
        scratch[i] = shifted
        k = shifted - _MAGIC
        r = (v - k * _LN2_HIGH) - k * _LN2_LOW
        # Taylor's series: |r| <= ln(2) / 2, so that r^14 / 14! is below the rounding.
        series = r * (1.0 / 6227020800.0) + 1.0 / 479001600.0
        series = series * r + 1.0 / 39916800.0
        series = series * r + 1.0 / 3628800.0
        series = series * r + 1.0 / 362880.0
        series = series * r + 1.0 / 40320.0
        series = series * r + 1.0 / 5040.0
        series = series * r + 1.0 / 720.0
        series = series * r + 1.0 / 120.0
        series = series * r + 1.0 / 24.0
        series = series * r + 1.0 / 6.0
        series = series * r + 0.5
        series = series * r + 1.0
        bits[i] = (bits[i] - _MAGIC_BITS + 1023) << 52
        x[i] = (series * r + 1.0) * scratch[i]


@jit
def log_sum(values: NDArray[np.float64], weight: NDArray[np.float64], lanes: NDArray[np.float64]) -> float:
    """
    Return the weighted sum of the logarithms of a tile of positive values.

    A single weight means equal weights. One logarithm is then computed of the product of every sixteenth value, unless
    such a product could overflow or underflow.
    """
    total = 0.0
    if weight.shape[0] > 1:
        for i in range(values.shape[0]):
            total += weight[i] * np.log(values[i])
        return total
    for i in range(_LANES):
        lanes[i] = 1.0
    whole = values.shape[0] // _LANES * _LANES
    for start in range(0, whole, _LANES):
        for i in range(_LANES):
            lanes[i] *= values[start + i]
    for i in range(whole, values.shape[0]):
        lanes[i - whole] *= values[i]
    low, high = lanes[0], lanes[0]
    for i in range(_LANES):
        low = lanes[i] if lanes[i] < low else low
        high = lanes[i] if lanes[i] > high else high
    if low > 1e-290 and high < 1e290:
        for i in range(_LANES):
            total += np.log(lanes[i])
    else:
        for i in range(values.shape[0]):
            total += np.log(values[i])
    return total * weight[0]


def _inner_product(x: NDArray[np.float64], y: NDArray[np.floating[Any]]) -> float:
    """Return the inner product, in float64 for any dtypes."""
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i] * y[i]
    return total


inner_product = jit(_inner_product, reassociate=True)


class Logits(NamedTuple):
    """
    The atoms, output weights and sample weights from which the log loss of a candidate is computed.

    Logit c of atom i on sample s is ``atoms[i, c, s]``, or ``atoms[i, 0, s] * output_weights[i, c]`` where atoms
    have one row. A single logit is that of the second of two classes.
    """

    atoms: NDArray[np.floating[Any]]  # (n_atoms, n_outputs or 1, n_samples)
    output_weights: NDArray[np.float64]  # (n_atoms, n_outputs)
    weight: NDArray[np.float64]  # (n_samples,), adding up to one, or (1,) where all are the same


@inlined
def log_loss_remainder(
    atom: int,
    coef: float,
    logits: Logits,
    base: NDArray[np.float64],
    p: NDArray[np.float64],
    tangent: NDArray[np.float64],
    cut: float,
    work: NDArray[np.float64],
) -> float:
    """
    Return the loss of the logits base + coef * atom minus its tangent at the softmax p; stop above the cut.

    The log loss is convex, so that every sample adds something that is not negative:
    logsumexp(base + coef * atom) - tangent - coef <p, atom>.
    """
    n_outputs, n_samples = base.shape
    rows = logits.atoms.shape[1]
    total = 0.0
    for start in range(0, n_samples, _TILE):
        size = min(_TILE, n_samples - start)
        top, slope, sums, scratch = work[0, :size], work[1, :size], work[2, :size], work[3, :size]
        lowest = 0.0 if n_outputs == 1 else -np.inf
        for i in range(size):
            top[i], slope[i], sums[i] = lowest, tangent[start + i], 0.0
        for c in range(n_outputs):
            b = coef * logits.output_weights[atom, c]
            row = logits.atoms[atom, c if rows > 1 else 0, start : start + size]
            share, mean, v = p[c, start : start + size], base[c, start : start + size], work[5 + c, :size]
            for i in range(size):
                x = b * row[i]
                slope[i] += share[i] * x
                v[i] = mean[i] + x
                top[i] = v[i] if v[i] > top[i] else top[i]
        for c in range(n_outputs + (n_outputs == 1)):
            v = work[5 + c, :size]
            for i in range(size):
                v[i] = (v[i] if c < n_outputs else 0.0) - top[i]
            exp_in_place(v, scratch)
            for i in range(size):
                sums[i] += v[i]
        weight = logits.weight if logits.weight.shape[0] == 1 else logits.weight[start : start + size]
        linear = 0.0
        if weight.shape[0] == 1:
            for i in range(size):
                linear += top[i] - slope[i]
            linear *= weight[0]
        else:
            for i in range(size):
                linear += weight[i] * (top[i] - slope[i])
        total += linear + log_sum(sums, weight, work[4, :_LANES])
        if total > cut:
            return total
    return total


@inlined
def log_loss_slope(atom: int, logits: Logits, gradient: NDArray[np.float64]) -> float:
    """Return the inner product of an atom's logits with the gradient, in float64."""
    slope = 0.0
    for c in range(gradient.shape[0]):
        row = logits.atoms[atom, c if logits.atoms.shape[1] > 1 else 0]
        slope += logits.output_weights[atom, c] * inner_product(gradient[c], row)
    return slope


class Step(NamedTuple):
    """
    The state at the start of a step.

    The tangent of a candidate's loss is ``level + coef * slope``; ``log_loss_remainder`` computes the remainder.
    """

    coefs: NDArray[np.float64]  # what an atom may be multiplied with
    base: NDArray[np.float64]  # (n_outputs, n_samples), the logits that an atom is added to
    p: NDArray[np.float64]  # softmax at the mean of the picks so far
    gradient: NDArray[np.float64]  # of the loss there
    tangent: NDArray[np.float64]  # (n_samples,), tangent of the logsumexp there, at the base
    level: float


@jit
def log_loss_candidates(
    order: NDArray[np.int64],
    bounds: NDArray[np.float64],
    best: NDArray[np.float64],
    tolerance: float,
    logits: Logits,
    step: Step,
    losses: NDArray[np.float64],
) -> None:
    """
    Write the loss of every candidate that could be the best, in the given order; infinity for the others.

    Candidate j is atom j // len(coefs) times coefs[j % len(coefs)]. bounds[j] is a lower bound of its loss, of any
    precision: the loss itself is computed in float64 from the samples alone. ``best`` holds the least loss found so
    far, by this thread or another. It only decides what is ruled out, beyond the tolerance.
    """
    work = np.empty((step.base.shape[0] + 6, _TILE))
    n_coefs = step.coefs.shape[0]
    for j in order:
        losses[j] = np.inf
        threshold = best[0] + tolerance
        if bounds[j] > threshold:
            continue
        atom, coef, cut = j // n_coefs, step.coefs[j % n_coefs], threshold - bounds[j]
        remainder = log_loss_remainder(atom, coef, logits, step.base, step.p, step.tangent, cut, work)
        if remainder > cut:
            continue
        loss = step.level + coef * log_loss_slope(atom, logits, step.gradient) + remainder
        if loss <= threshold:
            losses[j] = loss
            best[0] = min(best[0], loss)
