"""
One training path: pre-train a dense network, prune it at any iteration to any size, re-train what is left.

Arrays in, networks out: nothing here knows classes, labels or estimators.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.utils import check_random_state, gen_batches

from ._holdout import held_out_mask
from ._network import Network, TorchNetwork, hidden_activations, initial_network, mean_loss, prune
from ._scaling import FittedNetwork, in_data_units, log_odds, measure_scaling
from ._training import Batch, Samples, Training, TrainingSettings
from ._typing import FloatArray, GreedyPath, IntArray
from ._watch import Watch

if TYPE_CHECKING:
    from ._statistics import SelectionStatistics

# Iterations between two looks at the held-out samples while re-training.
_VALIDATION_INTERVAL = 20
# Of held-out losses that differ by less than this factor, noise, the one after the longest re-training counts as best.
_INDIFFERENCE = 1.01
# Checkpoints at which an automatic number of pre-training iterations is decided: the first, their ratio, the last.
_FIRST_CHECKPOINT, _CHECKPOINT_RATIO, _LAST_CHECKPOINT = 10, 2, 20_480
# An automatic choice goes on while the loss of the subnetwork falls by this factor at one of so many checkpoints.
_PROGRESS, _PATIENCE = 0.99, 2
# Rows whose inputs are gathered at once when activations are computed.
_CHUNK_ROWS = 4096


class PathSettings(NamedTuple):
    """How to pre-train, prune and re-train; the names are those of the estimators' parameters."""

    n_hidden: int
    n_retrain: int
    early_stopping: bool
    validation_fraction: float
    training: TrainingSettings


class Subnetwork(NamedTuple):
    """A pruned and re-trained network and how it came about."""

    fitted: FittedNetwork
    path: GreedyPath
    retrain_losses: list[float]
    validation_losses: list[float]


