"""
Pre-train wide, prune by greedy forward selection, re-train what is left.

The names are resolved on first use: ``import sklearn_gfs`` imports neither torch nor numba. Here stand the public names
and where they live, and nothing that computes.
"""

from __future__ import annotations

import importlib
from typing import Any

from ._version import __version__

# Where each public name lives; modules are imported when one of their names is first asked for.
_HOME = {
    "GreedyForwardSelector": "_selector",
    "GreedyPath": "_typing",
    "GreedyPrunedMLP": "_mlp",
    "GreedyPrunedMLPClassifier": "_mlp_classifier",
    "GreedyPrunedMLPRegressor": "_mlp_regressor",
    "PathPoint": "_typing",
    "PretrainThresholdDisplay": "_plot",
    "PretrainThresholdSearch": "_search",
    "ScalingFit": "_curve_laws",
    "SelectionPathDisplay": "_plot_selection",
    "SelectionStatistics": "_statistics",
    "ThresholdCurve": "_curve",
    "ThresholdScalingDisplay": "_plot_scaling",
    "greedy_forward_selection": "_greedy",
    "pretrain_threshold_curve": "_curve",
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
