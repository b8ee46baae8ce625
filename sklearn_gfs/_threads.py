"""
The number of threads of an operation: limited to the fastest number in a context, and restored after it.

Threads wait for each other at the end of every operation. In an operation of a few microseconds, waiting takes longer
than a second thread saves. If another program uses the second core, waiting takes hundreds of times longer: until the
system runs the second thread again.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

# Number of multiplications and additions from which a second thread of BLAS saves time, even if others use its core.
_MANY = 5e8
# Number below which BLAS uses one thread anyway.
_FEW = 1e5


class _Limit:
    """
    One thread for the linear algebra of NumPy and SciPy, and for torch, while one is inside.

    The number of torch's threads is of each Python thread. That of BLAS is of the whole process: the first to come in
    sets it, and the last to leave brings it back, so that nobody who is still inside gets more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._here = threading.local()
        self._n_inside = 0
        self._n_blas = self._n_torch = 1
        self._blas: Any = None  # what brings the threads of BLAS back, while there is one thread

    def counts(self) -> tuple[int, int]:
        """Return how many threads BLAS and torch would use outside of the limit."""
        with self._lock:
            return (self._n_blas, self._n_torch) if self._n_inside else _counts()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Stay inside; what is inside already stays as it is."""
        if getattr(self._here, "inside", False):
            yield
            return
        try:
            self._enter()
            yield
        finally:
            if getattr(self._here, "inside", False):  # else an interrupt came first
                self._leave()

    def _enter(self) -> None:
        with self._lock:
            if self._n_inside == 0:
                self._n_blas, self._n_torch = _counts()
            self._n_inside += 1
            self._here.inside = True
            if self._n_blas > 1 and self._blas is None:
                with _in_control_of_blas():
                    self._blas = _controller().limit(limits=1, user_api="blas")
            if self._n_torch > 1:
                set_torch_threads(1)

    def _leave(self) -> None:
        with self._lock:
            self._n_inside -= 1
            self._here.inside = False
            if self._n_torch > 1:
                set_torch_threads(self._n_torch)
            if self._blas is not None and self._n_inside == 0:
                with _in_control_of_blas():
                    self._blas.restore_original_limits()
                self._blas = None


@contextmanager
def _in_control_of_blas() -> Iterator[None]:
    """
    Let this thread of Python set the number of OpenBLAS's threads, and any other one afterwards.

    To threadpoolctl a single thread is the one that may, the first that did, and what others set is ignored in silence.
    """
    # Only its versions from 3.8 on know of this.
    releases = [getattr(library, "clear_controlling_thread", None) for library in _controller().lib_controllers]
    for release in filter(None, releases):
        release(force=True)
    try:
        yield
    finally:
        for release in filter(None, releases):
            release()


def _torch() -> Any:
    return sys.modules["torch"]


def set_torch_threads(n_threads: int) -> None:
    """Let torch use `n_threads` threads when it is called from this thread of Python."""
    _torch().get_num_threads()  # the first call or operation of torch in a thread resets the number
    _torch().set_num_threads(n_threads)


def _counts() -> tuple[int, int]:
    """Return the numbers of threads that BLAS and torch would use now; one for torch if it is not loaded."""
    libraries = _controller().lib_controllers
    n_blas = max((library.num_threads for library in libraries if library.user_api == "blas"), default=1)
    return n_blas, _torch().get_num_threads() if "torch" in sys.modules else 1


def _controller() -> ThreadpoolController:
    """Return the thread pools of the libraries that are loaded; torch may bring some more."""
    return _find_pools("torch" in sys.modules)


@cache
def _find_pools(torch_is_loaded: bool) -> ThreadpoolController:  # noqa: ARG001
    """Look for thread pools, which takes milliseconds."""
    return ThreadpoolController()


one_thread = _Limit()


def threads_for(n_operations: float) -> AbstractContextManager[None]:
    """Return a context with one thread, or with all threads if this number of operations is very small or large."""
    return nullcontext() if not _FEW <= n_operations < _MANY else one_thread()


def threads_for_each(n_operations: float) -> AbstractContextManager[None]:
    """Return a context with one thread for many operations of at most this size; without effect if it is large."""
    return one_thread() if n_operations < _MANY else nullcontext()


def n_blas_threads() -> int:
    """Return the number of threads that linear algebra would use here, so that limits by the user or joblib hold."""
    return one_thread.counts()[0]


def n_torch_threads() -> int:
    """Return the number of threads that torch would use here."""
    return one_thread.counts()[1]
