"""
Pre-train wide, prune by greedy forward selection, re-train what is left.

The names are resolved on first use: ``import sklearn_gfs`` imports neither torch nor numba. Here stand the public names
and where they live, and nothing that computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._lazy import lazy_names
from ._version import __version__

if TYPE_CHECKING:  # for editors and type checkers, which don't see names that are resolved when first used
    from . import theory
    from ._network_bounds import NetworkBounds, network_bounds
    from ._onnx import register_onnx_converters
    from ._typing import GreedyPath, PathPoint
    from .ensemble import GreedyEnsembleClassifier, GreedyEnsembleRegressor, prune_forest
    from .mlp import GreedyPrunedMLP, GreedyPrunedMLPClassifier, GreedyPrunedMLPRegressor, prune_network
    from .plotting import LossCurveDisplay, PretrainThresholdDisplay, SelectionPathDisplay, ThresholdScalingDisplay
    from .search import PretrainThresholdSearch, ScalingFit, ThresholdCurve, pretrain_threshold_curve
    from .selection import CorrectivePath, GreedyForwardSelector, SelectionStatistics, greedy_forward_selection

# The module of each public name; a module is imported when one of its names is first used.
_HOME = {
    "CorrectivePath": "selection",
    "GreedyEnsembleClassifier": "ensemble",
    "GreedyEnsembleRegressor": "ensemble",
    "GreedyForwardSelector": "selection",
    "GreedyPath": "_typing",
    "GreedyPrunedMLP": "mlp",
    "GreedyPrunedMLPClassifier": "mlp",
    "GreedyPrunedMLPRegressor": "mlp",
    "LossCurveDisplay": "plotting",
    "NetworkBounds": "_network_bounds",
    "PathPoint": "_typing",
    "PretrainThresholdDisplay": "plotting",
    "PretrainThresholdSearch": "search",
    "ScalingFit": "search",
    "SelectionPathDisplay": "plotting",
    "SelectionStatistics": "selection",
    "ThresholdCurve": "search",
    "ThresholdScalingDisplay": "plotting",
    "greedy_forward_selection": "selection",
    "network_bounds": "_network_bounds",
    "pretrain_threshold_curve": "search",
    "prune_forest": "ensemble",
    "prune_network": "mlp",
    "register_onnx_converters": "_onnx",
    "theory": None,  # a module itself
}

__all__ = [
    "CorrectivePath",
    "GreedyEnsembleClassifier",
    "GreedyEnsembleRegressor",
    "GreedyForwardSelector",
    "GreedyPath",
    "GreedyPrunedMLP",
    "GreedyPrunedMLPClassifier",
    "GreedyPrunedMLPRegressor",
    "LossCurveDisplay",
    "NetworkBounds",
    "PathPoint",
    "PretrainThresholdDisplay",
    "PretrainThresholdSearch",
    "ScalingFit",
    "SelectionPathDisplay",
    "SelectionStatistics",
    "ThresholdCurve",
    "ThresholdScalingDisplay",
    "__version__",
    "greedy_forward_selection",
    "network_bounds",
    "pretrain_threshold_curve",
    "prune_forest",
    "prune_network",
    "register_onnx_converters",
    "theory",
]


if not TYPE_CHECKING:  # a type checker would accept every name as one of this package
    __getattr__, __dir__ = lazy_names(__name__, _HOME)
