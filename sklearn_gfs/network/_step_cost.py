"""
The cost of a second-order step, in multiplications and bytes, and whether it is low enough for a default.

Sizes in, costs out; the steps themselves are in ``_second_order``.
"""

from __future__ import annotations

import math

from sklearn_gfs._chunks import working_memory

from ._data import CHUNK_ROWS
from ._objective import Shape, has_few_rows

# Number of samples per column of the Jacobian over which the curvature of a step is summed. Each step takes other
# samples.
_SAMPLES_A_COLUMN = 4
# Largest number of parameters, or of rows of the Jacobian, for which the steps are a default.
_MOST_PARAMETERS = 1500
# Largest number of floating-point operations in a pass over the samples for which the steps are a default.
_MOST_OPERATIONS = 2e9
# Largest number of multiplications for the curvature of a step with classes. A hundred more expensive steps would take
# many times the time of all gradient updates.
_MOST_OF_CLASSES = 1e9
# The same for steps that are tried after gradient updates: if the Jacobian has few rows, and if not.
_MOST_TRIED = 4e9
_MOST_TRIED_OF_MANY = 3e8
# Number of multiplications that is added to this limit for each element of the inputs, if the Jacobian has few rows.
# Features are then many, and gradient updates take long, too.
_MORE_A_NUMBER = 2000
# Number of square matrices in memory at once, with a row for each parameter or for each row of the Jacobian.
_MATRICES = 4


def samples_of_a_step(shape: Shape) -> int:
    """Return the number of samples over which the curvature of a step is summed."""
    return max(_SAMPLES_A_COLUMN * shape.n_columns, CHUNK_ROWS)


def serves(
    shape: Shape, n_samples: int, *, classes: bool, few_entries: bool = False, after_updates: bool = False
) -> bool:
    """
    Whether Levenberg-Marquardt steps are cheap enough for a default, or to be tried after gradient updates.

    If few inputs differ from zero, gradient updates cost much less than steps. With more parameters than rows of the
    Jacobian gradient updates also give a lower loss: each weight depends on the few samples that have the feature.
    """
    if few_entries and has_few_rows(shape, n_samples):
        return False
    few = min(shape.n_parameters, n_samples * shape.n_outputs) <= _MOST_PARAMETERS
    fits = bytes_of_matrices(shape, n_samples) <= working_memory()
    passes = 6.0 * n_samples * shape.n_parameters <= _MOST_OPERATIONS
    most = _most(shape, n_samples, after_updates=after_updates) if classes else math.inf
    return few and fits and passes and multiplications(shape, n_samples) <= most


def _most(shape: Shape, n_samples: int, *, after_updates: bool) -> float:
    """Return the largest number of multiplications for the curvature of a step with classes."""
    if has_few_rows(shape, n_samples):
        most = _MOST_OF_CLASSES + _MORE_A_NUMBER * float(n_samples * shape.n_outputs * shape.n_features)
        return max(most, _MOST_TRIED) if after_updates else most
    if shape.n_outputs == 1:
        return _MOST_OF_CLASSES
    return _MOST_TRIED_OF_MANY if after_updates else 0.0  # the curvature is more than one matrix product


def multiplications(shape: Shape, n_samples: int) -> float:
    """Return the number of multiplications for the curvature, or for the equations of the Jacobian's rows."""
    if has_few_rows(shape, n_samples):
        n_rows = n_samples * shape.n_outputs
        return float(n_rows**2 * (n_rows + shape.n_features + 2 * shape.n_hidden))
    n_rows = min(n_samples, samples_of_a_step(shape)) * shape.n_outputs
    return float(n_rows * shape.n_parameters**2)


def bytes_of_matrices(shape: Shape, n_samples: int) -> float:
    """Return the memory of a step, in bytes."""
    if has_few_rows(shape, n_samples):
        n_rows = n_samples * shape.n_outputs
        return 8.0 * n_rows * (_MATRICES * n_rows + 2 * shape.n_features + 4 * shape.n_hidden)
    return _MATRICES * 8.0 * shape.n_parameters**2
