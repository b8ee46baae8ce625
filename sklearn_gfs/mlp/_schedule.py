"""For how long networks are trained, and when a trial has seen enough; numbers of iterations only."""

from __future__ import annotations

from typing import NamedTuple

# Gradient updates between two looks at the held-out samples.
_VALIDATION_INTERVAL = 20
# A trial by gradient updates ends after so many without a record of the held-out loss.
_PATIENCE = 500
# Where the user names no number of updates, it also lasts until this factor of the last record.
_PATIENCE_FACTOR = 1.5
# Passes over the samples where the user names no number of updates. Where nothing is held out that could end
# re-training, it makes two thirds of them.
_PASSES = 300
# So many passes may take no more updates than this, and of this, too, two thirds.
_MOST_UPDATES = 100_000
# But of few samples more passes are made, until there are so many updates.
_FEWEST_UPDATES = 12_000
# And of however many samples so many passes are made.
_FEWEST_PASSES = 10
# Iterations after which an automatic number of pre-training iterations is decided.
_CHECKPOINTS = (20, 80, 320)
# Re-training to the end makes up for what pre-training leaves, but not for what it overfits. So there are at most so
# many iterations of pre-training a sample, of numbers and of classes.
_A_SAMPLE = 0.4
_A_SAMPLE_OF_CLASSES = 0.8
# Of few samples of classes there may be so many nevertheless.
_FEWEST_OF_CLASSES = 80


class Schedule(NamedTuple):
    """
    For how many iterations to re-train at most, after how many to look, and how many without a record end a trial.

    The later a record is, the slower is what follows. So a trial lasts at least until the iteration of its last record
    times the factor. It also ends where the held-out loss is negligible.
    """

    n_iterations: int
    interval: int
    patience: int
    factor: float = 1.0
    negligible: float = 0.0

    def end(self, record: int) -> int:
        """Return the iteration at which a trial ends if the last record is of this one."""
        return min(self.n_iterations, max(record + self.patience, int(self.factor * record)))


def schedule_of_updates(n_updates: int | str, n_samples: int, n_held_out: int, batch_size: int | None) -> Schedule:
    """
    Return the schedule of re-training by gradient updates.

    Parameters
    ----------
    n_updates : int or "auto"
        The most updates.
    n_samples : int
        All samples of the training.
    n_held_out : int
        Samples that a trial looks at; none where nothing but this number ends re-training.
    batch_size : int or None
        None for all samples at once.
    """
    batch_size = batch_size or n_samples
    # Where looking takes longer than the updates between two looks, there are more updates between them.
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
        For how long a subnetwork is re-trained afterwards.
    n_samples : float
        Samples that train.
    classes : bool
        Whether the targets are classes, and not numbers.
    """
    if not isinstance(n_retrain, str):
        return [*_CHECKPOINTS]
    most = max(_A_SAMPLE_OF_CLASSES * n_samples, _FEWEST_OF_CLASSES) if classes else _A_SAMPLE * n_samples
    return [checkpoint for place, checkpoint in enumerate(_CHECKPOINTS) if place == 0 or checkpoint <= most]
