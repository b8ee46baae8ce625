"""
Selections from means over samples, with checked arguments.

Here is decided which source of inner products, and which search, a selection without samples takes.
"""

from __future__ import annotations

from sklearn_gfs._typing import Float64Array, GreedyPath

from ._corrective import CorrectiveSearch
from ._corrective_path import CorrectivePath, Fitted
from ._gram_sums import corrective_sums, sums_about
from ._sample_moments import SampleMoments
from ._squared_error import SquaredErrorSearch
from ._standardized import standardized_moments

_NONE_VARIES = "no atom varies over the samples; at least one must"


def select_from(
    moments: SampleMoments,
    k: int,
    tol: float,
    *,
    weights: Float64Array | None,
    signed: bool,
    radius: float | None,
    standardize: bool,
) -> GreedyPath:
    """Select in a hull of the atoms; `weights` are the output weights of neurons."""
    if standardize:
        columns = standardized_moments(moments, refusal=_NONE_VARIES)
        return columns.of_all(SquaredErrorSearch(columns.source, k, signed=signed, radius=radius, tol=tol).run())
    # The weights of a mean add up to one: what is taken off atoms and y alike makes no difference.
    pivot = 0.0 if signed or weights is not None else float(moments.mean_y[0])
    return SquaredErrorSearch(sums_about(pivot, moments, weights), k, signed=signed, radius=radius, tol=tol).run()


def correct_from(
    moments: SampleMoments, k: int, tol: float, *, neurons: bool, ridge: float, standardize: bool
) -> GreedyPath:
    """Make the corrective selection at one ridge."""
    if not standardize:
        return _corrective_search(moments, k, tol, neurons=neurons).warned(ridge)
    columns = standardized_moments(moments, refusal=_NONE_VARIES)
    fitted = Fitted.columns(moments.mean_y, len(moments.mean_y))
    return columns.of_all(CorrectiveSearch(columns.source, k, fitted, tol).warned(ridge))


def paths_from(
    moments: SampleMoments, k: int, tol: float, *, neurons: bool, ridges: list[float]
) -> list[CorrectivePath]:
    """Make the corrective selection at several ridges."""
    return _corrective_search(moments, k, tol, neurons=neurons).paths(ridges)


def _corrective_search(moments: SampleMoments, k: int, tol: float, *, neurons: bool) -> CorrectiveSearch:
    source, fitted = corrective_sums(moments, neurons=neurons)
    return CorrectiveSearch(source, k, fitted, tol)
