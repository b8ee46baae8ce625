"""
Pre-train wide, prune by greedy forward selection, re-train what is left.

The names are resolved on first use: ``import sklearn_gfs`` imports neither torch nor numba. Here stand the public names
and where they live, and nothing that computes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:  # for editors and type checkers, which don't see names that are resolved when first used
    from . import theory
    from ._onnx import register_onnx_converters
    from ._typing import GreedyPath, PathPoint
    from .mlp._classifier import GreedyPrunedMLPClassifier
    from .mlp._inferring import GreedyPrunedMLP
    from .mlp._regressor import GreedyPrunedMLPRegressor
    from .plotting._scaling import ThresholdScalingDisplay
    from .plotting._selection import SelectionPathDisplay
    from .plotting._threshold import PretrainThresholdDisplay
    from .search._curve import ThresholdCurve, pretrain_threshold_curve
    from .search._laws import ScalingFit
    from .search._threshold import PretrainThresholdSearch
    from .selection._greedy import greedy_forward_selection
    from .selection._selector import GreedyForwardSelector
    from .selection._statistics import SelectionStatistics

# Where each public name lives; modules are imported when one of their names is first asked for.
_HOME = {
    "GreedyForwardSelector": "selection._selector",
    "GreedyPath": "_typing",
    "GreedyPrunedMLP": "mlp._inferring",
    "GreedyPrunedMLPClassifier": "mlp._classifier",
    "GreedyPrunedMLPRegressor": "mlp._regressor",
    "PathPoint": "_typing",
    "PretrainThresholdDisplay": "plotting._threshold",
    "PretrainThresholdSearch": "search._threshold",
    "ScalingFit": "search._laws",
    "SelectionPathDisplay": "plotting._selection",
    "SelectionStatistics": "selection._statistics",
    "ThresholdCurve": "search._curve",
    "ThresholdScalingDisplay": "plotting._scaling",
    "greedy_forward_selection": "selection._greedy",
    "pretrain_threshold_curve": "search._curve",
    "register_onnx_converters": "_onnx",
    "theory": None,  # a module itself
}

__all__ = [
    "GreedyForwardSelector",
    "GreedyPath",
    "GreedyPrunedMLP",
    "GreedyPrunedMLPClassifier",
    "GreedyPrunedMLPRegressor",
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
    "pretrain_threshold_curve",
    "register_onnx_converters",
    "theory",
]


if not TYPE_CHECKING:  # a type checker would take every name for one of this package's

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = _HOME[name]
        module = importlib.import_module(f".{home or name}", __name__)
        value = module if home is None else getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))
