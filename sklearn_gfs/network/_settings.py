"""The settings of a training, by the names of the estimators' parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sklearn_gfs._activations import Activation

    from ._losses import Loss
    from ._solvers import Solver


# An automatic penalty: of a dense network with many samples, and the initial value if training estimates the penalty.
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

    def with_alpha(self, n_samples: float, *, falls: bool, times: float = 1.0) -> TrainingSettings:
        """
        Return settings with a numeric penalty in place of "auto".

        The automatic penalty is ALPHA, times the factor `times`. With `falls`, and for the log loss of few samples, one
        over the number of samples takes the place of ALPHA, as in scikit-learn's LogisticRegression. For the squared
        error the penalty is at most ALPHA. `times` is one for dense inputs of variance one.
        """
        if not isinstance(self.alpha, str):
            return self
        share = 1 / n_samples
        if self.loss.is_quadratic:
            alpha = min(ALPHA, share) if falls else ALPHA
        else:
            alpha = share if falls else max(ALPHA, share)
        return self._replace(alpha=alpha * times)
