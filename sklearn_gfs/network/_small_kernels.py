"""
The loop that trains a small network: arrays and addresses in, arrays written.

The network is one vector: coefficients, a row for each feature; intercepts; output coefficients, a row for each output;
output intercepts. The gradient, the moments and the average are vectors of the same layout. Rows are padded to whole
registers of the processor. The number of rows is at least the number in a tile of a product. The padding stays zero.

Everything is float32. Losses, activations and solvers are branches of one function, because each signature would take
another second to compile.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._activations import LOGISTIC, RELU, TANH
from sklearn_gfs._jit import inlined, jit
from sklearn_gfs._loop_codes import SOFTMAX, SQUARED

from ._solvers import ADAM, ADAM_DECAYS, ADAM_EPSILON
from ._vectors import (
    TILE_ROWS,
    adam,
    add_rows,
    add_square,
    clear,
    combine,
    dot,
    exponentials,
    largest,
    logistic,
    move_towards,
    narrow_tile,
    relu,
    subtract,
    tanh,
    times_logistic_slope,
    times_relu_slope,
    times_tanh_slope,
    weigh,
    wide_tile,
)

# Columns of `numbers`, which has a row for each update, in this order: the step size, the factor of the root of Adam's
# second moment, the share of the way that the average moves, and the loss.
STEP, INVERSE_ROOT, SHARE, LOSS = range(4)
# Code in place of a solver's: losses are computed, and nothing is updated.
NO_SOLVER = -1


class LoopShape(NamedTuple):
    """Sizes of an update, codes of activation, loss and solver, and addresses; `wide` sizes include the padding."""

    n_features: int
    n_hidden: int
    n_outputs: int
    batch_size: int
    wide_features: int
    wide_hidden: int
    wide_outputs: int
    rows_out: int
    n_parameters: int
    width: int  # number of floats in a register
    wide_tile: int  # number of columns of a wide tile
    activation: int
    loss: int
    solver: int
    averaged: int
    # Addresses of vectors in the layout of the network.
    parameters: int
    gradient: int
    first: int
    second: int
    average: int
    # Addresses of the parts of `parameters` and `gradient`.
    intercept: int
    out_coef: int
    out_intercept: int
    intercept_gradient: int
    out_coef_gradient: int
    out_intercept_gradient: int
    # Addresses of arrays of a batch, with a row for each sample.
    hidden: int
    slope: int
    outputs: int
    # Addresses of output coefficients times weights, a row for each neuron; weights of neurons; their squared norms.
    weighted: int
    neurons: int
    squares: int
    ones: int


class Rates(NamedTuple):
    """The penalty and the momentum of an update."""

    alpha: float
    momentum: float


@jit
def product(
    left: int,
    left_row: int,
    left_column: int,
    right: int,
    right_row: int,
    out: int,
    added: int,
    added_row: int,
    n_rows: int,
    n_columns: int,
    n_terms: int,
    factor: float,
    width: int,
    wide: int,
) -> None:
    """
    Write out = factor * added + left @ right; the distance of rows is the same in `out` and in `right`.

    The last tile ends with the last row and may overlap the tile before it. Rows of the overlap are computed twice, so
    `added` must not be the same array as `out`.
    """
    column = 0
    while column < n_columns:
        is_wide = column + wide <= n_columns
        at = 4 * column
        row = 0
        while row < n_rows:
            first = row if row + TILE_ROWS <= n_rows else n_rows - TILE_ROWS
            a, o, c = left + 4 * first * left_row, out + 4 * first * right_row + at, added + 4 * first * added_row + at
            if is_wide:
                wide_tile(a, left_row, left_column, right + at, right_row, o, right_row, c, added_row, n_terms, factor)
            else:
                narrow_tile(
                    a, left_row, left_column, right + at, right_row, o, right_row, c, added_row, n_terms, factor
                )
            row += TILE_ROWS
        column += wide if is_wide else width


@inlined
def dense_inputs(shape: LoopShape, X: int) -> None:
    """Write the pre-activations of a batch: inputs times coefficients, plus intercepts."""
    hidden = shape.wide_hidden
    none, one = np.int64(0), np.int64(1)  # numba would compile `product` anew for each literal
    product(
        X, shape.wide_features, one, shape.parameters, hidden, shape.hidden, shape.intercept, none,
        shape.batch_size, hidden, shape.n_features, 1.0, shape.width, shape.wide_tile,
    )  # fmt: skip


@inlined
def forward(shape: LoopShape) -> None:
    """Replace the pre-activations by activations, and write the outputs."""
    hidden, outputs, n_samples = shape.wide_hidden, shape.wide_outputs, shape.batch_size
    none, one = np.int64(0), np.int64(1)
    if shape.activation == RELU:
        relu(shape.hidden, n_samples * hidden)
    elif shape.activation == TANH:
        tanh(shape.hidden, n_samples * hidden)
    elif shape.activation == LOGISTIC:
        for i in range(n_samples):
            logistic(shape.hidden + 4 * i * hidden, hidden, shape.n_hidden)
    weigh(shape.weighted, outputs, shape.out_coef, hidden, shape.neurons, shape.n_hidden, shape.n_outputs)
    product(
        shape.hidden, hidden, one, shape.weighted, outputs, shape.outputs, shape.out_intercept, none,
        n_samples, outputs, hidden, 1.0, shape.width, shape.wide_tile,
    )  # fmt: skip


@inlined
def loss_and_residual(shape: LoopShape, y: int, weight: NDArray[np.float32], update: int) -> float:
    """Return the mean loss, and replace the outputs by its derivative."""
    wide, n_outputs = shape.wide_outputs, shape.n_outputs
    total = 0.0
    for i in range(shape.batch_size):
        at = 4 * i * wide
        row, target, share = shape.outputs + at, y + at, weight[update, i]
        value, factor = 0.0, 1.0
        if shape.loss != SQUARED:
            value = -dot(row, target, wide)
            if shape.loss == SOFTMAX:
                top = largest(row, wide, n_outputs)
                sum_ = exponentials(row, wide, n_outputs, top)
                value += (top + math.log(sum_)) * dot(target, shape.ones, wide)
                factor = 1.0 / sum_
            else:
                value += logistic(row, wide, n_outputs)
        squares = subtract(row, target, wide, factor, share)
        total += share * (0.5 * squares if shape.loss == SQUARED else value)
    return total


@inlined
def backward(shape: LoopShape, alpha: float) -> None:
    """
    Write the slopes, and the gradient of the loss and the penalty, except that of the coefficients.

    The gradient of a neuron is divided by the neuron's weight.
    """
    hidden, outputs, n_samples = shape.wide_hidden, shape.wide_outputs, shape.batch_size
    none, one = np.int64(0), np.int64(1)
    product(
        shape.outputs, one, outputs, shape.hidden, hidden, shape.out_coef_gradient, shape.out_coef, hidden,
        shape.rows_out, hidden, n_samples, alpha, shape.width, shape.wide_tile,
    )  # fmt: skip
    product(
        shape.outputs, outputs, one, shape.out_coef, hidden, shape.slope, shape.out_coef, none,
        n_samples, hidden, shape.n_outputs, 0.0, shape.width, shape.wide_tile,
    )  # fmt: skip
    if shape.activation == RELU:
        times_relu_slope(shape.slope, shape.hidden, n_samples * hidden)
    elif shape.activation == TANH:
        times_tanh_slope(shape.slope, shape.hidden, n_samples * hidden)
    elif shape.activation == LOGISTIC:
        times_logistic_slope(shape.slope, shape.hidden, n_samples * hidden)
    add_rows(shape.intercept_gradient, shape.slope, n_samples, hidden)
    add_rows(shape.out_intercept_gradient, shape.outputs, n_samples, outputs)


@inlined
def dense_gradient(shape: LoopShape, X: int, alpha: float) -> None:
    """Write the gradient of the coefficients."""
    hidden, one = shape.wide_hidden, np.int64(1)
    product(
        X, one, shape.wide_features, shape.slope, hidden, shape.gradient, shape.parameters, hidden,
        shape.wide_features, hidden, shape.batch_size, alpha, shape.width, shape.wide_tile,
    )  # fmt: skip


@inlined
def squares_of_neurons(shape: LoopShape, vector: int, skipped: int) -> float:
    """Return the sum of squares of a vector of the network's layout, weighted by neuron, without the skipped row."""
    hidden = shape.wide_hidden
    clear(shape.squares, hidden)
    for row in range(shape.wide_features + 1 + shape.rows_out):
        if row != skipped:
            add_square(shape.squares, vector + 4 * row * hidden, hidden)
    return dot(shape.squares, shape.neurons, hidden)


