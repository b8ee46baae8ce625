"""
The selection of a dense network's neurons, and the samples and activations that it is made from.

For the squared error these are inner products, of activations where those can be kept, else summed over samples, or of
activations that are computed anew; for other losses the search in ``_steepest``.

Arrays and networks in, selection paths out; nothing here trains, and nothing here knows estimators.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_gfs._chunks import working_memory
from sklearn_gfs._threads import one_thread, threads_for
from sklearn_gfs._typing import FloatArray, GreedyPath, IntArray
from sklearn_gfs.network import (
    FittedNetwork,
    Network,
    Parts,
    Scaling,
    in_data_units,
)

from ._layer import HiddenLayer
from ._steepest import draw, measure, path_of, pick_steepest

if TYPE_CHECKING:
    from sklearn_gfs._activations import Activation
    from sklearn_gfs.network import Loss
    from sklearn_gfs.selection import SelectionStatistics

# Neurons are selected on so many samples, at least and at most. On more of them other neurons are picked, but the loss
# on all samples hardly changes.
_SAMPLES = 2000, 10_000
# Sums over samples take so many matrices of n_hidden squared numbers at once.
_MATRICES = 4
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
        if self._selects_on_all(network, rows) and self._layer(network).fit_on(len(rows)):
            return self._paths_from_activations(network, k, trial_path)
        if trial_path is None:
            trial_path = self.trial_path(network, k)
        path = self._path_on_sample(network, rows, weight, k) if len(self.parts.held_rows) else trial_path
        dense_loss, path = self._measured(network, rows, weight, path)
        return dense_loss, path, trial_path

    def trial_path(self, network: Network, k: int) -> GreedyPath:
        """Return the selection on the samples that are not held out, with the losses that it saw; see `measured`."""
        return self._path_on_sample(network, self.parts.train_rows, self.parts.train_weight, k)

    def measured(self, network: Network, trial_path: GreedyPath) -> GreedyPath:
        """Return a trial path with its losses and gaps on all the samples that are not held out."""
        return self._measured(network, self.parts.train_rows, self.parts.train_weight, trial_path)[1]

    def measured_on_all(self, network: Network, trial_path: GreedyPath) -> GreedyPath:
        """Return a trial path with its losses and gaps on all samples."""
        return self._measured(network, self.parts.rows, self.parts.weight, trial_path)[1]

    def _selects_on_all(self, network: Network, rows: IntArray) -> bool:
        """Whether a selection on these samples is exact on all of them, and so are its losses and gaps."""
        return self.loss.is_quadratic and self._n_drawn(network) >= len(rows)

    def _n_drawn(self, network: Network) -> int:
        """On how many samples neurons are selected, at most; by default no more than can be kept."""
        if self.n_samples is None:
            return len(self.parts.rows)
        if not isinstance(self.n_samples, str):
            return self.n_samples
        if self.loss.is_quadratic:
            # The same number on all devices, so that they select the same neurons.
            least, most = _SAMPLES
            return int(np.clip(working_memory() // (len(network.weights) * self._dtype.itemsize), least, most))
        least, most = _SAMPLES_BY_GRADIENT
        return min(max(_NUMBERS_BY_GRADIENT // self.targets.shape[1], least), most)

    def _path_on_sample(self, network: Network, rows: IntArray, weight: FloatArray | None, k: int) -> GreedyPath:
        """Select on as many of these samples as are enough."""
        drawn, weight = draw(self.targets, rows, weight, self._n_drawn(network))
        layer = self._layer(network)
        if not self.loss.is_quadratic:
            # The search keeps a copy that lies the other way round.
            fits = layer.fit_on(len(drawn), copies=2, device="cpu")
            hidden = layer.in_main_memory(drawn) if fits else layer.computed(drawn, device="cpu")
            # Operations on the outputs of a few thousand samples are small, computing activations is not.
            with one_thread() if fits else nullcontext():
                picks, losses = pick_steepest(hidden, self.targets[drawn], weight, network, self.loss, k)
            return path_of(picks, len(network.weights), losses, np.full(k, np.nan))
        if layer.fit_on(len(drawn)):
            return self._select(layer.kept(drawn), self.targets[drawn], weight, network, k)
        if self.device == "cpu" and self._sums_pay(layer):
            return self._statistics(network, drawn, weight).select(k, output_weights=network.output_coef)
        return self._select(layer.computed(drawn), self.targets[drawn], weight, network, k)

    def _sums_pay(self, layer: HiddenLayer) -> bool:
        """Whether sums over samples are small, and made in less time than activations are computed a few times."""
        n_numbers = self.X.nnz / self.X.shape[0] if sparse.issparse(self.X) else self.X.shape[1]
        return layer.n_neurons <= n_numbers and _MATRICES * 8 * layer.n_neurons**2 <= working_memory()

    @property
    def _dtype(self) -> np.dtype[Any]:
        """Precision of the activations."""
        return np.dtype(np.float32 if self.loss.is_quadratic else self.targets.dtype)

    def _layer(self, network: Network) -> HiddenLayer:
        """Return the neurons of this network, for standardised inputs."""
        return HiddenLayer(network, self._inputs, self.activation, self._dtype, self.device)

    def _inputs(self, rows: IntArray) -> Any:
        """Standardised inputs of these samples."""
        if self.kept is not None:
            return self.kept[rows].astype(self._dtype, copy=False)
        X = self.scaling.inputs.astype(self.X.dtype).apply(self.X[rows])
        return X.astype(self._dtype, copy=False)

    def _paths_from_activations(
        self, network: Network, k: int, trial_path: GreedyPath | None
    ) -> tuple[float, GreedyPath, GreedyPath]:
        # Samples that are only held out come last, so that the others' activations are the first part of these.
        rows, targets = self.parts.rows, self.targets[self.parts.rows]
        weight = _of(self.parts.weight, rows)
        hidden = self._layer(network).kept(rows)
        dense_loss = self.loss.mean(_outputs(hidden, network), targets, weight)
        if trial_path is None:
            n_train, train_weight = self.parts.n_train, _of(self.parts.train_weight, self.parts.train_rows)
            trial_path = self._select(hidden[:n_train], targets[:n_train], train_weight, network, k)
        if not len(self.parts.held_rows):
            return dense_loss, trial_path, trial_path
        return dense_loss, self._select(hidden, targets, weight, network, k), trial_path

    def _measured(
        self, network: Network, rows: IntArray, weight: FloatArray | None, path: GreedyPath
    ) -> tuple[float, GreedyPath]:
        """Return the dense loss over these samples, and the path with its losses and gaps on them."""
        losses, weights, layer = [], [], self._layer(network)

        def chunks() -> Iterator[tuple[Any, FloatArray, FloatArray | None]]:
            for chunk in layer.pieces(len(rows)):
                hidden = layer.kept(rows[chunk])
                targets, some = self.targets[rows[chunk]], _of(weight, rows[chunk])
                losses.append(self.loss.mean(_outputs(hidden, network), targets, some))
                weights.append(float(len(targets)) if some is None else float(some.sum()))
                yield hidden, targets, some

        with one_thread():  # the operations are small, but for those of the activations
            if self._selects_on_all(network, rows):
                deque(chunks(), maxlen=0)
            else:
                path = measure(chunks(), path.picks, network, self.loss)
        return float(np.average(losses, weights=weights)), path

    def _statistics(self, network: Network, rows: IntArray, weight: FloatArray | None) -> SelectionStatistics:
        """Return the sums over these samples that a selection on them needs."""
        from sklearn_gfs.selection import SelectionStatistics

        statistics, layer = SelectionStatistics(), self._layer(network)
        for chunk in layer.pieces(len(rows)):
            targets = self.targets[rows[chunk]] - network.output_intercept
            some = None if weight is None else weight[chunk]
            statistics.update(layer.in_main_memory(rows[chunk]), targets, some)
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
