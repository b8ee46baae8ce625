"""
Whether targets are continuous or labels, inferred from their values.

Here belongs the one rule for that, and what to tell the user where it may be wrong; how targets are encoded is the
estimators' part.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from ._compat import type_of_target
from ._plain import plain_array

# GreedyPrunedMLP takes whole numbers stored as floats for measurements, not labels, where there are more distinct
# values than the first and fewer samples to each than the second.
_MANY_VALUES = 20
_FEW_SAMPLES_EACH = 5


def holds_numbers(y: Any) -> bool:
    """Whether y is fitted as continuous targets rather than as classes."""
    y = dense_column(y)
    values = y if sparse.issparse(y) else plain_array(y)
    stored = y.tocsr().data if sparse.issparse(y) else values
    if stored.dtype.kind == "f" and not np.isfinite(stored).all():
        return True  # no label is infinite; the validation of continuous targets raises the error
    if values.dtype.kind == "f" and _is_column(values):
        n_distinct = len(np.unique(values))
        if n_distinct > _MANY_VALUES and values.shape[0] < _FEW_SAMPLES_EACH * n_distinct:
            return True
    kind = type_of_target(y if values.dtype.kind == "O" else values)
    return kind.startswith("continuous") or (kind == "multiclass-multioutput" and values.dtype.kind in "iuf")


def doubt_about(y: Any, *, numbers: bool) -> str | None:
    """Return the text of a warning if y may be of the other kind than the one it is taken for, else None."""
    values = None if sparse.issparse(y) else plain_array(y)
    if values is None or values.dtype.kind not in "iuf" or not _is_column(values):
        return None
    distinct = np.unique(values)
    if len(distinct) <= _MANY_VALUES or (distinct != np.floor(distinct)).any():
        return None
    # Labels are usually numbered from zero or one, without gaps; measurements have gaps.
    like_labels = distinct[0] in (0, 1) and distinct[-1] - distinct[0] == len(distinct) - 1
    if not numbers and not like_labels:
        return (
            f"y holds {len(distinct)} different whole numbers, which are taken for labels. Use "
            "GreedyPrunedMLPRegressor if they are numbers, and GreedyPrunedMLPClassifier if they are labels."
        )
    if numbers and like_labels and len(values) >= 2 * len(distinct):
        return (
            f"y holds the whole numbers from {distinct[0]:.0f} to {distinct[-1]:.0f}, stored as floats, each in few "
            "samples; they are taken for numbers. Use GreedyPrunedMLPClassifier if they are labels, and "
            "GreedyPrunedMLPRegressor if they are numbers."
        )
    return None


def dense_column(y: Any) -> Any:
    """Return a sparse matrix of one column as an array, anything else as it is."""
    return y.toarray() if sparse.issparse(y) and y.shape[1] == 1 else y


def _is_column(values: Any) -> bool:
    return values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1 and not sparse.issparse(values))
