"""The settings of a training, by the names of the estimators' parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sklearn_gfs._activations import Activation

    from ._losses import Loss
    from ._solvers import Solver


# An automatic penalty is this at most: of the dense network, and where training begins that estimates the penalty.
ALPHA = 1e-3


class TrainingSettings(NamedTuple):
    """How to train; the names are those of the estimators' parameters."""

    activation: Activation
    loss: Loss
    solver: type[Solver]
    learning_rate_init: float | None
    momentum: float
    batch_size: int | None
    alpha: float | str
    device: str = "cpu"

    def with_alpha(self, n_samples: float | None = None) -> TrainingSettings:
        """Return settings with a number for the penalty; "auto" falls with the number of samples, where it is told."""
        if not isinstance(self.alpha, str):
            return self
        return self._replace(alpha=ALPHA if n_samples is None else min(ALPHA, 1 / n_samples))
