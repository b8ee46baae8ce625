"""Codes by which compiled loops know a loss, and the rule for which losses and solvers have a code."""

from __future__ import annotations

from typing import Any

# Losses: half the squared error, the log loss of one label a sample, and that of several labels or of one output.
SQUARED, SOFTMAX, LABELWISE = range(3)


def loop_code(of: Any, *arguments: Any) -> int | None:
    """
    Return the code of a loss or a solver, or None if compiled loops do not know it.

    An inherited code does not count, because the subclass may compute something else.
    """
    kind = of if isinstance(of, type) else type(of)
    return of.loop_code(*arguments) if "loop_code" in vars(kind) else None
