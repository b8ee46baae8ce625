"""
The parameters that the estimators share: their defaults, their checks, and the settings of training made from them.

Names of activations, losses and solvers become objects here; nothing here fits.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_gfs._activations import ACTIVATIONS
from sklearn_gfs._compat import Interval, StrOptions, validate_parameter_constraints
from sklearn_gfs._requirements import numba_for, torch_for
from sklearn_gfs.network import DEVICES, LOSSES, SECOND_ORDER, SOLVERS, TrainingSettings, find_device

from ._given import PathSettings
from ._targets import activation_name, has_several_labels, loss_name


class MLPParameters(BaseEstimator):
    """The parameters of an estimator; ``_classifying`` adds the parameters of classifiers."""

    _keeps_posterior = False
    _hook_parameters_of_path: ClassVar[dict[str, Any]] = {"max_time": None}
    loss = "squared_error"  # a parameter of the estimators that can be fitted on classes

    _constraints: ClassVar[dict[str, list[Any]]] = {
        "n_pretrain": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "k": [Interval(Integral, 1, None, closed="left")],
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "n_retrain": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "retrain_solver": [StrOptions({"auto", *SECOND_ORDER, *SOLVERS})],
        "activation": [StrOptions(ACTIVATIONS.keys()), StrOptions({"auto"})],  # a view: also of later ones
        "solver": [StrOptions(SOLVERS.keys())],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither"), None],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), StrOptions({"auto"})],
        "selection_samples": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "corrective": ["boolean", StrOptions({"auto"})],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "device": [StrOptions(set(DEVICES))],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_pretrain: int | str = "auto",
        k: int = 50,
        *,
        n_hidden: int = 1000,
        n_retrain: int | str = "auto",
        retrain_solver: str = "auto",
        activation: str = "auto",
        solver: str = "adam",
        learning_rate_init: float | None = None,
        momentum: float = 0.9,
        batch_size: int | None = 128,
        alpha: float | str = "auto",
        early_stopping: bool = True,
        validation_fraction: float | str = "auto",
        selection_samples: int | str | None = "auto",
        corrective: bool | str = False,
        max_time: float | None = None,
        verbose: bool = False,
        warm_start: bool = False,
        device: str = "cpu",
        random_state: Any = None,
    ) -> None:
        self.n_pretrain = n_pretrain
        self.k = k
        self.n_hidden = n_hidden
        self.n_retrain = n_retrain
        self.retrain_solver = retrain_solver
        self.activation = activation
        self.solver = solver
        self.learning_rate_init = learning_rate_init
        self.momentum = momentum
        self.batch_size = batch_size
        self.alpha = alpha
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.selection_samples = selection_samples
        self.corrective = corrective
        self.max_time = max_time
        self.verbose = verbose
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state

    def _check_parameters(self) -> None:
        validate_parameter_constraints(self._constraints, self._plain_parameters(), caller_name=type(self).__name__)
        # The first import takes seconds, so it comes before the clock of max_time starts.
        for package_for in (torch_for, numba_for):
            package_for("Training")

    def _plain_parameters(self) -> dict[str, Any]:
        """
        Return the parameters, with NumPy's scalars converted to Python's.

        torch refuses some of NumPy's scalars, and arithmetic with narrow integer types overflows.
        """
        parameters = {name: getattr(self, name) for name in self._constraints}
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in parameters.items()}

    def _settings(self) -> PathSettings:
        given = self._plain_parameters() | {
            "activation": ACTIVATIONS[activation_name(self)],
            "solver": SOLVERS[self.solver],
            "loss": LOSSES[loss_name(self)].for_labels(several=has_several_labels(self)),
            "device": find_device(self.device),
        }
        training = TrainingSettings(**{name: given[name] for name in TrainingSettings._fields})
        parameters = {name: given[name] for name in PathSettings._fields if name in given}
        return PathSettings(**parameters, training=training, keeps_posterior=self._keeps_posterior)
