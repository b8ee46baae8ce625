"""
How much pre-training is enough: `PretrainThresholdSearch` and `pretrain_threshold_curve`.

They work with any estimator that has `fit_path`, so nothing here knows of networks or of selections. What is drawn of
them belongs in `plotting`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn_gfs._lazy import lazy_names

if TYPE_CHECKING:
    from ._curve import pretrain_threshold_curve
    from ._laws import ScalingFit, fit_law
    from ._scaling import ThresholdCurve, threshold_curve
    from ._threshold import PretrainThresholdSearch

_HOME = {
    "PretrainThresholdSearch": "_threshold",
    "ScalingFit": "_laws",
    "ThresholdCurve": "_scaling",
    "fit_law": "_laws",
    "pretrain_threshold_curve": "_curve",
    "threshold_curve": "_scaling",
}

__all__ = [
    "PretrainThresholdSearch",
    "ScalingFit",
    "ThresholdCurve",
    "fit_law",
    "pretrain_threshold_curve",
    "threshold_curve",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, _HOME)
