"""
Corrective selections at several ridges, from arrays.

Here is decided what is re-solved for which kind of atoms; the search is in ``_corrective``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._threads import threads_for
from sklearn_gfs._typing import Float64Array

from ._checks import check_offset, check_ridges, check_stopping
from ._corrective import CorrectiveSearch
from ._corrective_log_loss import Logits, LogLossCorrection, moments_of
from ._corrective_path import CorrectivePath, LoggedPath
from ._gram_centred import CentredAtoms, beside_ones
from ._labels import check_classification
from ._sources import Samples, check_samples, source_of

# A selection makes about so many operations of linear algebra with each number of the atoms.
_READINGS = 20.0


def corrective_paths(
    atoms: Any,
    y: Any,
    k: int,
    ridges: Iterable[float],
    *,
    output_weights: Any = None,
    sample_weight: Any = None,
    offset: Any = None,
    tol: float | None = None,
    loss: str = "squared_error",
) -> list[CorrectivePath] | list[LoggedPath]:
    """
    Make the corrective selection at several ridges, which for the squared error share their inner products.

    Parameters
    ----------
    atoms, y, k, output_weights, sample_weight, offset, tol, loss
        As in ``greedy_forward_selection``; for the log loss atoms are logits.
    ridges : iterable of float
        Shares of the mean diagonal of the Gram matrix, in any order.

    Returns
    -------
    list of CorrectivePath or LoggedPath
        One for each ridge, in their order; for the log loss without effective degrees of freedom.
    """
    k, tolerance = check_stopping(k, tol)
    checked_ridges = check_ridges(ridges)
    if loss == "log_loss":
        checked = check_classification(atoms, y, output_weights, sample_weight)
        return logged_paths(*checked, k, checked_ridges, tolerance, offset)
    if loss != "squared_error":
        raise ValueError(f"loss={loss!r} is not known; it must be 'squared_error' or 'log_loss'")
    samples = check_samples(atoms, y, output_weights, sample_weight, offset)
    return paths_of(samples, k, checked_ridges, tolerance)


def logged_paths(
    atoms: Any,
    output_weights: Any,
    classes: NDArray[np.int64],
    weight: Float64Array,
    k: int,
    ridges: list[float],
    tol: float,
    offset: Any,
) -> list[LoggedPath]:
    """Make the selections for the log loss; `weight` is one for all samples, or one for each."""
    weight = np.broadcast_to(weight, len(atoms)).copy()
    free = output_weights is not None
    n_outputs = int(output_weights.shape[1]) if free else int(np.prod(atoms.shape[2:]))
    with threads_for(_READINGS * atoms.size * n_outputs):
        means, norms = moments_of(atoms, weight, free_intercept=free)
        logits = Logits(atoms, means, norms, classes, weight, check_offset(offset, n_outputs))
        return [LogLossCorrection(logits, k, ridge).run(tol) for ridge in ridges]


def paths_of(samples: Samples, k: int, ridges: list[float], tol: float) -> list[CorrectivePath]:
    """Make the selections of checked samples; a negative `tol` asks for no certificate."""
    atoms, y, weight, output_weights, offset = samples
    with threads_for(_READINGS * y.shape[0] * atoms.shape[1] * y.shape[1]):
        if output_weights is None:
            source: Any = source_of(atoms, y, weight)
            base, flat = offset, source.n_targets == 1
        else:
            targets, mean = beside_ones(y, weight)
            source, base, flat = CentredAtoms(source_of(atoms, targets, weight)), offset + mean, False
        free, tolerance = output_weights is not None, None if tol < 0 else tol
        return CorrectiveSearch(source, k, base=base, free_intercept=free, flat=flat, tol=tolerance).paths(ridges)
