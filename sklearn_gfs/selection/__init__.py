"""
Which atoms: greedy forward selection, from arrays to arrays.

Here belong the kernels, the inner products that they need, the search for each loss, and what users call:
`greedy_forward_selection`, `GreedyForwardSelector`, `SelectionStatistics` and its `CorrectivePath`. Nothing here
trains, and nothing knows of networks: atoms are columns, or outputs of whatever model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn_gfs._lazy import lazy_names

if TYPE_CHECKING:
    from ._corrective_path import CorrectivePath, cross_validated, solved_on_others
    from ._corrective_paths import corrective_paths
    from ._gram_computed import ComputedRows
    from ._greedy import greedy_forward_selection
    from ._selector import GreedyForwardSelector
    from ._statistics import SelectionStatistics
    from ._thin import product

_HOME = {
    "CorrectivePath": "_corrective_path",
    "ComputedRows": "_gram_computed",
    "GreedyForwardSelector": "_selector",
    "SelectionStatistics": "_statistics",
    "corrective_paths": "_corrective_paths",
    "cross_validated": "_corrective_path",
    "greedy_forward_selection": "_greedy",
    "product": "_thin",
    "solved_on_others": "_corrective_path",
}

__all__ = [
    "ComputedRows",
    "CorrectivePath",
    "GreedyForwardSelector",
    "SelectionStatistics",
    "corrective_paths",
    "cross_validated",
    "greedy_forward_selection",
    "product",
    "solved_on_others",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, _HOME)
