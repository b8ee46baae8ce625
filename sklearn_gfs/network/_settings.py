"""The settings of a training, by the names of the estimators' parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sklearn_gfs._activations import Activation

    from ._losses import Loss
    from ._solvers import Solver


class TrainingSettings(NamedTuple):
    """How to train; the names are those of the estimators' parameters."""

    activation: Activation
    loss: Loss
    solver: type[Solver]
    learning_rate_init: float | None
    momentum: float
    batch_size: int | None
    alpha: float
    device: str = "cpu"
