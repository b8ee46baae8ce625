"""
The loop that trains a network on inputs of which few differ from zero: arrays and addresses in, arrays written.

It computes the same as the loop of ``_small_kernels``, feature by feature: a row of coefficients is read once for a
batch. A step of Adam moves the coefficients of all features. A feature that is zero in a batch makes its missed steps
later, when a batch needs it again. So most coefficients are not read from memory in every update.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._jit import inlined, jit

from ._data import Entries
from ._small_kernels import (
    INVERSE_ROOT,
    LOSS,
    NO_SOLVER,
    SHARE,
    STEP,
    LoopShape,
    Rates,
    backward,
    descend,
    forward,
    loss_and_residual,
)
from ._solvers import ADAM_DECAYS, ADAM_EPSILON
from ._vectors import adam, add_times, clear, move_towards


class ByFeature(NamedTuple):
    """
    The inputs of a batch that differ from zero, feature by feature.

    Parameters
    ----------
    starts : ndarray of int64 of shape (n_features + 2,)
        The entries of feature f are at ``starts[f]`` up to ``starts[f + 1]``; the last element is used for sorting
        only.
    samples : ndarray of int32 of shape (n_entries,)
        Positions of the entries' samples in the batch.
    values : ndarray of float32 of shape (n_entries,)
    n_made : ndarray of int64 of shape (n_features,)
        Number of updates that each feature's coefficients have made.
    """

    starts: NDArray[np.int64]
    samples: NDArray[np.int32]
    values: NDArray[np.float32]
    n_made: NDArray[np.int64]


def room_by_feature(n_features: int, n_entries: int) -> ByFeature:
    """Return arrays for batches of at most `n_entries` entries, before any update."""
    starts, n_made = np.zeros(n_features + 2, dtype=np.int64), np.zeros(n_features, dtype=np.int64)
    return ByFeature(starts, np.empty(n_entries, dtype=np.int32), np.empty(n_entries, dtype=np.float32), n_made)


@inlined
def sort(entries: Entries, first: int, n_batch: int, out: ByFeature) -> None:
    """Sort the entries of a batch, whose first row is `first`, by feature; entries of a feature keep their order."""
    starts, n_features = out.starts, len(out.n_made)
    for feature in range(n_features + 2):
        starts[feature] = 0
    for at in range(entries.starts[first], entries.starts[first + n_batch]):
        starts[entries.columns[at] + 2] += 1
    for feature in range(2, n_features + 2):
        starts[feature] += starts[feature - 1]
    # Each entry moves the start of its feature by one, until the start is that of the next feature.
    for i in range(n_batch):
        for at in range(entries.starts[first + i], entries.starts[first + i + 1]):
            place = starts[entries.columns[at] + 1]
            out.samples[place], out.values[place] = i, entries.values[at]
            starts[entries.columns[at] + 1] = place + 1


@jit
def move(shape: LoopShape, numbers: NDArray[np.float32], update: int, start: int, gradient: int, n: int) -> None:
    """Make a step of Adam for the n parameters at offset `start`, and move their average."""
    first, second = shape.first + 4 * start, shape.second + 4 * start
    adam(
        shape.parameters + 4 * start, gradient, first, second, n,
        numbers[update, STEP], numbers[update, INVERSE_ROOT], ADAM_DECAYS[0], ADAM_DECAYS[1], ADAM_EPSILON,
    )  # fmt: skip
    if shape.averaged:
        move_towards(shape.average + 4 * start, shape.parameters + 4 * start, n, numbers[update, SHARE])


@jit
def penalty_alone(shape: LoopShape, alpha: float, start: int, gradient: int, n: int) -> None:
    """Write the gradient of the penalty for the n parameters at offset `start`."""
    clear(gradient, n)
    if alpha != 0:
        add_times(gradient, shape.parameters + 4 * start, n, alpha)


@jit
def catch_up(
    shape: LoopShape, alpha: float, numbers: NDArray[np.float32], by_feature: ByFeature, feature: int, end: int
) -> None:
    """Make the steps that a feature's coefficients have missed, up to the update `end`."""
    hidden = shape.wide_hidden
    for update in range(by_feature.n_made[feature], end):
        penalty_alone(shape, alpha, feature * hidden, shape.gradient, hidden)
        move(shape, numbers, update, feature * hidden, shape.gradient, hidden)
    by_feature.n_made[feature] = end


@inlined
def add_inputs(shape: LoopShape, by_feature: ByFeature, feature: int) -> None:
    """Add the products of a feature's inputs and its coefficients to the pre-activations."""
    hidden = shape.wide_hidden
    coef = shape.parameters + 4 * feature * hidden
    for j in range(by_feature.starts[feature], by_feature.starts[feature + 1]):
        add_times(shape.hidden + 4 * by_feature.samples[j] * hidden, coef, hidden, by_feature.values[j])


