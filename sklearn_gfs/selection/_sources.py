"""
Samples as they come from a caller, checked against each other, and the sources of inner products made of them.

Here is decided which class reads which kind of atoms, and how many threads a selection takes.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sklearn_gfs._tensors import is_tensor
from sklearn_gfs._threads import threads_for
from sklearn_gfs._typing import Float64Array
from sklearn_gfs._weights import relative_weight

from ._checks import check_atoms, check_offset, check_output_weights, check_y
from ._gram import ArrayAtoms
from ._gram_computed import ComputedRows
from ._gram_layouts import SparseAtoms, StackedAtoms
from ._gram_torch import TorchAtoms
from ._labels import indicators_of_labels

# Approximate number of operations of linear algebra in a selection for each value of the atoms.
_READINGS = 20.0


class Regression(NamedTuple):
    """Checked data of the squared error: atoms, targets less the offset, weights of samples, output weights, offset."""

    atoms: Any
    y: Float64Array
    weight: Float64Array | None
    output_weights: Float64Array | None
    offset: Float64Array


def check_regression(atoms: Any, y: Any, output_weights: Any, sample_weight: Any, offset: Any) -> Regression:
    """Check the data of the squared error against each other."""
    if not isinstance(atoms, ComputedRows):
        atoms = check_atoms(atoms, ndims=(2, 3) if output_weights is None else (2,), keep_tensor=True)
    n_samples, n_atoms = atoms.shape[:2]
    n_outputs = atoms.shape[2] if atoms.ndim == 3 else 1
    if np.ndim(output_weights) == 2:
        n_outputs = np.shape(output_weights)[1]
    y = indicators_of_labels(y, n_samples, n_outputs)
    y = check_y(y, len_atoms=n_samples, offset=offset)
    weight = relative_weight(sample_weight, n_samples)
    if output_weights is not None:
        output_weights = check_output_weights(output_weights, n_atoms, y.shape[1])
    if atoms.ndim == 3 and atoms.shape[2] != y.shape[1]:
        raise ValueError(f"atoms has {atoms.shape[2]} outputs and y has {y.shape[1]}; they must be the same")
    return Regression(atoms, y, weight, output_weights, check_offset(offset, y.shape[1]))


def source_of(
    atoms: Any, y: Float64Array, weight: Float64Array | None, output_weights: Float64Array | None = None
) -> ArrayAtoms:
    """Return the source of inner products of these samples."""
    if sparse.issparse(atoms):
        return SparseAtoms(atoms, y, weight, output_weights=output_weights)
    if isinstance(atoms, ComputedRows):
        return atoms.source(y, weight, output_weights)
    if is_tensor(atoms):
        return TorchAtoms(atoms, y, weight, output_weights=output_weights)
    if atoms.ndim == 2:
        return ArrayAtoms(atoms, y, weight, output_weights=output_weights)
    return StackedAtoms(atoms, y, weight)


def threads_to_select(n_values: int) -> AbstractContextManager[None]:
    """Return a context with all threads of linear algebra, or one if a selection of this size can't keep them busy."""
    return threads_for(_READINGS * n_values)
