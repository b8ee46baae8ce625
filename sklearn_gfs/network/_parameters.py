"""
The parameters of a two-layer network: how they are drawn, and how a network is pruned.

Nothing here computes outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from sklearn_gfs._activations import Activation
    from sklearn_gfs._typing import FloatArray, GreedyPath


# Spread of the hidden intercepts at initialisation; see docs/decisions.
_INTERCEPT_SPREAD = 0.5
# Spread of the output weights at initialisation.
_OUTPUT_SPREAD = 0.5


class Network(NamedTuple):
    """
    The parameters of a network.

    f(x) = output_intercept + sum_i weights_i * output_coef_i * act(hidden_coef_i . x + hidden_intercept_i).

    The dense network has weights 1 / n_hidden, a subnetwork of k picks has count_i / k at least.
    """

    hidden_coef: FloatArray  # (n_features, n_hidden)
    hidden_intercept: FloatArray  # (n_hidden,)
    output_coef: FloatArray  # (n_hidden, n_outputs)
    output_intercept: FloatArray  # (n_outputs,)
    weights: FloatArray  # (n_hidden,)


def in_precision(network: Network, dtype: Any) -> Network:
    """Return the network with parameters of this dtype."""
    return Network(*(part.astype(dtype, copy=False) for part in network))


def initial_network(
    shape: tuple[int, int, int], activation: Activation, *, squared_norm: float, dtype: Any, rng: Any
) -> Network:
    """Draw a dense network of (n_features, n_hidden, n_outputs) for inputs of the given mean squared norm."""
    n_features, n_hidden, n_outputs = shape
    spread = np.sqrt(activation.initial_variance / max(squared_norm, np.finfo(np.float64).tiny))
    hidden_coef = spread * rng.standard_normal((n_features, n_hidden))
    hidden_intercept = _INTERCEPT_SPREAD * rng.standard_normal(n_hidden)
    output_coef = _OUTPUT_SPREAD * rng.standard_normal((n_hidden, n_outputs))
    return Network(
        hidden_coef.astype(dtype),
        hidden_intercept.astype(dtype),
        output_coef.astype(dtype),
        np.zeros(n_outputs, dtype=dtype),
        np.full(n_hidden, 1.0 / n_hidden, dtype=dtype),
    )


def prune(network: Network, path: GreedyPath) -> Network:
    """Return the subnetwork of the picked neurons, weighted by their counts, or with the solved output weights."""
    if path.intercept is not None:
        return _corrected(network, path, path.intercept)
    kept, counts = np.unique(path.picks, return_counts=True)
    return Network(
        np.ascontiguousarray(network.hidden_coef[:, kept]),
        network.hidden_intercept[kept],
        network.output_coef[kept],
        network.output_intercept,
        (counts / len(path.picks)).astype(network.weights.dtype),
    )


def of_least_weight(network: Network, least: float) -> Network:
    """
    Return a network of the same function in which the weight of each neuron is at least `least`.

    A change of an output coefficient changes the outputs in proportion to the neuron's weight. Solvers whose steps have
    the same length in every coordinate move the outputs of neurons of small weight slowly.
    """
    before = network.weights
    weights = np.maximum(before, before.dtype.type(least))
    return network._replace(output_coef=network.output_coef * (before / weights)[:, None], weights=weights)


def _corrected(network: Network, path: GreedyPath, intercept: FloatArray) -> Network:
    """
    Return the subnetwork of the picked neurons, with the output weights and the intercept that the selection solved
    for.

    All neurons get the weight with which the norm of their output coefficients stays what it was, so that step sizes
    keep their meaning. Without a pick the first neuron stays, with output coefficients of zero.
    """
    kept = np.sort(path.picks) if len(path.picks) else np.zeros(1, dtype=np.int64)
    solved, before = path.weights[kept], float(np.linalg.norm(network.output_coef[kept].astype(np.float64)))
    weight = float(np.linalg.norm(solved)) / before if before > 0 else 0.0
    if weight == 0:
        weight = 1.0 / len(kept)
    dtype = network.weights.dtype
    return Network(
        np.ascontiguousarray(network.hidden_coef[:, kept]),
        network.hidden_intercept[kept],
        (solved / weight).astype(dtype),
        intercept.astype(dtype),
        np.full(len(kept), weight, dtype=dtype),
    )
