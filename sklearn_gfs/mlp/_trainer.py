"""
What the trainings of one path share: their samples, standardised and divided, their seeds, and who watches them.

Arrays in, trainings out; which networks are trained, and for how long, is in ``_path`` and ``_retraining``.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from sklearn_gfs._chunks import PIECE_BYTES, row_chunks
from sklearn_gfs._typing import FloatArray, IntArray
from sklearn_gfs.network import (
    SECOND_ORDER,
    SOLVERS,
    HeldOut,
    LateLevenbergMarquardt,
    LevenbergMarquardt,
    Network,
    Parts,
    Phase,
    Posterior,
    Prior,
    Samples,
    SecondOrderSolver,
    SecondOrderTraining,
    Tasks,
    TorchNetwork,
    Training,
    TrainingState,
    Used,
    Watch,
    as_loop_takes_it,
    copies_that_count,
    divide,
    effective_number,
    find_used,
    has_few_entries,
    has_few_rows,
    held_out_shares,
    in_precision,
    initial_network,
    interruptible,
    mean_loss,
    measure_moments,
    of_least_weight,
    place_of,
    project,
    rescaled,
    scaling_of,
    shape_of,
    share_of_values,
    standardised_once,
)

from ._given import DenseState, PathData, PathSettings
from ._pruning import NeuronSelection
from ._schedule import Schedule, checkpoints, schedule_of_updates

# Where classes weigh so unevenly that the samples tell no more than this part of them, a few held-out samples of the
# rare classes would decide alone. None are held out then, unless a fraction was asked for.
_UNEVEN = 0.5
# What re-trains a network.
Retrainer = Training | SecondOrderTraining
# Fewer samples than this tell little of the scales and the curvature that others will have.
_FEW_SAMPLES = 1000
# From so many samples on neurons weigh one, with fewer samples that part of it, but never less than in the mean over
# the picks. Steps of one length move the outputs of a mean slowly, so that few samples are not fitted too closely.
# Sparse data of fewer samples than parameters keep the mean.
_OF_WEIGHT_ONE = 20_000


class Trainer:
    """
    Trains networks on the data of one path.

    Its parameters are those of `TrainingPath`. `state` is where pre-training goes on, in the units of these data.
    """

    def __init__(
        self,
        data: PathData,
        settings: PathSettings,
        random_state: Any,
        *,
        tasks: Tasks,
        watch: Watch,
        state: DenseState | None,
        more: bool,
    ) -> None:
        # One stream for each use, so that none of them depends on how much of another was used.
        self.seeds = (
            check_random_state(random_state).randint(np.iinfo(np.int32).max, size=4) if state is None else state.seeds
        )
        self.settings = settings
        used = find_used(data.X, data.targets, data.weight, data.counted, settings.training.batch_size)
        labels = None if data.scale_targets else used.targets
        copies = copies_that_count(used.copies, used.is_table)
        self._n_copies = float(copies.sum())
        # Rare classes of large weight: the common samples hardly count, neither against a penalty nor as judges.
        n_effective = self._n_copies if labels is None else effective_number(used.weight_of_rows, copies)
        self._evenness = n_effective / self._n_copies
        self._X = used.X
        self._dtype = (
            used.training_dtype(settings.n_hidden, settings.training.batch_size)
            if state is None
            else state.training.network.hidden_coef.dtype
        )
        quadratic = settings.training.loss.is_quadratic
        kinds = {"center_targets": quadratic, "scale_targets": quadratic and data.scale_targets}
        self.moments = measure_moments(
            used.X,
            used.targets,
            used.weight,
            used.rows,
            n_copies=float(used.copies.sum()),  # of parts of the data: weights have one unit in all
            earlier=state.moments if state is not None and more else None,
        )
        self._scaling = scaling_of(self.moments, **kinds)._replace(features=data.features)
        self._scaling.warn_of_digits(used.X.dtype, self.moments.y_varies)
        self.holds_numbers = data.scale_targets
        self.state: TrainingState | None = None
        if state is not None:
            before = scaling_of(state.moments, **kinds)
            network = rescaled(state.training.network, before, self._scaling, state.moments.y_varies)
            # The step that was measured on the first few samples may not be safe for others.
            measured = 0.0 if more and state.moments.n_seen < _FEW_SAMPLES else state.training.step_size
            self.state = state.training._replace(network=network, step_size=measured)
        self._targets = self._standardised(used.targets)
        self._few_entries = has_few_entries(self._X, self._scaling.inputs)
        self._kept = standardised_once(self._X, self._scaling.inputs, self._dtype)
        self.tasks, self.watch = tasks, watch
        self._validation = None
        if data.validation is not None:
            X_val, targets_val, weight_val = data.validation
            self._validation = self._samples(
                np.arange(X_val.shape[0]), weight_val, (X_val, self._standardised(targets_val))
            )
        self.parts = self._divide(used, labels)
        self.selection = NeuronSelection(
            self._X,
            self._kept,
            self._targets,
            self._dtype,
            self.parts,
            self._scaling,
            settings.training.activation,
            settings.training.loss,
            settings.selection_samples,
            settings.training.device,
            settings.corrective,
            self._n_effective,
        )

    def _divide(self, used: Used, labels: FloatArray | None) -> Parts:
        """Decide which samples are held out."""
        rows, settings = used.rows, self.settings
        judged = settings.retrains or settings.corrective is not False
        few_would_judge = self._evenness < _UNEVEN and settings.validation_fraction == "auto"
        if few_would_judge or not (settings.early_stopping and judged and self._validation is None):
            return divide(used.all_rows, np.zeros(len(used.copies)), used.weight)
        rng = np.random.RandomState(self.seeds[3])
        shares = held_out_shares(
            project(self._X, rows, self._scaling.inputs, rng.standard_normal(self._X.shape[1])),
            self._targets if rows is None else self._targets[rows],
            used.weight_of_rows,
            used.copies,
            settings.validation_fraction,
            rng,
            is_table=used.is_table,
            labels=labels if labels is None or rows is None else labels[rows],
        )
        return divide(used.all_rows, shares, used.weight)

    def _standardised(self, targets: FloatArray) -> FloatArray:
        if targets.dtype == bool and not self.settings.training.loss.is_quadratic:
            return targets  # a byte each; who reads some makes numbers of these
        standardised = np.empty(targets.shape, dtype=self._dtype)
        for chunk in row_chunks(len(targets), 8 * targets.shape[1], PIECE_BYTES):
            standardised[chunk] = (targets[chunk] - self._scaling.y_mean) / self._scaling.y_scale
        return standardised

    def _samples(
        self,
        rows: IntArray,
        weight: FloatArray | None,
        data: tuple[Any, FloatArray] | None = None,
        device: str | None = None,
        dtype: Any = None,
    ) -> Samples:
        """Rows of the training data, or of other data."""
        X, targets = (self._X, self._targets) if data is None else data
        device, dtype = device or self.settings.training.device, dtype or self._dtype
        if data is None and self._kept is not None:
            return Samples(self._kept, self._targets, None, rows, weight, device, dtype)
        return Samples(X, targets, self._scaling.inputs, rows, weight, device, dtype)

    def initial_network(self) -> Network:
        """Draw the dense network; it is the same each time."""
        training = self.settings.training
        start = initial_network(
            (self._X.shape[1], self.settings.n_hidden, self._targets.shape[1]),
            training.activation,
            squared_norm=self._scaling.x_squared_norm,
            dtype=self._dtype,
            rng=np.random.RandomState(self.seeds[0]),
        )
        intercept = training.loss.initial_intercept(self._targets, self.parts.weight, self.parts.rows)
        return start._replace(output_intercept=intercept.astype(self._dtype))

    def training(
        self,
        network: Network | TrainingState,
        seed: int,
        *,
        name: str,
        on_all: bool = False,
        averaged: bool = False,
    ) -> Training:
        """Return a training that begins with this network, on the samples that are not held out or `on_all`."""
        rows, weight = self._part(on_all=on_all)
        samples = self._samples(rows, weight)
        # Where inputs are shrunk, the weights that do the same are larger.
        times = self._scaling.x_shrink**2
        settings = self.settings.training.with_alpha(self._n_effective(rows, weight), falls=False, times=times)
        return Training(network, samples, settings, seed, name=name, averaged=averaged, watch=self.watch)

    def _part(self, *, on_all: bool) -> tuple[IntArray, FloatArray | None]:
        """Return the samples that are not held out, or all, and their weights."""
        parts = self.parts
        return (parts.rows, parts.weight) if on_all else (parts.train_rows, parts.train_weight)

    def retraining(
        self,
        network: Network,
        *,
        name: str,
        on_all: bool = False,
        prior: Prior | None = None,
        by_updates: bool = False,
        penalty: float = 1.0,
        late: bool = False,
    ) -> Retrainer:
        """
        Return a training of what is left of the dense network.

        It is `by_updates`, or by the solver that is asked for or serves best. An automatic penalty of updates is
        multiplied by `penalty`, that of steps is estimated `late`.
        """
        rows, weight = self._part(on_all=on_all)
        solver, settings = self._retrain_solver(network, by_updates=by_updates), self.settings.training
        if isinstance(solver, str) or not solver.can_estimate:
            # The fewer samples a feature has, the less they say against the penalty of its coefficients.
            times = 1.0 if settings.loss.is_quadratic else share_of_values(self.moments)
            settings = settings.with_alpha(self._n_effective(rows, weight), falls=True, times=penalty * times)
        if isinstance(solver, str):
            settings = settings._replace(solver=SOLVERS[solver])
            if settings.solver.is_of_one_length and not self._has_rare_words(network, rows):
                network = of_least_weight(network, min(1.0, self._n_copies / _OF_WEIGHT_ONE))
            settings = settings._replace(device=place_of(network, settings, len(rows)))
            network = as_loop_takes_it(network, settings, len(rows))
            samples = self._samples(rows, weight, device=settings.device, dtype=network.hidden_coef.dtype)
            return Training(network, samples, settings, self.seeds[2], name=name, averaged=True, watch=self.watch)
        return SecondOrderTraining(
            in_precision(network, self._dtype),  # the loop may have trained it
            self._samples(rows, weight, device="cpu"),
            settings,
            LateLevenbergMarquardt if late else solver,
            self.seeds[2],
            name=name,
            n_samples=self._n_effective(rows, weight),
            watch=self.watch,
            prior=prior,
        )

    def posterior(self, network: Network, prior: Prior | None) -> Posterior | None:
        """Return what all samples leave open of the final network's weights, where that is asked for and known."""
        if not self.settings.keeps_posterior or isinstance(self._retrain_solver(network), str):
            return None
        training = self.retraining(network, name="re-training", on_all=True, prior=prior)
        return training.posterior(self._scaling) if isinstance(training, SecondOrderTraining) else None

    def _n_effective(self, rows: IntArray, weight: FloatArray | None) -> float:
        return self._evenness * self._n_copies * self._share(rows, weight)

    def _share(self, rows: IntArray, weight: FloatArray | None) -> float:
        """Say which part of all samples these are, by their weights."""
        every, whole = self.parts.rows, self.parts.weight
        total = len(every) if whole is None else whole[every].sum()
        return float((len(rows) if weight is None else weight[rows].sum()) / total)

    def _retrain_solver(self, network: Network, *, by_updates: bool = False) -> str | type[SecondOrderSolver]:
        """Return a second-order solver, or the name of another."""
        settings = self.settings
        if by_updates:
            return settings.retrain_solver if settings.retrain_solver in SOLVERS else settings.training.solver.name
        shape, loss = shape_of(network), settings.training.loss
        if settings.retrain_solver in SECOND_ORDER:
            solver = SECOND_ORDER[settings.retrain_solver]
            solver.check(shape, loss, len(self.parts.rows))
            return solver
        if settings.retrain_solver in SOLVERS:
            return settings.retrain_solver
        # Indicators of classes are fitted too closely by the squared error, at the cost of probabilities.
        suits = self.holds_numbers or not loss.is_quadratic
        if (
            isinstance(settings.n_retrain, str)
            and suits
            and LevenbergMarquardt.serves(shape, loss, len(self.parts.rows), few_entries=self._few_entries)
        ):
            return LevenbergMarquardt
        return settings.training.solver.name

    def has_few_rows_of_classes(self, network: Network) -> bool:
        """Whether targets are classes, and samples times outputs are fewer than the parameters."""
        return not self.holds_numbers and has_few_rows(shape_of(network), len(self.parts.train_rows))

    def chose_second_order(self, network: Network) -> bool:
        """Whether a second-order solver re-trains for which nobody asked."""
        return self.settings.retrain_solver == "auto" and not isinstance(self._retrain_solver(network), str)

    def _has_rare_words(self, network: Network, rows: IntArray) -> bool:
        """Whether these are sparse data of fewer samples than parameters."""
        return self._few_entries and has_few_rows(shape_of(network), len(rows))

    def tries_penalties(self, network: Network) -> bool:
        """Whether the penalty of re-training may be chosen by samples held out of it; of rare words few tell enough."""
        settings, rows = self.settings, self.parts.train_rows
        is_automatic = settings.training.alpha == "auto" and isinstance(settings.n_retrain, str)
        enough = len(rows) >= _FEW_SAMPLES and not self._has_rare_words(network, rows)
        enough = enough and not settings.training.loss.is_quadratic
        return is_automatic and enough and isinstance(self._retrain_solver(network), str)

    def schedule(self, network: Network, *, by_updates: bool = False) -> Schedule:
        """Return for how long to re-train what is left of the dense network; see `retraining`."""
        n_retrain, solver = self.settings.n_retrain, self._retrain_solver(network, by_updates=by_updates)
        if not isinstance(solver, str):
            n_steps = solver.n_steps if isinstance(n_retrain, str) else n_retrain
            return Schedule(n_steps, solver.interval, solver.patience)
        n_held_out = len(self.parts.held_rows) if self._validation is None else len(self._validation.rows)
        return schedule_of_updates(n_retrain, len(self.parts.rows), n_held_out, self.settings.training.batch_size)

    @property
    def checkpoints(self) -> list[int]:
        """Iterations after which an automatic number of pre-training iterations is decided."""
        n_samples = self._n_copies * self._share(self.parts.train_rows, self.parts.train_weight)
        return checkpoints(self.settings.n_retrain, n_samples, classes=not self.holds_numbers)

    def advance(self, phase: Phase, training: Retrainer, n_iterations: int, losses: list[float]) -> None:
        """Continue a training, as a part of this phase; `losses` are those of pre-training."""
        with interruptible(self.watch), training.threads():
            phase.run(
                training,
                n_iterations,
                lambda: self.tasks.attributes(self.selection.in_data_units(training.network()), losses),
            )

    @property
    def summary(self) -> str:
        """What is trained on, and where."""
        parts, settings = self.parts, self.settings
        n_held_out = len(parts.held_rows) if self._validation is None else len(self._validation.rows)
        return (
            f"{len(parts.train_rows)} samples for training, {n_held_out} held out; {self._X.shape[1]} features, "
            f"{settings.n_hidden} neurons, {self._targets.shape[1]} outputs; device {settings.training.device!r}"
        )

    @property
    def stopped(self) -> bool:
        """Whether all training has to stop now."""
        return self.watch.stops

    def ends(self, phase: Phase) -> bool:
        """Whether all training has to stop, or a callback asked to end this phase."""
        return self.stopped or phase.stopped

    @cached_property
    def held_out(self) -> HeldOut | None:
        """Samples that the trained network has not seen, if there are any; gathered when they are first needed."""
        if len(self.parts.held_rows):
            return HeldOut(self._samples(self.parts.held_rows, self.parts.held_weight))
        return None if self._validation is None else HeldOut(self._validation)

    @cached_property
    def constant_loss(self) -> float:
        """Loss on `held_out` of the best constant outputs, those of a network without neurons; infinite without it."""
        training, parts = self.settings.training, self.parts
        if self.held_out is None:
            return math.inf
        intercept = training.loss.initial_intercept(self._targets, parts.train_weight, parts.train_rows)
        sizes = (self._X.shape[1], 1), (1,), (1, len(intercept))  # of one neuron that does nothing
        coef, bias, output_coef = (np.zeros(size, self._dtype) for size in sizes)
        constant = Network(coef, bias, output_coef, intercept.astype(self._dtype), np.ones(1, self._dtype))
        model = TorchNetwork(constant, training.activation, training.loss, device=training.device)
        with model.threads():
            return mean_loss(model, self.held_out)

    def finite(self, held_out_loss: float) -> float:
        """Return the loss on these; refuse one that is no number."""
        if not math.isfinite(held_out_loss):
            whose = "X_val and y_val" if self._validation is not None else "X and y"
            raise ValueError(
                f"The loss on samples held out of training became {held_out_loss}; look for extreme values in {whose}, "
                "or use a smaller learning_rate_init."
            )
        return held_out_loss
