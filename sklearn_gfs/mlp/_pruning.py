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
from sklearn import get_config
from sklearn.utils import gen_batches

from sklearn_gfs._typing import FloatArray, GreedyPath, IntArray
from sklearn_gfs.network._data import CHUNK_ROWS, Parts
from sklearn_gfs.network._parameters import Network
from sklearn_gfs.network._scaling import FittedNetwork, Scaling, in_data_units
from sklearn_gfs.network._two_layer import hidden_activations

from ._steepest import draw, measure, path_of, pick_steepest

if TYPE_CHECKING:
    from sklearn_gfs.network._activations import Activation
    from sklearn_gfs.network._losses import Loss
    from sklearn_gfs.selection._statistics import SelectionStatistics


class NeuronSelection(NamedTuple):
    """
    The samples on which neurons are selected.

    For other losses neurons are selected on a sample of the samples, and what the picks are worth is measured on all.

    For the squared error activations are float32 whatever the dtype of the data, and so are the products that the
    selection begins with, which are faster than float64 ones. Only the choice of neurons hangs on them; inputs are
    standardised before they are rounded, so that they can't drown in an offset of the data.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features)
        Inputs in the units of the data.
    targets : ndarray of shape (n_samples, n_outputs)
        Standardised targets, in the precision that networks are trained in.
    parts : Parts
        The samples to be used, and which are held out.
    scaling : Scaling
    activation : Activation
    loss : Loss
    device : str
        Where activations of all samples are computed, kept and multiplied; "cpu" means in NumPy.
    """

    X: Any
    targets: FloatArray
    parts: Parts
    scaling: Scaling
    activation: Activation
    loss: Loss
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
        if not self.loss.is_quadratic:
            return self._paths_by_gradient(network, k, trial_path)
        if self._streams(network):
            return self._paths_from_sums(network, k)
        return self._paths_from_activations(network, k, trial_path)

    def trial_path(self, network: Network, k: int) -> GreedyPath:
        """Return the selection on the samples that are not held out; see `measured`."""
        rows, weight = self.parts.train_rows, self.parts.train_weight
        if not self.loss.is_quadratic:
            return self._steepest(network, rows, weight, k)
        if self._streams(network):
            return self._statistics(network, rows, weight)[1].select(k, output_weights=network.output_coef)
        return self._select(self._kept_activations(network, rows), rows, weight, network, k)

    def measured(self, network: Network, trial_path: GreedyPath) -> GreedyPath:
        """Return a trial path with its losses and gaps on all the samples that are not held out."""
        if self.loss.is_quadratic:
            return trial_path
        return self._measured(network, self.parts.train_rows, self.parts.train_weight, trial_path.picks)[1]

    def _streams(self, network: Network) -> bool:
        """Whether the activations of all samples are too large to be kept."""
        n_bytes = len(self.parts.rows) * len(network.weights) * self._dtype.itemsize
        return bool(n_bytes > get_config()["working_memory"] * 2**20)

    @property
    def _dtype(self) -> np.dtype[Any]:
        """Precision of the activations."""
        return np.dtype(np.float32 if self.loss.is_quadratic else self.targets.dtype)

    def _inputs(self, rows: IntArray) -> Any:
        """Standardised inputs of these samples."""
        X, mean = self.X[rows], self.scaling.x_mean
        scale = self.scaling.x_inverse_scale.astype(X.dtype)
        # A later part of the data may be sparse where the first was not, and the other way round.
        if mean is not None:
            X = X.toarray() if sparse.issparse(X) else X
            X -= mean.astype(X.dtype)
        if sparse.issparse(X):
            X.data *= scale[X.indices]
        else:
            X *= scale
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
            hidden[chunk] = hidden_activations(self._inputs(rows[chunk]), *layer, self.activation)
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
        rows, weight = self.parts.rows, self.parts.weight
        hidden = self._kept_activations(network, rows)
        dense_loss = self.loss.mean(_outputs(hidden, network), self.targets[rows], _of(weight, rows))
        n_train, train_rows = self.parts.n_train, self.parts.train_rows
        if trial_path is None:
            trial_path = self._select(hidden[:n_train], train_rows, self.parts.train_weight, network, k)
        if not len(self.parts.held_rows):
            return dense_loss, trial_path, trial_path
        return dense_loss, self._select(hidden, rows, weight, network, k), trial_path

    def _paths_by_gradient(
        self, network: Network, k: int, trial_path: GreedyPath | None
    ) -> tuple[float, GreedyPath, GreedyPath]:
        rows, weight = self.parts.rows, self.parts.weight
        if trial_path is None:
            trial_path = self.trial_path(network, k)
        path = self._steepest(network, rows, weight, k) if len(self.parts.held_rows) else trial_path
        dense_loss, path = self._measured(network, rows, weight, path.picks)
        return dense_loss, path, trial_path

    def _steepest(self, network: Network, rows: IntArray, weight: FloatArray | None, k: int) -> GreedyPath:
        """Select on a sample of these samples; losses are those on it, and nothing is said of gaps."""
        drawn, weight = draw(self.targets[rows], _of(weight, rows))
        rows = rows[drawn]
        picks, losses = pick_steepest(
            self._activations(network, rows), self.targets[rows], weight, network, self.loss, k
        )
        return path_of(picks, len(network.weights), losses, np.full(k, np.nan))

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

        path = measure(chunks(), picks, network, self.loss)
        return float(np.average(losses, weights=weights)), path

    def _paths_from_sums(self, network: Network, k: int) -> tuple[float, GreedyPath, GreedyPath]:
        """Do what `_paths_from_activations` does chunk by chunk, keeping sums over samples only."""
        loss, statistics = self._statistics(network, self.parts.train_rows, self.parts.train_weight)
        trial_path = path = statistics.select(k, output_weights=network.output_coef)
        if len(self.parts.held_rows):
            more_loss, more = self._statistics(network, self.parts.held_rows, self.parts.held_weight)
            share = more.weight / (statistics.weight + more.weight)
            loss = (1 - share) * loss + share * more_loss
            path = statistics.merge(more).select(k, output_weights=network.output_coef)
        return loss, path, trial_path

    def _statistics(
        self, network: Network, rows: IntArray, sample_weight: FloatArray | None
    ) -> tuple[float, SelectionStatistics]:
        """Return the dense loss over these samples and the sums that a selection on them needs."""
        from sklearn_gfs.selection._statistics import SelectionStatistics

        statistics, losses, weights = SelectionStatistics(), [], []
        for chunk in gen_batches(len(rows), CHUNK_ROWS):
            hidden = self._activations(network, rows[chunk])
            targets, weight = self.targets[rows[chunk]], _of(sample_weight, rows[chunk])
            losses.append(self.loss.mean(_outputs(hidden, network), targets, weight))
            weights.append(float(len(hidden)) if weight is None else float(weight.sum()))
            statistics.update(hidden, targets - network.output_intercept, weight)
        return float(np.average(losses, weights=weights)), statistics

    def _select(self, hidden: Any, rows: IntArray, weight: FloatArray | None, network: Network, k: int) -> GreedyPath:
        """Select by inner products."""
        # numba is loaded by the selection only, never by predictions.
        from sklearn_gfs.selection._greedy import greedy_forward_selection

        return greedy_forward_selection(
            hidden,
            self.targets[rows],
            k,
            sample_weight=_of(weight, rows),
            output_weights=network.output_coef,
            offset=network.output_intercept,
        )


def _of(weight: FloatArray | None, rows: IntArray) -> FloatArray | None:
    return None if weight is None else weight[rows]


def _outputs(hidden: Any, network: Network) -> FloatArray:
    coef = network.output_coef * network.weights[:, None]
    if isinstance(hidden, np.ndarray):
        outputs: FloatArray = hidden @ coef.astype(hidden.dtype, copy=False)
    else:
        import torch

        outputs = (hidden @ torch.from_numpy(coef).to(hidden)).cpu().numpy()
    return outputs + network.output_intercept


def prefix(path: GreedyPath, k: int) -> GreedyPath:
    """Return the path of the first k picks."""
    counts = np.bincount(path.picks[:k], minlength=len(path.counts))
    return GreedyPath(path.picks[:k], path.losses[:k], path.gaps[:k], counts, counts / k)
