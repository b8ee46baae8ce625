"""
How much pre-training is enough: `PretrainThresholdSearch` and `pretrain_threshold_curve`.

They work with any estimator that has `fit_path`, so nothing here depends on networks or selections. Displays belong in
`plotting`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn_gfs._lazy import lazy_names

if TYPE_CHECKING:
    from ._curve import pretrain_threshold_curve
    from ._laws import ScalingFit
    from ._scaling import ThresholdCurve
    from ._threshold import PretrainThresholdSearch

_HOME = {
    "PretrainThresholdSearch": "_threshold",
    "ScalingFit": "_laws",
    "ThresholdCurve": "_scaling",
    "pretrain_threshold_curve": "_curve",
}

__all__ = [
    "PretrainThresholdSearch",
    "ScalingFit",
    "ThresholdCurve",
    "pretrain_threshold_curve",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, _HOME)
