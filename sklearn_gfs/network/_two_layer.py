"""
Computations of the two-layer network: its activations in NumPy, its outputs, loss and gradient in torch.

Nothing here knows data sets, batches, step sizes or estimators.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_gfs._chunks import row_chunks
from sklearn_gfs._threads import one_thread, threads_for

from ._parameters import Network

if TYPE_CHECKING:
    import torch

    from sklearn_gfs._activations import Activation
    from sklearn_gfs._typing import FloatArray

    from ._data import Batch
    from ._losses import Loss

# Largest number of features for which the coefficients of a feature, and not those of a neuron, are adjacent in memory.
# With few features a neuron's row would be short, and the product for the gradient slow.
_FEW_FEATURES = 32
# Number of steps of power iteration for the largest curvature.
_POWER_STEPS = 20


def hidden_activations(
    X: Any, coef: FloatArray, intercept: FloatArray, activation: Activation, out: FloatArray | None = None
) -> FloatArray:
    """Return act(X coef + intercept) of shape (n_samples, n_hidden), in `out` if given; X may be a CSR array."""
    with threads_for(2.0 * X.shape[0] * coef.size):
        if out is None:
            hidden = np.asarray(X @ coef)
        elif isinstance(X, np.ndarray):
            hidden = np.matmul(X, coef, out=out)
        else:
            hidden = out
            hidden[...] = X @ coef
    hidden += intercept
    activation.apply(hidden)
    return hidden


class Layout:
    """
    The layout of a network's parameters, or of a vector of the same kind, in one flat tensor.

    The four parts are coefficients (n_hidden, n_features), intercepts (n_hidden, 1), output coefficients (n_outputs,
    n_hidden) and output intercepts (n_outputs, 1).
    """

    def __init__(self, n_features: int, n_hidden: int, n_outputs: int) -> None:
        self._by_feature = n_features <= _FEW_FEATURES
        coef = (n_features, n_hidden) if self._by_feature else (n_hidden, n_features)
        self._shapes = [coef, (n_hidden, 1), (n_outputs, n_hidden), (n_outputs, 1)]
        self._sizes = [math.prod(shape) for shape in self._shapes]

    def views(self, flat: torch.Tensor) -> list[torch.Tensor]:
        """Return the parts of a flat tensor, which share its memory."""
        from torch import split

        parts = [part.view(shape) for part, shape in zip(split(flat, self._sizes), self._shapes, strict=True)]
        if self._by_feature:
            parts[0] = parts[0].T
        return parts

    def views_of_array(self, flat: FloatArray) -> list[FloatArray]:
        """Return the parts of a flat array, which share its memory; torch would warn of a read-only array."""
        pieces = np.split(flat, np.cumsum(self._sizes)[:-1])
        parts = [piece.reshape(shape) for piece, shape in zip(pieces, self._shapes, strict=True)]
        if self._by_feature:
            parts[0] = parts[0].T
        return parts

    def flat(self, parts: Sequence[FloatArray]) -> FloatArray:
        """Return a flat array of these parts."""
        coef, *others = parts
        return np.concatenate([part.ravel() for part in (coef.T if self._by_feature else coef, *others)])

    def flat_of(self, network: Network) -> FloatArray:
        """Return a flat array of a network's parameters."""
        coef, output_coef = network.hidden_coef.T, network.output_coef.T
        return self.flat((coef, network.hidden_intercept, output_coef, network.output_intercept))


def layout_of(network: Network) -> Layout:
    """Return the layout of the parameters of this network."""
    n_features, n_hidden = network.hidden_coef.shape
    return Layout(n_features, n_hidden, len(network.output_intercept))


