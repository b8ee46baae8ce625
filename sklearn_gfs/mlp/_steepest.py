"""
The selection of neurons for losses that inner products don't tell: by the loss's gradient, on a sample of the samples.

Here belong the sample, the search on it, and what is told of its picks on all samples. Activations, networks and losses
in, picks and numbers out; where activations come from is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_gfs._chunks import row_batches
from sklearn_gfs._typing import Float64Array, FloatArray, GreedyPath, IntArray
from sklearn_gfs.network import CHUNK_ROWS

from ._mean_outputs import mean_outputs
from ._neurons import neurons_of

if TYPE_CHECKING:
    import torch

    from sklearn_gfs.network import Loss, Network
    from sklearn_gfs.selection import ComputedRows

# Neurons that are tried for each pick. More of them make the pick better and its successors worse: with all the loss
# after 50 picks is higher than with so few.
_TRIED = 16
# A network of ten neurons, though, is made by its first picks. All neurons are tried for these, where that is cheap.
_FIRST_PICKS = 10
# It is cheap where all neurons' outputs on all samples are no more numbers than this, as with one output they are.
_ALL_TRIED = 2**21
# Outputs of means of picks that are computed at once; they stay in the cache.
_AT_ONCE = 2**16


def draw(
    targets: FloatArray, rows: IntArray, weight: FloatArray | None, n_drawn: int, dtype: Any = np.float64
) -> tuple[IntArray, FloatArray | None]:
    """
    Draw from these rows samples to select neurons on, all where there are no more than so many.

    Samples are drawn in proportion to their weights, at even distances along samples sorted by their targets, so that
    each class has its share.

    Parameters
    ----------
    targets : ndarray of shape (n_samples, n_outputs)
    rows : ndarray of shape (n_rows,)
    weight : ndarray of shape (n_samples,) or None
    n_drawn : int
    dtype : dtype, default=float64
        That of the weights.

    Returns
    -------
    drawn : ndarray of shape (n_drawn,)
    weight : ndarray of shape (n_drawn,) or None
        Weights of the samples drawn; None where all are the same.
    """
    weight = None if weight is None else weight[rows]
    if len(rows) <= n_drawn:
        return rows, weight
    rng = np.random.RandomState(0)
    order = rng.permutation(len(rows))
    along, direction = np.empty(len(targets)), rng.standard_normal(targets.shape[1])
    for chunk in row_batches(len(targets), CHUNK_ROWS):  # as the product is one of float64
        along[chunk] = targets[chunk] @ direction
    in_order = along[rows[order]]
    del along  # each of these has a number for every sample
    places = np.argsort(in_order, kind="stable")
    del in_order
    order = order[places]
    del places
    ends = np.arange(1.0, len(rows) + 1) if weight is None else np.cumsum(weight[order], dtype=np.float64)
    points = (np.arange(n_drawn) + 0.5) * (ends[-1] / n_drawn)
    drawn, counts = np.unique(order[np.searchsorted(ends, points)], return_counts=True)
    return rows[drawn], None if (counts == 1).all() else counts.astype(dtype)


def pick_steepest(
    hidden: FloatArray | ComputedRows,
    targets: FloatArray,
    weight: FloatArray | None,
    network: Network,
    loss: Loss,
    k: int,
) -> tuple[IntArray, Float64Array]:
    """
    Pick neurons one by one: of the few along which the loss falls steepest the one after which it is least.

    For the first picks all neurons are tried, where that is cheap.

    So no pick is worse than a step of the Frank-Wolfe algorithm along the steepest.

    Returns
    -------
    picks : ndarray of shape (k,)
    losses : ndarray of shape (k,)
        On these samples. The losses of classes come from activations in float32, if a compiled loop knows them.
    """
    mean = mean_outputs(hidden, targets, weight, network, loss)
    neurons = neurons_of(hidden, mean.dtype, mean.width)
    coef = network.output_coef
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
    chunks: Iterable[tuple[Any, FloatArray, FloatArray | None]], picks: IntArray, network: Network, loss: Loss
) -> GreedyPath:
    """
    Return the path of these picks, with losses and gaps over all the samples.

    Losses are computed in float64, gaps from products in the precision of the activations. The Frank-Wolfe gap is
    computed after some of the picks. The loss minus the gap is a lower bound of the least loss of the hull. The highest
    of these bounds tells for every pick how far at most its loss is above the least one.

    Parameters
    ----------
    chunks : iterable of tuples of activations, targets and weights (or None)
        The activations of all neurons on some samples, in NumPy or in a tensor.
    picks : ndarray of shape (k,)
    network : Network
    loss : Loss
    """
    import torch

    k, (n_neurons, n_outputs) = len(picks), network.output_coef.shape
    coef, intercept = network.output_coef.astype(np.float64), network.output_intercept.astype(np.float64)
    of_picks = coef[picks].T
    kept, numbers = np.unique(picks, return_inverse=True)
    marked = np.array(sorted({min(2**power, k) for power in range(k.bit_length() + 1)})) - 1
    losses, products, slopes, mass = np.zeros(k), np.zeros(len(marked)), np.zeros((len(marked), n_neurons)), 0.0
    for hidden, targets, weight in chunks:
        activations = _columns(hidden, kept).T.astype(np.float64)
        y, weights = _as_rows(targets, np.float64), _weights(weight, activations)
        mass += len(targets) if weights is None else float(weights.sum())
        total, gradients = np.zeros(y.shape), []
        for some in row_batches(k, max(_AT_ONCE // y.numel(), 1)):
            # The sums of the first so many picks, then their means, (n_outputs, n_picks, n_samples).
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
    """Return the path of these picks."""
    counts = np.bincount(picks, minlength=n_neurons)
    return GreedyPath(picks.astype(np.int64, copy=False), losses, gaps, counts, counts / len(picks))


def _as_rows(targets: FloatArray, dtype: Any) -> torch.Tensor:
    """Targets with a row for each output."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(targets.T, dtype=dtype))


def _weights(weight: FloatArray | None, like: FloatArray | ComputedRows) -> torch.Tensor | None:
    import torch

    return None if weight is None else torch.from_numpy(weight.astype(like.dtype))


def _columns(hidden: Any, neurons: IntArray) -> FloatArray:
    """Activations of some neurons, in NumPy."""
    columns: FloatArray = hidden[:, neurons] if isinstance(hidden, np.ndarray) else hidden[:, neurons].cpu().numpy()
    return columns


def _product(left: FloatArray, hidden: Any) -> FloatArray:
    """Product of a matrix and the activations, in their precision and where they are."""
    import torch

    if isinstance(hidden, np.ndarray):
        return left.astype(hidden.dtype, copy=False) @ hidden
    product: FloatArray = (torch.from_numpy(left).to(hidden) @ hidden).cpu().numpy()
    return product
