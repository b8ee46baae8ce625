"""
The data of one path, prepared for training: the samples in use, standardised and divided into parts, and the seeds.

Arrays in, samples out. ``_trainer`` trains on the samples, ``_pruning`` selects neurons on them.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from sklearn_gfs._chunks import PIECE_BYTES, row_chunks
from sklearn_gfs._typing import FloatArray
from sklearn_gfs.network import (
    FittedNetwork,
    HeldOut,
    Moments,
    Network,
    Part,
    Samples,
    Scaling,
    TorchNetwork,
    TrainingState,
    Used,
    copies_that_count,
    divide,
    effective_number,
    evenness_of_classes,
    find_used,
    has_few_entries,
    has_few_rows,
    held_out_shares,
    in_data_units,
    in_precision,
    initial_network,
    mean_loss,
    measure_moments,
    project,
    refuse_tiny,
    rescaled,
    scaling_of,
    shape_of,
    standardised_once,
)

from ._given import DenseState, PathData, PathSettings

# Least ratio of the effective number of samples, given their weights, to their number, at which samples are held out.
# Below this, a few held-out samples of rare classes would decide alone. `validation_fraction` overrules this limit.
_UNEVEN = 0.5
# Least number of samples whose scales and curvature hold for later samples, too.
_FEW_SAMPLES = 1000


class Prepared:
    """
    The data of one path.

    Its parameters are those of `TrainingPath`.

    Attributes
    ----------
    seeds : ndarray of shape (4,)
        Seeds of the dense network, of pre-training, of re-training, and of the division into parts, in this order.
    X : array or CSR array of shape (n_samples, n_features)
        Inputs in the units of the data.
    kept : ndarray of shape (n_samples, n_features) or None
        Standardised inputs, if they are kept.
    targets : ndarray of shape (n_samples, n_outputs)
        Standardised targets, or indicators of classes.
    dtype : dtype
        The precision that networks are trained in.
    moments : Moments
        Moments of the data, and of the data of an earlier path.
    scaling : Scaling
        Scales and offsets that standardise the data.
    n_copies : float
        Number of samples, with repeated samples counted as often as they occur.
    holds_numbers : bool
        Whether the targets are continuous, and not classes.
    few_entries : bool
        Whether the inputs are sparse, and only their stored values are read.
    parts : Parts
        Which samples train, and which are held out.
    """

    def __init__(
        self, data: PathData, settings: PathSettings, random_state: Any, state: DenseState | None, *, more: bool
    ) -> None:
        # One seed for each use, so that no use depends on how many random values another use has drawn.
        self.seeds = (
            check_random_state(random_state).randint(np.iinfo(np.int32).max, size=4) if state is None else state.seeds
        )
        self._settings = settings
        used = find_used(data.X, data.targets, data.weight, data.counted, settings.training.batch_size)
        self.X, self.holds_numbers = used.X, data.scale_targets
        self.dtype = (
            used.training_dtype(settings.n_hidden, settings.training.batch_size)
            if state is None
            else state.training.network.hidden_coef.dtype
        )
        copies = copies_that_count(used.copies, used.is_table)
        self.n_copies = float(copies.sum())
        # If rare classes have large weights, common samples hardly count, neither against a penalty nor in the held-out
        # loss. The effective number takes this into account.
        n_effective = self.n_copies if self.holds_numbers else effective_number(used.weight_of_rows, copies)
        self._evenness = n_effective / self.n_copies
        self.moments = measure_moments(
            used.X,
            used.targets,
            used.weight,
            used.rows,
            n_copies=float(used.copies.sum()),  # so that weights have the same unit in all parts of the data
            earlier=state.moments if state is not None and more else None,
        )
        refuse_tiny(self.moments, used.X.dtype, None if data.features is None else data.features[0])
        self.scaling = self._scaling_of(self.moments)._replace(features=data.features)
        self.scaling.warn_of_digits(used.X.dtype, self.moments.y_varies)
        self.targets = self._standardised(used.targets)
        self.few_entries = has_few_entries(self.X, self.scaling.inputs)
        self.kept = standardised_once(self.X, self.scaling.inputs, self.dtype)
        self._validation = None
        if data.validation is not None:
            X_val, targets_val, weight_val = data.validation
            rows, targets_val = np.arange(X_val.shape[0]), self._standardised(targets_val)
            device = settings.training.device
            self._validation = Samples(X_val, targets_val, self.scaling.inputs, rows, weight_val, device, self.dtype)
        self.parts = divide(used.all_rows, self._shares(used), used.weight)

    def _scaling_of(self, moments: Moments) -> Scaling:
        quadratic = self._settings.training.loss.is_quadratic
        return scaling_of(moments, center_targets=quadratic, scale_targets=quadratic and self.holds_numbers)

    def _standardised(self, targets: FloatArray) -> FloatArray:
        if targets.dtype == bool and not self._settings.training.loss.is_quadratic:
            return targets  # one byte per indicator; the samples that are read are converted to floats
        standardised = np.empty(targets.shape, dtype=self.dtype)
        for chunk in row_chunks(len(targets), 8 * targets.shape[1], PIECE_BYTES):
            standardised[chunk] = (targets[chunk] - self.scaling.y_mean) / self.scaling.y_scale
        if self.scaling.y_known is not None:
            standardised[:, self.scaling.y_known] = 0.0  # also where values differ by rounding
        return standardised

    def _shares(self, used: Used) -> FloatArray:
        """Return the share of each sample's copies that is held out."""
        settings = self._settings
        judged = settings.retrains or settings.corrective is not False
        rows, labels = used.rows, None if self.holds_numbers else used.targets
        labels = labels if labels is None or rows is None else labels[rows]
        few_would_judge = (
            settings.validation_fraction == "auto"
            and self._evenness < _UNEVEN  # weights within classes can be uneven, too
            and labels is not None
            and evenness_of_classes(labels, used.weight_of_rows, used.copies) < _UNEVEN
        )
        if few_would_judge or not (settings.early_stopping and judged and self._validation is None):
            return np.zeros(len(used.copies))
        rng = np.random.RandomState(self.seeds[3])
        return held_out_shares(
            project(self.X, rows, self.scaling.inputs, rng.standard_normal(self.X.shape[1])),
            self.targets if rows is None else self.targets[rows],
            used.weight_of_rows,
            used.copies,
            settings.validation_fraction,
            rng,
            is_table=used.is_table,
            labels=labels,
        )

    def samples(self, part: Part, device: str | None = None, dtype: Any = None) -> Samples:
        """Return these samples, by default on the device and in the precision of training."""
        device, dtype = device or self._settings.training.device, dtype or self.dtype
        X, inputs = (self.X, self.scaling.inputs) if self.kept is None else (self.kept, None)
        return Samples(X, self.targets, inputs, part.rows, part.weight, device, dtype)

    @cached_property
    def held_out(self) -> HeldOut | None:
        """Samples that training leaves out, or None; gathered at the first use."""
        if len(self.parts.held_out.rows):
            return HeldOut(self.samples(self.parts.held_out))
        return None if self._validation is None else HeldOut(self._validation)

    @property
    def n_held_out(self) -> int:
        """Number of samples that training leaves out."""
        return len(self.parts.held_out.rows if self._validation is None else self._validation.rows)

    def share(self, part: Part) -> float:
        """Return the weight of these samples as a share of the weight of all samples."""
        total, some = (
            len(one.rows) if one.weight is None else one.weight[one.rows].sum() for one in (self.parts.whole, part)
        )
        return float(some / total)

    def n_effective(self, part: Part) -> float:
        """Return the effective number of these samples: the number of samples of equal weight that they count for."""
        return self._evenness * self.n_copies * self.share(part)

    def has_few_rows(self, network: Network, part: Part) -> bool:
        """Whether the number of these samples times outputs is less than the number of parameters of a network."""
        return has_few_rows(shape_of(network), len(part.rows))

    def has_rare_words(self, network: Network, part: Part) -> bool:
        """Whether the data are sparse, and `has_few_rows` is true."""
        return self.few_entries and self.has_few_rows(network, part)

    def initial_network(self) -> Network:
        """Draw the dense network; it is the same each time."""
        training = self._settings.training
        start = initial_network(
            (self.X.shape[1], self._settings.n_hidden, self.targets.shape[1]),
            training.activation,
            squared_norm=self.scaling.x_squared_norm,
            dtype=self.dtype,
            rng=np.random.RandomState(self.seeds[0]),
        )
        return self._without_constants(start._replace(output_intercept=self._best_constant(self.parts.whole)))

    def _with_output_weights(self, network: Network, begins: np.ndarray) -> Network:
        """Return the network with new output weights for targets that were constant before, and vary now."""
        if self.scaling.y_known is None or not begins.any():
            return network
        coef = network.output_coef.copy()
        coef[:, begins] = self.initial_network().output_coef[:, begins]
        return network._replace(output_coef=coef)

    def _without_constants(self, network: Network) -> Network:
        """Return the network with outputs of zero for constant targets, which no gradient moves."""
        known = self.scaling.y_known
        if known is None or not known.any():
            return network
        coef, intercept = network.output_coef.copy(), network.output_intercept.copy()
        coef[:, known], intercept[known] = 0.0, 0.0
        return network._replace(output_coef=coef, output_intercept=intercept)

    def _best_constant(self, part: Part) -> FloatArray:
        """Return the constant outputs of the least loss on these samples."""
        constant = self._settings.training.loss.initial_intercept(self.targets, part.weight, part.rows)
        return constant.astype(self.dtype)

    def continued(self, state: DenseState, *, more: bool) -> TrainingState:
        """Return the final state of an earlier training, in the units of these data."""
        before, y_varies = self._scaling_of(state.moments), state.moments.y_varies
        # A step size that was measured on few samples may be too large for other samples.
        measured = 0.0 if more and state.moments.n_seen < _FEW_SAMPLES else state.training.step_size
        network = rescaled(state.training.network, before, self.scaling, y_varies)
        network = self._without_constants(self._with_output_weights(network, self.moments.y_varies & ~y_varies))
        return state.training._replace(network=network, step_size=measured)

    def in_data_units(self, network: Network) -> FittedNetwork:
        """Return the network with the standardisation of inputs and targets folded in."""
        fitted = in_data_units(network, self.scaling, self.X.dtype)
        fitted.intercepts[1] += self.scaling.y_mean.astype(self.X.dtype)
        return fitted

    @cached_property
    def constant_loss(self) -> float:
        """Loss on `held_out` of the best constant outputs, those of a network without neurons; infinite if None."""
        intercept = self._best_constant(self.parts.train)
        sizes = (self.X.shape[1], 1), (1,), (1, len(intercept))  # one neuron of zero weights
        coef, bias, output_coef = (np.zeros(size, self.dtype) for size in sizes)
        return self.held_out_loss(Network(coef, bias, output_coef, intercept, np.ones(1, self.dtype)))

    def held_out_loss(self, network: Network) -> float:
        """Return the loss of a network on `held_out`; infinite if this is None."""
        if self.held_out is None:
            return math.inf
        model = self._model(network)
        with model.threads():
            return mean_loss(model, self.held_out)

    def held_out_gain(self, network: Network, other: Network) -> float:
        """Return the fall of the loss on `held_out` from a network to another, in standard errors of its mean."""
        assert self.held_out is not None
        models, falls = (self._model(network), self._model(other)), []
        with models[0].threads():
            for batch in self.held_out:
                before, after = (model.losses(*batch) for model in models)
                falls.append(before.astype(np.float64) - after)
        fall = np.concatenate(falls)
        error = fall.std() / np.sqrt(len(fall))
        return float(fall.mean() / error) if error > 0 else 0.0

    def _model(self, network: Network) -> TorchNetwork:
        training = self._settings.training
        network = in_precision(network, self.dtype)  # the compiled loop may have trained it
        return TorchNetwork(network, training.activation, training.loss, device=training.device)

    def finite(self, held_out_loss: float) -> float:
        """Return the held-out loss; raise an error if it is not finite."""
        if not math.isfinite(held_out_loss):
            whose = "X_val and y_val" if self._validation is not None else "X and y"
            raise ValueError(
                f"The loss on samples held out of training became {held_out_loss}; look for extreme values in {whose}, "
                "or use a smaller learning_rate_init."
            )
        return held_out_loss

    @property
    def summary(self) -> str:
        """Return a line for the report: the data, and the device of training."""
        return (
            f"{len(self.parts.train.rows)} samples for training, {self.n_held_out} held out; {self.X.shape[1]} "
            f"features, {self._settings.n_hidden} neurons, {self.targets.shape[1]} outputs; "
            f"device {self._settings.training.device!r}"
        )
