"""
One training path: pre-train a dense network, prune it at any iteration to any size, re-train what is left.

Arrays in, networks out: nothing here knows classes, labels or estimators.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from sklearn_gfs._typing import FloatArray, GreedyPath, IntArray
from sklearn_gfs.network._data import Parts, Used, divide, find_used, is_table, project, standardised_once
from sklearn_gfs.network._holdout import held_out_shares
from sklearn_gfs.network._parameters import Network, initial_network, prune
from sklearn_gfs.network._scaling import FittedNetwork, Moments, measure_moments, rescaled, scaling_of
from sklearn_gfs.network._training import Batch, Samples, Training, TrainingSettings, TrainingState
from sklearn_gfs.network._two_layer import TorchNetwork
from sklearn_gfs.network._watch import Phase, Tasks, Watch, interruptible

from ._pruning import NeuronSelection, prefix

# The share of `max_time` after which pre-training ends, so that some is left for re-training.
_PRETRAINING_SHARE = 0.5
# Iterations between two looks at the held-out samples while re-training.
_VALIDATION_INTERVAL = 20
# Of held-out losses that differ by less than this factor, noise, the one after the longest re-training counts as best.
_INDIFFERENCE = 1.01
# Iterations of re-training in which no held-out loss was lower by that factor than all before them: they end the trial.
_PATIENCE = 500
# By these parts, of itself and of the loss before any training, the training loss may grow as noise makes it grow; and
# by so much, in standardised units, where there is next to nothing to be learnt.
_GROWTH, _NOISE, _NOTHING = 1.1, 0.01, 1e-3
# Fewer samples than this tell little of the scales and the curvature that others will have.
_FEW_SAMPLES = 1000
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
        Whether targets are divided by their standard deviation. Those that are not are indicators of classes.
    counted : ndarray of shape (n_samples,) or None
        The weights without those of classes. Where they are multiples of a unit they are numbers of copies.
    validation : tuple of inputs, targets and weights (or None), default=None
        Samples that decide how long to re-train, in place of some held out.
    """

    X: Any
    targets: FloatArray
    weight: FloatArray | None
    scale_targets: bool
    counted: FloatArray | None
    validation: tuple[Any, FloatArray, FloatArray | None] | None = None


