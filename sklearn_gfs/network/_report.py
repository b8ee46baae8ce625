"""
The table that a fit prints: rows of progress, lines about automatic choices, and a closing line.

``_watch`` writes the rows; the modules that make the choices write the lines.
"""

from __future__ import annotations

import math
import time
from collections import Counter

# Number of rows that a phase prints, about.
_ROWS = 10
# Largest number of updates from one row to the next, so that a long phase prints more rows.
_MOST_UPDATES = 500

_HEAD = f"{'phase':<18} {'iteration':>21} {'training loss':>14} {'held-out loss':>14} {'seconds':>8}"


class Report:
    """
    Prints the progress of a fit, if the user wants it.

    Parameters
    ----------
    printed : bool
        Whether anything is printed.
    """

    def __init__(self, *, printed: bool) -> None:
        self.printed = printed
        self._start = time.perf_counter()
        self._has_head = False
        self._updates: Counter[str] = Counter()

    def say(self, line: str) -> None:
        """Print a line."""
        if self.printed:
            print(line, flush=True)  # noqa: T201

    def row(self, phase: str, progress: str, training_loss: float | None, held_out_loss: float | None = None) -> None:
        """Print a row of the table; a loss of None is left blank."""
        if not self._has_head:
            self._has_head = True
            self.say(_HEAD)
        losses = "".join(f" {'' if loss is None else f'{loss:.5g}':>14}" for loss in (training_loss, held_out_loss))
        self.say(f"{phase:<18} {progress:>21}{losses} {self._seconds:>8.2f}")

    def count(self, phase: str, n_updates: int) -> None:
        """Add to the number of updates of a phase."""
        self._updates[phase] += n_updates

    def close(self, n_units: int) -> None:
        """Print how the fit ended."""
        updates = ", ".join(f"{n} of {phase}" for phase, n in self._updates.items()) or "none"
        self.say(f"Fitted in {self._seconds:.2f} s: {n_units} neurons; updates: {updates}.")

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._start


class PhaseReport:
    """
    Prints the rows of one phase.

    A row is printed at the next updates, or at the end of the phase, because the held-out loss may come in between.

    Parameters
    ----------
    report : Report
    name : str
    n_iterations : int
        Planned number of updates of the phase.
    at_most : bool
        Whether the phase may make fewer updates.
    unit : int
        The number of updates between two rows is a multiple of this, the interval between two held-out losses.
    """

    def __init__(self, report: Report, name: str, n_iterations: int, *, at_most: bool, unit: int) -> None:
        self._report, self._name = report, name
        self._n_iterations, self._of = n_iterations, "of at most" if at_most else "of"
        self._every = min(_MOST_UPDATES, max(1, math.ceil(n_iterations / (_ROWS * unit))) * unit)
        self._losses: list[float] = []
        self._first: int | None = None  # number of the network's updates before this phase
        self._n_shown = self._n_done = 0  # numbers of updates up to the last row, and in all
        self._held_out: float | None = None

    def updates(self, losses: list[float], n_updates: int) -> None:
        """Record the last `n_updates` updates; `losses` are those of all updates of the network."""
        self._report.count(self._name, n_updates)
        if not self._report.printed:
            return
        if self._first is None:
            self._first = self._n_shown = self._n_done = len(losses) - n_updates
        if (self._n_done - self._first) % self._every == 0:
            self.end()
        self._losses, self._n_done, self._held_out = losses, len(losses), None

    def held_out(self, loss: float) -> None:
        """Record the held-out loss after the updates so far."""
        self._held_out = loss
        if self._first is None:
            self._row(0, None)

    def end(self) -> None:
        """Print the row of the last updates, if it is not printed yet."""
        recent = self._losses[self._n_shown : self._n_done]
        if recent:
            self._row(self._n_done, math.fsum(recent) / len(recent))
            self._n_shown = self._n_done

    def _row(self, n_done: int, loss: float | None) -> None:
        progress = f"{n_done} {self._of} {(self._first or 0) + self._n_iterations}"
        self._report.row(self._name, progress, loss, self._held_out)
