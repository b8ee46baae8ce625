"""
Control of training from outside: the time limit, the user's interrupt, and callbacks.

A watch may end a training loop early. Training itself belongs in ``_training``, the printed table in ``_report``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from sklearn.exceptions import ConvergenceWarning

from sklearn_gfs._warn import warn_caller

from ._report import PhaseReport, Report

# Number of iterations in one task of scikit-learn's callbacks. With fewer, callbacks would take noticeable time; with
# more, a callback could not stop training in time.
_TASK_ITERATIONS = 20
# Largest number of iterations between two readings of the clock, if there is a time limit.
_LOOK_EVERY = 10


T = TypeVar("T")


class Watch:
    """
    Says whether training has to stop, and afterwards why it stopped.

    `out_of_time` means that the time limit stopped training, `interrupted` that the user did. `complaints` are texts of
    warnings.

    Parameters
    ----------
    max_time : float or None
        Seconds from now after which training stops.
    hears : bool, default=True
        Whether the user's first interrupt ends training, and `tell` raises it at the end of the fit. If not, the
        interrupt reaches the caller at once. A second interrupt always does.
    """

    def __init__(self, max_time: float | None, *, hears: bool = True) -> None:
        self._start, self._max_time, self._hears = time.monotonic(), max_time, hears
        self._deadline = math.inf
        self.out_of_time = False
        self.complaints: list[str] = []
        self.allow(1.0)

    def allow(self, share: float) -> None:
        """Allow training until this share of `max_time` is over."""
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
        """Largest number of iterations until `stops` must be read again."""
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
        """Record an interrupt, so that training stops; return False if the caller must raise the interrupt."""
        if self.interrupted or not self._hears:
            return False
        self._max_time, self._deadline = None, -math.inf
        return True

    def tell(self, n_pretrain: int, n_retrain: int) -> None:
        """
        Warn of complaints and of the end of time, and raise the user's interrupt.

        The interrupt must reach the loop around the fit, too; it was delayed only to finish the model.
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


# Stops nothing, and leaves interrupts to the caller. It has no state, so that many trainings can share it.
UNWATCHED = Watch(None, hears=False)


@contextmanager
def interruptible(watch: Watch) -> Iterator[None]:
    """Return a context that the user's first interrupt ends, as the watch records; later ones reach the caller."""
    try:
        yield
    except KeyboardInterrupt:
        if not watch.hears_interrupt():
            raise


def despite_interrupt(watch: Watch, make: Callable[..., T], *arguments: Any) -> T:
    """
    Return what a function returns, and call it again after the user's first interrupt, as the watch records.

    For what a fitted model can't do without, such as the selection. A second interrupt reaches the caller.
    """
    try:
        return make(*arguments)
    except KeyboardInterrupt:
        if not watch.hears_interrupt():
            raise
    return make(*arguments)


class Advancing(Protocol):
    """A training, as a phase runs it."""

    losses: list[float]

    def advance(self, n_iterations: int) -> None:
        """Make `n_iterations` iterations, or fewer if something stops them."""


class Phase:
    """
    A phase of a fit, made of groups of iterations; `stopped` says that a callback asked to end it.

    Parameters
    ----------
    context : CallbackContext
        Context of the phase.
    told : dict
        Arguments of every callback: the estimator and its data.
    name : str
    report : PhaseReport
        Prints the rows of the phase.
    n_of_task : int
        Number of iterations in a group.
    """

    def __init__(self, context: Any, told: dict[str, Any], name: str, report: PhaseReport, n_of_task: int) -> None:
        self.context = context
        self._told = told
        self.name = name
        self.report = report
        self._n_of_task = n_of_task
        self.stopped = False

    def run(self, training: Advancing, n_iterations: int, attributes: Callable[[], dict[str, Any]]) -> None:
        """Advance the training, a group of iterations at a time; `attributes` returns the current fitted attributes."""
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
    The tasks of a fit for scikit-learn's callbacks: one for each phase, and in a phase one for each group of
    iterations.

    Parameters
    ----------
    context : CallbackContext
        Context of the whole fit.
    attributes : callable
        Takes a network in the units of the data and the losses of pre-training, returns the fitted attributes.
    report : Report
        Prints the table of the fit.
    **told
        Arguments of every callback: `estimator`, `X`, `y` and `metadata`.
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
        """Return a context of a phase of `n_iterations` iterations, or at most this number, in groups."""
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
        """Return a context of the training of another network within a phase of unknown length."""
        report = PhaseReport(self.report, phase.name, n_iterations, at_most=False, unit=n_of_task)
        part = Phase(phase.context, self._told, phase.name, report, n_of_task)
        try:
            yield part
        finally:
            phase.stopped |= part.stopped
            report.end()

    def end(self, attributes: dict[str, Any]) -> None:
        """End the fit; `attributes` are the fitted attributes that the estimator does not have yet."""
        self._context.call_on_fit_task_end(**self._told, reconstruction_attributes=attributes)
