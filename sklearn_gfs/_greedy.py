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

from ._gram import ArrayAtoms, SparseAtoms, StackedAtoms
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
    k = check_count("k", k)
    tol = -1.0 if tol is None else check_number("tol", tol, minimum=0.0)
    if loss != "squared_error":
        raise ValueError(f"loss={loss!r} is not known; it must be 'squared_error'")
    if hull not in ("convex", "l1"):
        raise ValueError(f"hull={hull!r} is not known; it must be 'convex' or 'l1'")
    source = _check_source(atoms, y, output_weights, sample_weight, offset)
    if hull == "convex":
        if radius not in (None, "auto"):
            raise ValueError(f"radius={radius!r} needs hull='l1'; with hull='convex' it must be None")
        if source.n_targets > 1 and source.output_weights is None:
            raise ValueError(
                f"y has {source.n_targets} outputs and the atoms have one; with hull='convex' pass atoms of shape "
                "(n_samples, n_atoms, n_outputs), or output_weights"
            )
        radius = 1.0
    else:
        radius = None if radius in (None, "auto") else check_number("radius", radius, minimum=0.0, exclusive=True)
    return SquaredErrorSearch(source, k, signed=hull == "l1", radius=radius, tol=tol).run()


def check_count(name: str, value: Any) -> int:
    """Return an integer of at least 1, or raise an error that names the parameter."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}={value!r} must be an integer of at least 1, got {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name}={value!r} must be an integer of at least 1")
    return int(value)


def check_number(name: str, value: Any, *, minimum: float, exclusive: bool = False) -> float:
    """Return a finite float above the minimum, or raise an error that names the parameter."""
    allowed = f"a finite number {'above' if exclusive else 'of at least'} {minimum:g}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}={value!r} must be {allowed}, got {type(value).__name__}")
    if not np.isfinite(value) or value < minimum or (exclusive and value == minimum):
        raise ValueError(f"{name}={value!r} must be {allowed}")
    return float(value)


def _check_floats(name: str, value: Any, *, shapes: str, ndims: tuple[int, ...]) -> Any:
    """Return a float32 or float64 array of an allowed number of dimensions, read in place where it can be."""
    array = np.asanyarray(value)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} has dtype {array.dtype}")
    if array.dtype not in (np.float32, np.float64):
        array = np.asarray(array, dtype=np.float64)
    if array.ndim not in ndims:
        raise ValueError(f"{name} has shape {array.shape}; it must be {shapes}")
    return array


def _check_source(atoms: Any, y: Any, output_weights: Any, sample_weight: Any, offset: Any) -> ArrayAtoms:
    """Check the data against each other and put them where the search can ask for inner products."""
    if not sparse.issparse(atoms):
        shapes = "(n_samples, n_atoms) or (n_samples, n_atoms, n_outputs)"
        atoms = _check_floats("atoms", atoms, shapes=shapes, ndims=(2, 3))
    if 0 in atoms.shape:
        raise ValueError(f"atoms has shape {atoms.shape}; it must hold at least one sample, one atom and one output")
    n_samples, n_atoms = atoms.shape[:2]
    y = _check_floats("y", y, shapes="(n_samples,) or (n_samples, n_outputs)", ndims=(1, 2))
    y = y.reshape(len(y), -1).astype(np.float64)
    if len(y) != n_samples:
        raise ValueError(f"y has {len(y)} samples and atoms has {n_samples}; they must be the same")
    n_outputs = y.shape[1]
    if offset is not None:
        offset = _check_floats("offset", offset, shapes="(n_outputs,)", ndims=(1,))
        if offset.shape != (n_outputs,):
            raise ValueError(f"offset has shape {offset.shape}; it must be ({n_outputs},), one number per output of y")
        y -= offset
    if not np.isfinite(y).all():
        raise ValueError("y (less the offset) contains NaN or infinity; it must be finite")
    if sample_weight is not None:
        sample_weight = _check_floats("sample_weight", sample_weight, shapes="(n_samples,)", ndims=(1,))
        sample_weight = sample_weight.astype(np.float64)
        if sample_weight.shape != (n_samples,):
            raise ValueError(f"sample_weight has shape {sample_weight.shape}; it must be ({n_samples},)")
        if not np.isfinite(sample_weight).all() or (sample_weight < 0).any() or not sample_weight.any():
            raise ValueError("sample_weight must be finite, not negative, and not zero everywhere")
    if output_weights is not None:
        output_weights = _check_floats("output_weights", output_weights, shapes="(n_atoms, n_outputs)", ndims=(2,))
        if atoms.ndim != 2 or output_weights.shape != (n_atoms, n_outputs):
            raise ValueError(
                f"output_weights has shape {output_weights.shape}, atoms {atoms.shape} and y {n_outputs} outputs; they "
                "must be (n_atoms, n_outputs) and (n_samples, n_atoms)"
            )
        output_weights = output_weights.astype(np.float64)
    if atoms.ndim == 3:
        if atoms.shape[2] != n_outputs:
            raise ValueError(f"atoms has {atoms.shape[2]} outputs and y has {n_outputs}; they must be the same")
        return StackedAtoms(atoms, y, sample_weight)
    kind = SparseAtoms if sparse.issparse(atoms) else ArrayAtoms
    return kind(atoms, y, sample_weight, output_weights=output_weights)
