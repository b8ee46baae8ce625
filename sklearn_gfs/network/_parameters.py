"""
The parameters of a two-layer network: how they are drawn, and what pruning leaves of them.

Nothing here computes outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from sklearn_gfs._activations import Activation
    from sklearn_gfs._typing import FloatArray


# Spread of the hidden intercepts and of the output weights at initialisation; see docs/decisions.
_INTERCEPT_SPREAD = 0.5
_OUTPUT_SPREAD = 0.5


class Network(NamedTuple):
    """
    The parameters of a network.

    f(x) = output_intercept + sum_i weights_i * output_coef_i * act(hidden_coef_i . x + hidden_intercept_i).

    The dense network has weights 1 / n_hidden, a subnetwork of k picks has count_i / k.
    """

    hidden_coef: FloatArray  # (n_features, n_hidden)
    hidden_intercept: FloatArray  # (n_hidden,)
    output_coef: FloatArray  # (n_hidden, n_outputs)
    output_intercept: FloatArray  # (n_outputs,)
    weights: FloatArray  # (n_hidden,)


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


def prune(network: Network, picks: np.ndarray) -> Network:
    """Keep the picked neurons, each once, weighted by how often it was picked."""
    kept, counts = np.unique(picks, return_counts=True)
    return Network(
        np.ascontiguousarray(network.hidden_coef[:, kept]),
        network.hidden_intercept[kept],
        network.output_coef[kept],
        network.output_intercept,
        (counts / len(picks)).astype(network.weights.dtype),
    )
