"""
The table that a fit prints: a row now and then, what was decided, and a closing line.

Rows come from ``_watch``; what is said between them, from the modules that decide.
"""

from __future__ import annotations

import math
import time
from collections import Counter

# A phase prints about so many rows, but one for every so many updates at least.
_ROWS, _MOST_UPDATES = 10, 500

_HEAD = f"{'phase':<18} {'iteration':>21} {'training loss':>14} {'held-out loss':>14} {'seconds':>8}"


class Report:
    """
    Prints what a fit does, where that is wanted.

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
        """Print a row of the table; a loss that nobody has measured is left blank."""
        if not self._has_head:
            self._has_head = True
            self.say(_HEAD)
        losses = "".join(f" {'' if loss is None else f'{loss:.5g}':>14}" for loss in (training_loss, held_out_loss))
        self.say(f"{phase:<18} {progress:>21}{losses} {self._seconds:>8.2f}")

    def count(self, phase: str, n_updates: int) -> None:
        """Take note of updates."""
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

    A row waits until the next updates, or the end of the phase: the held-out loss may be measured in between.

    Parameters
    ----------
    report : Report
    name : str
    n_iterations : int
        The updates that the phase is meant to make.
    at_most : bool
        Whether it may make fewer.
    unit : int
        Updates between two rows are a multiple of this: held-out samples are looked at as often.
    """

    def __init__(self, report: Report, name: str, n_iterations: int, *, at_most: bool, unit: int) -> None:
        self._report, self._name = report, name
        self._n_iterations, self._of = n_iterations, "of at most" if at_most else "of"
        self._every = min(_MOST_UPDATES, max(1, math.ceil(n_iterations / (_ROWS * unit))) * unit)
        self._losses: list[float] = []
        self._first: int | None = None  # the network's updates before this phase
        self._n_shown = self._n_done = 0  # its updates up to the last row, and in all
        self._held_out: float | None = None

    def updates(self, losses: list[float], n_updates: int) -> None:
        """Take note of the last so many updates; the losses are those of all updates that the network has had."""
        self._report.count(self._name, n_updates)
        if not self._report.printed:
            return
        if self._first is None:
            self._first = self._n_shown = self._n_done = len(losses) - n_updates
        if (self._n_done - self._first) % self._every == 0:
            self.end()
        self._losses, self._n_done, self._held_out = losses, len(losses), None

    def held_out(self, loss: float) -> None:
        """Take note of the held-out loss after the updates so far."""
        self._held_out = loss
        if self._first is None:
            self._row(0, None)

    def end(self) -> None:
        """Print the row that waits, if there is one."""
        recent = self._losses[self._n_shown : self._n_done]
        if recent:
            self._row(self._n_done, math.fsum(recent) / len(recent))
            self._n_shown = self._n_done

    def _row(self, n_done: int, loss: float | None) -> None:
        progress = f"{n_done} {self._of} {(self._first or 0) + self._n_iterations}"
        self._report.row(self._name, progress, loss, self._held_out)
