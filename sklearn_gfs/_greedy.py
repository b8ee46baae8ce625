"""
Greedy forward selection with replacement: what is asked for, checked, and the search that answers it.

Here belong the public function, its validation, and the choice of what to compute when. The inner products
come from ``_gram``; the loops over atoms are in ``_greedy_kernels``.
"""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from scipy import sparse

from ._gram import ArrayAtoms, Float64Array, SparseAtoms, StackedAtoms
from ._squared_error import SquaredErrorSearch
from ._typing import GreedyPath


def greedy_forward_selection(
    atoms: Any,
    y: Any,
    k: int,
    *,
    output_weights: Any = None,
    loss: str = "squared_error",
    from_logits: bool = True,
    hull: str = "convex",
    radius: float | str | None = None,
    sample_weight: Any = None,
    offset: Any = None,
    tol: float | None = None,
) -> GreedyPath:
    """
    Pick atoms one by one, with replacement, so that each pick minimises the loss of the mean of all picks.

    Parameters
    ----------
    atoms : array-like of shape (n_samples, n_atoms) or (n_samples, n_atoms, n_outputs)
        Outputs of the atoms.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    k : int
        Number of picks.
    output_weights : array-like of shape (n_atoms, n_outputs), default=None
        Atom i is the outer product of column i of ``atoms`` and row i of these.
    loss : {"squared_error"}, default="squared_error"
        Loss to be minimised.
    from_logits : bool, default=True
        For the log loss only.
    hull : {"convex", "l1"}, default="convex"
        Whether the mean of the picks or a combination within an l1 ball approximates y.
    radius : float, default=None
        Radius of the l1 ball.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples.
    offset : array-like of shape (n_outputs,), default=None
        Added to the mean of the picks.
    tol : float, default=None
        Stop once the gap is at most this.

    Returns
    -------
    GreedyPath
        Picks, losses, gaps, counts and weights.
    """
    k, tolerance = check_stopping(k, tol)
    if loss != "squared_error":
        raise ValueError(f"loss={loss!r} is not known; it must be 'squared_error'")
    source = _check_source(atoms, y, output_weights, sample_weight, offset)
    signed, length = check_hull(hull, radius, n_targets=1 if source.output_weights is not None else source.n_targets)
    return SquaredErrorSearch(source, k, signed=signed, radius=length, tol=tolerance).run()


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
    if not np.isfinite(value) or value < 0 or (exclusive and value == 0):
        raise ValueError(f"{name}={value!r} must be {allowed}")
    return float(value)


def _check_floats(name: str, value: Any, *, shape: str, ndims: tuple[int, ...]) -> Any:
    """Return a float32 or float64 array of an allowed number of dimensions, read in place where it can be."""
    array = np.asanyarray(value)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} has dtype {array.dtype}")
    if array.dtype not in (np.float32, np.float64):
        array = np.asarray(array, dtype=np.float64)
    if array.ndim not in ndims:
        raise ValueError(f"{name} has shape {array.shape}; it must be {shape}")
    return array


def check_atoms(atoms: Any, *, ndims: tuple[int, ...]) -> Any:
    """Return the atoms as an array or a sparse matrix of floats."""
    if not sparse.issparse(atoms):
        shape = "(n_samples, n_atoms)" + " or (n_samples, n_atoms, n_outputs)" * (3 in ndims)
        atoms = _check_floats("atoms", atoms, shape=shape, ndims=ndims)
    if 0 in atoms.shape:
        raise ValueError(f"atoms has shape {atoms.shape}; it must hold at least one sample, one atom and one output")
    return atoms


def check_y(y: Any, *, len_atoms: int, offset: Any = None) -> Float64Array:
    """Return the targets less the offset, (n_samples, n_outputs)."""
    y = _check_floats("y", y, shape="(n_samples,) or (n_samples, n_outputs)", ndims=(1, 2))
    y = y.reshape(len(y), -1).astype(np.float64)
    if len(y) != len_atoms:
        raise ValueError(f"y has {len(y)} samples and atoms has {len_atoms}; they must be the same")
    if offset is not None:
        offset = _check_floats("offset", offset, shape="(n_outputs,)", ndims=(1,))
        if offset.shape != (y.shape[1],):
            raise ValueError(f"offset has shape {offset.shape}; it must be ({y.shape[1]},), one per output of y")
        y -= offset
    if not np.isfinite(y).all():
        raise ValueError("y (less the offset) contains NaN or infinity; it must be finite")
    return y


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


def _check_source(atoms: Any, y: Any, output_weights: Any, sample_weight: Any, offset: Any) -> ArrayAtoms:
    """Check the data against each other and put them where the search can ask for inner products."""
    atoms = check_atoms(atoms, ndims=(2, 3) if output_weights is None else (2,))
    n_samples, n_atoms = atoms.shape[:2]
    y = check_y(y, len_atoms=n_samples, offset=offset)
    weight = check_weight(sample_weight, n_samples)
    if output_weights is not None:
        output_weights = check_output_weights(output_weights, n_atoms, y.shape[1])
    if sparse.issparse(atoms):
        return SparseAtoms(atoms, y, weight, output_weights=output_weights)
    if atoms.ndim == 2:
        return ArrayAtoms(atoms, y, weight, output_weights=output_weights)
    if atoms.shape[2] != y.shape[1]:
        raise ValueError(f"atoms has {atoms.shape[2]} outputs and y has {y.shape[1]}; they must be the same")
    return StackedAtoms(atoms, y, weight)