class TrainingPath:
    """
    The dense network on its way, and the subnetworks that can be had from it at any moment.

    With early stopping a part of the samples is held out of pre-training, and decides how long a subnetwork is
    re-trained: a first subnetwork, selected and re-trained on the other samples only, is watched on the held-out ones.
    The subnetwork that is returned is selected and re-trained on all samples, for as many iterations as served the
    first one best. So no sample is lost to the final network, and nothing that it was fitted to judged it.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features), float32 or float64
    targets : ndarray of shape (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,), all positive, or None
    scale_targets : bool
        Whether targets are divided by their standard deviation.
    settings : PathSettings
    random_state : int, RandomState instance or None
    validation : tuple of inputs, targets and weights (or None), default=None
        Samples that decide how long to re-train, in place of some held out.
    watch : Watch, default=None
        May stop training before its time.
    """

    def __init__(
        self,
        X: Any,
        targets: FloatArray,
        weight: FloatArray | None,
        *,
        scale_targets: bool,
        settings: PathSettings,
        random_state: Any,
        validation: tuple[Any, FloatArray, FloatArray | None] | None = None,
        watch: Watch | None = None,
    ) -> None:
        rng = check_random_state(random_state)
        # One stream for each use, so that none of them depends on how much of another was used.
        seeds = rng.randint(np.iinfo(np.int32).max, size=4)
        self._retrain_seed = seeds[2]
        self._settings = settings
        self._X = X
        squared = settings.training.loss == "squared_error"
        self._scaling = measure_scaling(
            X, targets, weight, center_targets=squared, scale_targets=squared and scale_targets
        )
        self._targets = self._standardised(targets)
        self._weight = weight
        self._watch = watch
        self._validation = None
        if validation is not None:
            X_val, targets_val, weight_val = validation
            self._validation = self._samples(
                np.arange(X_val.shape[0]), (X_val, self._standardised(targets_val), weight_val)
            )
        self._hold_out(np.random.RandomState(seeds[3]))
        start = initial_network(
            (X.shape[1], settings.n_hidden, targets.shape[1]),
            settings.training.activation,
            squared_norm=self._scaling.x_squared_norm,
            dtype=X.dtype,
            rng=np.random.RandomState(seeds[0]),
        )
        if not squared:
            start = start._replace(output_intercept=log_odds(targets, weight).astype(X.dtype))
        train_rows = self._rows[: self._n_train]
        # The iteration and the dense network that an automatic choice went back to.
        self._chosen: tuple[int, Network] | None = None
        self._training = self._train(start, train_rows, seeds[1], "pre-training")

    def _hold_out(self, rng: Any) -> None:
        """Put the samples in order, those that are held out last."""
        mask = np.zeros(self._X.shape[0], dtype=bool)
        if self._settings.early_stopping and self._settings.n_retrain > 0 and self._validation is None:
            along = rng.standard_normal(self._X.shape[1]) * self._scaling.x_inverse_scale
            mask = held_out_mask(
                np.asarray(self._X @ along), self._targets, self._weight, self._settings.validation_fraction, rng
            )
        self._rows = np.argsort(mask, kind="stable")
        self._n_train = len(mask) - int(mask.sum())

    def _standardised(self, targets: FloatArray) -> FloatArray:
        return ((targets - self._scaling.y_mean) / self._scaling.y_scale).astype(self._X.dtype)

    def _samples(self, rows: IntArray, data: tuple[Any, FloatArray, FloatArray | None] | None = None) -> Samples:
        """Rows of the training data, or of other data."""
        X, targets, weight = (self._X, self._targets, self._weight) if data is None else data
        mean = None if self._scaling.x_mean is None else self._scaling.x_mean.astype(self._X.dtype)
        standardisation = (mean, self._scaling.x_inverse_scale.astype(self._X.dtype))
        return Samples(X, targets, standardisation, rows, weight)

    def _train(self, network: Network, rows: IntArray, seed: int, name: str) -> Training:
        samples = self._samples(rows)
        return Training(network, samples, self._settings.training, seed, name=name, watch=self._watch)

    @property
    def losses(self) -> list[float]:
        """Loss of the batch at each iteration of pre-training that the dense network went through."""
        return self._training.losses if self._chosen is None else self._training.losses[: self._chosen[0]]

    @property
    def _stopped(self) -> bool:
        return self._watch is not None and self._watch.reason is not None

    def pretrain_to(self, n_iterations: int) -> None:
        """Go on until this many iterations have been made."""
        self._training.advance(n_iterations - len(self._training.losses))

    def pretrain_until_settled(self, k: int) -> None:
        """
        Go on until more iterations no longer help the subnetwork of k picks, and go back to where it was best.

        A subnetwork is selected at geometrically spaced checkpoints. What counts is its loss before re-training, on
        validation or held-out samples where there are some.
        """
        best, n_stale, n_iterations = np.inf, 0, _FIRST_CHECKPOINT
        while n_stale < _PATIENCE and n_iterations <= _LAST_CHECKPOINT and not self._stopped:
            self.pretrain_to(n_iterations)
            network = self._training.network()
            loss = self._pruned_loss(network, k)
            n_stale += 1
            if loss < _PROGRESS * best:
                best, n_stale = loss, 0
                self._chosen = (len(self._training.losses), network)
            n_iterations *= _CHECKPOINT_RATIO

    def _pruned_loss(self, network: Network, k: int) -> float:
        rows = self._rows[: self._n_train]
        if self._streams:
            path = self._statistics(network, rows)[1].select(k, output_weights=network.output_coef)
        else:
            path = self._select(
                self._activations(network, rows), self._targets[rows], self._weights_of(rows), network, k
            )
        held_out = self._held_out()
        if held_out is None:
            return float(path.losses[-1])
        training = self._settings.training
        return TorchNetwork(prune(network, path.picks), training.activation, training.loss).loss(*held_out)

    def _weights_of(self, rows: IntArray) -> FloatArray | None:
        return None if self._weight is None else self._weight[rows]

    def _held_out(self) -> Batch | None:
        """Samples that the trained network has not seen."""
        if self._n_train < len(self._rows):
            return self._samples(self._rows[self._n_train :]).everything()
        return None if self._validation is None else self._validation.everything()

    def _dense_network(self) -> Network:
        return self._training.network() if self._chosen is None else self._chosen[1]

    def dense(self) -> FittedNetwork:
        """Return the dense network as it is now."""
        return self._in_data_units(self._dense_network())

    def _in_data_units(self, network: Network) -> FittedNetwork:
        fitted = in_data_units(network, self._scaling, self._X.dtype)
        fitted.intercepts[1] += self._scaling.y_mean.astype(self._X.dtype)
        return fitted

    def _activations(self, network: Network, rows: IntArray) -> FloatArray:
        """Hidden activations of these samples."""
        fitted = self._in_data_units(network)
        hidden = np.empty((len(rows), network.hidden_coef.shape[1]), dtype=self._X.dtype)
        for chunk in gen_batches(len(rows), _CHUNK_ROWS):
            hidden[chunk] = hidden_activations(
                self._X[rows[chunk]], fitted.coefs[0], fitted.intercepts[0], self._settings.training.activation
            )
        return hidden

    def subnetworks(self, sizes: list[int]) -> tuple[float, list[Subnetwork]]:
        """
        Prune the dense network as it is now and re-train what is left, for each number of picks.

        Returns
        -------
        dense_loss : float
            Loss of the dense network over all samples.
        subnetworks : list of Subnetwork
            In the order of the sizes.
        """
        network = self._dense_network()
        paths = self._paths_from_sums if self._streams else self._paths_from_activations
        dense_loss, path, trial_path = paths(network, max(sizes))
        held_out = self._held_out()
        return dense_loss, [
            self._subnetwork(
                prune(network, trial_path.picks[:k]), prune(network, path.picks[:k]), _prefix(path, k), held_out
            )
            for k in sizes
        ]

    def _paths_from_activations(self, network: Network, k: int) -> tuple[float, GreedyPath, GreedyPath]:
        """Return the dense loss, the selection on all samples, and that on those that are not held out."""
        # The held-out samples come last, so that the others' activations are the first part of these.
        hidden = self._activations(network, self._rows)
        targets, weight = self._targets[self._rows], self._weights_of(self._rows)
        dense_loss = mean_loss(_outputs(hidden, network), targets, self._settings.training.loss, weight)
        path = self._select(hidden, targets, weight, network, k)
        n_train = self._n_train
        if n_train == len(hidden):
            return dense_loss, path, path
        trial_weight = None if weight is None else weight[:n_train]
        return dense_loss, path, self._select(hidden[:n_train], targets[:n_train], trial_weight, network, k)

    @property
    def _streams(self) -> bool:
        """Whether the activations of all samples are too large to be kept; only squared error can do without them."""
        n_bytes = len(self._rows) * self._settings.n_hidden * self._X.dtype.itemsize
        return self._settings.training.loss == "squared_error" and n_bytes > get_config()["working_memory"] * 2**20

    def _paths_from_sums(self, network: Network, k: int) -> tuple[float, GreedyPath, GreedyPath]:
        """Do what `_paths_from_activations` does chunk by chunk, keeping sums over samples only."""
        loss, statistics = self._statistics(network, self._rows[: self._n_train])
        trial_path = path = statistics.select(k, output_weights=network.output_coef)
        if self._n_train < len(self._rows):
            more_loss, more = self._statistics(network, self._rows[self._n_train :])
            share = more.weight / (statistics.weight + more.weight)
            loss = (1 - share) * loss + share * more_loss
            path = statistics.merge(more).select(k, output_weights=network.output_coef)
        return loss, path, trial_path

    def _statistics(self, network: Network, rows: IntArray) -> tuple[float, SelectionStatistics]:
        """Return the dense loss over these samples and the sums that a selection on them needs."""
        from ._statistics import SelectionStatistics

        statistics, losses, weights = SelectionStatistics(), [], []
        for chunk in gen_batches(len(rows), _CHUNK_ROWS):
            hidden = self._activations(network, rows[chunk])
            targets, weight = self._targets[rows[chunk]], self._weights_of(rows[chunk])
            losses.append(mean_loss(_outputs(hidden, network), targets, "squared_error", weight))
            weights.append(float(len(hidden)) if weight is None else float(weight.sum()))
            statistics.update(hidden, targets - network.output_intercept, weight)
        return float(np.average(losses, weights=weights)), statistics

    def _select(
        self, hidden: FloatArray, targets: FloatArray, weight: FloatArray | None, network: Network, k: int
    ) -> GreedyPath:
        # numba is loaded by the selection only, never by predictions.
        from ._greedy import greedy_forward_selection

        loss = self._settings.training.loss
        y = targets
        if loss == "log_loss":
            y = targets.argmax(axis=1) if targets.shape[1] > 1 else targets[:, 0].astype(np.intp)
        return greedy_forward_selection(
            hidden,
            y,
            k,
            output_weights=network.output_coef,
            loss=loss,
            sample_weight=weight,
            offset=network.output_intercept,
        )

    def _subnetwork(self, trial: Network, pruned: Network, path: GreedyPath, held_out: Batch | None) -> Subnetwork:
        n_retrain = self._settings.n_retrain
        validation_losses: list[float] = []
        if held_out is not None:
            n_retrain, validation_losses = self._best_n_retrain(trial, held_out)
        training = self._retraining(pruned, self._rows)
        training.advance(n_retrain)
        return Subnetwork(self._in_data_units(training.network()), path, training.losses, validation_losses)

    def _retraining(self, pruned: Network, rows: IntArray) -> Training:
        return self._train(pruned, rows, self._retrain_seed, "re-training")

    def _best_n_retrain(self, trial: Network, held_out: Batch) -> tuple[int, list[float]]:
        """Return after how many iterations of re-training the held-out loss was least, and the losses seen."""
        training = self._retraining(trial, self._rows[: self._n_train])
        validation_losses = [training.loss(held_out)]
        while len(training.losses) < self._settings.n_retrain and not self._stopped:
            training.advance(min(_VALIDATION_INTERVAL, self._settings.n_retrain - len(training.losses)))
            validation_losses.append(training.loss(held_out))
        best = int(np.flatnonzero(np.asarray(validation_losses) <= _INDIFFERENCE * min(validation_losses))[-1])
        return min(best * _VALIDATION_INTERVAL, self._settings.n_retrain), validation_losses


def _outputs(hidden: FloatArray, network: Network) -> FloatArray:
    outputs: FloatArray = hidden @ (network.output_coef * network.weights[:, None]) + network.output_intercept
    return outputs


def _prefix(path: GreedyPath, k: int) -> GreedyPath:
    counts = np.bincount(path.picks[:k], minlength=len(path.counts))
    return GreedyPath(path.picks[:k], path.losses[:k], path.gaps[:k], counts, counts / k)
