"""
What a second-order step costs, in multiplications and bytes, and whether that is little enough to be a default.

Sizes in, numbers out; the steps themselves are in ``_second_order``.
"""

from __future__ import annotations

from sklearn_gfs._chunks import working_memory

from ._data import CHUNK_ROWS
from ._objective import Shape, has_few_rows

# The curvature is summed over so many samples for each column of the Jacobian, others in every step.
_SAMPLES_A_COLUMN = 4
# By default the parameters, or the Jacobian's rows, are at most so many, and a pass over the samples takes at most so
# many operations.
_MOST_PARAMETERS, _MOST_OPERATIONS = 1500, 2e9
# With classes the curvature of a step takes at most so many multiplications. A hundred steps of more take many times as
# long as all gradient updates. Where the Jacobian has few rows, features are many, and all training takes long. The
# limit is then higher by the second number for each row and feature.
_MOST_OF_CLASSES, _MORE_A_NUMBER = 1e9, 2000
# Matrices, of a row for each parameter or for each of the Jacobian's rows, that are in memory at once.
_MATRICES = 4


def samples_of_a_step(shape: Shape) -> int:
    """Return how many samples say enough of the curvature."""
    return max(_SAMPLES_A_COLUMN * shape.n_columns, CHUNK_ROWS)


def serves(shape: Shape, n_samples: int, *, classes: bool, few_entries: bool = False) -> bool:
    """
    Say whether Levenberg-Marquardt steps are cheap enough to be made by default.

    Where few inputs differ from zero, gradient updates cost much less than steps. With more parameters than rows of the
    Jacobian they also do better: each weight depends on the few samples that have the feature.
    """
    if few_entries and has_few_rows(shape, n_samples):
        return False
    few = min(shape.n_parameters, n_samples * shape.n_outputs) <= _MOST_PARAMETERS
    fits = bytes_of_matrices(shape, n_samples) <= working_memory()
    passes = 6.0 * n_samples * shape.n_parameters <= _MOST_OPERATIONS
    n_numbers = n_samples * shape.n_outputs * shape.n_features if has_few_rows(shape, n_samples) else 0
    most = _MOST_OF_CLASSES + _MORE_A_NUMBER * n_numbers
    return few and fits and passes and (not classes or _multiplications(shape, n_samples) <= most)


def _multiplications(shape: Shape, n_samples: int) -> float:
    """Return those of the curvature, or of the equations that the Jacobian's rows make."""
    if has_few_rows(shape, n_samples):
        n_rows = n_samples * shape.n_outputs
        return float(n_rows**2 * (n_rows + shape.n_features + 2 * shape.n_hidden))
    n_rows = min(n_samples, samples_of_a_step(shape)) * shape.n_outputs
    return float(n_rows * shape.n_parameters**2)


def bytes_of_matrices(shape: Shape, n_samples: int) -> float:
    """Return the bytes that a step needs at once."""
    if has_few_rows(shape, n_samples):
        n_rows = n_samples * shape.n_outputs
        return 8.0 * n_rows * (_MATRICES * n_rows + 2 * shape.n_features + 4 * shape.n_hidden)
    return _MATRICES * 8.0 * shape.n_parameters**2
