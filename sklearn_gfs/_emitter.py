"""
How an operation on vectors of floats is written in LLVM's language, for loops that numba compiles.

Vectors are as wide as the processor's registers. The operations themselves stand with their loops: in
``network/_vectors`` and in the modules of kernels that import this module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from inspect import Parameter, Signature
from typing import Any

import numpy as np

from sklearn_gfs._jit import Kernel
from sklearn_gfs._requirements import numba_for

_PURPOSE = "This computation"
# Bytes of a cache line.
_LINE = 64


@cache
def host() -> tuple[int, bool]:
    """Return the number of floats in a vector register, and whether one instruction multiplies and adds."""
    numba_for(_PURPOSE)  # loads llvmlite
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16, True
    if features.get("avx2") and features.get("fma"):
        return 8, True
    return 4, bool(features.get("neon") or features.get("fma"))


class Operation(Kernel):
    """
    An operation that kernels can call, and Python cannot.

    Parameters
    ----------
    emit : callable
        Writes the operation, given an `Emitter` and the arguments, and returns its result, if it has one.
    n_integers, n_floats : int
        Of the arguments: integers first.
    returns : bool
        Whether the result is a float; otherwise there is none.
    like : bool
        Whether one more argument says, by its type, which floats all of them are; otherwise they are of float32.
    """

    def __init__(self, emit: Callable[..., Any], n_integers: int, n_floats: int, *, returns: bool, like: bool) -> None:
        super().__init__(emit, set())
        self._emit, self._n_integers, self._n_floats = emit, n_integers, n_floats
        self._returns, self._like = returns, like

    @cached_property
    def _called_by_kernels(self) -> Any:
        numba = numba_for(_PURPOSE)
        types = numba.types
        n_floats = self._n_floats + self._like

        def generate(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
            double = self._like and signature.args[-1] == types.float64
            value = self._emit(Emitter(builder, double=double), *arguments[: len(arguments) - self._like])
            return value if self._returns else context.get_dummy_value()

        def operation(_typing: Any, *arguments: Any) -> Any:
            kind = arguments[-1] if self._like else types.float32
            result = kind if self._returns else types.void
            return result(*[types.intp] * self._n_integers, *[kind] * n_floats), generate

        names = ["typing", *(f"a{i}" for i in range(self._n_integers + n_floats))]  # numba needs names of arguments
        parameters = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        operation.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        return numba.extending.intrinsic(operation)


def operation(
    n_integers: int, n_floats: int = 0, *, returns: bool = False, like: bool = False
) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that makes an `Operation` of the function that emits it."""
    return lambda emit: Operation(emit, n_integers, n_floats, returns=returns, like=like)


