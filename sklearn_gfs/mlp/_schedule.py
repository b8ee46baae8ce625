"""How long networks are trained, and when a trial ends; numbers of iterations only."""

from __future__ import annotations

from typing import NamedTuple

# Number of gradient updates between two evaluations of the held-out loss.
_VALIDATION_INTERVAL = 20
# Number of gradient updates without a new least held-out loss after which a trial ends.
_PATIENCE = 500
# With an automatic number of updates, a trial lasts at least this factor times the iteration of the least held-out
# loss.
_PATIENCE_FACTOR = 1.5
# Largest number of passes over the samples, if the number of updates is automatic. Without held-out samples, which
# could end re-training, there are two thirds of these passes.
_PASSES = 300
# Largest number of updates in these passes; without held-out samples two thirds of this.
_MOST_UPDATES = 100_000
# Least number of updates, even if few samples then need more passes.
_FEWEST_UPDATES = 12_000
# Least number of passes over the samples, even if many samples then need more updates.
_FEWEST_PASSES = 10
# Numbers of pre-training iterations of which "auto" chooses one.
_CHECKPOINTS = (20, 80, 320)
# Largest number of pre-training iterations per sample with continuous targets, if `n_retrain` is "auto". Complete
# re-training makes up for too little pre-training, but not for overfitting.
_A_SAMPLE = 0.4
# The same per sample with classes.
_A_SAMPLE_OF_CLASSES = 0.8
# Number of pre-training iterations that is tried for classes with any number of samples.
_FEWEST_OF_CLASSES = 80


class Schedule(NamedTuple):
    """
    The largest number of iterations, the interval between two held-out losses, and the patience of a trial.

    A trial ends if its held-out loss reaches no new minimum for `patience` iterations. Late in a trial the loss falls
    more slowly, so a trial also lasts at least `factor` times the iteration of its last minimum. It also ends if the
    held-out loss is negligible.
    """

    n_iterations: int
    interval: int
    patience: int
    factor: float = 1.0
    negligible: float = 0.0

    def end(self, record: int) -> int:
        """Return the iteration at which a trial ends, given the iteration of its last minimum."""
        return min(self.n_iterations, max(record + self.patience, int(self.factor * record)))


def schedule_of_updates(n_updates: int | str, n_samples: int, n_held_out: int, batch_size: int | None) -> Schedule:
    """
    Return the schedule of re-training by gradient updates.

    Parameters
    ----------
    n_updates : int or "auto"
        Largest number of updates.
    n_samples : int
        Number of samples that train.
    n_held_out : int
        Number of held-out or validation samples; 0 if only the number of updates ends re-training.
    batch_size : int or None
        None for all samples at once.
    """
    batch_size = batch_size or n_samples
    # With many held-out samples the interval is longer, so that evaluations take no more time than the updates.
    interval = _VALIDATION_INTERVAL * max(1, n_held_out // (_VALIDATION_INTERVAL * batch_size))
    if not isinstance(n_updates, str):
        return Schedule(n_updates, interval, _PATIENCE)
    n_of_pass = -(-n_samples // batch_size)
    most = min(_PASSES * n_of_pass, _MOST_UPDATES)
    most = most if n_held_out else most * 2 // 3
    n_updates = max(_FEWEST_UPDATES, most, _FEWEST_PASSES * n_of_pass)
    return Schedule(n_updates, interval, max(_PATIENCE, n_of_pass), _PATIENCE_FACTOR)


def checkpoints(n_retrain: int | str, n_samples: float, *, classes: bool) -> list[int]:
    """
    Return the iterations after which an automatic number of pre-training iterations is decided.

    Parameters
    ----------
    n_retrain : int or "auto"
        Number of iterations of re-training afterwards.
    n_samples : float
        Number of samples that train.
    classes : bool
        Whether the targets are classes; if not, they are continuous.
    """
    if not isinstance(n_retrain, str):
        return [*_CHECKPOINTS]
    most = max(_A_SAMPLE_OF_CLASSES * n_samples, _FEWEST_OF_CLASSES) if classes else _A_SAMPLE * n_samples
    return [checkpoint for place, checkpoint in enumerate(_CHECKPOINTS) if place == 0 or checkpoint <= most]
