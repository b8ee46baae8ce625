"""
Log losses of a mean of neurons' outputs: their values with one more neuron, and their derivatives by each output.

Here belong the vector operations, written once for each loss, and the loop that calls them. Arrays of outputs and
targets have a row for each output. Samples lie along rows, which are padded to whole vectors of the processor; the
padding has weight zero. Arguments are addresses, lengths in floats, and floats; nothing is checked.

numba's cache of a kernel depends on the kernel's own file only. After a change of the emitter, empty the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sklearn_gfs._emitter import Emitter, operation
from sklearn_gfs._jit import jit
from sklearn_gfs._loop_codes import SOFTMAX
from sklearn_gfs._typing import Float64Array

# Number of samples in a block, whose outputs and targets stay in the cache while all neurons are tried.
_BLOCK = 1024


def _softmax(e: Emitter, n_outputs: Any, output: Callable[[Any], Any], each: Callable[..., Sequence[Any]]) -> Any:
    """
    Return the sum over outputs of exp(logit - largest logit), and two other sums over outputs.

    Given the index of an output, `output` returns vectors of logits and targets. `each` takes the index, the logits
    minus the largest logits, their exponentials, the targets and the two sums so far, and returns the new sums.
    """
    zero = e.constant(0)
    top = e.loop(n_outputs, 1, [e.constant(-3e38)], lambda j, most: (e.larger(output(j)[0], most),))[0]

    def more(j: Any, total: Any, *sums: Any) -> Sequence[Any]:
        logit, target = output(j)
        below = e.at.fsub(logit, top)
        share = e.exp(below)
        return e.at.fadd(total, share), *each(j, below, share, target, *sums)

    return e.loop(n_outputs, 1, [zero, zero, zero], more)


def _losses(e: Emitter, arguments: Sequence[Any], loss_of: Callable[[Emitter, Any, Callable[[Any], Any]], Any]) -> Any:
    """Return the weighted sum of losses with one more neuron."""
    hidden, coef, base, targets, row, n_outputs, weight, n = arguments

    def sample(i: Any, total: Any) -> Sequence[Any]:
        activation = e.load(e.address(hidden, i))
        from_, to = e.address(base, i), e.address(targets, i)

        def output(j: Any) -> Any:
            offset, factor = e.at.mul(j, row), e.splat(e.load_one(e.address(coef, j)))
            return e.fma(factor, activation, e.load(e.address(from_, offset))), e.load(e.address(to, offset))

        return (e.fma(loss_of(e, n_outputs, output), e.load(e.address(weight, i)), total),)

    return e.sum_of(e.loop(n, e.width, [e.constant(0)], sample)[0])


@operation(8, returns=True)
def softmax_losses(e: Emitter, *arguments: Any) -> Any:
    """
    Return the sum of the log losses of the softmax of base + coef * hidden.

    Arguments 1 to 4 are the addresses of activations, coefficients, base and targets. Then come the distance of the
    rows of base and of targets, the number of outputs, the address of weights, and the number of samples.
    """

    def loss_of(e: Emitter, n_outputs: Any, output: Callable[[Any], Any]) -> Any:
        def each(_j: Any, below: Any, _share: Any, target: Any, inner: Any, mass: Any) -> Sequence[Any]:
            return e.fma(target, below, inner), e.at.fadd(mass, target)

        total, inner, mass = _softmax(e, n_outputs, output, each)
        return e.at.fsub(e.at.fmul(mass, e.log(total)), inner)

    return _losses(e, arguments, loss_of)


@operation(8, returns=True)
def labelwise_losses(e: Emitter, *arguments: Any) -> Any:
    """Return the same for the sum over outputs of the log losses of their logistic functions."""

    def loss_of(e: Emitter, n_outputs: Any, output: Callable[[Any], Any]) -> Any:
        zero, two = e.constant(0), e.constant(2)

        def more(j: Any, total: Any) -> Sequence[Any]:
            logit, target = output(j)
            other = e.exp(e.at.fneg(e.size(logit)))
            loss = e.at.fadd(e.log_ratio(other, e.at.fadd(two, other)), e.larger(logit, zero))  # of 1 + exp(logit)
            return (e.at.fadd(total, e.fma(e.at.fneg(target), logit, loss)),)

        return e.loop(n_outputs, 1, [zero], more)[0]

    return _losses(e, arguments, loss_of)


def _residuals(
    e: Emitter, arguments: Sequence[Any], write: Callable[[Any, Callable[[Any], Any], Callable[[Any], Any], Any], None]
) -> None:
    """
    Call `write` for each vector of samples.

    Its arguments are the number of outputs, a function from an output's index to outputs and targets, a function from
    this index to the address of the residuals, and the weights of the samples.
    """
    out, base, targets, row, n_outputs, weight, n = arguments

    def sample(i: Any) -> Sequence[Any]:
        from_, to, at = e.address(base, i), e.address(targets, i), e.address(out, i)

        def output(j: Any) -> Any:
            offset = e.at.mul(j, row)
            return e.load(e.address(from_, offset)), e.load(e.address(to, offset))

        write(n_outputs, output, lambda j: e.address(at, e.at.mul(j, row)), e.load(e.address(weight, i)))
        return ()

    e.loop(n, e.width, (), sample)


@operation(7)
def softmax_residuals(e: Emitter, *arguments: Any) -> None:
    """
    Write the weighted difference of the softmax of the outputs and the targets.

    Arguments are the addresses of residuals, outputs and targets, the distance of their rows, the number of outputs,
    the address of weights, and the number of samples.
    """

    def write(n_outputs: Any, output: Callable[[Any], Any], place: Callable[[Any], Any], weight: Any) -> None:
        def keep(j: Any, _below: Any, share: Any, _target: Any, *sums: Any) -> Sequence[Any]:
            e.store(share, place(j))
            return sums

        total = _softmax(e, n_outputs, output, keep)[0]

        def finish(j: Any) -> Sequence[Any]:
            share = e.at.fdiv(e.load(place(j)), total)
            e.store(e.at.fmul(e.at.fsub(share, output(j)[1]), weight), place(j))
            return ()

        e.loop(n_outputs, 1, (), finish)

    _residuals(e, arguments, write)


@operation(7)
def labelwise_residuals(e: Emitter, *arguments: Any) -> None:
    """Write the weighted difference of the logistic function of the outputs and the targets, as `softmax_residuals`."""

    def write(n_outputs: Any, output: Callable[[Any], Any], place: Callable[[Any], Any], weight: Any) -> None:
        zero, one = e.constant(0), e.constant(1)

        def more(j: Any) -> Sequence[Any]:
            logit, target = output(j)
            other = e.exp(e.at.fneg(e.size(logit)))
            share = e.at.fdiv(one, e.at.fadd(one, other))
            share = e.where("<", logit, zero, e.at.fmul(other, share), share)
            e.store(e.at.fmul(e.at.fsub(share, target), weight), place(j))
            return ()

        e.loop(n_outputs, 1, (), more)

    _residuals(e, arguments, write)


@jit
def losses_and_residuals(
    loss: int,
    hidden: int,
    hidden_row: int,
    coef: int,
    base: int,
    targets: int,
    row: int,
    n_outputs: int,
    weight: int,
    n: int,
    losses: Float64Array,
    residuals: int,
) -> None:
    """
    Add the loss of base + coef[j] * hidden[j] to `losses`, for each neuron j; without neurons write residuals of base.

    One function does both, so that numba compiles once.
    """
    if len(losses) == 0:
        if loss == SOFTMAX:
            softmax_residuals(residuals, base, targets, row, n_outputs, weight, n)
        else:
            labelwise_residuals(residuals, base, targets, row, n_outputs, weight, n)
    for start in range(0, n, _BLOCK):
        at, size = 4 * start, _BLOCK if start + _BLOCK <= n else n - start
        for j in range(len(losses)):
            h, c = hidden + 4 * j * hidden_row + at, coef + 4 * j * n_outputs
            if loss == SOFTMAX:
                losses[j] += softmax_losses(h, c, base + at, targets + at, row, n_outputs, weight + at, size)
            else:
                losses[j] += labelwise_losses(h, c, base + at, targets + at, row, n_outputs, weight + at, size)
