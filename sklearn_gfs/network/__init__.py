"""
The two-layer network and its training: parameters, solvers, units, hold-out, device, time, report.

Nothing here selects neurons, validates parameters of a user, or knows an estimator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn_gfs._lazy import lazy_names

if TYPE_CHECKING:
    from ._data import CHUNK_ROWS, Part, Used, divide, find_used, project, standardised_once
    from ._device import DEVICES, find_device, room_on
    from ._evidence import Prior
    from ._holdout import copies_that_count, effective_number, evenness_of_classes, held_out_shares
    from ._losses import LOSSES, Loss
    from ._objective import has_few_rows, shape_of
    from ._parameters import Network, in_precision, initial_network, of_least_weight, prune
    from ._posterior import Posterior
    from ._report import Report
    from ._samples import HeldOut, Samples, has_few_entries
    from ._scaling import (
        FittedNetwork,
        Moments,
        Scaling,
        in_data_units,
        measure_moments,
        refuse_tiny,
        rescaled,
        scaling_of,
        share_of_values,
    )
    from ._second_order import SECOND_ORDER, LateLevenbergMarquardt, LevenbergMarquardt, SecondOrderSolver
    from ._second_order_training import SecondOrderTraining
    from ._settings import TrainingSettings
    from ._small import as_loop_takes_it, place_of
    from ._solvers import SOLVERS
    from ._training import Training, TrainingState
    from ._two_layer import TorchNetwork, hidden_activations, mean_loss
    from ._watch import UNWATCHED, Phase, Tasks, Watch, despite_interrupt, interruptible

_HOME = {
    "CHUNK_ROWS": "_data",
    "DEVICES": "_device",
    "LOSSES": "_losses",
    "SECOND_ORDER": "_second_order",
    "SOLVERS": "_solvers",
    "UNWATCHED": "_watch",
    "FittedNetwork": "_scaling",
    "HeldOut": "_samples",
    "LateLevenbergMarquardt": "_second_order",
    "LevenbergMarquardt": "_second_order",
    "Loss": "_losses",
    "Moments": "_scaling",
    "Network": "_parameters",
    "Part": "_data",
    "Phase": "_watch",
    "Posterior": "_posterior",
    "Prior": "_evidence",
    "Report": "_report",
    "Samples": "_samples",
    "Scaling": "_scaling",
    "SecondOrderSolver": "_second_order",
    "SecondOrderTraining": "_second_order_training",
    "Tasks": "_watch",
    "TorchNetwork": "_two_layer",
    "Training": "_training",
    "TrainingSettings": "_settings",
    "TrainingState": "_training",
    "Used": "_data",
    "Watch": "_watch",
    "as_loop_takes_it": "_small",
    "effective_number": "_holdout",
    "evenness_of_classes": "_holdout",
    "copies_that_count": "_holdout",
    "despite_interrupt": "_watch",
    "divide": "_data",
    "find_device": "_device",
    "find_used": "_data",
    "has_few_entries": "_samples",
    "held_out_shares": "_holdout",
    "hidden_activations": "_two_layer",
    "in_data_units": "_scaling",
    "in_precision": "_parameters",
    "initial_network": "_parameters",
    "interruptible": "_watch",
    "mean_loss": "_two_layer",
    "measure_moments": "_scaling",
    "of_least_weight": "_parameters",
    "place_of": "_small",
    "project": "_data",
    "prune": "_parameters",
    "refuse_tiny": "_scaling",
    "rescaled": "_scaling",
    "room_on": "_device",
    "scaling_of": "_scaling",
    "share_of_values": "_scaling",
    "has_few_rows": "_objective",
    "shape_of": "_objective",
    "standardised_once": "_data",
}

__all__ = [
    "CHUNK_ROWS",
    "DEVICES",
    "LOSSES",
    "SECOND_ORDER",
    "SOLVERS",
    "UNWATCHED",
    "FittedNetwork",
    "HeldOut",
    "LateLevenbergMarquardt",
    "LevenbergMarquardt",
    "Loss",
    "Moments",
    "Network",
    "Part",
    "Phase",
    "Posterior",
    "Prior",
    "Report",
    "Samples",
    "Scaling",
    "SecondOrderSolver",
    "SecondOrderTraining",
    "Tasks",
    "TorchNetwork",
    "Training",
    "TrainingSettings",
    "TrainingState",
    "Used",
    "Watch",
    "as_loop_takes_it",
    "copies_that_count",
    "despite_interrupt",
    "divide",
    "effective_number",
    "evenness_of_classes",
    "find_device",
    "find_used",
    "has_few_entries",
    "has_few_rows",
    "held_out_shares",
    "hidden_activations",
    "in_data_units",
    "in_precision",
    "initial_network",
    "interruptible",
    "mean_loss",
    "measure_moments",
    "of_least_weight",
    "place_of",
    "project",
    "prune",
    "refuse_tiny",
    "rescaled",
    "room_on",
    "scaling_of",
    "shape_of",
    "share_of_values",
    "standardised_once",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, _HOME)
