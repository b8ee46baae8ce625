"""
What callers may ask of a selection or a path: each check returns its argument in one form, or says what is allowed.

Here belong checks that the function, the statistics and the selector share, and the path's; nothing here computes.
"""

from __future__ import annotations

import numbers
import operator
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ._plain import check_plain
from ._typing import Float64Array


def check_stopping(k: Any, tol: Any) -> tuple[int, float]:
    """Return k and the gap to stop at, or raise an error that names the parameter."""
    if isinstance(k, bool) or not isinstance(k, numbers.Integral):
        raise TypeError(f"k={k!r} must be an integer of at least 1, got {type(k).__name__}")
    if k < 1:
        raise ValueError(f"k={k!r} must be an integer of at least 1")
    return int(k), -1.0 if tol is None else _check_number("tol", tol, exclusive=False)


def check_hull(hull: Any, radius: Any, *, n_targets: int) -> tuple[bool, float | None]:
    """Return whether atoms may be turned around, and the radius (None: to be estimated)."""
    automatic = radius is None or (isinstance(radius, str) and radius == "auto")
    if hull == "convex":
        if not automatic:
            raise ValueError(f"radius={radius!r} needs hull='l1'; with hull='convex' it must be None or 'auto'")
        if n_targets > 1:
            raise ValueError(
                f"y has {n_targets} outputs and the atoms have one; with hull='convex' pass atoms of shape "
                "(n_samples, n_atoms, n_outputs), or output_weights"
            )
        return False, 1.0
    if hull != "l1":
        raise ValueError(f"hull={hull!r} is not known; it must be 'convex' or 'l1'")
    return True, None if automatic else _check_number("radius", radius, exclusive=True)


def _check_number(name: str, value: Any, *, exclusive: bool) -> float:
    allowed = f"a finite number {'above' if exclusive else 'of at least'} 0"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}={value!r} must be {allowed}, got {type(value).__name__}")
    if not np.isfinite(float(value)) or value < 0 or (exclusive and value == 0):
        raise ValueError(f"{name}={value!r} must be {allowed}")
    return float(value)


def _check_floats(name: str, value: Any, *, shape: str, ndims: tuple[int, ...]) -> Any:
    """Return a float32 or float64 array of an allowed number of dimensions, read in place where it can be."""
    check_plain(**{name: value})
    if sparse.issparse(value):
        raise TypeError(f"{name} is sparse; it must be dense")
    if is_tensor(value):
        value = as_floats(name, value).cpu().numpy()
    array = np.asarray(value)
    if array.dtype.kind == "c":  # of a list
        raise ValueError(f"Complex data not supported: {name} has dtype {array.dtype}")
    if array.dtype not in (np.float32, np.float64):
        array = np.asarray(array, dtype=np.float64)
    if array.ndim not in ndims:
        raise ValueError(f"{name} has shape {array.shape}; it must be {shape}")
    return array


def is_tensor(value: Any) -> bool:
    """Whether the value is a torch tensor, without importing torch."""
    return type(value).__module__.partition(".")[0] == "torch"


def as_floats(name: str, tensor: Any) -> Any:
    """Return a tensor of float32 or float64, of any other numbers as float64, where it is if there is float64."""
    check_plain(**{name: tensor})
    if str(tensor.layout) != "torch.strided":
        raise TypeError(f"{name} is a sparse tensor; it must be a dense one or a SciPy sparse matrix")
    tensor = tensor.detach()
    if str(tensor.dtype) in ("torch.float32", "torch.float64"):
        return tensor
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


def check_atoms(atoms: Any, *, ndims: tuple[int, ...], keep_tensor: bool = False) -> Any:
    """Return the atoms as an array or a sparse matrix of floats, or as the tensor they are."""
    shape = "(n_samples, n_atoms)" + " or (n_samples, n_atoms, n_outputs)" * (3 in ndims)
    if keep_tensor and is_tensor(atoms):
        atoms = as_floats("atoms", atoms)
    elif sparse.issparse(atoms):
        check_plain(atoms=atoms)
    else:
        atoms = _check_floats("atoms", atoms, shape=shape, ndims=ndims)
    if atoms.ndim not in (ndims if not sparse.issparse(atoms) else (2,)):
        raise ValueError(f"atoms has shape {tuple(atoms.shape)}; it must be {shape}")
    if 0 in atoms.shape:
        raise ValueError(f"atoms has shape {atoms.shape}; it must hold at least one sample, one atom and one output")
    return atoms


