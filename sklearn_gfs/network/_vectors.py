"""
Operations on vectors of floats as wide as the processor's registers, for loops that numba compiles.

numba vectorises a loop over arrays only after it has compiled the loop as written, which takes long. Products of small
matrices also need accumulators in registers, which numba does not give a loop over arrays. Here each operation is
written once, in LLVM's language. Arguments are addresses, lengths in floats, and floats; nothing is checked.

numba's cache of a kernel depends on the kernel's own file only. After a change of an operation, empty the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn_gfs._emitter import Emitter, operation

# Number of rows of a tile.
TILE_ROWS = 8
# Number of registers in a row of a wide tile, by the number of floats in a register. Sums, terms and factors then fit
# into the registers: 32 of them, but 16 with AVX2, whose registers hold 8 floats.
WIDE_VECTORS = {16: 2, 8: 1, 4: 2}


def _tile(e: Emitter, n_vectors: int, arguments: Sequence[Any]) -> None:
    left, left_row, left_column, right, right_row, out, out_row, added, added_row, n_terms, factor = arguments
    width, at = e.width, e.at

    def rows_from(start: Any, distance: Any) -> list[Any]:
        return [e.address(start, at.mul(distance, e.number(row))) for row in range(TILE_ROWS)]

    def vectors_from(start: Any) -> list[Any]:
        return [e.address(start, e.number(v * width)) for v in range(n_vectors)]

    lefts, scale = rows_from(left, left_row), e.splat(factor)
    start = [at.fmul(e.load(place), scale) for row in rows_from(added, added_row) for place in vectors_from(row)]

    def term(k: Any, *sums: Any) -> list[Any]:
        rights = [e.load(place) for place in vectors_from(e.address(right, at.mul(k, right_row)))]
        column, new = at.mul(k, left_column), []
        for row, place in enumerate(lefts):
            value = e.splat(e.load_one(e.address(place, column)))
            new += [e.fma(value, rights[v], sums[row * n_vectors + v]) for v in range(n_vectors)]
        return new

    sums = iter(e.loop(n_terms, 1, start, term))
    for row in rows_from(out, out_row):
        for place in vectors_from(row):
            e.store(next(sums), place)


@operation(10, 1)
def narrow_tile(e: Emitter, *arguments: Any) -> None:
    """
    Write `TILE_ROWS` rows, each of one register: factor * added + left @ right.

    Each address is followed by the distance of rows, and the address of `left` also by the distance of columns. The
    last two arguments are the number of columns of `left`, and the factor.
    """
    _tile(e, 1, arguments)


@operation(10, 1)
def wide_tile(e: Emitter, *arguments: Any) -> None:
    """Write the same as `narrow_tile`, for rows of several registers."""
    _tile(e, WIDE_VECTORS[e.width], arguments)


@operation(2)
def relu(e: Emitter, x: Any, n: Any) -> None:
    """Replace x by its positive part."""
    zero = e.constant(0)
    e.over(n, [x], lambda v: e.where("<", v, zero, zero, v))


@operation(3)
def times_relu_slope(e: Emitter, x: Any, activated: Any, n: Any) -> None:
    """Multiply x by the slope of relu."""
    zero = e.constant(0)
    e.over(n, [x, activated], lambda v, a: e.where(">", a, zero, v, zero))


@operation(2)
def tanh(e: Emitter, x: Any, n: Any) -> None:
    """Replace x by its hyperbolic tangent."""
    one, bound = e.constant(1), e.constant(0.625)

    def value(v: Any) -> Any:
        size, square = e.size(v), e.at.fmul(v, v)
        small = e.polynomial(square, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1)
        small = e.fma(e.at.fmul(e.fma(small, square, e.constant(-3.33332819422e-1)), square), v, v)
        other = e.exp(e.at.fmul(size, e.constant(-2)))
        large = e.at.fdiv(e.at.fsub(one, other), e.at.fadd(one, other))
        large = e.where("<", v, e.constant(0), e.at.fneg(large), large)
        return e.where("<", size, bound, small, large)

    e.over(n, [x], value)


@operation(3)
def times_tanh_slope(e: Emitter, x: Any, activated: Any, n: Any) -> None:
    """Multiply x by the slope of tanh."""
    e.over(n, [x, activated], lambda v, a: e.fma(v, e.at.fneg(e.at.fmul(a, a)), v))


@operation(3, returns=True)
def logistic(e: Emitter, x: Any, n: Any, n_real: Any) -> Any:
    """Replace x by its logistic function, with zeros after the first `n_real`; return the sum of log(1 + exp(x))."""
    zero, one, two = e.constant(0), e.constant(1), e.constant(2)

    def more(i: Any, total: Any) -> Sequence[Any]:
        place, real = e.address(x, i), e.mask(i, n_real)
        value = e.load(place)
        other = e.exp(e.at.fneg(e.size(value)))
        share = e.at.fdiv(one, e.at.fadd(one, other))
        share = e.where("<", value, zero, e.at.fmul(other, share), share)
        e.store(e.at.select(real, share, zero), place)
        logarithm = e.log_ratio(other, e.at.fadd(two, other))  # log(1 + other)
        logarithm = e.at.fadd(logarithm, e.where("<", value, zero, zero, value))
        return (e.at.fadd(total, e.at.select(real, logarithm, zero)),)

    return e.sum_of(e.loop(n, e.width, [zero], more)[0])


@operation(3)
def times_logistic_slope(e: Emitter, x: Any, activated: Any, n: Any) -> None:
    """Multiply x by the slope of the logistic function."""
    e.over(n, [x, activated], lambda v, a: e.at.fmul(v, e.fma(a, e.at.fneg(a), a)))


@operation(4)
def add_rows(e: Emitter, total: Any, rows: Any, n_rows: Any, n: Any) -> None:
    """Write the sum of rows of n floats."""

    def vector(i: Any) -> Sequence[Any]:
        first = e.address(rows, i)

        def more(row: Any, value: Any) -> Sequence[Any]:
            return (e.at.fadd(value, e.load(e.address(first, e.at.mul(row, n)))),)

        e.store(e.loop(n_rows, 1, [e.constant(0)], more)[0], e.address(total, i))
        return ()

    e.loop(n, e.width, (), vector)


@operation(3)
def add_square(e: Emitter, total: Any, x: Any, n: Any) -> None:
    """Add the squares of x to the total."""
    e.over(n, [total, x], lambda t, v: e.fma(v, v, t))


@operation(3, 2)
def combine(e: Emitter, total: Any, x: Any, n: Any, kept: Any, factor: Any) -> None:
    """Multiply the total by `kept`, and add x times `factor`."""
    kept, factor = e.splat(kept), e.splat(factor)
    e.over(n, [total, x], lambda t, v: e.fma(t, kept, e.at.fmul(v, factor)))


@operation(3, 1)
def add_times(e: Emitter, total: Any, x: Any, n: Any, factor: Any) -> None:
    """Add x times `factor` to the total."""
    factor = e.splat(factor)
    e.over(n, [total, x], lambda t, v: e.fma(v, factor, t))


@operation(3, 1)
def move_towards(e: Emitter, x: Any, goal: Any, n: Any, share: Any) -> None:
    """Move x by a share of the way to the goal."""
    part = e.splat(share)
    e.over(n, [x, goal], lambda v, g: e.fma(part, e.at.fsub(g, v), v))


@operation(7)
def weigh(
    e: Emitter, out: Any, out_row: Any, coef: Any, coef_row: Any, weights: Any, n_neurons: Any, n_outputs: Any
) -> None:
    """Write the transposed coefficients, each row of `out` times a weight."""

    def neuron(i: Any) -> Sequence[Any]:
        weight, row = e.load_one(e.address(weights, i)), e.address(out, e.at.mul(i, out_row))
        column = e.address(coef, i)

        def output(j: Any) -> Sequence[Any]:
            value = e.load_one(e.address(column, e.at.mul(j, coef_row)))
            e.store_one(e.at.fmul(value, weight), e.address(row, j))
            return ()

        return e.loop(n_outputs, 1, (), output)

    e.loop(n_neurons, 1, (), neuron)


@operation(2)
def clear(e: Emitter, x: Any, n: Any) -> None:
    """Fill x with zeros."""
    e.over(n, [x], lambda _: e.constant(0))


@operation(5, 5)
def adam(e: Emitter, x: Any, slope: Any, first: Any, second: Any, n: Any, *numbers: Any) -> None:
    """
    Make a step of Adam.

    `numbers` are the step size, the factor of the root of the second moment, the two decay rates, and epsilon. The
    first two include the corrections of the moments.
    """
    step, inverse_root, b1, b2, epsilon = (e.splat(number) for number in numbers)
    rest = e.at.fsub(e.constant(1), b2)

    def update(i: Any) -> Sequence[Any]:
        places = [e.address(start, i) for start in (x, slope, first, second)]
        v, g, m, s = (e.load(place) for place in places)
        m = e.fma(e.at.fsub(e.constant(1), b1), e.at.fsub(g, m), m)
        s = e.fma(e.at.fmul(rest, g), g, e.at.fmul(b2, s))
        change = e.at.fdiv(e.at.fmul(step, m), e.fma(e.root(s), inverse_root, epsilon))
        e.store(e.at.fsub(v, change), places[0])
        e.store(m, places[2])
        e.store(s, places[3])
        return ()

    e.loop(n, e.width, (), update)


@operation(3, returns=True)
def dot(e: Emitter, x: Any, y: Any, n: Any) -> Any:
    """Return the inner product."""

    def more(i: Any, total: Any) -> Sequence[Any]:
        return (e.fma(e.load(e.address(x, i)), e.load(e.address(y, i)), total),)

    return e.sum_of(e.loop(n, e.width, [e.constant(0)], more)[0])


@operation(3, returns=True)
def largest(e: Emitter, x: Any, n: Any, n_real: Any) -> Any:
    """Return the largest of the first `n_real` values."""

    def more(i: Any, most: Any) -> Sequence[Any]:
        vector = e.at.select(e.mask(i, n_real), e.load(e.address(x, i)), most)
        return (e.larger(vector, most),)

    return e.largest_of(e.loop(n, e.width, [e.constant(-3e38)], more)[0])


@operation(3, 1, returns=True)
def exponentials(e: Emitter, x: Any, n: Any, n_real: Any, shift: Any) -> Any:
    """Replace x by exp(x - shift), with zeros after the first `n_real` values; return the sum."""
    shift = e.splat(shift)

    def more(i: Any, total: Any) -> Sequence[Any]:
        value = e.exp(e.at.fsub(e.load(e.address(x, i)), shift))
        value = e.at.select(e.mask(i, n_real), value, e.constant(0))
        e.store(value, e.address(x, i))
        return (e.at.fadd(total, value),)

    return e.sum_of(e.loop(n, e.width, [e.constant(0)], more)[0])


@operation(3, 2, returns=True)
def subtract(e: Emitter, x: Any, y: Any, n: Any, factor: Any, scale: Any) -> Any:
    """Replace x by scale * (factor * x - y); return the sum of the squares of factor * x - y."""
    factor, scale = e.splat(factor), e.splat(scale)

    def more(i: Any, total: Any) -> Sequence[Any]:
        difference = e.at.fsub(e.at.fmul(e.load(e.address(x, i)), factor), e.load(e.address(y, i)))
        e.store(e.at.fmul(difference, scale), e.address(x, i))
        return (e.fma(difference, difference, total),)

    return e.sum_of(e.loop(n, e.width, [e.constant(0)], more)[0])
