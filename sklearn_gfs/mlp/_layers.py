"""
A trained network of several layers, pruned layer by layer.

Here belong the one form that networks of scikit-learn and of torch are brought into, and the selection of a layer's
neurons. How networks are read and rebuilt is in ``_trained_sklearn`` and ``_trained_torch``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any, NamedTuple, Self

import numpy as np

from sklearn_gfs._chunks import row_batches
from sklearn_gfs._typing import Float64Array, FloatArray, IntArray
from sklearn_gfs.network import CHUNK_ROWS, effective_number
from sklearn_gfs.selection import LARGEST_VALUE, SelectionStatistics, cross_validated

# Ridges that are tried, as shares of the mean diagonal of the Gram matrix, from the least.
RIDGES = (1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
# Least importance of a pre-activation, as a share of the largest importance in its layer.
_LEAST_IMPORTANCE = 1e-3


class Layers(ABC):
    """
    A trained network: matrices, each followed by intercepts and, except the last, by elementwise functions.

    Attributes
    ----------
    coefs : list of array or tensor, of shape (n_inputs, n_outputs)
    intercepts : list of array or tensor, of shape (n_outputs,)
    """

    coefs: list[Any]
    intercepts: list[Any]

    @abstractmethod
    def read_inputs(self, X: Any) -> Any:
        """Return the inputs of samples, checked."""

    @abstractmethod
    def read_targets(self, y: Any) -> tuple[Float64Array, str]:
        """
        Return validated targets of the predictions, with a column for each output, and the output activation.

        The output activation is a key of ``_refitting.FAMILIES``.
        """

    @abstractmethod
    def rebuilt(self) -> Any:
        """Return a network of these layers, of the same kind as the network that was read, in memory of its own."""

    @abstractmethod
    def inputs(self, X: Any, rows: slice) -> Any:
        """Return the inputs of the first layer for some samples."""

    @abstractmethod
    def activate(self, layer: int, values: Any) -> Any:
        """Return the activations of a hidden layer, given its pre-activations, which may be overwritten."""

    @abstractmethod
    def to_numpy(self, values: Any) -> Any:
        """Return an array of the values."""

    @abstractmethod
    def from_numpy(self, values: Float64Array) -> Any:
        """Return the values with the type, precision and device of the network's parameters."""

    def gains(self, layer: int) -> Any:  # noqa: ARG002
        """Return the factors by which normalisation multiplies the values of a hidden layer's neurons."""
        return 1.0

    @property
    def widths(self) -> list[int]:
        """Numbers of neurons of the hidden layers."""
        return [int(coef.shape[1]) for coef in self.coefs[:-1]]

    def pre_activations(self, values: Any, layer: int) -> Any:
        """Return the pre-activations of a layer for these inputs; those of the last layer are the outputs."""
        return self.product(self.activations(values, layer - 1) if layer else values, layer)

    def activations(self, values: Any, layer: int) -> Any:
        """Return the activations of a hidden layer for these inputs."""
        return self.activate(layer, self.pre_activations(values, layer))

    def product(self, values: Any, layer: int) -> Any:
        """Return pre-activations, given the activations of the layer before."""
        return values @ self.coefs[layer] + self.intercepts[layer]

    def copy(self) -> Self:
        """Return a network whose layers can be replaced."""
        copied = copy(self)
        copied.coefs, copied.intercepts = list(self.coefs), list(self.intercepts)
        return copied

    def keep(self, layer: int, kept: Kept) -> None:
        """Drop all other neurons of a hidden layer, and replace the weights of the next layer."""
        self.coefs[layer] = self.coefs[layer][:, kept.neurons]
        self.intercepts[layer] = self.intercepts[layer][kept.neurons]
        self.replace(layer + 1, kept.coef, kept.intercept)

    def replace(self, layer: int, coef: Float64Array, intercept: Float64Array) -> None:
        """Replace the weights and the intercepts of a layer."""
        self.coefs[layer], self.intercepts[layer] = self.from_numpy(coef), self.from_numpy(intercept)


class Kept(NamedTuple):
    """Neurons of a layer, and the weights and the intercepts of the next layer."""

    neurons: IntArray
    coef: Float64Array
    intercept: Float64Array


class LayerSamples(NamedTuple):
    """Inputs, weights and targets of the samples; None in place of targets if only the outputs are to be kept."""

    X: Any
    weight: Float64Array | None
    targets: Float64Array | None = None

    def chunks(self) -> Iterator[slice]:
        """Yield the rows of each chunk of samples, which go through a network together."""
        return row_batches(self.X.shape[0], CHUNK_ROWS)

    def weights_of(self, rows: slice) -> Float64Array | None:
        """Return the weights of some samples."""
        return None if self.weight is None else self.weight[rows]


def prune_layers(dense: Layers, samples: LayerSamples, sizes: Sequence[int], *, corrective: bool) -> Layers:
    """
    Return a network whose hidden layers have these sizes at most.

    A layer is selected on the outputs of the layers before, which are already pruned. The pre-activations of the next
    layer then stay near those of the dense network, so that later layers correct the errors of earlier ones. A layer
    that is small enough stays as it is if no layer before has changed.
    """
    pruned = dense.copy()
    for layer, (size, width) in enumerate(zip(sizes, dense.widths, strict=True)):
        changed = pruned.coefs[layer] is not dense.coefs[layer]
        if size < width or (changed and corrective):
            task = _Layer(dense, pruned, layer, samples)
            pruned.keep(layer, (_re_solved if corrective else _averaged)(task, min(size, width)))
    return pruned


