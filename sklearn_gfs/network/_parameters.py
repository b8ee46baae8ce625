"""
The parameters of a two-layer network: how they are drawn, and what pruning leaves of them.

Nothing here computes outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from sklearn_gfs._activations import Activation
    from sklearn_gfs._typing import FloatArray, GreedyPath


# Spread of the hidden intercepts and of the output weights at initialisation; see docs/decisions.
_INTERCEPT_SPREAD = 0.5
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
    """Keep the picked neurons, each once, weighted by how often it was picked, or with the weights that were solved."""
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
    Return the same function with neurons that weigh at least so much.

    What a step does to an output coefficient counts as much as its neuron weighs. Solvers whose steps have one length
    in every coordinate move outputs of light neurons slowly.
    """
    before = network.weights
    weights = np.maximum(before, before.dtype.type(least))
    return network._replace(output_coef=network.output_coef * (before / weights)[:, None], weights=weights)


def _corrected(network: Network, path: GreedyPath, intercept: FloatArray) -> Network:
    """
    Keep the picked neurons with the output weights and the intercept that the selection has solved for.

    Neurons weigh so much that the size of their output coefficients, together, stays what it was: step sizes then mean
    what they meant before. Where nothing was picked one neuron stays, of which nothing comes out.
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
