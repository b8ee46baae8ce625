"""The settings of a training, by the names of the estimators' parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sklearn_gfs._activations import Activation

    from ._losses import Loss
    from ._solvers import Solver


# An automatic penalty: of the dense network of many samples, and where training begins that estimates the penalty.
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
        Return settings with a number for the penalty.

        That of "auto" is ALPHA. Where it `falls`, and for a log-likelihood of few samples, it is one over the number of
        samples, as in scikit-learn's LogisticRegression; for the squared error never more than ALPHA. That is meant for
        dense inputs of variance one; for others it is `times` as much.
        """
        if not isinstance(self.alpha, str):
            return self
        share = 1 / n_samples
        if self.loss.is_quadratic:
            alpha = min(ALPHA, share) if falls else ALPHA
        else:
            alpha = share if falls else max(ALPHA, share)
        return self._replace(alpha=alpha * times)
