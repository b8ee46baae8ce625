"""What is said when loops are compiled: logged always, printed where a computation wants it; each once in a process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_MESSAGE = "Compiling loops for the first time, which takes a second or two; numba keeps them for later processes."
_PRINTING: set[object] = set()  # one object for each computation that prints what is compiled


@contextmanager
def compilation_printed(wanted: bool) -> Iterator[None]:
    """Print a line, where it is wanted, when the computation within is the first of a process to compile a loop."""
    computation = object()
    if wanted:
        _PRINTING.add(computation)
    try:
        yield
    finally:
        _PRINTING.discard(computation)


def say_compiling() -> None:
    """Say that a loop is being compiled, unless that has been said."""
    _log()
    if _PRINTING:
        _print()


@cache
def _log() -> None:
    logging.getLogger("sklearn_gfs").info(_MESSAGE)


@cache
def _print() -> None:
    print(_MESSAGE, flush=True)  # noqa: T201