class TorchNetwork:
    """
    A network in torch with its loss and gradient on one batch.

    All parameters are in one flat tensor, ``parameters``, and the gradient is in another. A solver is then a few
    operations on whole vectors. The gradient of a neuron is divided by the neuron's weight, so that a step size has the
    same effect with 50 neurons as with 1000. This is the gradient flow of the distribution of neurons.

    Activations and outputs have a row for each neuron or output and a column for each sample. This order is the faster
    one for all products except the two small ones with the output weights.

    The loss is averaged over the batch. The ``penalty`` is ``alpha / 2`` times the weighted mean over neurons of their
    squared coefficients.
    """

    def __init__(
        self,
        network: Network,
        activation: Activation,
        loss: Loss,
        alpha: float = 0.0,
        device: str = "cpu",
    ) -> None:
        import torch

        self._torch = torch
        self._activation = activation
        self._loss = loss
        self._alpha = alpha
        self.layout = layout_of(network)
        parameters = torch.from_numpy(self.layout.flat_of(network)).to(device)
        self.lie_in(parameters, torch.zeros_like(parameters))
        self.pieces = [slice(len(parameters))]
        self._weights = torch.from_numpy(network.weights.copy()).to(device)
        self._equal_weight = float(network.weights[0]) if np.ptp(network.weights) == 0 else None
        # For each batch size: activations, slopes, and one over the batch size.
        self._buffers: dict[int, tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = {}

    def become(self, network: Network) -> None:
        """Take the parameters of another network of the same layout and with the same weights of neurons."""
        self.parameters.copy_(self._torch.from_numpy(self.layout.flat_of(network)))

    def lie_in(self, parameters: torch.Tensor, gradient: torch.Tensor) -> None:
        """Use these tensors for the parameters and for the gradient from now on."""
        self.parameters, self.gradient = parameters, gradient
        self._coef, self._intercept, self._out_coef, self._out_intercept = self.layout.views(parameters)
        self._gradients = self.layout.views(gradient)

    def threads(self) -> AbstractContextManager[None]:
        """Return a context with one thread, which is fastest, or without effect on a GPU."""
        return nullcontext() if self.parameters.is_cuda else one_thread()

    def in_parts(self, work: Callable[[int], None]) -> None:
        """Call `work` with the index of the only part; see `NetworkInParts`."""
        work(0)

    def forward(self, X: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the hidden activations and the outputs; the activations are overwritten by the next call."""
        torch = self._torch
        if X.shape[0] not in self._buffers:
            hidden = X.new_empty((len(self._intercept), X.shape[0]))
            self._buffers[X.shape[0]] = (hidden, torch.empty_like(hidden), X.new_tensor(1 / X.shape[0]))
        hidden = self._buffers[X.shape[0]][0]
        torch.addmm(self._intercept, self._coef, X.T, out=hidden)
        self._activation.apply_torch(hidden)
        if self._equal_weight is None:
            return hidden, torch.addmm(self._out_intercept, self._out_coef * self._weights, hidden)
        return hidden, torch.addmm(self._out_intercept, self._out_coef, hidden, alpha=self._equal_weight)

    def backward(self, X: torch.Tensor, residual: torch.Tensor, *, moves_intercept: bool = True) -> None:
        """Write the gradient, given the derivative of the mean loss by the outputs of the last `forward`."""
        self._backward(X, self._buffers[X.shape[0]][0], residual, self._alpha, moves_intercept=moves_intercept)

    def _backward(
        self,
        X: torch.Tensor,
        hidden: torch.Tensor,
        residual: torch.Tensor,
        alpha: float = 0.0,
        *,
        moves_intercept: bool = True,
    ) -> None:
        """Write the gradient J' residual + alpha coefficients; J is the outputs' Jacobian over neurons' weights."""
        torch = self._torch
        coef, intercept, out_coef, out_intercept = self._gradients
        torch.addmm(self._out_coef, residual, hidden.T, beta=alpha, out=out_coef)
        if moves_intercept:
            torch.sum(residual, 1, keepdim=True, out=out_intercept)
        slope = torch.mm(self._out_coef.T, residual, out=self._buffers[X.shape[0]][1])
        self._activation.times_slope(slope, hidden)
        torch.addmm(self._coef, slope, X, beta=alpha, out=coef)
        torch.sum(slope, 1, keepdim=True, out=intercept)

    def loss_and_gradient(self, X: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None = None) -> float:
        """
        Return the loss on the batch and leave the gradient of the loss and the penalty in ``gradient``.

        Weights of samples multiply their losses; the sum is divided by n_samples.
        """
        return self._loss.mean_of(self.total_and_gradient(X, y, weight).item(), X.shape[0])

    def total_and_gradient(self, X: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        """Return the total of the losses as a tensor, without waiting for a GPU, and write ``gradient`` as above."""
        total, residual = self._loss.total_and_residual(self.forward(X)[1], y, weight)
        # One over the batch size is a tensor, because torch would convert a Python number in every call.
        self.backward(X, residual.mul_(self._buffers[X.shape[0]][2]))
        return total

    def penalty(self) -> float:
        """Return alpha / 2 times the weighted mean over neurons of their squared coefficients."""
        if self._alpha == 0:
            return 0.0
        norm = self._torch.linalg.vector_norm
        squares = norm(self._coef, dim=1).square() + norm(self._out_coef, dim=0).square()
        return 0.5 * self._alpha * squares.dot(self._weights).item()

    def descent(self) -> float:
        """
        Return the decrease of the loss per unit of a short step against ``gradient``.

        This is the squared norm of ``gradient``, with each neuron's part multiplied by the neuron's weight, because
        this part was divided by the weight.
        """
        gradient, outer = self.gradient, self._gradients[3].view(-1)
        if self._equal_weight is not None:
            outer_square = outer.dot(outer).item()
            return self._equal_weight * (gradient.dot(gradient).item() - outer_square) + outer_square
        coef, intercept, out_coef, _ = self._gradients
        squares = coef.square().sum(1) + intercept[:, 0].square() + out_coef.square().sum(0)
        return squares.dot(self._weights).item() + outer.dot(outer).item()

    def loss(self, X: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None = None) -> float:
        """Return the loss without the penalty."""
        n_rows, total = X.shape[0], 0.0
        for chunk in row_chunks(n_rows, len(self._intercept) * X.element_size()):
            some = None if weight is None else weight[chunk]
            value = self._loss.value_and_residual(self.forward(X[chunk])[1], y[:, chunk], some)[0]
            total += value * (chunk.stop - chunk.start)
        return total / n_rows

    def losses(self, X: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None = None) -> FloatArray:
        """Return the loss of each sample, times its weight."""
        found = []
        for chunk in row_chunks(X.shape[0], len(self._intercept) * X.element_size()):
            each = self._loss.each_in_place(self.forward(X[chunk])[1], y[:, chunk])
            found.append(each if weight is None else each * weight[chunk])
        losses: FloatArray = self._torch.cat(found).cpu().numpy()
        return losses

    def largest_curvature(self, X: torch.Tensor, start: torch.Tensor, weight: torch.Tensor | None = None) -> float:
        """
        Estimate the largest eigenvalue of the Gauss-Newton matrix J'J / n_samples by power iteration.

        Weights of samples multiply their rows of J'.

        In the linearised (NTK) regime gradient descent on the squared error is stable for step sizes below 2 over this
        value; the log loss is flatter.
        """
        torch = self._torch
        direction = start / start.norm()
        eigenvalue = 0.0
        for _ in range(_POWER_STEPS):
            hidden, _ = self.forward(X)
            coef, intercept, out_coef, out_intercept = self.layout.views(direction)
            slope = torch.addmm(intercept, coef, X.T)
            self._activation.times_slope(slope, hidden)
            change = (self._out_coef * self._weights) @ slope + (out_coef * self._weights) @ hidden + out_intercept
            if weight is not None:
                change.mul_(weight)
            self._backward(X, hidden, change.div_(len(X)))
            eigenvalue = self.gradient.norm().item()
            if not 0 < eigenvalue < np.inf:
                break
            direction = self.gradient / eigenvalue
        return eigenvalue

    def whole(self, vector: torch.Tensor) -> FloatArray:
        """Return a copy of a vector in the layout of the parameters; see `NetworkInParts.whole`."""
        return np.array(vector.cpu().numpy())

    def in_pieces(self, vector: FloatArray) -> torch.Tensor:
        """Return the inverse of `whole`."""
        return self._torch.from_numpy(vector.copy()).to(self.parameters)

    def to_network(self) -> Network:
        """Return a copy of the parameters as NumPy arrays."""
        coef, intercept, out_coef, out_intercept = (view.cpu().numpy() for view in self.layout.views(self.parameters))
        return Network(
            np.array(coef.T, order="C"),
            intercept[:, 0].copy(),
            np.array(out_coef.T, order="C"),
            out_intercept[:, 0].copy(),
            self._weights.cpu().numpy().copy(),
        )


def mean_loss(network: Any, batches: Iterable[Batch]) -> float:
    """Return the loss of a network on all samples of these batches, without the penalty."""
    sizes, losses = zip(*((len(batch.X), network.loss(*batch)) for batch in batches), strict=True)
    return math.fsum(map(operator.mul, sizes, losses)) / sum(sizes)
