"""
The packages that only training needs, and what is said where one of them is missing.

A fitted model is used without them, so that nothing imports them before something is computed that needs them.
"""

from __future__ import annotations

from typing import Any

from sklearn_gfs._collecting import garbage_later


def numba_for(purpose: str) -> Any:
    """
    Return numba.

    Raises
    ------
    ModuleNotFoundError
        If numba is not installed.
    """
    try:
        with garbage_later():
            import numba
    except ModuleNotFoundError as error:
        raise _explained(error, purpose) from error
    return numba


def torch_for(purpose: str) -> Any:
    """
    Return torch.

    Raises
    ------
    ModuleNotFoundError
        If torch is not installed.
    """
    try:
        with garbage_later():
            import torch
    except ModuleNotFoundError as error:
        raise _explained(error, purpose) from error
    return torch


def _explained(error: ModuleNotFoundError, purpose: str) -> ModuleNotFoundError:
    """Return the error with advice, or as it is where the package is there and one that it needs is not."""
    if error.name not in ("numba", "torch"):
        return error
    return ModuleNotFoundError(
        f'{purpose} needs {error.name}, which is not installed: pip install "sklearn-gfs[train]" brings it. A fitted '
        "model predicts without.",
        name=error.name,
    )
