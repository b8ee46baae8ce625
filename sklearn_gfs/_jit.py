"""
How the package compiles a loop: when it is first called, into numba's cache, and not in silence.

Here belongs nothing that computes. Modules of loops import this module without importing numba.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache, cached_property, update_wrapper
from types import FunctionType
from typing import Any

from sklearn_gfs._collecting import garbage_later
from sklearn_gfs._compiling import say_compiling
from sklearn_gfs._requirements import numba_for

_PURPOSE = "Training or selection"


class Kernel:
    """
    A serial loop that releases the GIL, compiled at its first call, and cached on disk if a cache can be written.

    Modules of kernels are so imported without numba, which only training needs. numba calls compiled functions only,
    so a kernel is compiled in the company of those that it calls. Those are compiled without the code that makes a
    function callable from Python, and are not cached: the kernel that is called from Python holds their machine code.
    """

    def __init__(self, function: Callable[..., Any], fastmath: set[str], *, inline: str = "never") -> None:
        update_wrapper(self, function)
        self._function = function
        self._fastmath = fastmath
        self._inline = inline

    def __call__(self, *args: Any) -> Any:
        return self.compiled(*args)

    @cached_property
    def compiled(self) -> Any:
        """The compiled function for calls from Python."""
        _listen()
        try:
            compiled = self._jitted(cache=True)
        except RuntimeError:  # no directory to write a cache to
            return self._jitted()
        if not numba_for(_PURPOSE).config.DISABLE_JIT:  # else it is the function itself, without a cache
            _forgive(compiled._cache)
        return compiled

    @cached_property
    def _called_by_kernels(self) -> Any:
        return self._jitted(inline=self._inline, no_cpython_wrapper=True)

    def _jitted(self, **options: Any) -> Any:
        njit = numba_for(_PURPOSE).njit
        options.update(nogil=True, fastmath=self._fastmath, no_cfunc_wrapper=True)
        return njit(**options)(self._function_with_kernels())

    def _function_with_kernels(self) -> Callable[..., Any]:
        """The function, with global names of kernels bound to compiled kernels."""
        function, names = self._function, self._function.__globals__
        called = {name: names[name] for name in function.__code__.co_names if isinstance(names.get(name), Kernel)}
        if not called:
            return function
        names = {**names, **{name: kernel._called_by_kernels for name, kernel in called.items()}}
        bound = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
        return update_wrapper(bound, function)


class Formula(Kernel):
    """A kernel of a few scalar operations: other kernels call its compiled form, Python calls the function itself."""

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)


def jit(function: Callable[..., Any], *, reassociate: bool = False) -> Any:
    """Return the loop as a kernel; with `reassociate` sums may be computed in any order, by several accumulators."""
    return Kernel(function, {"contract", "reassoc"} if reassociate else {"contract"})


def formula(function: Callable[..., Any]) -> Any:
    """Return the function as a formula, for calls from Python and from kernels."""
    return Formula(function, {"contract"}, inline="always")


def inlined(function: Callable[..., Any]) -> Any:
    """
    Return the loop as a kernel that is inlined in its caller.

    A large kernel with a single caller is then optimised once. Without this it is optimised by itself and again within
    its caller.
    """
    return Kernel(function, {"contract"}, inline="always")


def _forgive(cached: Any) -> None:
    """
    Let numba's cache of a function begin anew where its index can't be read.

    An index names the types of arguments, which another version of the package may have called otherwise.
    """
    load = cached.load_overload

    def load_if_readable(*args: Any) -> Any:
        try:
            return load(*args)
        except Exception:  # noqa: BLE001 - what reading pickles raises depends on their content
            cached.flush()
            return None

    cached.load_overload = load_if_readable


@cache
def _listen() -> None:
    """Return a context that reports when numba compiles a loop of this package, which is not in its cache."""
    events = numba_for(_PURPOSE).core.event
    open_: list[ExitStack] = []  # one context for each nested loop; numba compiles in one thread at a time

    class Listener(events.Listener):  # type: ignore[name-defined]
        def on_start(self, event: Any) -> None:
            if _is_own(event):
                say_compiling()
                open_.append(ExitStack())
                open_[-1].enter_context(garbage_later())

        def on_end(self, event: Any) -> None:
            if _is_own(event):
                open_.pop().close()

    events.register("numba:compile", Listener())


def _is_own(event: Any) -> bool:
    """Whether an event is the compilation of a loop of this package."""
    module: str = event.data["dispatcher"].py_func.__module__
    return module.startswith("sklearn_gfs.")