def check_y(y: Any, *, len_atoms: int, offset: Any = None) -> Float64Array:
    """Return the targets less the offset, (n_samples, n_outputs)."""
    y = _check_floats("y", y, shape="(n_samples,) or (n_samples, n_outputs)", ndims=(1, 2))
    y = y.reshape(len(y), -1).astype(np.float64)
    if len(y) != len_atoms:
        raise ValueError(f"y has {len(y)} samples and atoms has {len_atoms}; they must be the same")
    y -= check_offset(offset, y.shape[1])
    if not np.isfinite(y).all():
        raise ValueError("y (less the offset) contains NaN or infinity; it must be finite")
    return y


def check_offset(offset: Any, n_outputs: int) -> Float64Array:
    """Return what is added to the outputs, zero if nothing is asked for."""
    if offset is None:
        return np.zeros(n_outputs)
    offset = _check_floats("offset", offset, shape="(n_outputs,)", ndims=(1,)).astype(np.float64)
    if offset.shape != (n_outputs,):
        raise ValueError(f"offset has shape {offset.shape}; it must be ({n_outputs},), one number per output")
    if not np.isfinite(offset).all():
        raise ValueError("offset contains NaN or infinity; it must be finite")
    return offset


def check_weight(sample_weight: Any, n_samples: int) -> Float64Array | None:
    """Return the weights of the samples, which must not all be zero."""
    if sample_weight is None:
        return None
    weight = _check_floats("sample_weight", sample_weight, shape="(n_samples,)", ndims=(1,)).astype(np.float64)
    if weight.shape != (n_samples,):
        raise ValueError(f"sample_weight has shape {weight.shape}; it must be ({n_samples},)")
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError("sample_weight must be finite and not negative")
    if not weight.any():
        raise ValueError("Sample weights must contain at least one non-zero number: sample_weight is zero everywhere")
    return weight


def check_output_weights(output_weights: Any, n_atoms: int, n_outputs: int) -> Float64Array:
    """Return the output weights, one row per atom and one column per output of y."""
    weights = _check_floats("output_weights", output_weights, shape="(n_atoms, n_outputs)", ndims=(2,))
    if weights.shape != (n_atoms, n_outputs):
        raise ValueError(f"output_weights has shape {weights.shape}; atoms and y say ({n_atoms}, {n_outputs})")
    return weights.astype(np.float64)


def check_classification(
    atoms: Any, y: Any, output_weights: Any, sample_weight: Any
) -> tuple[Any, Float64Array | None, NDArray[np.int64], Float64Array]:
    """Return what a log loss is made of; the weights add up to one, and a single one stands for all the same."""
    if sparse.issparse(atoms):
        raise ValueError(
            "atoms is sparse; with loss='log_loss', whose selection reads every atom on every sample, it must be dense"
        )
    atoms = check_atoms(atoms, ndims=(2, 3) if output_weights is None else (2,))
    n_samples, n_atoms = atoms.shape[:2]
    if output_weights is not None:
        n_outputs = np.shape(output_weights)[-1] if np.ndim(output_weights) == 2 else 0
        output_weights = check_output_weights(output_weights, n_atoms, n_outputs)
    else:
        n_outputs = atoms.shape[2] if atoms.ndim == 3 else 1
    weight = check_weight(sample_weight, n_samples)
    weight = np.full(1, 1.0 / n_samples) if weight is None else weight / weight.sum()
    return atoms, output_weights, _check_classes(y, n_samples, n_outputs), weight


def _check_classes(y: Any, n_samples: int, n_outputs: int) -> NDArray[np.int64]:
    """Return the class of every sample as an index, from indices or from one indicator per class."""
    y = _check_floats("y", y, shape="(n_samples,) or (n_samples, n_classes)", ndims=(1, 2))
    if len(y) != n_samples:
        raise ValueError(f"y has {len(y)} samples and atoms has {n_samples}; they must be the same")
    n_classes = max(n_outputs, 2)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2:
        if y.shape[1] != n_classes or not np.isin(y, (0, 1)).all() or (y.sum(axis=1) != 1).any():
            raise ValueError(f"y has shape {y.shape}; with loss='log_loss' it must be one indicator for each class")
        return y.argmax(axis=1)
    if not np.isin(y, np.arange(n_classes)).all():
        raise ValueError(f"y must hold class indices from 0 to {n_classes - 1} with loss='log_loss'")
    return y.astype(np.int64)


def increasing(n_pretrain: Iterable[int]) -> Iterator[int]:
    """Yield the numbers of iterations as they are asked for, making sure that they increase."""
    last = -1
    for value in n_pretrain:
        n_iterations = operator.index(value)
        if n_iterations <= last:
            raise ValueError(
                f"n_pretrain must hold non-negative integers that increase; got {n_iterations} after {last}."
                if last >= 0
                else f"n_pretrain must hold non-negative integers; got {n_iterations}."
            )
        last = n_iterations
        yield n_iterations
