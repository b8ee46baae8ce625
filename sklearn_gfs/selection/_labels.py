"""
Labels of any kind, as the columns of the atoms that they stand for, and atoms that come as a list.

Here belongs what ensembles pass to a selection: labels, one array for each model, and probabilities that could be taken
for logits. The checked data of the log loss are made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sklearn_gfs._chunks import row_chunks
from sklearn_gfs._plain import check_one_kind, check_plain, plain_array
from sklearn_gfs._tensors import from_tensor, is_tensor
from sklearn_gfs._typing import Float64Array
from sklearn_gfs._weights import relative_weight

from ._checks import _check_floats, check_atoms, check_output_weights

_ONE_ATOM: dict[str, Any] = {"shape": "(n_samples,) or (n_samples, n_outputs)", "ndims": (1, 2)}
# Largest distance of a sample's sum of probabilities from one: they may have been rounded to a few digits.
_SUM_SLIP = 1e-3


class Classification(NamedTuple):
    """Checked data of the log loss: atoms, output weights, classes, and the weights of the samples."""

    atoms: Any
    output_weights: Float64Array | None
    classes: NDArray[np.int64]
    weight: Float64Array  # (n_samples,), adding up to one, or (1,) where all are the same


def check_classification(atoms: Any, y: Any, output_weights: Any, sample_weight: Any) -> Classification:
    """Check the data of the log loss against each other."""
    if sparse.issparse(atoms):
        raise ValueError("atoms is sparse; with loss='log_loss' it must be dense")
    atoms = check_atoms(atoms, ndims=(2, 3) if output_weights is None else (2,))
    n_samples, n_atoms = atoms.shape[:2]
    if output_weights is not None:
        n_outputs = np.shape(output_weights)[-1] if np.ndim(output_weights) == 2 else 0
        output_weights = check_output_weights(output_weights, n_atoms, n_outputs)
    else:
        n_outputs = atoms.shape[2] if atoms.ndim == 3 else 1
    weight = relative_weight(sample_weight, n_samples)
    if weight is None or (weight == weight[0]).all():
        weight = np.full(1, 1.0 / n_samples)
    else:
        weight /= weight.sum()
    return Classification(atoms, output_weights, _check_classes(y, n_samples, max(n_outputs, 2)), weight)


def _check_classes(y: Any, n_samples: int, n_classes: int) -> NDArray[np.int64]:
    """Return the class of every sample as an index, from labels or from one indicator for each class."""
    y = _check_labels(y, n_samples)
    if y.ndim == 1:
        return _label_columns(y, n_classes, "y")
    numeric = y.dtype.kind in "biuf"
    if y.shape[1] != n_classes or not numeric or not np.isin(y, (0, 1)).all() or (y.sum(axis=1) != 1).any():
        raise ValueError(f"y has shape {y.shape}; with loss='log_loss' it must be one indicator for each class")
    return y.argmax(axis=1)


def indicators_of_labels(y: Any, n_samples: int, n_outputs: int) -> Any:
    """Return the targets; labels beside atoms of several outputs become one indicator for each class."""
    if n_outputs < 2:
        text = next((value for value in np.ravel(_as_array(y))[:1].tolist() if isinstance(value, str | bytes)), None)
        if text is not None:
            raise ValueError(
                f"y holds text, for instance {text!r}, and the atoms have one output; y must hold numbers, or loss be "
                "'log_loss'"
            )
        return y
    labels = _as_array(y)
    if labels.ndim != 1 and labels.shape[1:] != (1,):
        return y
    lead = f"atoms has {n_outputs} outputs and y has 1: y"
    return np.eye(n_outputs)[_label_columns(_check_labels(labels, n_samples), n_outputs, lead)]


def _as_array(y: Any) -> NDArray[Any]:
    check_plain(y=y)
    if sparse.issparse(y):
        raise TypeError("y is sparse; it must be dense, as y.toarray() is")
    array = np.asarray(from_tensor("y", y))
    # NumPy would convert all elements of a list to text if one is text.
    return np.array(y, dtype=object) if array.dtype.kind in "US" and not hasattr(y, "dtype") else array


def _check_labels(y: Any, n_samples: int) -> NDArray[Any]:
    """Return labels, a column of them as one dimension, or a table, as an array of one kind without missing values."""
    y = _as_array(y)
    if y.ndim not in (1, 2):
        raise ValueError(f"y has shape {y.shape}; it must be (n_samples,) or (n_samples, n_classes)")
    if len(y) != n_samples:
        raise ValueError(f"y has {len(y)} samples and atoms has {n_samples}; they must be the same")
    y = np.asarray(y[:, 0] if y.shape[1:] == (1,) else y)
    if y.dtype.kind == "O":
        check_one_kind(y=y)
        y = plain_array(y)
    if y.dtype.kind in "fmM" and np.isnan(y).any():
        raise ValueError("y holds missing values; each sample must have a label")
    if y.dtype.kind == "f" and np.isinf(y).any():
        raise ValueError("y contains infinity; labels must be finite")
    return y


def _label_columns(y: NDArray[Any], n_classes: int, lead: str) -> NDArray[np.int64]:
    """
    Return the column of every label: the labels themselves where they are columns, or their place in sorted order.

    Column indices may lack some classes. Labels may not, because their order does not show which are missing.
    """
    allowed = f"{lead} must hold class indices from 0 to {n_classes - 1}, or labels"
    if y.dtype.kind in "biuf":
        fractions = y[y != np.floor(y)]
        if len(fractions):
            raise ValueError(f"{allowed}; {fractions[0]:g} is neither")
        if ((y >= 0) & (y < n_classes)).all():
            return y.astype(np.int64)
    labels, columns = np.unique(y, return_inverse=True)
    if len(labels) != n_classes:
        shown = [repr(label) for label in labels[: 5 if len(labels) <= 5 else 3].tolist()]
        shown += ["..."] * (len(shown) < len(labels))
        raise ValueError(f"{allowed} of {n_classes} classes; it holds {len(labels)}: {', '.join(shown)}")
    return columns


def stack_atoms(atoms: Any, *, samples_last: bool) -> Any:
    """
    Return atoms that come as a list of arrays, one for each, as one array; anything else as it is.

    ``samples_last``: an atom's samples shall lie one after the other. A list without an array in it is array-like, a
    row for each sample.
    """
    if isinstance(atoms, Mapping) and not sparse.issparse(atoms):  # SciPy's DOK is both
        raise TypeError(f"atoms is a {type(atoms).__name__}; it must be an array or a list, as of its values")
    if not isinstance(atoms, list | tuple) or not any(getattr(atom, "ndim", 0) for atom in atoms):
        return atoms
    keep = not samples_last and all(is_tensor(atom) for atom in atoms)
    checked = [atom if keep else _check_floats(f"atoms[{i}]", atom, **_ONE_ATOM) for i, atom in enumerate(atoms)]
    for i, atom in enumerate(checked):
        if atom.ndim not in _ONE_ATOM["ndims"]:
            raise ValueError(f"atoms[{i}] has shape {tuple(atom.shape)}; it must be {_ONE_ATOM['shape']}")
        if atom.shape != checked[0].shape:
            raise ValueError(
                f"atoms[{i}] has shape {tuple(atom.shape)} and atoms[0] {tuple(checked[0].shape)}; all must be the same"
            )
    if keep:
        import torch

        return torch.stack([atom.detach() for atom in checked], dim=1)
    if not samples_last:
        return np.stack(checked, axis=1)
    stacked = np.empty((len(checked), *checked[0].shape[::-1]), dtype=np.result_type(*checked))
    for place, atom in zip(stacked, checked, strict=True):
        place[...] = atom.T
    return stacked.transpose(-1, *range(stacked.ndim - 1))


def check_layout(atoms: Any, y: Any) -> None:
    """Raise an error if the second axis of the atoms, and not the first, has the number of samples."""
    shape, n_samples = _shape(atoms), (*_shape(y), None)[0]
    if len(shape) > 1 and shape[0] != n_samples == shape[1]:
        raise ValueError(
            f"y has {n_samples} samples and atoms has {shape[0]}, its shape being {shape}. The first axis must "
            "be that of the samples, or atoms a list with an array for each of them."
        )


def _shape(values: Any) -> tuple[int, ...]:
    """Return the shape of an array, or the first two lengths of nested lists."""
    if isinstance(values, list | tuple):
        return (len(values), *(len(part) for part in values[:1] if isinstance(part, list | tuple)))
    return tuple(getattr(values, "shape", ()))


def look_like_probabilities(atoms: Any) -> bool:
    """Whether the outputs of every atom on every sample are a distribution, or shares of the second of two classes."""
    inside = False
    for rows in row_chunks(len(atoms), atoms[0].nbytes):
        block = atoms[rows]
        if not (block.min() >= 0.0 and block.max() <= 1.0 + _SUM_SLIP):
            return False
        if block.ndim == 3 and block.shape[2] > 1:
            inside = True
            if not (np.abs(block.sum(axis=2) - 1.0) <= _SUM_SLIP).all():
                return False
        else:  # zeros and ones alone may be indicators
            inside = inside or bool(((block > 0.0) & (block < 1.0)).any())
    return inside
