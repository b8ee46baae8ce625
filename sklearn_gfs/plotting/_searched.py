"""Values that a display reads from a search: the name of its scores, and predictions for its numbers of picks."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor


def predicted_for(search: Any, predicted: Any) -> list[float] | None:
    """Return the predicted threshold of each number of picks of a search."""
    if predicted is None:
        return None
    k, values = np.asarray(search.k_values_).tolist(), getattr(predicted, "thresholds", predicted)
    values = None if values is None else np.atleast_1d(values).tolist()
    of = np.asarray(getattr(predicted, "k", k)).tolist()
    if values is None or of != k or len(values) != len(k):
        got = "none" if values is None else f"{len(values)} for {of}"
        raise ValueError(f"predicted must hold a threshold for each number of picks of the search, {k}; got {got}.")
    return values


def score_name_of(search: Any) -> str:
    """Return a label with the name of the score and the samples on which it was measured."""
    scoring = search.scoring
    if search.multimetric_:
        name = str(search.refit)
    elif isinstance(scoring, str):
        name = scoring
    elif callable(scoring):
        name = getattr(scoring, "__name__", "score")
    else:
        name = "accuracy" if is_classifier(search) else "R²" if is_regressor(search) else "score"
    part = "held-out folds" if search.score_on == "test" else "training folds"
    plain = name.removeprefix("neg_").replace("_", " ")
    return f"{plain[:1].upper()}{plain[1:]}{', negative' if name != name.removeprefix('neg_') else ''} ({part})"
