"""
The losses of networks: each is one object, and no other module of training or selection compares their names.

A loss has its value, its derivative and the initial intercept. It says whether a selection of neurons needs inner
products only, and what its outputs are. To add one, add an object to `LOSSES`. Labels and estimators belong in ``mlp``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logsumexp, softmax

from sklearn_gfs._chunks import PIECE_BYTES, row_chunks
from sklearn_gfs._loop_codes import LABELWISE, SOFTMAX, SQUARED

if TYPE_CHECKING:
    import torch

    from sklearn_gfs._typing import FloatArray, IntArray


class Loss(ABC):
    """
    A loss of a network's outputs, summed over outputs and averaged over samples.

    A class may have a method ``loop_code(n_outputs)``, which returns the code of the loss in the loop that trains small
    networks. If a class does not define the method itself, torch trains.

    Attributes
    ----------
    name : str
        The value of the estimators' parameter `loss`.
    is_quadratic : bool
        Whether a selection needs inner products only. If so, targets are centred, and neurons are selected by
        activations in float32. If not, neurons are selected by the gradient of the loss.
    gives_logits : bool
        Whether outputs are logits, so that there is a decision function.
    has_curvature : bool
        Whether the loss has `curvature_roots`, which Levenberg-Marquardt steps need.
    total_factor : float
        Factor from the total of `total_and_residual` to the sum of all losses.
    """

    name: str
    total_factor = 1.0
    is_quadratic = False
    gives_logits = False
    has_curvature = False

    def for_labels(self, *, several: bool) -> Loss:  # noqa: ARG002
        """Return the loss for one label a sample, or for several."""
        return self

    @abstractmethod
    def total_and_residual(
        self, outputs: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Return the sum of all losses, over `total_factor`, and each sample's derivative with respect to its outputs.

        Outputs and targets have a row for each output and a column for each sample. Weights multiply losses. The
        outputs may be overwritten. The total stays a tensor, so that Python does not wait for a GPU.
        """

    def value_and_residual(
        self, outputs: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None
    ) -> tuple[float, torch.Tensor]:
        """Return the mean loss, the sum over the number of samples, and the derivative of `total_and_residual`."""
        total, residual = self.total_and_residual(outputs, y, weight)
        return self.mean_of(total.item(), y.shape[1]), residual

    def mean_of(self, total: float, n_samples: int) -> float:
        """Return the mean loss of `n_samples` samples, given the total of `total_and_residual`."""
        return self.total_factor * total / n_samples

    @abstractmethod
    def values(self, outputs: FloatArray, targets: FloatArray) -> FloatArray:
        """Return the loss of each sample; outputs and targets have a row for each sample."""

    @abstractmethod
    def each(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """
        Return the loss of each sample, in torch.

        Outputs and targets have a row for each output, and samples along the last of any number of further axes.
        """

    def each_in_place(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of each sample; the outputs may be overwritten."""
        return self.each(outputs, y)

    def residual(self, outputs: FloatArray, targets: FloatArray, weight: FloatArray | None) -> FloatArray:
        """Return each sample's derivative with respect to its outputs, times its weight; a sample is a row."""
        import torch

        of_outputs, y = (torch.from_numpy(np.array(a.T, dtype=outputs.dtype, order="C")) for a in (outputs, targets))
        derivative = self.value_and_residual(of_outputs, y, None if weight is None else torch.from_numpy(weight))[1]
        return np.ascontiguousarray(derivative.numpy().T)

    def curvature_roots(self, outputs: FloatArray) -> Iterator[FloatArray]:
        """Yield arrays like the outputs; the sum over arrays of r r', r a sample's row, is the Hessian of its loss."""
        raise NotImplementedError(f"The loss {self.name!r} doesn't say how it curves.")

    def mean(self, outputs: FloatArray, targets: FloatArray, weight: FloatArray | None) -> float:
        """Return the loss averaged over samples with these weights."""
        return float(np.average(self.values(outputs.astype(np.float64), targets), weights=weight))

    @abstractmethod
    def initial_intercept(self, targets: FloatArray, weight: FloatArray | None, rows: IntArray) -> FloatArray:
        """Return the constant outputs of least loss on these rows; the arrays hold all samples."""

    @abstractmethod
    def out_activation(self, n_outputs: int) -> str:
        """Return scikit-learn's name of the output activation."""


class SquaredError(Loss):
    """Half the squared error."""

    name = "squared_error"
    is_quadratic = has_curvature = True
    total_factor = 0.5  # the total is a sum of squares

    def loop_code(self, n_outputs: int) -> int:  # noqa: ARG002
        """Return the code of the squared error."""
        return SQUARED

    def total_and_residual(
        self, outputs: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the sum of squares and the derivative."""
        residual = outputs.sub_(y)
        weighted = residual if weight is None else residual * weight
        return weighted.view(-1).dot(residual.view(-1)), weighted

    def each(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of each sample."""
        return 0.5 * (outputs - y).square().sum(0)

    def values(self, outputs: FloatArray, targets: FloatArray) -> FloatArray:
        """Return the loss of each sample."""
        losses: FloatArray = 0.5 * np.sum((outputs - targets) ** 2, axis=1)
        return losses

    def curvature_roots(self, outputs: FloatArray) -> Iterator[FloatArray]:
        """Yield for each output ones in its column and zeros elsewhere: the Hessian is the identity."""
        for k in range(outputs.shape[1]):
            root = np.zeros_like(outputs)
            root[:, k] = 1
            yield root

    def initial_intercept(
        self,
        targets: FloatArray,
        weight: FloatArray | None,  # noqa: ARG002
        rows: IntArray,  # noqa: ARG002
    ) -> FloatArray:
        """Return zeros, for targets that are centred."""
        return np.zeros(targets.shape[1])

    def out_activation(self, n_outputs: int) -> str:  # noqa: ARG002
        """Return "identity"."""
        return "identity"


class LogLoss(Loss):
    """Negative log-likelihood of the softmax of the outputs, or of the logistic function of a single output."""

    name = "log_loss"
    gives_logits = has_curvature = True

    def loop_code(self, n_outputs: int) -> int:
        """Return the code of the softmax, or for one output the code of the logistic function."""
        return SOFTMAX if n_outputs > 1 else LABELWISE

    def for_labels(self, *, several: bool) -> Loss:
        """Return the loss for one label a sample, or for several."""
        return LabelwiseLogLoss() if several else self

    def total_and_residual(
        self, outputs: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the sum of the losses and the derivative."""
        if outputs.shape[0] == 1:
            return _logistic_total_and_residual(outputs, y, weight)
        log_probabilities = outputs.log_softmax(0)
        losses = log_probabilities * y
        residual = log_probabilities.exp_().sub_(y)
        if weight is not None:
            losses, residual = losses.mul_(weight), residual.mul_(weight)
        return losses.sum().neg_(), residual

    def each(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of each sample."""
        return _logistic_each(outputs, y) if len(outputs) == 1 else -(outputs.log_softmax(0) * y).sum(0)

    def each_in_place(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of each sample; the outputs are overwritten."""
        import torch

        if len(outputs) == 1:
            return self.each(outputs, y)
        return torch.log_softmax(outputs, 0, out=outputs).mul_(y).sum(0).neg_()

    def values(self, outputs: FloatArray, targets: FloatArray) -> FloatArray:
        """Return the loss of each sample."""
        if outputs.shape[1] == 1:
            return _logistic_values(outputs, targets)
        losses: FloatArray = logsumexp(outputs, axis=1) - np.sum(outputs * targets, axis=1)
        return losses

    def curvature_roots(self, outputs: FloatArray) -> Iterator[FloatArray]:
        """Yield for each class the root of its probability times its indicator minus all probabilities."""
        if outputs.shape[1] == 1:
            yield _logistic_roots(outputs)
            return
        shares = softmax(outputs, axis=1)
        for k in range(outputs.shape[1]):
            root = -shares
            root[:, k] += 1
            yield root * np.sqrt(shares[:, [k]])

    def initial_intercept(self, targets: FloatArray, weight: FloatArray | None, rows: IntArray) -> FloatArray:
        """Return the logits of the shares of the classes."""
        return log_odds(targets, weight, rows)

    def out_activation(self, n_outputs: int) -> str:
        """Return "softmax", for one output "logistic"."""
        return "softmax" if n_outputs > 1 else "logistic"


class LabelwiseLogLoss(LogLoss):
    """The sum over labels of the negative log-likelihood of each output's logistic function."""

    def loop_code(self, n_outputs: int) -> int:  # noqa: ARG002
        """Return the code of logistic functions."""
        return LABELWISE

    def total_and_residual(
        self, outputs: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the sum of the losses and the derivative."""
        return _logistic_total_and_residual(outputs, y, weight)

    def each(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of each sample."""
        return _logistic_each(outputs, y)

    def each_in_place(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of each sample."""
        return self.each(outputs, y)

    def values(self, outputs: FloatArray, targets: FloatArray) -> FloatArray:
        """Return the loss of each sample."""
        return _logistic_values(outputs, targets)

    def curvature_roots(self, outputs: FloatArray) -> Iterator[FloatArray]:
        """Yield for each label the root of its curvature in its column, and zeros elsewhere."""
        roots = _logistic_roots(outputs)
        for k in range(outputs.shape[1]):
            root = np.zeros_like(roots)
            root[:, k] = roots[:, k]
            yield root

    def initial_intercept(self, targets: FloatArray, weight: FloatArray | None, rows: IntArray) -> FloatArray:
        """Return the logits of the shares of the labels."""
        return log_odds(targets, weight, rows, labelwise=True)

    def out_activation(self, n_outputs: int) -> str:  # noqa: ARG002
        """Return "logistic"."""
        return "logistic"


def _logistic_total_and_residual(
    outputs: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    from torch.nn.functional import softplus

    losses = softplus(outputs).sub_(y * outputs)
    residual = outputs.sigmoid_().sub_(y)
    if weight is not None:
        losses, residual = losses.mul_(weight), residual.mul_(weight)
    return losses.sum(), residual


def _logistic_each(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    from torch.nn.functional import softplus

    return softplus(outputs).sub_(y * outputs).sum(0)


def _logistic_values(outputs: FloatArray, targets: FloatArray) -> FloatArray:
    losses: FloatArray = np.sum(np.logaddexp(0, outputs) - targets * outputs, axis=1)
    return losses


def _logistic_roots(outputs: FloatArray) -> FloatArray:
    roots: FloatArray = np.sqrt(expit(outputs) * expit(-outputs))
    return roots


def log_odds(targets: FloatArray, weight: FloatArray | None, rows: IntArray, *, labelwise: bool = False) -> FloatArray:
    """Return the constant outputs of least log loss, for targets of zeros and ones."""
    sums = np.zeros(targets.shape[1])
    for chunk in row_chunks(len(rows), 8 * len(sums), PIECE_BYTES):
        some = targets[rows[chunk]].astype(np.float64)
        sums += (some if weight is None else some * weight[rows[chunk], None]).sum(axis=0)
    shares = sums / (len(rows) if weight is None else weight[rows].sum())
    least = 0.5 / len(rows)
    if targets.shape[1] == 1 or labelwise:
        return np.log(np.maximum(shares, least)) - np.log(np.maximum(1 - shares, least))
    logs = np.log(np.maximum(shares, least))
    return logs - logs.mean()


# Keys are the values of the estimators' parameter `loss`.
LOSSES: dict[str, Loss] = {loss.name: loss for loss in (LogLoss(), SquaredError())}
