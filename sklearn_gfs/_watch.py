"""What watches training from outside: the time it may take, the user's interrupt, and the lines it prints."""

from __future__ import annotations

import time

# Iterations from one printed line to the next.
_LINE_EVERY = 50


class Watch:
    """
    Told of every iteration; `reason` says why training has to stop, None that it may go on.

    Parameters
    ----------
    max_time : float or None
        Seconds from now after which training stops.
    verbose : bool
        Whether to print the loss now and then.
    """

    def __init__(self, max_time: float | None, *, verbose: bool) -> None:
        self._deadline = None if max_time is None else time.monotonic() + max_time
        self._verbose = verbose
        self.reason: str | None = None

    def iteration(self, phase: str, done: int, loss: float) -> None:
        """Take note of one iteration, the number of which before it was `done`."""
        if self._verbose and (done + 1) % _LINE_EVERY == 0:
            print(f"{phase}: iteration {done + 1}, loss {loss:.6g}")  # noqa: T201
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self.reason = "max_time was over"

    def interrupt(self) -> None:
        """Take note that the user interrupted."""
        self.reason = "it was interrupted"
