"""
The outputs of a mean of picks, to which a search by the gradient adds one neuron after the other.

The operations for one pick are small: in torch the calls take longer than the arithmetic. A compiled loop does these
operations for the losses that it knows, and torch for any other loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sklearn_gfs._chunks import row_batches
from sklearn_gfs._emitter import host
from sklearn_gfs._loop_codes import LABELWISE, SOFTMAX, loop_code
from sklearn_gfs._requirements import numba_for
from sklearn_gfs._typing import Float64Array, FloatArray, IntArray

from ._steepest_kernels import losses_and_residuals

if TYPE_CHECKING:
    from ._gram_computed import ComputedRows
    from ._protocol import OutputLoss

# Number of neurons that torch tries at once, so that intermediate results stay in the cache.
_BLOCK = 64
# Largest product of an activation and an output weight for which the loop is used: the loop computes in float32.
_MOST = 1e30


class OutputLayer(NamedTuple):
    """Output weights of all neurons, (n_neurons, n_outputs), and the intercepts that are added to their mean."""

    coef: FloatArray
    intercept: FloatArray


class MeanOutputs:
    """
    The mean of the outputs of picks, by torch.

    Parameters
    ----------
    targets : ndarray of shape (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,) or None
    layer : OutputLayer
    loss : OutputLoss
    dtype : dtype
        The dtype of the activations.

    Attributes
    ----------
    dtype : dtype
        The dtype of activations and of residuals.
    width : int
        The length of a row of activations is a multiple of this.
    """

    width = 1

    def __init__(
        self, targets: FloatArray, weight: FloatArray | None, layer: OutputLayer, loss: OutputLoss, dtype: Any
    ) -> None:
        self.dtype, self._loss, self._n_samples = np.dtype(dtype), loss, len(targets)
        self._coef = layer.coef.astype(dtype, copy=False)
        self._intercept = layer.intercept.astype(dtype)[:, None]
        n_places = -(-len(targets) // self.width) * self.width
        self._total = np.zeros((targets.shape[1], n_places), dtype)
        self._targets = np.zeros_like(self._total)
        self._targets[:, : len(targets)] = targets.T
        self._weight = None if weight is None else weight.astype(dtype)
        self._n_picks = 0

    def add(self, pick: int, row: FloatArray) -> None:
        """Add a neuron, given its index and its row of activations."""
        self._total += self._coef[pick][:, None] * row
        self._n_picks += 1

    def _mean(self, n_picks: int) -> FloatArray:
        mean = self._total / n_picks if n_picks else self._total.copy()
        mean += self._intercept
        return mean

    def residuals(self) -> FloatArray:
        """Return each sample's derivative of the loss with respect to its outputs, (n_outputs, n_samples)."""
        import torch

        outputs, y = torch.from_numpy(self._mean(self._n_picks)), torch.from_numpy(self._targets)
        weight = None if self._weight is None else torch.from_numpy(self._weight)
        residuals: FloatArray = self._loss.value_and_residual(outputs, y, weight)[1].numpy()
        return residuals

    def losses(self, tried: IntArray, rows: FloatArray) -> Float64Array:
        """Return the mean losses with each of these neurons in addition, of which these are the activations."""
        import torch

        y, losses, n_picks = torch.from_numpy(self._targets), np.empty(len(tried)), self._n_picks + 1
        base, activations = torch.from_numpy(self._mean(n_picks))[:, None], torch.from_numpy(rows)
        room = y.new_empty(min(len(tried), _BLOCK) * y.numel())
        for block in row_batches(len(tried), _BLOCK):
            some = tried[block]
            outputs = room[: len(some) * y.numel()].view(len(y), len(some), -1)
            torch.mul(torch.from_numpy(self._coef[some].T / n_picks)[:, :, None], activations[block], out=outputs)
            each = self._loss.each_in_place(outputs.add_(base), y[:, None]).numpy()
            losses[block] = np.average(each, axis=1, weights=self._weight)
        return losses


class CompiledMeanOutputs(MeanOutputs):
    """The mean of the outputs of picks, by a compiled loop in float32."""

    def __init__(
        self, targets: FloatArray, weight: FloatArray | None, layer: OutputLayer, loss: OutputLoss, dtype: Any
    ) -> None:
        self.width = host()[0]
        super().__init__(targets, weight, layer, loss, dtype)
        self._code, self._shares = loop_code(loss, targets.shape[1]), np.zeros(self._total.shape[1], dtype)
        self._shares[: len(targets)] = 1 if weight is None else weight
        self._mass = float(self._shares.sum(dtype=np.float64))
        self._residuals = np.empty_like(self._total)

    def residuals(self) -> FloatArray:
        """Return each sample's derivative of the loss with respect to its outputs, (n_outputs, n_samples)."""
        self._run(self._mean(self._n_picks), np.empty((0, 0)), np.empty((0, 0)))
        return self._residuals[:, : self._n_samples]

    def losses(self, tried: IntArray, rows: FloatArray) -> Float64Array:
        """Return the mean losses with each of these neurons in addition, of which these are the activations."""
        n_picks = self._n_picks + 1
        losses: Float64Array = self._run(self._mean(n_picks), self._coef[tried] / self.dtype.type(n_picks), rows)
        return losses / self._mass

    def _run(self, base: FloatArray, coef: FloatArray, rows: FloatArray) -> Float64Array:
        losses = np.zeros(len(rows))
        losses_and_residuals(
            self._code, rows.ctypes.data, rows.shape[1], coef.ctypes.data, base.ctypes.data, self._targets.ctypes.data,
            *base.shape[::-1], self._shares.ctypes.data, base.shape[1], losses, self._residuals.ctypes.data,
        )  # fmt: skip
        return losses


def mean_outputs(
    hidden: FloatArray | ComputedRows,
    targets: FloatArray,
    weight: FloatArray | None,
    layer: OutputLayer,
    loss: OutputLoss,
) -> MeanOutputs:
    """Return an empty mean, computed by the compiled loop if the loop knows the loss, else by torch."""
    known = loop_code(loss, targets.shape[1]) in (SOFTMAX, LABELWISE) and not numba_for("Training").config.DISABLE_JIT
    if known and hidden.dtype == np.float64:
        # With activations in float32 the same neurons are picked, if the values are in the range of float32.
        largest = max(float(hidden.max()), -float(hidden.min())) if isinstance(hidden, np.ndarray) else np.inf
        known = largest * np.abs(layer.coef).max() < _MOST
    kind, dtype = (CompiledMeanOutputs, np.float32) if known else (MeanOutputs, hidden.dtype)
    return kind(targets, weight, layer, loss, dtype)
