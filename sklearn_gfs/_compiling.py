"""Messages about the compilation of loops: logged always, printed if a computation wants it; once per process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_MESSAGE = "Compiling loops for the first time, which takes a second or two; numba keeps them for later processes."
_PRINTING: set[object] = set()  # one object for each computation that prints these messages


@contextmanager
def compilation_printed(wanted: bool) -> Iterator[None]:
    """Return a context that prints a line, if wanted, when the first loop of the process is compiled in it."""
    computation = object()
    if wanted:
        _PRINTING.add(computation)
    try:
        yield
    finally:
        _PRINTING.discard(computation)


def say_compiling() -> None:
    """Log and print that a loop is being compiled, once per process."""
    _log()
    if _PRINTING:
        _print()


@cache
def _log() -> None:
    logging.getLogger("sklearn_gfs").info(_MESSAGE)


@cache
def _print() -> None:
    print(_MESSAGE, flush=True)  # noqa: T201