@inlined
def descend(shape: LoopShape, rates: Rates, step: float, loss: float) -> None:
    """Make a step of gradient descent, no longer than 2 loss / descent."""
    descent = dot(shape.out_intercept_gradient, shape.out_intercept_gradient, shape.wide_outputs)
    descent += squares_of_neurons(shape, shape.gradient, -1)
    penalty = 0.5 * rates.alpha * squares_of_neurons(shape, shape.parameters, shape.wide_features)
    if step * descent > 2 * (loss + penalty):
        step = 2 * (loss + penalty) / descent
    if rates.momentum == 0:
        combine(shape.parameters, shape.gradient, shape.n_parameters, 1.0, -step)
    else:
        combine(shape.first, shape.gradient, shape.n_parameters, rates.momentum, step)
        combine(shape.parameters, shape.first, shape.n_parameters, 1.0, -1.0)


@inlined
def step_along(shape: LoopShape, rates: Rates, numbers: NDArray[np.float32], update: int, loss: float) -> None:
    """Make a step of the solver, and move the average of the parameters."""
    step, n = numbers[update, STEP], shape.n_parameters
    if shape.solver == ADAM:
        adam(
            shape.parameters, shape.gradient, shape.first, shape.second, n,
            step, numbers[update, INVERSE_ROOT], ADAM_DECAYS[0], ADAM_DECAYS[1], ADAM_EPSILON,
        )  # fmt: skip
    else:
        descend(shape, rates, step, loss)
    if shape.averaged:
        move_towards(shape.average, shape.parameters, n, numbers[update, SHARE])


@jit
def train(
    shape: LoopShape, rates: Rates, X: int, y: int, weight: NDArray[np.float32], numbers: NDArray[np.float32]
) -> int:
    """
    Make one update for each row of `numbers`, each on the next batch, and return the number of updates.

    X and y are the addresses of inputs and targets of all batches, with padding. Weights have a row for each batch, and
    are divided by the batch size. Losses are written to the last column of `numbers`. The loop ends at a loss that is
    not finite, before its update. Without a solver only losses are computed.
    """
    n_batch = shape.batch_size
    for update in range(numbers.shape[0]):
        inputs, targets = X + 4 * update * n_batch * shape.wide_features, y + 4 * update * n_batch * shape.wide_outputs
        dense_inputs(shape, inputs)
        forward(shape)
        loss = loss_and_residual(shape, targets, weight, update)
        numbers[update, LOSS] = loss
        if not math.isfinite(numbers[update, LOSS]):
            return update
        if shape.solver != NO_SOLVER:
            backward(shape, rates.alpha)
            dense_gradient(shape, inputs, rates.alpha)
            step_along(shape, rates, numbers, update, loss)
    return numbers.shape[0]
