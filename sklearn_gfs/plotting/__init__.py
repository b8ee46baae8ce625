"""
The displays: pictures of a search, of a selection and of a curve.

They hold arrays and draw them. Nothing here computes what is drawn; matplotlib is imported when something is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn_gfs._lazy import lazy_names

if TYPE_CHECKING:
    from ._loss import LossCurveDisplay
    from ._scaling import ThresholdScalingDisplay
    from ._selection import SelectionPathDisplay
    from ._style import COLOURS
    from ._threshold import PretrainThresholdDisplay

_HOME = {
    "COLOURS": "_style",
    "LossCurveDisplay": "_loss",
    "PretrainThresholdDisplay": "_threshold",
    "SelectionPathDisplay": "_selection",
    "ThresholdScalingDisplay": "_scaling",
}

__all__ = [
    "COLOURS",
    "LossCurveDisplay",
    "PretrainThresholdDisplay",
    "SelectionPathDisplay",
    "ThresholdScalingDisplay",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, _HOME)
