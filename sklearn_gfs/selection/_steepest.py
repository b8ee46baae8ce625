"""
The selection of neurons for any loss of the outputs, by its gradient, as the estimators need for the log loss.

Here belong the search, and the losses of the picks on other samples. Activations, output weights and losses in, picks,
losses and gaps out. The search for the log loss in ``_log_loss`` is exact: each pick is the best of all atoms. This one
tries some neurons only, and takes less time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_gfs._chunks import row_batches
from sklearn_gfs._typing import Float64Array, FloatArray, GreedyPath, IntArray

from ._steepest_neurons import neurons_of
from ._steepest_outputs import OutputLayer, mean_outputs

if TYPE_CHECKING:
    from ._gram_computed import ComputedRows
    from ._protocol import OutputLoss

# Number of neurons that are tried for each pick. More of them make this pick better and later picks worse: if all
# neurons are tried, the loss after 50 picks is higher.
_TRIED = 16
# Number of first picks for which all neurons are tried, if that is cheap: they matter most for a small subnetwork.
_FIRST_PICKS = 10
# Largest number of outputs, of all neurons on all samples, for which it is cheap to try all neurons. With one output
# the default number of neurons stays below this.
_ALL_TRIED = 2**21
# Number of outputs of means of picks that are computed at once, so that they stay in the cache.
_AT_ONCE = 2**16


def pick_steepest(
    hidden: FloatArray | ComputedRows,
    targets: FloatArray,
    weight: FloatArray | None,
    layer: OutputLayer,
    loss: OutputLoss,
    k: int,
) -> tuple[IntArray, Float64Array]:
    """
    Pick neurons one by one: try the neurons along which the loss falls steepest, and pick the best of them.

    For the first picks all neurons are tried, if that is cheap. The steepest neuron is among those that are tried. So
    no pick is worse than a step of the Frank-Wolfe algorithm of the same length.

    Returns
    -------
    picks : ndarray of shape (k,)
    losses : ndarray of shape (k,)
        Losses on these samples. If a compiled loop knows the loss, they are computed from activations in float32.
    """
    mean = mean_outputs(hidden, targets, weight, layer, loss)
    neurons = neurons_of(hidden, mean.dtype, mean.width)
    coef = layer.coef
    by_output = coef.T.astype(np.float64, order="C")
    first = len(coef) if len(coef) * targets.size <= _ALL_TRIED else _TRIED
    picks, losses = np.empty(k, dtype=np.int64), np.empty(k)
    for step in range(k):
        slopes = np.einsum("cn,cn->n", neurons.products(mean.residuals()), by_output)
        if not np.isfinite(slopes).all():
            raise ValueError("the activations of neurons, or their products with output weights, are not finite")
        n_tried = min(first if step < _FIRST_PICKS else _TRIED, len(coef))
        tried = np.sort(np.argpartition(slopes, n_tried - 1)[:n_tried])
        rows = neurons.rows(tried)
        means = mean.losses(tried, rows)
        best = int(np.argmin(means))
        picks[step], losses[step] = tried[best], means[best]
        mean.add(tried[best], rows[best])
    return picks, losses


def measure(
    chunks: Iterable[tuple[Any, FloatArray, FloatArray | None]], picks: IntArray, layer: OutputLayer, loss: OutputLoss
) -> GreedyPath:
    """
    Return the path of these picks, with losses and gaps over all the samples.

    Losses are computed in float64, gaps from products in the precision of the activations. The Frank-Wolfe gap is
    computed after some of the picks. The loss minus the gap is a lower bound of the least loss of the hull. The gap of
    every pick is its loss minus the highest of these bounds.

    Parameters
    ----------
    chunks : iterable of tuples of activations, targets and weights (or None)
        The activations of all neurons on some samples, in NumPy or in a tensor.
    picks : ndarray of shape (k,)
    layer : OutputLayer
    loss : OutputLoss
    """
    import torch

    k, (n_neurons, n_outputs) = len(picks), layer.coef.shape
    coef, intercept = layer.coef.astype(np.float64), layer.intercept.astype(np.float64)
    of_picks = coef[picks].T
    kept, numbers = np.unique(picks, return_inverse=True)
    marked = np.array(sorted({min(2**power, k) for power in range(k.bit_length() + 1)})) - 1
    losses, products, slopes, mass = np.zeros(k), np.zeros(len(marked)), np.zeros((len(marked), n_neurons)), 0.0
    for hidden, targets, weight in chunks:
        activations = _columns(hidden, kept).T.astype(np.float64)
        y = torch.from_numpy(np.ascontiguousarray(targets.T, dtype=np.float64))
        weights = None if weight is None else torch.from_numpy(weight.astype(np.float64))
        mass += len(targets) if weights is None else float(weights.sum())
        total, gradients = np.zeros(y.shape), []
        for some in row_batches(k, max(_AT_ONCE // y.numel(), 1)):
            # The cumulative sums of the picks' outputs, then their means, (n_outputs, n_picks, n_samples).
            sums = of_picks[:, some, None] * activations[numbers[some]]
            sums[:, 0] += total
            torch.cumsum(torch.from_numpy(sums), 1, out=torch.from_numpy(sums))
            total = sums[:, -1].copy()
            sums /= np.arange(some.start + 1.0, some.stop + 1.0)[:, None]
            for place in np.flatnonzero((marked >= some.start) & (marked < some.stop)):
                mean = sums[:, marked[place] - some.start]
                outputs = torch.from_numpy(mean + intercept[:, None])
                gradients.append(loss.value_and_residual(outputs, y, weights)[1].numpy())
                products[place] += np.vdot(gradients[-1], mean)
            sums += intercept[:, None, None]
            each = loss.each_in_place(torch.from_numpy(sums), y[:, None])
            losses[some] += (each.sum(1) if weights is None else each @ weights).numpy()
        along = _product(np.concatenate(gradients), hidden).reshape(len(marked), n_outputs, n_neurons)
        slopes += np.einsum("tcn,nc->tn", along, coef)
    losses /= mass
    gaps = (products - slopes.min(axis=1)) / mass
    least = float((losses[marked] - np.maximum(gaps, 0.0)).max())
    return path_of(picks, n_neurons, losses, np.maximum(losses - least, 0.0))


def path_of(picks: IntArray, n_neurons: int, losses: Float64Array, gaps: Float64Array) -> GreedyPath:
    """Return the path of these picks, which are weighed equally."""
    counts = np.bincount(picks, minlength=n_neurons)
    return GreedyPath(picks.astype(np.int64, copy=False), losses, gaps, counts, counts / len(picks))


def _columns(hidden: Any, neurons: IntArray) -> FloatArray:
    """Return the activations of some neurons, in NumPy."""
    columns: FloatArray = hidden[:, neurons] if isinstance(hidden, np.ndarray) else hidden[:, neurons].cpu().numpy()
    return columns


def _product(left: FloatArray, hidden: Any) -> FloatArray:
    """Return the product of a matrix and the activations, in the activations' precision and on their device."""
    import torch

    if isinstance(hidden, np.ndarray):
        return left.astype(hidden.dtype, copy=False) @ hidden
    product: FloatArray = (torch.from_numpy(left).to(hidden) @ hidden).cpu().numpy()
    return product
