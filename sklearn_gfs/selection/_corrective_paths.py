"""
Corrective selections for the squared error at several ridges, from arrays.

Here is decided what is re-solved for which kind of atoms; the search is in ``_corrective``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._checks import check_ridges, check_stopping
from ._corrective import CorrectiveSearch
from ._corrective_path import CorrectivePath, Fitted
from ._gram_centred import CentredAtoms, beside_ones
from ._protocol import Source
from ._sources import Regression, check_regression, source_of, threads_to_select


def corrective_paths(
    atoms: Any,
    y: Any,
    k: int,
    ridges: Iterable[float],
    *,
    output_weights: Any = None,
    sample_weight: Any = None,
    tol: float | None = None,
) -> list[CorrectivePath]:
    """
    Make the corrective selection at several ridges, which share their inner products.

    Parameters
    ----------
    atoms, y, k, output_weights, sample_weight, tol
        As in ``greedy_forward_selection``.
    ridges : iterable of float
        Shares of the mean diagonal of the Gram matrix, in any order.

    Returns
    -------
    list of CorrectivePath
        One for each ridge, in their order.
    """
    k, tolerance = check_stopping(k, tol)
    checked_ridges = check_ridges(ridges)
    return paths_of(check_regression(atoms, y, output_weights, sample_weight, None), k, checked_ridges, tolerance)


def paths_of(data: Regression, k: int, ridges: list[float], tol: float) -> list[CorrectivePath]:
    """Make the selections of checked data; a negative `tol` asks for no certificate."""
    atoms, y, weight, output_weights, offset = data
    with threads_to_select(y.shape[0] * atoms.shape[1] * y.shape[1]):
        if output_weights is None:
            source: Source = source_of(atoms, y, weight)
            fitted = Fitted.columns(offset, source.n_targets)
        else:
            targets, mean = beside_ones(y, weight)
            source, fitted = CentredAtoms(source_of(atoms, targets, weight)), Fitted.neurons(offset + mean)
        return CorrectiveSearch(source, k, fitted, tol).paths(ridges)
