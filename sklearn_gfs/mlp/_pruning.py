"""
The selection of a dense network's neurons, and the samples and activations that it is made from.

For the squared error these are inner products, of activations where those can be kept, else summed over samples; for
other losses the search in ``_steepest``.

Arrays and networks in, selection paths out; nothing here trains, and nothing here knows estimators.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

from sklearn_gfs._chunks import working_memory
from sklearn_gfs._threads import one_thread, threads_for
from sklearn_gfs._typing import FloatArray, GreedyPath, IntArray
from sklearn_gfs.network import (
    CHUNK_ROWS,
    FittedNetwork,
    Network,
    Parts,
    Scaling,
    hidden_activations,
    in_data_units,
)

from ._steepest import draw, measure, path_of, pick_steepest

if TYPE_CHECKING:
    from sklearn_gfs._activations import Activation
    from sklearn_gfs.network import Loss
    from sklearn_gfs.selection import SelectionStatistics

# Neurons are selected on so many samples. On more of them other neurons are picked, but the loss on all samples
# hardly changes.
_SAMPLES = 10_000
# By the gradient, on so many numbers, a sample's outputs each, and the least and most samples that hold them.
_NUMBERS_BY_GRADIENT, _SAMPLES_BY_GRADIENT = 10_000, (1000, 2000)


class NeuronSelection(NamedTuple):
    """
    The samples on which neurons are selected.

    Where there are many samples neurons are selected on some, and what the picks are worth is measured on all.

    For the squared error activations are float32 whatever the dtype of the data, and so are the products that the
    selection begins with, which are faster than float64 ones. Only the choice of neurons hangs on them; inputs are
    standardised before they are rounded, so that they can't drown in an offset of the data.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features)
        Inputs in the units of the data.
    kept : ndarray of shape (n_samples, n_features) or None
        Standardised inputs, where they are kept.
    targets : ndarray of shape (n_samples, n_outputs)
        Standardised targets, in the precision that networks are trained in.
    parts : Parts
        The samples to be used, and which are held out.
    scaling : Scaling
    activation : Activation
    loss : Loss
    n_samples : int, None or "auto"
        On how many samples at most neurons are selected; None for all.
    device : str
        Where activations of all samples are computed, kept and multiplied; "cpu" means in NumPy.
    """

    X: Any
    kept: FloatArray | None
    targets: FloatArray
    parts: Parts
    scaling: Scaling
    activation: Activation
    loss: Loss
    n_samples: int | str | None
    device: str

    def in_data_units(self, network: Network) -> FittedNetwork:
        """Return the network with the standardisation of inputs and targets folded in."""
        fitted = in_data_units(network, self.scaling, self.X.dtype)
        fitted.intercepts[1] += self.scaling.y_mean.astype(self.X.dtype)
        return fitted

    def paths(self, network: Network, k: int, trial_path: GreedyPath | None) -> tuple[float, GreedyPath, GreedyPath]:
        """
        Return the dense loss, the selection on all samples, and that on those that are not held out.

        The latter may be known from `trial_path` already.
        """
        rows, weight = self.parts.rows, self.parts.weight
        if self.loss.is_quadratic and self._n_drawn >= len(rows) and not self._streams(rows, network):
            return self._paths_from_activations(network, k, trial_path)
        if trial_path is None:
            trial_path = self.trial_path(network, k)
        path = self._path_on_sample(network, rows, weight, k) if len(self.parts.held_rows) else trial_path
        dense_loss, path = self._measured(network, rows, weight, path.picks)
        return dense_loss, path, trial_path

    def trial_path(self, network: Network, k: int) -> GreedyPath:
        """Return the selection on the samples that are not held out, with the losses that it saw; see `measured`."""
        return self._path_on_sample(network, self.parts.train_rows, self.parts.train_weight, k)

    def measured(self, network: Network, trial_path: GreedyPath) -> GreedyPath:
        """Return a trial path with its losses and gaps on all the samples that are not held out."""
        rows = self.parts.train_rows
        if self.loss.is_quadratic and self._n_drawn >= len(rows):
            return trial_path
        return self._measured(network, rows, self.parts.train_weight, trial_path.picks)[1]

    @property
    def _n_drawn(self) -> int:
        """On how many samples neurons are selected, at most."""
        if self.n_samples is None:
            return len(self.parts.rows)
        if not isinstance(self.n_samples, str):
            return self.n_samples
        if self.loss.is_quadratic:
            return _SAMPLES
        least, most = _SAMPLES_BY_GRADIENT
        return min(max(_NUMBERS_BY_GRADIENT // self.targets.shape[1], least), most)

    def _path_on_sample(self, network: Network, rows: IntArray, weight: FloatArray | None, k: int) -> GreedyPath:
        """Select on as many of these samples as are enough."""
        drawn, weight = draw(self.targets, rows, weight, self._n_drawn)
        if not self.loss.is_quadratic:
            hidden = self._activations(network, drawn)
            with one_thread():  # operations on the outputs of a few thousand samples
                picks, losses = pick_steepest(hidden, self.targets[drawn], weight, network, self.loss, k)
            return path_of(picks, len(network.weights), losses, np.full(k, np.nan))
        if self._streams(drawn, network):
            return self._statistics(network, drawn, weight).select(k, output_weights=network.output_coef)
        return self._select(self._kept_activations(network, drawn), self.targets[drawn], weight, network, k)

    def _streams(self, rows: IntArray, network: Network) -> bool:
        """Whether the activations of these samples are too large to be kept."""
        return len(rows) * len(network.weights) * self._dtype.itemsize > working_memory()

    @property
    def _dtype(self) -> np.dtype[Any]:
        """Precision of the activations."""
        return np.dtype(np.float32 if self.loss.is_quadratic else self.targets.dtype)

    def _inputs(self, rows: IntArray) -> Any:
        """Standardised inputs of these samples."""
        if self.kept is not None:
            return self.kept[rows].astype(self._dtype, copy=False)
        X = self.scaling.inputs.astype(self.X.dtype).apply(self.X[rows])
        return X.astype(self._dtype, copy=False)

    def _hidden_layer(self, network: Network) -> tuple[FloatArray, FloatArray]:
        """Coefficients and intercepts of the neurons, for standardised inputs."""
        return network.hidden_coef.astype(self._dtype, copy=False), network.hidden_intercept.astype(self._dtype)

    def _activations(self, network: Network, rows: IntArray) -> FloatArray:
        """Hidden activations of these samples."""
        layer = self._hidden_layer(network)
        if len(rows) <= CHUNK_ROWS:
            return hidden_activations(self._inputs(rows), *layer, self.activation)
        hidden = np.empty((len(rows), len(network.weights)), dtype=self._dtype)
        for chunk in gen_batches(len(rows), CHUNK_ROWS):
            hidden_activations(self._inputs(rows[chunk]), *layer, self.activation, out=hidden[chunk])
        return hidden

    def _kept_activations(self, network: Network, rows: IntArray) -> Any:
        """Hidden activations of these samples, in a tensor where they are multiplied on another device."""
        if self.device == "cpu":
            return self._activations(network, rows)
        import torch

        coef, intercept = (torch.from_numpy(a).to(self.device) for a in self._hidden_layer(network))
        hidden = torch.empty((len(rows), len(intercept)), dtype=coef.dtype, device=self.device)
        for chunk in gen_batches(len(rows), CHUNK_ROWS):
            X = self._inputs(rows[chunk])
            X = torch.from_numpy(X.toarray() if sparse.issparse(X) else X).to(self.device)
            torch.addmm(intercept, X, coef, out=hidden[chunk])
        self.activation.apply_torch(hidden)
        return hidden

    def _paths_from_activations(
        self, network: Network, k: int, trial_path: GreedyPath | None
    ) -> tuple[float, GreedyPath, GreedyPath]:
        # Samples that are only held out come last, so that the others' activations are the first part of these.
        rows, targets = self.parts.rows, self.targets[self.parts.rows]
        weight = _of(self.parts.weight, rows)
        hidden = self._kept_activations(network, rows)
        dense_loss = self.loss.mean(_outputs(hidden, network), targets, weight)
        if trial_path is None:
            n_train, train_weight = self.parts.n_train, _of(self.parts.train_weight, self.parts.train_rows)
            trial_path = self._select(hidden[:n_train], targets[:n_train], train_weight, network, k)
        if not len(self.parts.held_rows):
            return dense_loss, trial_path, trial_path
        return dense_loss, self._select(hidden, targets, weight, network, k), trial_path

    def _measured(
        self, network: Network, rows: IntArray, weight: FloatArray | None, picks: IntArray
    ) -> tuple[float, GreedyPath]:
        """Return the dense loss over these samples, and the path of these picks with its losses and gaps on them."""
        losses, weights = [], []

        def chunks() -> Iterator[tuple[Any, FloatArray, FloatArray | None]]:
            for chunk in gen_batches(len(rows), CHUNK_ROWS):
                hidden = self._kept_activations(network, rows[chunk])
                targets, some = self.targets[rows[chunk]], _of(weight, rows[chunk])
                losses.append(self.loss.mean(_outputs(hidden, network), targets, some))
                weights.append(float(len(targets)) if some is None else float(some.sum()))
                yield hidden, targets, some

        with one_thread():  # the operations are small, but for those of the activations
            path = measure(chunks(), picks, network, self.loss)
        return float(np.average(losses, weights=weights)), path

    def _statistics(self, network: Network, rows: IntArray, weight: FloatArray | None) -> SelectionStatistics:
        """Return the sums over these samples that a selection on them needs."""
        from sklearn_gfs.selection import SelectionStatistics

        statistics = SelectionStatistics()
        for chunk in gen_batches(len(rows), CHUNK_ROWS):
            targets = self.targets[rows[chunk]] - network.output_intercept
            some = None if weight is None else weight[chunk]
            statistics.update(self._activations(network, rows[chunk]), targets, some)
        return statistics

    def _select(
        self, hidden: Any, targets: FloatArray, weight: FloatArray | None, network: Network, k: int
    ) -> GreedyPath:
        """Select by inner products."""
        # numba is loaded by the selection only, never by predictions.
        from sklearn_gfs.selection import greedy_forward_selection

        return greedy_forward_selection(
            hidden,
            targets,
            k,
            output_weights=network.output_coef,
            offset=network.output_intercept,
            sample_weight=weight,
        )


def _of(weight: FloatArray | None, rows: IntArray) -> FloatArray | None:
    return None if weight is None else weight[rows]


def _outputs(hidden: Any, network: Network) -> FloatArray:
    coef = network.output_coef * network.weights[:, None]
    if isinstance(hidden, np.ndarray):
        with threads_for(2.0 * hidden.shape[0] * coef.size):
            outputs: FloatArray = hidden @ coef.astype(hidden.dtype, copy=False)
    else:
        import torch

        outputs = (hidden @ torch.from_numpy(coef).to(hidden)).cpu().numpy()
    return outputs + network.output_intercept


def prefix(path: GreedyPath, k: int) -> GreedyPath:
    """Return the path of the first k picks."""
    counts = np.bincount(path.picks[:k], minlength=len(path.counts))
    return GreedyPath(path.picks[:k], path.losses[:k], path.gaps[:k], counts, counts / k)
