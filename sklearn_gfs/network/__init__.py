"""
The two-layer network and its training: parameters, solvers, units, hold-out, device, time.

Nothing here selects neurons, checks what a user passes, or knows an estimator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn_gfs._lazy import lazy_names

if TYPE_CHECKING:
    from ._data import CHUNK_ROWS, Parts, Used, divide, find_used, is_table, project, standardised_once
    from ._device import DEVICES, find_device, room_on
    from ._holdout import count_copies, held_out_shares
    from ._losses import LOSSES, Loss
    from ._parameters import Network, initial_network, prune
    from ._scaling import FittedNetwork, Moments, Scaling, in_data_units, measure_moments, rescaled, scaling_of
    from ._settings import TrainingSettings
    from ._solvers import SOLVERS
    from ._training import Batch, Samples, Training, TrainingState
    from ._two_layer import TorchNetwork, hidden_activations
    from ._watch import Phase, Tasks, Watch, interruptible

_HOME = {
    "CHUNK_ROWS": "_data",
    "DEVICES": "_device",
    "LOSSES": "_losses",
    "SOLVERS": "_solvers",
    "Batch": "_training",
    "FittedNetwork": "_scaling",
    "Loss": "_losses",
    "Moments": "_scaling",
    "Network": "_parameters",
    "Parts": "_data",
    "Phase": "_watch",
    "Samples": "_training",
    "Scaling": "_scaling",
    "Tasks": "_watch",
    "TorchNetwork": "_two_layer",
    "Training": "_training",
    "TrainingSettings": "_settings",
    "TrainingState": "_training",
    "Used": "_data",
    "Watch": "_watch",
    "count_copies": "_holdout",
    "divide": "_data",
    "find_device": "_device",
    "find_used": "_data",
    "held_out_shares": "_holdout",
    "hidden_activations": "_two_layer",
    "in_data_units": "_scaling",
    "initial_network": "_parameters",
    "interruptible": "_watch",
    "is_table": "_data",
    "measure_moments": "_scaling",
    "project": "_data",
    "prune": "_parameters",
    "rescaled": "_scaling",
    "room_on": "_device",
    "scaling_of": "_scaling",
    "standardised_once": "_data",
}

__all__ = [
    "CHUNK_ROWS",
    "DEVICES",
    "LOSSES",
    "SOLVERS",
    "Batch",
    "FittedNetwork",
    "Loss",
    "Moments",
    "Network",
    "Parts",
    "Phase",
    "Samples",
    "Scaling",
    "Tasks",
    "TorchNetwork",
    "Training",
    "TrainingSettings",
    "TrainingState",
    "Used",
    "Watch",
    "count_copies",
    "divide",
    "find_device",
    "find_used",
    "held_out_shares",
    "hidden_activations",
    "in_data_units",
    "initial_network",
    "interruptible",
    "is_table",
    "measure_moments",
    "project",
    "prune",
    "rescaled",
    "room_on",
    "scaling_of",
    "standardised_once",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, _HOME)