class DenseState(NamedTuple):
    """All that a later path needs to go on where this one ended; NumPy only."""

    seeds: IntArray
    moments: Moments
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
        Where to go on, from `state` of an earlier path; seeds remain those of that one.
    more : bool, default=False
        Whether the data are more of those that the earlier path has seen, and not in place of them.
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
        more: bool = False,
    ) -> None:
        # One stream for each use, so that none of them depends on how much of another was used.
        self._seeds = (
            check_random_state(random_state).randint(np.iinfo(np.int32).max, size=4) if state is None else state.seeds
        )
        self._settings = settings
        used = find_used(data.X, data.targets, data.weight, data.counted, settings.training.batch_size)
        self._X = used.X
        self._dtype = _training_dtype(used, state)
        quadratic = settings.training.loss.is_quadratic
        kinds = {"center_targets": quadratic, "scale_targets": quadratic and data.scale_targets}
        self._moments = measure_moments(
            used.X,
            used.targets,
            used.weight,
            used.rows,
            n_copies=float(used.copies.sum()),
            earlier=state.moments if state is not None and more else None,
        )
        self._scaling = scaling_of(self._moments, **kinds)
        if state is not None:
            before = scaling_of(state.moments, **kinds)
            network = rescaled(state.training.network, before, self._scaling, state.moments.y_varies)
            # The step that was measured on the first few samples may not be safe for others.
            measured = 0.0 if more and state.moments.n_seen < _FEW_SAMPLES else state.training.step_size
            state = state._replace(training=state.training._replace(network=network, step_size=measured))
        self._targets = self._standardised(used.targets)
        self._kept = standardised_once(self._X, self._scaling.x_mean, self._scaling.x_inverse_scale, self._dtype)
        self._watch = watch
        if watch is not None:
            watch.allow(_PRETRAINING_SHARE)
        self._tasks = tasks
        self._validation = None
        if data.validation is not None:
            X_val, targets_val, weight_val = data.validation
            self._validation = self._samples(
                np.arange(X_val.shape[0]), weight_val, (X_val, self._standardised(targets_val))
            )
        self._parts = self._divide(used, None if data.scale_targets else used.targets)
        self._selection = NeuronSelection(
            self._X,
            self._kept,
            self._targets,
            self._parts,
            self._scaling,
            settings.training.activation,
            settings.training.loss,
            settings.training.device,
        )
        # What went wrong without being an error, in sentences.
        self.complaints: list[str] = []
        # The state that an automatic choice went back to.
        self._chosen: TrainingState | None = None
        # Drawn again where it is asked for: a second dense network is not kept.
        self._start = self._initial_network if state is None else lambda: state.training.network
        self._training = self._train(
            self._initial_network() if state is None else state.training,
            self._seeds[1],
            name="pre-training",
        )

    def _initial_network(self) -> Network:
        settings = self._settings
        start = initial_network(
            (self._X.shape[1], settings.n_hidden, self._targets.shape[1]),
            settings.training.activation,
            squared_norm=self._scaling.x_squared_norm,
            dtype=self._dtype,
            rng=np.random.RandomState(self._seeds[0]),
        )
        rows, weight = self._parts.rows, self._parts.weight
        intercept = settings.training.loss.initial_intercept(
            self._targets[rows], None if weight is None else weight[rows]
        )
        return start._replace(output_intercept=intercept.astype(self._dtype))

    def _divide(self, used: Used, labels: FloatArray | None) -> Parts:
        """Decide which samples are held out."""
        rows, settings = used.all_rows, self._settings
        shares: FloatArray = np.zeros(len(rows))
        if settings.early_stopping and settings.n_retrain > 0 and self._validation is None:
            rng = np.random.RandomState(self._seeds[3])
            direction = rng.standard_normal(self._X.shape[1]) * self._scaling.x_inverse_scale
            shares = held_out_shares(
                project(self._X, rows, self._scaling.x_mean, direction),
                self._targets[rows],
                None if used.weight is None else used.weight[rows],
                used.copies,
                settings.validation_fraction,
                rng,
                is_table=lambda samples: is_table(self._X, rows[samples]),
                labels=None if labels is None else labels[rows],
            )
        return divide(rows, shares, used.weight)

    def _standardised(self, targets: FloatArray) -> FloatArray:
        return ((targets - self._scaling.y_mean) / self._scaling.y_scale).astype(self._dtype)

    def _samples(
        self, rows: IntArray, weight: FloatArray | None, data: tuple[Any, FloatArray] | None = None
    ) -> Samples:
        """Rows of the training data, or of other data."""
        device = self._settings.training.device
        if data is None and self._kept is not None:
            return Samples(self._kept, self._targets, None, rows, weight, device)
        X, targets = (self._X, self._targets) if data is None else data
        mean = None if self._scaling.x_mean is None else self._scaling.x_mean.astype(self._X.dtype)
        standardisation = (mean, self._scaling.x_inverse_scale.astype(self._X.dtype))
        return Samples(X, targets, standardisation, rows, weight, device)

    def _train(
        self,
        network: Network | TrainingState,
        seed: int,
        *,
        name: str,
        on_all: bool = False,
        averaged: bool = False,
    ) -> Training:
        parts, settings = self._parts, self._settings.training
        samples = (
            self._samples(parts.rows, parts.weight) if on_all else self._samples(parts.train_rows, parts.train_weight)
        )
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
        if len(self._parts.held_rows):
            return self._samples(self._parts.held_rows, self._parts.held_weight).everything()
        return None if self._validation is None else self._validation.everything()

    def _dense_network(self) -> Network:
        return self._training.network() if self._chosen is None else self._chosen.network

    def state(self) -> DenseState:
        """Return the dense network as it is now, and what it takes to train it further."""
        return DenseState(self._seeds, self._moments, self._chosen or self._training.state())

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
        if self.losses:
            self._check_descent(self._training, self._start, network)
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

    def _check_descent(self, training: Training, start: Callable[[], Network], end: Network) -> None:
        """Complain, once, of a training whose loss is higher at its end than it was at its start."""
        stopped = self._watch is not None and self._watch.has_stopped
        if self.complaints or stopped or not training.may_have_diverged:
            return
        before, after = training.loss_of(start()), training.loss_of(end)
        if after > _GROWTH * before + _NOISE * (self.losses[0] if self.losses else before) + _NOTHING:
            self.complaints.append(
                f"{training.name.capitalize()} ended at a training loss of {after:.4g}, above the {before:.4g} that it "
                f"began with. Its steps are too long: use a smaller learning_rate_init (it was {training.step_size:g})."
            )

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
            if not len(self._parts.held_rows):  # it was trained on all samples
                return trial
        final = prune(network, path.picks)
        retrain_losses: list[float] = []
        with self._tasks.phase("re-training", n_retrain) as phase, interruptible(self._watch):
            if n_retrain > 0:
                training = self._train(final, self._seeds[2], name="re-training", on_all=True, averaged=True)
                self._advance(phase, training, n_retrain)
                start, final, retrain_losses = final, training.network(), training.losses
                self._check_descent(training, lambda: start, final)
        if trial is not None and len(retrain_losses) < n_retrain and self._stopped:
            return trial  # there was no time to train another as long
        return Subnetwork(self._in_data_units(final), path, retrain_losses, validation_losses)

    def _try_retraining(self, pruned: Network, held_out: Batch) -> tuple[Network, list[float], list[float]]:
        """Return the network when its held-out loss was least, the losses until then, and all held-out losses."""
        name = "trial re-training" if len(self._parts.held_rows) else "re-training"
        losses: list[float] = []
        validation_losses: list[float] = []
        best, kept, n_retrain = 0, pruned, self._settings.n_retrain
        with self._tasks.phase(name, n_retrain) as phase, interruptible(self._watch):
            training = self._train(pruned, self._seeds[2], name=name, averaged=True)
            losses, record, end = training.losses, self._finite(training.loss(held_out)), min(n_retrain, _PATIENCE)
            validation_losses.append(record)
            while len(training.losses) < end and not (self._stopped or phase.stopped):
                self._advance(phase, training, min(_VALIDATION_INTERVAL, n_retrain - len(training.losses)))
                validation_losses.append(self._finite(training.loss(held_out)))
                if _INDIFFERENCE * validation_losses[-1] < record:
                    record, end = validation_losses[-1], min(n_retrain, len(training.losses) + _PATIENCE)
                if validation_losses[-1] <= _INDIFFERENCE * min(validation_losses):
                    best, kept = len(training.losses), training.network()
            if best == 0:
                self._check_descent(training, lambda: pruned, training.network())
        return kept, losses[:best], validation_losses


def _training_dtype(used: Used, state: DenseState | None) -> Any:
    """
    Return the precision that networks are trained in: that of the data in full batch, float32 in mini-batches.

    The noise of mini-batches is larger than the rounding of float32 by orders of magnitude, and float64 takes twice the
    time.
    """
    if state is not None:
        return state.training.network.hidden_coef.dtype
    return used.X.dtype if used.in_full_batch else np.dtype(np.float32)