@jit
def add_gradient(shape: LoopShape, by_feature: ByFeature, feature: int, gradient: int) -> None:
    """Add the gradient of a feature's coefficients."""
    hidden = shape.wide_hidden
    for j in range(by_feature.starts[feature], by_feature.starts[feature + 1]):
        add_times(gradient, shape.slope + 4 * by_feature.samples[j] * hidden, hidden, by_feature.values[j])


@inlined
def step_of_adam(
    shape: LoopShape, alpha: float, by_feature: ByFeature, numbers: NDArray[np.float32], update: int
) -> None:
    """Move the coefficients of the features in the batch, and all parameters that belong to no feature."""
    hidden = shape.wide_hidden
    for feature in range(shape.n_features):
        if by_feature.starts[feature] < by_feature.starts[feature + 1]:
            penalty_alone(shape, alpha, feature * hidden, shape.gradient, hidden)
            add_gradient(shape, by_feature, feature, shape.gradient)
            move(shape, numbers, update, feature * hidden, shape.gradient, hidden)
            by_feature.n_made[feature] = update + 1
    start = shape.wide_features * hidden
    move(shape, numbers, update, start, shape.intercept_gradient, shape.n_parameters - start)


@inlined
def loss_of_batch(
    shape: LoopShape,
    by_feature: ByFeature,
    y: int,
    weight: NDArray[np.float32],
    numbers: NDArray[np.float32],
    update: int,
) -> float:
    """Compute the loss of a sorted batch, write it to `numbers`, replace the outputs by its derivative; return it."""
    hidden = shape.wide_hidden
    for i in range(shape.batch_size):
        clear(shape.hidden + 4 * i * hidden, hidden)
        add_times(shape.hidden + 4 * i * hidden, shape.intercept, hidden, 1.0)
    for feature in range(shape.n_features):
        add_inputs(shape, by_feature, feature)
    forward(shape)
    loss = loss_and_residual(shape, y + 4 * update * shape.batch_size * shape.wide_outputs, weight, update)
    numbers[update, LOSS] = loss
    return loss


@jit
def train_on_few(
    shape: LoopShape,
    rates: Rates,
    entries: Entries,
    by_feature: ByFeature,
    y: int,
    weight: NDArray[np.float32],
    numbers: NDArray[np.float32],
) -> int:
    """Do the same as `train`, with Adam or without a solver, for inputs of which few differ from zero."""
    learns, n_done = shape.solver != NO_SOLVER, numbers.shape[0]
    for update in range(numbers.shape[0]):
        sort(entries, update * shape.batch_size, shape.batch_size, by_feature)
        if learns:
            for feature in range(shape.n_features):
                if by_feature.starts[feature] < by_feature.starts[feature + 1]:
                    catch_up(shape, rates.alpha, numbers, by_feature, feature, update)
        loss_of_batch(shape, by_feature, y, weight, numbers, update)
        if not math.isfinite(numbers[update, LOSS]):
            n_done = update
            break
        if learns:
            backward(shape, rates.alpha)
            step_of_adam(shape, rates.alpha, by_feature, numbers, update)
    if learns:
        for feature in range(shape.n_features):
            catch_up(shape, rates.alpha, numbers, by_feature, feature, n_done)
    return n_done


@jit
def descend_on_few(
    shape: LoopShape,
    rates: Rates,
    entries: Entries,
    by_feature: ByFeature,
    y: int,
    weight: NDArray[np.float32],
    numbers: NDArray[np.float32],
) -> int:
    """Do the same as `train`, with gradient descent; a step depends on the whole gradient, so no feature can wait."""
    hidden = shape.wide_hidden
    for update in range(numbers.shape[0]):
        sort(entries, update * shape.batch_size, shape.batch_size, by_feature)
        loss = loss_of_batch(shape, by_feature, y, weight, numbers, update)
        if not math.isfinite(numbers[update, LOSS]):
            return update
        backward(shape, rates.alpha)
        penalty_alone(shape, rates.alpha, 0, shape.gradient, shape.wide_features * hidden)
        for feature in range(shape.n_features):
            add_gradient(shape, by_feature, feature, shape.gradient + 4 * feature * hidden)
        descend(shape, rates, numbers[update, STEP], loss)
        if shape.averaged:
            move_towards(shape.average, shape.parameters, shape.n_parameters, numbers[update, SHARE])
    return numbers.shape[0]
