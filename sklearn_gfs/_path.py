"""
One training path: pre-train a dense network, prune it at any iteration to any size, re-train what is left.

Arrays in, networks out: nothing here knows classes, labels or estimators.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.utils import check_random_state, gen_batches

from ._holdout import held_out_mask
from ._network import LABELWISE, Network, TorchNetwork, initial_network, prune
from ._pruning import CHUNK_ROWS, NeuronSelection, prefix
from ._scaling import FittedNetwork, Scaling, log_odds, measure_scaling
from ._training import Batch, Samples, Training, TrainingSettings, TrainingState
from ._typing import FloatArray, GreedyPath, IntArray
from ._watch import Phase, Tasks, Watch, interruptible

# The share of `max_time` after which pre-training ends, so that some is left for re-training.
_PRETRAINING_SHARE = 0.5
# Iterations between two looks at the held-out samples while re-training.
_VALIDATION_INTERVAL = 20
# Of held-out losses that differ by less than this factor, noise, the one after the longest re-training counts as best.
_INDIFFERENCE = 1.01
# Iterations of re-training in which no held-out loss was lower by that factor than all before them: they end the trial.
_PATIENCE = 500
# Iterations after which an automatic number of pre-training iterations is decided.
_CHECKPOINTS = (20, 80, 320, 1280)
# The part of itself by which the subnetwork's loss has to fall for every further iteration.
_WORTH = 3e-4


class PathSettings(NamedTuple):
    """How to pre-train, prune and re-train; the names are those of the estimators' parameters."""

    n_hidden: int
    n_retrain: int
    early_stopping: bool
    validation_fraction: float | str
    training: TrainingSettings


class PathData(NamedTuple):
    """
    What is trained on.

    Parameters
    ----------
    X : array or CSR array of shape (n_samples, n_features), float32 or float64
    targets : ndarray of shape (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,) or None
        Samples of weight zero are as if they were not there.
    scale_targets : bool
        Whether targets are divided by their standard deviation.
    validation : tuple of inputs, targets and weights (or None), default=None
        Samples that decide how long to re-train, in place of some held out.
    """

    X: Any
    targets: FloatArray
    weight: FloatArray | None
    scale_targets: bool
    validation: tuple[Any, FloatArray, FloatArray | None] | None = None


