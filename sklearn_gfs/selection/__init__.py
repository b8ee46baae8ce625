"""
Which atoms: greedy forward selection, from arrays to arrays.

Here belong the kernels, the inner products that they need, the search for each loss, the searches by a gradient that
the estimators call, and what users call: `greedy_forward_selection`, `GreedyForwardSelector`, `SelectionStatistics` and
its `CorrectivePath`. Nothing here trains. Atoms are columns, or outputs of whatever model. Of a network only
activations and an output layer are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn_gfs._lazy import lazy_names

if TYPE_CHECKING:
    from ._corrective_path import CorrectivePath, cross_validated, solved_on_others
    from ._corrective_paths import corrective_paths
    from ._gram_computed import ComputedRows
    from ._greedy import greedy_forward_selection
    from ._log_loss import least_probability
    from ._penalised import minimise_penalised
    from ._probability_kernels import PROBABILITY_RANGE
    from ._range import LARGEST_VALUE
    from ._selector import GreedyForwardSelector
    from ._statistics import SelectionStatistics
    from ._steepest import measure, path_of, pick_steepest
    from ._steepest_corrected import Solved, SteepestPath, degrees_of_freedom, pick_by_squares, pick_corrected, solve
    from ._steepest_outputs import OutputLayer
    from ._thin import product

_HOME = {
    "ComputedRows": "_gram_computed",
    "CorrectivePath": "_corrective_path",
    "GreedyForwardSelector": "_selector",
    "LARGEST_VALUE": "_range",
    "OutputLayer": "_steepest_outputs",
    "PROBABILITY_RANGE": "_probability_kernels",
    "SelectionStatistics": "_statistics",
    "Solved": "_steepest_corrected",
    "SteepestPath": "_steepest_corrected",
    "corrective_paths": "_corrective_paths",
    "cross_validated": "_corrective_path",
    "degrees_of_freedom": "_steepest_corrected",
    "greedy_forward_selection": "_greedy",
    "least_probability": "_log_loss",
    "measure": "_steepest",
    "minimise_penalised": "_penalised",
    "path_of": "_steepest",
    "pick_by_squares": "_steepest_corrected",
    "pick_corrected": "_steepest_corrected",
    "pick_steepest": "_steepest",
    "product": "_thin",
    "solve": "_steepest_corrected",
    "solved_on_others": "_corrective_path",
}

__all__ = [
    "LARGEST_VALUE",
    "PROBABILITY_RANGE",
    "ComputedRows",
    "CorrectivePath",
    "GreedyForwardSelector",
    "OutputLayer",
    "SelectionStatistics",
    "Solved",
    "SteepestPath",
    "corrective_paths",
    "cross_validated",
    "degrees_of_freedom",
    "greedy_forward_selection",
    "least_probability",
    "measure",
    "minimise_penalised",
    "path_of",
    "pick_by_squares",
    "pick_corrected",
    "pick_steepest",
    "product",
    "solve",
    "solved_on_others",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, _HOME)
