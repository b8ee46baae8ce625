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
    A serial loop that releases the GIL, compiled when it is first called; cached on disk where a cache can be written.

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
        """The kernel as Python calls it."""
        _listen()
        try:
            return self._jitted(cache=True)
        except RuntimeError:  # no directory to write a cache to
            return self._jitted()

    @cached_property
    def _called_by_kernels(self) -> Any:
        return self._jitted(inline=self._inline, no_cpython_wrapper=True)

    def _jitted(self, **options: Any) -> Any:
        njit = numba_for(_PURPOSE).njit
        options.update(nogil=True, fastmath=self._fastmath, no_cfunc_wrapper=True)
        return njit(**options)(self._function_with_kernels())

    def _function_with_kernels(self) -> Callable[..., Any]:
        """The function, its global names of kernels bound to compiled ones."""
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
    """Return the loop as a kernel; reassociated sums are added up in several chains at once, in any order."""
    return Kernel(function, {"contract", "reassoc"} if reassociate else {"contract"})


def formula(function: Callable[..., Any]) -> Any:
    """Return the function for Python and for kernels."""
    return Formula(function, {"contract"}, inline="always")


def inlined(function: Callable[..., Any]) -> Any:
    """
    Return the loop as a kernel that becomes part of the one that calls it.

    A large kernel with a single caller is so optimised once; otherwise once by itself and again within its caller.
    """
    return Kernel(function, {"contract"}, inline="always")


@cache
def _listen() -> None:
    """Attend to what numba compiles of this package: where its cache holds no loop for these types."""
    events = numba_for(_PURPOSE).core.event
    open_: list[ExitStack] = []  # a loop within another; numba compiles in one thread at a time

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
    """Whether numba compiles a loop of this package."""
    module: str = event.data["dispatcher"].py_func.__module__
    return module.startswith("sklearn_gfs.")