class _Layer:
    """
    A hidden layer of the network that is being pruned, and the values that its activations are to approximate.

    These values are the pre-activations of the next layer, each times a factor. Before the output layer the targets, if
    given, are further columns.
    """

    def __init__(self, dense: Layers, pruned: Layers, layer: int, samples: LayerSamples) -> None:
        self._dense, self._pruned, self._layer = dense, pruned, layer
        is_last = layer == len(dense.coefs) - 2
        self._samples = samples if is_last else samples._replace(targets=None)
        self.n_samples = effective_number(samples.weight, np.ones(samples.X.shape[0]))
        self.n_neurons = dense.widths[layer]
        self.coef = dense.to_numpy(dense.coefs[layer + 1]).astype(np.float64)
        self.intercept = dense.to_numpy(dense.intercepts[layer + 1]).astype(np.float64)
        targets = self._samples.targets
        self.scale = _importances(dense, layer) if targets is None else _alike(dense, samples, targets)

    def statistics(self, weights: Float64Array, offset: Float64Array | float = 0.0) -> SelectionStatistics:
        """
        Return sums over all samples, of activations in the pruned network and of the values to approximate.

        The offset is subtracted from these values. In the selection each activation is multiplied by its neuron's row
        of the weights; the weights are read here to check that the products stay finite.
        """
        dense, samples, layer = self._dense, self._samples, self._layer
        unchanged = self._pruned.coefs[layer] is dense.coefs[layer]
        with np.errstate(over="ignore", divide="ignore"):
            # A neuron of zero weight still has a sum of squares, which must be finite.
            most = np.minimum(LARGEST_VALUE / np.linalg.norm(weights, axis=1), LARGEST_VALUE**2)
        statistics, width = SelectionStatistics(), self.coef.shape[1]
        for rows in samples.chunks():
            values = dense.inputs(samples.X, rows)
            activations = self._pruned.activations(values, layer)
            products = dense.product(activations, layer + 1) if unchanged else dense.pre_activations(values, layer + 1)
            atoms, targets = dense.to_numpy(activations), dense.to_numpy(products)
            _check_size(atoms, layer, most)
            _check_size(targets, layer, LARGEST_VALUE / (np.sqrt(width) * self.scale[:width]))
            targets = targets - offset
            if samples.targets is not None:
                targets = np.hstack([targets, samples.targets[rows]])
            statistics.update(atoms, targets * self.scale, samples.weights_of(rows))
        return statistics


def _check_size(values: FloatArray, layer: int, most: Float64Array | float) -> None:
    """Raise an error if a value of a hidden layer, or of the layer after it, exceeds the limit of its column."""
    largest = np.maximum(values.max(axis=0), -values.min(axis=0)).astype(np.float64)  # float32 lacks the limit
    if not (largest < most).all():
        raise ValueError(
            f"what hidden layer {layer + 1} of the network computes is not finite, or too large for its squares. Look "
            f"for extreme values in X and in the weights; the network's precision is {values.dtype}."
        )


def _importances(dense: Layers, layer: int) -> Float64Array:
    """Return the importance for the outputs of each pre-activation after a hidden layer, relative to the largest."""
    importances = np.ones(dense.coefs[-1].shape[1])
    for after in range(len(dense.coefs) - 1, layer + 1, -1):
        outgoing = np.linalg.norm(dense.to_numpy(dense.coefs[after]) * importances, axis=1)
        importances = outgoing * dense.gains(after - 1)
        importances = np.maximum(importances / (importances.max() or 1.0), _LEAST_IMPORTANCE)
    return importances


def _alike(dense: Layers, samples: LayerSamples, targets: Float64Array) -> Float64Array:
    """Return factors of outputs and targets that make the sums of the variances of both equal."""
    statistics, last = SelectionStatistics(), len(dense.coefs) - 1
    for rows in samples.chunks():
        outputs = dense.to_numpy(dense.pre_activations(dense.inputs(samples.X, rows), last))
        _check_size(outputs, last - 1, LARGEST_VALUE**2)  # only their squares must be finite
        both = np.hstack([outputs, targets[rows]])
        statistics.update(np.zeros((len(both), 1)), both, samples.weights_of(rows))
    variances = (statistics.target_norms / statistics.weight).reshape(2, -1).sum(axis=1)
    return np.repeat(1.0 / np.sqrt(np.where(variances > 0, variances, 1.0)), len(statistics.mean_y) // 2)


def _averaged(layer: _Layer, k: int) -> Kept:
    """Select as the paper does: the mean of k picks takes the place of the mean of all neurons."""
    # The sum over N neurons is the mean of the neurons times N; the intercepts belong to no neuron.
    neurons = layer.n_neurons * layer.coef
    weights = neurons * layer.scale
    path = layer.statistics(weights, layer.intercept).select(k, output_weights=weights)
    picked = np.flatnonzero(path.counts)
    return Kept(picked, neurons[picked] * path.weights[picked, None], layer.intercept)


def _re_solved(layer: _Layer, k: int) -> Kept:
    """Select neurons and solve for their weights, at the ridge for which generalised cross-validation is least."""
    neurons = np.ones((layer.n_neurons, len(layer.scale)))  # a neuron has a weight for each target
    paths = layer.statistics(neurons).corrective_paths(k, RIDGES, output_weights=neurons)
    # Each degree of freedom counts once: most targets are outputs of the dense network, which have little noise.
    errors = [cross_validated(path, layer.n_samples) for path in paths]
    path = paths[int(np.argmin([some[-1] if len(some) else np.inf for some in errors]))].path
    # If all targets are constant, nothing is picked; the layer then keeps the first neuron.
    picked = np.sort(path.picks) if len(path.picks) else np.zeros(1, dtype=np.int64)
    n_outputs, coef, intercept = layer.coef.shape[1], path.weights[picked], np.asarray(path.intercept)
    return Kept(picked, (coef / layer.scale)[:, :n_outputs], (intercept / layer.scale)[:n_outputs])
