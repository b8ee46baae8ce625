"""
What watches training from outside: the time it may take, the user's interrupt, and callbacks.

It counts and tells, and may end a training loop early; how a network is trained belongs in ``_training``, what is
printed in ``_report``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from sklearn.exceptions import ConvergenceWarning

from sklearn_gfs._warn import warn_caller

from ._report import PhaseReport, Report

# Iterations in one task of scikit-learn's callbacks: few enough to stop in time, many enough to cost nothing.
_TASK_ITERATIONS = 20
# Iterations, at most, from one look at the clock to the next, where there is a time to be over.
_LOOK_EVERY = 10


class Watch:
    """
    Says whether training has to stop, and afterwards why it did.

    It stopped because time was over where `out_of_time`, and because the user wanted it to where `interrupted`.
    `complaints` say what went wrong without being an error.

    Parameters
    ----------
    max_time : float or None
        Seconds from now after which training stops.
    hears : bool, default=True
        Whether the user's first interrupt ends training and is passed on by `tell`. Else it goes on to the caller at
        once, as every second one does.
    """

    def __init__(self, max_time: float | None, *, hears: bool = True) -> None:
        self._start, self._max_time, self._hears = time.monotonic(), max_time, hears
        self._deadline = math.inf
        self.out_of_time = False
        self.complaints: list[str] = []
        self.allow(1.0)

    def allow(self, share: float) -> None:
        """Let training go on until this share of the time is over."""
        if self._max_time is not None:
            self._deadline = self._start + share * self._max_time

    @property
    def stops(self) -> bool:
        """Whether training has to stop now."""
        over = time.monotonic() >= self._deadline
        self.out_of_time |= over and not self.interrupted
        return over

    @property
    def patience(self) -> int:
        """How many iterations may be made until the watch is to be asked again."""
        return _TASK_ITERATIONS if self._max_time is None else _LOOK_EVERY

    @property
    def has_stopped(self) -> bool:
        """Whether training had to stop."""
        return self.out_of_time or self.interrupted

    @property
    def interrupted(self) -> bool:
        """Whether the user interrupted."""
        return self._deadline == -math.inf

    def hears_interrupt(self) -> bool:
        """Take note that the user interrupted, so that there is no more time; say no where the caller has to know."""
        if self.interrupted or not self._hears:
            return False
        self._max_time, self._deadline = None, -math.inf
        return True

    def tell(self, n_pretrain: int, n_retrain: int) -> None:
        """
        Warn of complaints and where time was over, and pass an interrupt on.

        The interrupt is meant for whatever loop the fit is part of, too; only the model had to be finished first.
        """
        made = (
            f"{n_pretrain} iterations of pre-training and {n_retrain} of re-training were made. The estimator is "
            "fitted and can be used."
        )
        if self.interrupted:
            raise KeyboardInterrupt(f"Training was interrupted: {made}")
        for complaint in self.complaints:
            warn_caller(complaint, ConvergenceWarning)
        if self.out_of_time:
            warn_caller(
                f"Training ended early because max_time was over: {made} Raise max_time to train for longer.",
                ConvergenceWarning,
            )


# Stops nothing, and leaves interrupts to the caller. It remembers nothing, so that many trainings may have it.
UNWATCHED = Watch(None, hears=False)


@contextmanager
def interruptible(watch: Watch) -> Iterator[None]:
    """Let the user's first interrupt end what is done in it, and tell the watch; all others go on to the caller."""
    try:
        yield
    except KeyboardInterrupt:
        if not watch.hears_interrupt():
            raise


class Advancing(Protocol):
    """What a phase runs: a training."""

    losses: list[float]

    def advance(self, n_iterations: int) -> None:
        """Make so many iterations, or fewer where something stops them."""


class Phase:
    """
    A phase of a fit, made of groups of iterations; `stopped` says that a callback asked to end it.

    Parameters
    ----------
    context : CallbackContext
        The phase's own.
    told : dict
        What every callback is told: the estimator and its data.
    name : str
    report : PhaseReport
        What is printed of it.
    n_of_task : int
        Iterations in a group.
    """

    def __init__(self, context: Any, told: dict[str, Any], name: str, report: PhaseReport, n_of_task: int) -> None:
        self.context = context
        self._told = told
        self.name = name
        self.report = report
        self._n_of_task = n_of_task
        self.stopped = False

    def run(self, training: Advancing, n_iterations: int, attributes: Callable[[], dict[str, Any]]) -> None:
        """Advance the training, a group of iterations at a time; `attributes` are the fitted ones at any moment."""
        while n_iterations > 0 and not self.stopped:
            size, done = min(n_iterations, self._n_of_task), len(training.losses)
            task = self.context.subcontext(f"{self.name} iterations").call_on_fit_task_begin(**self._told)
            training.advance(size)
            self.report.updates(training.losses, len(training.losses) - done)
            self.stopped = task.call_on_fit_task_end(**self._told, reconstruction_attributes=attributes)
            if len(training.losses) < done + size:
                return  # time is over, or the user interrupted
            n_iterations -= size


class Tasks:
    """
    A fit as scikit-learn's callbacks see it: a task for each phase, and in it one for each group of iterations.

    Parameters
    ----------
    context : CallbackContext
        That of the whole fit.
    attributes : callable
        Takes a network in the units of the data and the losses of pre-training, returns the fitted attributes.
    report : Report
        What is printed of the fit.
    **told
        What every callback is told: `estimator`, `X`, `y` and `metadata`.
    """

    def __init__(
        self, context: Any, attributes: Callable[[Any, list[float]], dict[str, Any]], report: Report, **told: Any
    ) -> None:
        self.attributes = attributes
        self.report = report
        self._told = told
        self._context = context.call_on_fit_task_begin(**told)

    @contextmanager
    def phase(
        self, name: str, n_iterations: int = 0, *, at_most: bool = False, n_of_task: int = _TASK_ITERATIONS
    ) -> Iterator[Phase]:
        """Begin and end a phase of so many iterations, in groups, or of an unknown number up to that."""
        n_tasks = None if at_most else -(-n_iterations // n_of_task)
        context = self._context.subcontext(name, max_subtasks=n_tasks).call_on_fit_task_begin(**self._told)
        report = PhaseReport(self.report, name, n_iterations, at_most=at_most, unit=n_of_task)
        try:
            yield Phase(context, self._told, name, report, n_of_task)
        finally:
            report.end()
        context.call_on_fit_task_end(**self._told)

    @contextmanager
    def within(self, phase: Phase, n_iterations: int, n_of_task: int) -> Iterator[Phase]:
        """Train another network as a part of a phase, whose number of iterations must not be known."""
        report = PhaseReport(self.report, phase.name, n_iterations, at_most=False, unit=n_of_task)
        part = Phase(phase.context, self._told, phase.name, report, n_of_task)
        try:
            yield part
        finally:
            phase.stopped |= part.stopped
            report.end()

    def end(self, attributes: dict[str, Any]) -> None:
        """End the fit; `attributes` are those that its estimator lacks to be fitted."""
        self._context.call_on_fit_task_end(**self._told, reconstruction_attributes=attributes)