class Emitter:
    """Emits LLVM's instructions on vectors of float32, or of float64, at the position of a builder."""

    def __init__(self, builder: Any, *, double: bool = False) -> None:
        from llvmlite import ir

        self.ir, self.at = ir, builder
        width, self._fused = host()
        self._dtype = np.float64 if double else np.float32
        self.width, self._shift = (width // 2, 3) if double else (width, 2)
        self.float, self.integer = ir.DoubleType() if double else ir.FloatType(), ir.IntType(64)
        self.vector = ir.VectorType(self.float, self.width)
        self._bits = ir.VectorType(ir.IntType(32), self.width)

    def constant(self, value: float) -> Any:
        """Return a vector of this constant, rounded to the dtype."""
        return self.ir.Constant(self.vector, [self.ir.Constant(self.float, float(self._dtype(value)))] * self.width)

    def number(self, value: int) -> Any:
        """Return a constant integer."""
        return self.ir.Constant(self.integer, value)

    def address(self, start: Any, offset: Any) -> Any:
        """Return the address that is `offset` floats after `start`."""
        return self.at.add(start, self.at.shl(offset, self.number(self._shift)))

    def load(self, address: Any) -> Any:
        """Return the vector at an address."""
        return self.at.load(self.at.inttoptr(address, self.vector.as_pointer()), align=4)

    def load_one(self, address: Any) -> Any:
        """Return the float at an address."""
        return self.at.load(self.at.inttoptr(address, self.float.as_pointer()), align=4)

    def store(self, vector: Any, address: Any) -> None:
        """Write a vector to an address."""
        self.at.store(vector, self.at.inttoptr(address, self.vector.as_pointer()), align=4)

    def store_one(self, value: Any, address: Any) -> None:
        """Write a float to an address."""
        self.at.store(value, self.at.inttoptr(address, self.float.as_pointer()), align=4)

    def read_ahead(self, address: Any, n_vectors: int) -> None:
        """Prefetch `n_vectors` vectors at an address into the second-level cache."""
        place, flag = self.ir.IntType(8).as_pointer(), self.ir.IntType(32)
        kind = self.ir.FunctionType(self.ir.VoidType(), [place, flag, flag, flag])
        name = "llvm.prefetch.p0"
        function = self.at.module.globals.get(name) or self.ir.Function(self.at.module, kind, name)
        reading, near, data = (self.ir.Constant(flag, value) for value in (0, 2, 1))
        for start in range(0, n_vectors * self.width << self._shift, _LINE):
            self.at.call(
                function, [self.at.inttoptr(self.at.add(address, self.number(start)), place), reading, near, data]
            )

    def splat(self, value: Any) -> Any:
        """Return a vector whose elements are this float."""
        undefined = self.ir.Constant(self.vector, self.ir.Undefined)
        first = self.at.insert_element(undefined, value, self.ir.Constant(self.ir.IntType(32), 0))
        return self.at.shuffle_vector(first, undefined, self.ir.Constant(self._bits, None))

    def _call(self, name: str, *arguments: Any) -> Any:
        name = f"llvm.{name}.v{self.width}f{8 << self._shift}"
        kind = self.ir.FunctionType(self.vector, [self.vector] * len(arguments))
        function = self.at.module.globals.get(name) or self.ir.Function(self.at.module, kind, name)
        return self.at.call(function, arguments)

    def fma(self, left: Any, right: Any, more: Any) -> Any:
        """Return left * right + more."""
        if self._fused:
            return self._call("fma", left, right, more)
        return self.at.fadd(self.at.fmul(left, right), more)

    def root(self, vector: Any) -> Any:
        """Return square roots."""
        return self._call("sqrt", vector)

    def size(self, vector: Any) -> Any:
        """Return absolute values."""
        return self._call("fabs", vector)

    def polynomial(self, x: Any, *coefficients: float) -> Any:
        """Return a polynomial, whose highest coefficient comes first."""
        value = self.constant(coefficients[0])
        for coefficient in coefficients[1:]:
            value = self.fma(value, x, self.constant(coefficient))
        return value

    def where(self, comparison: str, left: Any, right: Any, then: Any, otherwise: Any) -> Any:
        """Return a vector with elements of `then` or `otherwise`, by a comparison; of `otherwise` for NaN."""
        return self.at.select(self.at.fcmp_ordered(comparison, left, right), then, otherwise)

    def sum_of(self, vector: Any) -> Any:
        """Return the sum of the elements of a vector, by halves."""
        return self._fold(vector, self.at.fadd)

    def largest_of(self, vector: Any) -> Any:
        """Return the largest element of a vector."""
        return self._fold(vector, self.larger)

    def larger(self, left: Any, right: Any) -> Any:
        """Return the larger of two floats, or of the elements of two vectors."""
        return self.where(">", left, right, left, right)

    def _fold(self, vector: Any, combine: Callable[[Any, Any], Any]) -> Any:
        lane = [self.at.extract_element(vector, self.ir.Constant(self.ir.IntType(32), i)) for i in range(self.width)]
        while len(lane) > 1:
            half = len(lane) // 2
            lane = [combine(one, other) for one, other in zip(lane[:half], lane[half:], strict=True)]
        return lane[0]

    def exp(self, x: Any) -> Any:
        """Return exponentials, for values of at most 88; values below -87 give the exponential of -87."""
        lowest = self.constant(-87)
        x = self.where("<", x, lowest, lowest, x)
        # Adding a large constant rounds to an integer, which is then in the low bits.
        large = self.constant(12582912.0)
        shifted = self.fma(x, self.constant(1.44269504088896341), large)
        k = self.at.fsub(shifted, large)
        r = self.fma(k, self.constant(2.12194440e-4), self.fma(k, self.constant(-0.693359375), x))
        series = self.polynomial(
            r,
            1.9875691500e-4,
            1.3981999507e-3,
            8.3334519073e-3,
            4.1665795894e-2,
            1.6666665459e-1,
            5.0000001201e-1,
            1,
            1,
        )
        bits = self.at.shl(self.at.bitcast(shifted, self._bits), self._all(23))
        return self.at.bitcast(self.at.add(self.at.bitcast(series, self._bits), bits), self.vector)

    def log(self, x: Any) -> Any:
        """Return natural logarithms, for values of at least 1."""
        at, bits = self.at, self.at.bitcast(x, self._bits)
        exponent = at.sitofp(at.sub(at.lshr(bits, self._all(23)), self._all(127)), self.vector)
        part = at.bitcast(at.or_(at.and_(bits, self._all(0x7FFFFF)), self._all(0x3F800000)), self.vector)  # below 2
        one = self.constant(1)
        return self.fma(exponent, self.constant(np.log(2)), self.log_ratio(at.fsub(part, one), at.fadd(part, one)))

    def log_ratio(self, difference: Any, total: Any) -> Any:
        """Return the logarithm of a / b, given a - b and a + b, for ratios from 1 to 2."""
        ratio = self.at.fdiv(difference, total)  # at most a third: a short series of 2 artanh
        square = self.at.fmul(ratio, ratio)
        return self.at.fmul(ratio, self.polynomial(square, 2 / 13, 2 / 11, 2 / 9, 2 / 7, 2 / 5, 2 / 3, 2))

    def _all(self, value: int) -> Any:
        return self.ir.Constant(self._bits, [self.ir.Constant(self.ir.IntType(32), value)] * self.width)

    def mask(self, first: Any, n: Any) -> Any:
        """Return which elements of a vector, whose first element has this index, are among the first n."""
        wide = self.ir.VectorType(self.integer, self.width)
        undefined = self.ir.Constant(wide, self.ir.Undefined)
        left = self.at.insert_element(undefined, self.at.sub(n, first), self.ir.Constant(self.ir.IntType(32), 0))
        left = self.at.shuffle_vector(left, undefined, self.ir.Constant(self._bits, None))
        places = self.ir.Constant(wide, [self.number(i) for i in range(self.width)])
        return self.at.icmp_signed("<", places, left)

    def loop(
        self,
        end: Any,
        step: int,
        values: Sequence[Any],
        body: Callable[..., Sequence[Any]],
        *,
        unrolled: bool = False,
    ) -> Sequence[Any]:
        """
        Repeat the body with i = 0, step, ... below the end, at least once.

        The body is told i and the values, and returns what these become. LLVM may write it out several times where the
        loop is `unrolled`, which takes longer to compile and seldom less time to run: a step is a whole vector already.
        """
        at, before = self.at, self.at.block
        head, after = at.append_basic_block(), at.append_basic_block()
        at.branch(head)
        at.position_at_end(head)
        i, carried = at.phi(self.integer), [at.phi(value.type) for value in values]
        i.add_incoming(self.number(0), before)
        for phi, value in zip(carried, values, strict=True):
            phi.add_incoming(value, before)
        new = body(i, *carried)
        following = at.add(i, self.number(step))
        i.add_incoming(following, at.block)
        for phi, value in zip(carried, new, strict=True):
            phi.add_incoming(value, at.block)
        back = at.cbranch(at.icmp_signed("<", following, end), head, after)
        if not unrolled:
            back.set_metadata("llvm.loop", self._as_it_is())
        at.position_at_end(after)
        return new

    def _as_it_is(self) -> Any:
        """Return metadata that forbid LLVM to unroll a loop; each loop needs its own, which refers to itself."""
        module = self.at.module
        disabled = module.add_metadata([self.ir.MetaDataString(module, "llvm.loop.unroll.disable")])
        own = self.ir.MDValue(module, (), name=str(len(module.metadata)))
        own.operands = (own, disabled)
        return own

    def over(self, n: Any, addresses: Sequence[Any], body: Callable[..., Any]) -> None:
        """Replace the n floats at the first address by the results of the body, given the vectors at all addresses."""

        def step(i: Any) -> Sequence[Any]:
            places = [self.address(address, i) for address in addresses]
            self.store(body(*(self.load(place) for place in places)), places[0])
            return ()

        self.loop(n, self.width, (), step)
