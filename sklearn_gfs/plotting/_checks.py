"""Checks of the displays' arguments: each returns its argument, or raises an error that says what is allowed."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np


def as_numbers(name: str, values: Any, shape: tuple[int | str, ...], like: str = "") -> Any:
    """Return an array of floats; a name in `shape` means any length. `like` names an argument of the same shape."""
    told = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
    what = f"of shape ({told})" + f", as {like} is" * bool(like)
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array of numbers {what}, got {type(values).__name__}") from error
    if array.ndim != len(shape) or any(isinstance(n, int) and n != m for n, m in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{name} must be {what}, got {array.shape}")
    return array


def as_number(name: str, value: Any) -> Any:
    """Return a float, or None if the value is None."""
    if value is None or isinstance(value, numbers.Real):
        return value
    if np.ndim(value):
        raise ValueError(f"{name} must be a single number, got an array of shape {np.shape(value)}")
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a single number, got {type(value).__name__}") from error


def as_bounds(upper_bounds: Any, n_picks: int) -> dict[str, Any]:
    """Return bounds on the losses after each pick, by name."""
    if upper_bounds is None:
        return {}
    if hasattr(upper_bounds, "upper_bounds"):
        return dict(upper_bounds.upper_bounds(np.arange(1, n_picks + 1)))
    if not hasattr(upper_bounds, "items"):
        raise TypeError(
            f"upper_bounds must be a dict of names to arrays, or NetworkBounds, got {type(upper_bounds).__name__}"
        )
    named = {name: f"upper_bounds[{name!r}]" for name, _ in upper_bounds.items()}
    return {name: as_numbers(named[name], bound, (n_picks,), "losses") for name, bound in upper_bounds.items()}


def check_fit(name: str, fit: Any) -> None:
    """Raise an error if a law is neither None nor a `ScalingFit`."""
    if fit is not None and not all(hasattr(fit, part) for part in ("coef", "r2", "predict", "band")):
        raise TypeError(f"{name} must be a ScalingFit, got {type(fit).__name__}")


def check_grid(
    n_pretrain: Any, k: Any, scores: Any, *, dense_scores: Any, thresholds: Any, target_score: Any, predicted: Any
) -> None:
    """Raise an error if the shapes of scores or predictions do not fit the numbers of iterations and picks."""
    values = as_numbers("n_pretrain", n_pretrain, ("n_budgets",))
    if np.ndim(k) != 1:
        raise ValueError(f"k must be of shape (n_sizes,), got {np.shape(k)}")
    as_numbers("scores", scores, (len(values), len(k), "n_folds"))
    if dense_scores is not None:
        as_numbers("dense_scores", dense_scores, (len(values), "n_folds"))
    if thresholds is not None:
        as_numbers("thresholds", thresholds, (len(k),), "k")
        unknown = [threshold for threshold in thresholds if threshold is not None and threshold not in values]
        if unknown:
            raise ValueError(f"thresholds must hold values of n_pretrain or None, got {unknown[0]:g}")
    as_number("target_score", target_score)
    if predicted is not None:
        as_numbers("predicted", predicted, (len(k),), "k")