class DenseState(NamedTuple):
    """All that a later path needs to go on where this one ended; NumPy only."""

    seeds: IntArray
    scaling: Scaling
    training: TrainingState


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
    data : PathData
    settings : PathSettings
    random_state : int, RandomState instance or None
    tasks : Tasks
        What callbacks see of it.
    watch : Watch, default=None
        May stop training before its time.
    state : DenseState, default=None
        Where to go on, from `state` of an earlier path; standardisation and seeds remain those of that one.
    """

    def __init__(
        self,
        data: PathData,
        settings: PathSettings,
        random_state: Any,
        *,
        tasks: Tasks,
        watch: Watch | None = None,
        state: DenseState | None = None,
    ) -> None:
        # One stream for each use, so that none of them depends on how much of another was used.
        self._seeds = (
            check_random_state(random_state).randint(np.iinfo(np.int32).max, size=4) if state is None else state.seeds
        )
        self._settings = settings
        X, targets, self._weight, scale_targets, validation = data
        self._X = _by_rows(X)
        used = None
        if self._weight is not None and not self._weight.all():
            used = np.flatnonzero(self._weight)
        self._dtype = _training_dtype(settings.training, self._X, used, state)
        squared = settings.training.loss == "squared_error"
        self._scaling = (
            measure_scaling(
                self._X, targets, self._weight, used, center_targets=squared, scale_targets=squared and scale_targets
            )
            if state is None
            else state.scaling
        )
        self._targets = self._standardised(targets)
        self._watch = watch
        if watch is not None:
            watch.allow(_PRETRAINING_SHARE)
        self._tasks = tasks
        self._validation = None
        if validation is not None:
            X_val, targets_val, weight_val = validation
            self._validation = self._samples(
                np.arange(X_val.shape[0]), (X_val, self._standardised(targets_val), weight_val)
            )
        self._hold_out(np.arange(self._X.shape[0]) if used is None else used, np.random.RandomState(self._seeds[3]))
        self._selection = NeuronSelection(
            self._X,
            self._targets,
            self._weight,
            self._rows,
            self._n_train,
            self._scaling,
            settings.training.activation,
            settings.training.loss,
            settings.training.device,
        )
        # The state that an automatic choice went back to.
        self._chosen: TrainingState | None = None
        self._training = self._train(
            self._initial_network(targets) if state is None else state.training,
            self._rows[: self._n_train],
            self._seeds[1],
            name="pre-training",
        )

    def _initial_network(self, targets: FloatArray) -> Network:
        settings = self._settings
        start = initial_network(
            (self._X.shape[1], settings.n_hidden, targets.shape[1]),
            settings.training.activation,
            squared_norm=self._scaling.x_squared_norm,
            dtype=self._dtype,
            rng=np.random.RandomState(self._seeds[0]),
        )
        if settings.training.loss == "squared_error":
            return start
        weight = None if self._weight is None else self._weight[self._rows]
        labelwise = settings.training.loss == LABELWISE
        intercept = log_odds(targets[self._rows], weight, labelwise=labelwise)
        return start._replace(output_intercept=intercept.astype(self._dtype))

    def _hold_out(self, rows: IntArray, rng: Any) -> None:
        """Put the samples in order, those that are held out last."""
        mask = np.zeros(len(rows), dtype=bool)
        if self._settings.early_stopping and self._settings.n_retrain > 0 and self._validation is None:
            direction = rng.standard_normal(self._X.shape[1]) * self._scaling.x_inverse_scale
            chunks = gen_batches(len(mask), CHUNK_ROWS)
            along = np.concatenate([np.asarray(self._X[rows[chunk]] @ direction) for chunk in chunks])
            weight = None if self._weight is None else self._weight[rows]
            mask = held_out_mask(along, self._targets[rows], weight, self._settings.validation_fraction, rng)
        self._rows = rows[np.argsort(mask, kind="stable")]
        self._n_train = len(mask) - int(mask.sum())

    def _standardised(self, targets: FloatArray) -> FloatArray:
        return ((targets - self._scaling.y_mean) / self._scaling.y_scale).astype(self._dtype)

    def _samples(self, rows: IntArray, data: tuple[Any, FloatArray, FloatArray | None] | None = None) -> Samples:
        """Rows of the training data, or of other data."""
        X, targets, weight = (self._X, self._targets, self._weight) if data is None else data
        mean = None if self._scaling.x_mean is None else self._scaling.x_mean.astype(self._X.dtype)
        standardisation = (mean, self._scaling.x_inverse_scale.astype(self._X.dtype))
        return Samples(X, targets, standardisation, rows, weight, self._settings.training.device)

    def _train(
        self, network: Network | TrainingState, rows: IntArray, seed: int, *, name: str, averaged: bool = False
    ) -> Training:
        samples, settings = self._samples(rows), self._settings.training
        return Training(network, samples, settings, seed, name=name, averaged=averaged, watch=self._watch)

    @property
    def losses(self) -> list[float]:
        """Loss of the batch at each iteration of pre-training that the dense network went through."""
        return self._training.losses if self._chosen is None else self._chosen.losses

    @property
    def _stopped(self) -> bool:
        return self._watch is not None and self._watch.stops

    def pretrain_to(self, n_iterations: int) -> None:
        """Go on until this many iterations have been made."""
        left = n_iterations - len(self._training.losses)
        with self._tasks.phase("pre-training", left) as phase:
            self._advance(phase, self._training, left)

    def _advance(self, phase: Phase, training: Training, n_iterations: int) -> None:
        losses = self.losses if training is not self._training else training.losses
        with interruptible(self._watch):
            phase.run(
                training, n_iterations, lambda: self._tasks.attributes(self._in_data_units(training.network()), losses)
            )

    def pretrain_until_settled(self, k: int, since: int = 0) -> None:
        """
        Go on until more iterations no longer help the subnetwork of k picks, and go back to where it was best.

        A subnetwork is selected at geometrically spaced checkpoints, counted from `since`. What counts is its loss
        before re-training, on validation or held-out samples where there are some. It falls ever more slowly: where it
        has fallen by less since the checkpoint before than it would have to until the next, that is not tried. Where
        it is stopped between two checkpoints it ends there, without another selection.
        """
        with self._tasks.phase("pre-training", None) as phase, interruptible(self._watch):
            before, steps = np.inf, self._steps_to_checkpoints(since)
            while steps:
                step = steps.pop(0)
                self._advance(phase, self._training, step)
                if self._stopped or phase.stopped:
                    self._chosen = None
                    break
                if not steps and before == np.inf:  # nothing to compare it with
                    break
                loss = self._pruned_loss(self._training.network(), k)
                if loss >= (1 - _WORTH * step) * before:
                    break
                self._chosen = self._training.state()
                if not steps or loss > (1 - _WORTH * steps[0]) * before:
                    break
                before = loss
        if self._watch is not None and self._watch.interrupted:
            self._chosen = None

    def _steps_to_checkpoints(self, since: int) -> list[int]:
        """Return the iterations from each checkpoint to the next, at first none where there were some before."""
        n_done = len(self._training.losses)
        ends = [since + checkpoint for checkpoint in _CHECKPOINTS if since + checkpoint > n_done]
        return [0] * (n_done > 0) + [end - start for start, end in itertools.pairwise([n_done, *ends])]

    def _pruned_loss(self, network: Network, k: int) -> float:
        path = self._selection.trial_path(network, k)
        held_out = self._held_out()
        if held_out is None:
            return float(path.losses[-1])
        training = self._settings.training
        pruned = TorchNetwork(prune(network, path.picks), training.activation, training.loss, device=training.device)
        return self._finite(pruned.loss(*held_out))

    def _finite(self, held_out_loss: float) -> float:
        if not math.isfinite(held_out_loss):
            whose = "X_val and y_val" if self._validation is not None else "X and y"
            raise ValueError(
                f"The loss on samples held out of training became {held_out_loss}; look for extreme values in {whose}, "
                "or use a smaller learning_rate_init."
            )
        return held_out_loss

    def _held_out(self) -> Batch | None:
        """Samples that the trained network has not seen."""
        if self._n_train < len(self._rows):
            return self._samples(self._rows[self._n_train :]).everything()
        return None if self._validation is None else self._validation.everything()

    def _dense_network(self) -> Network:
        return self._training.network() if self._chosen is None else self._chosen.network

    def state(self) -> DenseState:
        """Return the dense network as it is now, and what it takes to train it further."""
        return DenseState(self._seeds, self._scaling, self._chosen or self._training.state())

    def dense(self) -> FittedNetwork:
        """Return the dense network as it is now."""
        return self._in_data_units(self._dense_network())

    def _in_data_units(self, network: Network) -> FittedNetwork:
        return self._selection.in_data_units(network)

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
        if self._watch is not None:
            self._watch.allow(1.0)
        network = self._dense_network()
        with self._tasks.phase("selection"):
            dense_loss, path, trial_path = self._select(network, max(sizes))
        held_out = self._held_out()
        return dense_loss, [self._subnetwork(network, prefix(path, k), prefix(trial_path, k), held_out) for k in sizes]

    def _select(self, network: Network, k: int) -> tuple[float, GreedyPath, GreedyPath]:
        try:
            return self._selection.paths(network, k)
        except KeyboardInterrupt:
            if self._watch is None or self._watch.interrupted:
                raise
            self._watch.interrupt()
        return self._selection.paths(network, k)  # there is no model without; a second interrupt is not held up

    def _subnetwork(
        self, network: Network, path: GreedyPath, trial_path: GreedyPath, held_out: Batch | None
    ) -> Subnetwork:
        n_retrain = self._settings.n_retrain
        trial: Subnetwork | None = None
        validation_losses: list[float] = []
        if held_out is not None:
            tried, losses, validation_losses = self._try_retraining(prune(network, trial_path.picks), held_out)
            trial = Subnetwork(self._in_data_units(tried), trial_path, losses, validation_losses)
            n_retrain = len(losses)
            if self._n_train == len(self._rows):  # it was trained on all samples
                return trial
        final = prune(network, path.picks)
        retrain_losses: list[float] = []
        with self._tasks.phase("re-training", n_retrain) as phase, interruptible(self._watch):
            if n_retrain > 0:
                training = self._train(final, self._rows, self._seeds[2], name="re-training", averaged=True)
                self._advance(phase, training, n_retrain)
                final, retrain_losses = training.network(), training.losses
        if trial is not None and len(retrain_losses) < n_retrain and self._stopped:
            return trial  # there was no time to train another as long
        return Subnetwork(self._in_data_units(final), path, retrain_losses, validation_losses)

    def _try_retraining(self, pruned: Network, held_out: Batch) -> tuple[Network, list[float], list[float]]:
        """Return the network when its held-out loss was least, the losses until then, and all held-out losses."""
        name = "trial re-training" if self._n_train < len(self._rows) else "re-training"
        losses: list[float] = []
        validation_losses: list[float] = []
        best, n_retrain = 0, self._settings.n_retrain
        with self._tasks.phase(name, n_retrain) as phase, interruptible(self._watch):
            rows = self._rows[: self._n_train]
            training = self._train(pruned, rows, self._seeds[2], name=name, averaged=True)
            losses, record, end = training.losses, self._finite(training.loss(held_out)), min(n_retrain, _PATIENCE)
            validation_losses.append(record)
            while len(training.losses) < end and not (self._stopped or phase.stopped):
                self._advance(phase, training, min(_VALIDATION_INTERVAL, n_retrain - len(training.losses)))
                validation_losses.append(self._finite(training.loss(held_out)))
                if _INDIFFERENCE * validation_losses[-1] < record:
                    record, end = validation_losses[-1], min(n_retrain, len(training.losses) + _PATIENCE)
                if validation_losses[-1] <= _INDIFFERENCE * min(validation_losses):
                    best, pruned = len(training.losses), training.network()
        return pruned, losses[:best], validation_losses


def _training_dtype(settings: TrainingSettings, X: Any, used: IntArray | None, state: DenseState | None) -> Any:
    """
    Return the precision that networks are trained in: that of the data in full batch, float32 in mini-batches.

    The noise of mini-batches is larger than the rounding of float32 by orders of magnitude, and float64 takes twice the
    time.
    """
    if state is not None:
        return state.training.network.hidden_coef.dtype
    n_rows = X.shape[0] if used is None else len(used)
    return X.dtype if settings.batch_size is None or settings.batch_size >= n_rows else np.dtype(np.float32)


def _by_rows(X: Any) -> Any:
    """
    Return X in C order, unless it is a file or its copy would be large.

    Batches are gathered faster from it than from an array whose columns lie together.
    """
    if not isinstance(X, np.ndarray) or isinstance(X, np.memmap) or X.nbytes > get_config()["working_memory"] * 2**20:
        return X
    return np.ascontiguousarray(X)
