"""
Warnings that name the user's line, however many calls of this package and of scikit-learn lie between.

Every warning that more than one public call can lead to goes this way.
"""

from __future__ import annotations

import inspect
import warnings

# Whose calls are passed over: between the user and this package there are wrappers, pipelines and searches.
_BETWEEN = {__package__, "sklearn"}


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn at the innermost line that belongs neither to this package nor to scikit-learn."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
