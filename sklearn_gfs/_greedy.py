"""
Greedy forward selection with replacement: what is asked for, checked, and the search that answers it.

Here belong the public function, its validation, and the choice of what to compute when. The inner products
come from ``_gram``; the loops over atoms are in ``_greedy_kernels``.
"""

from __future__ import annotations

from typing import Any

from scipy import sparse

from ._checks import (
    check_atoms,
    check_classification,
    check_hull,
    check_output_weights,
    check_stopping,
    check_weight,
    check_y,
    is_tensor,
)
from ._gram import ArrayAtoms, SparseAtoms, StackedAtoms, TorchAtoms
from ._log_loss import select_logits, select_probabilities
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
    if loss not in ("squared_error", "log_loss"):
        raise ValueError(f"loss={loss!r} is not known; it must be 'squared_error' or 'log_loss'")
    if loss == "log_loss":
        signed, length = check_hull(hull, radius, n_targets=1)
        checked = check_classification(atoms, y, output_weights, sample_weight)
        if from_logits:
            if length is None:
                raise ValueError(
                    f"radius={radius!r} can't be estimated with loss='log_loss'; it must be a number above 0"
                )
            return select_logits(*checked, k, tolerance, radius=length if signed else None, offset=offset)
        if signed or offset is not None:
            raise ValueError("hull='l1' and offset do not go with from_logits=False: probabilities are only averaged")
        return select_probabilities(*checked, k, tolerance)
    source = _check_source(atoms, y, output_weights, sample_weight, offset)
    signed, length = check_hull(hull, radius, n_targets=1 if source.output_weights is not None else source.n_targets)
    return SquaredErrorSearch(source, k, signed=signed, radius=length, tol=tolerance).run()


def _check_source(atoms: Any, y: Any, output_weights: Any, sample_weight: Any, offset: Any) -> ArrayAtoms:
    """Check the data against each other and put them where the search can ask for inner products."""
    atoms = check_atoms(atoms, ndims=(2, 3) if output_weights is None else (2,), keep_tensor=True)
    n_samples, n_atoms = atoms.shape[:2]
    y = check_y(y, len_atoms=n_samples, offset=offset)
    weight = check_weight(sample_weight, n_samples)
    if output_weights is not None:
        output_weights = check_output_weights(output_weights, n_atoms, y.shape[1])
    if sparse.issparse(atoms):
        return SparseAtoms(atoms, y, weight, output_weights=output_weights)
    if atoms.ndim == 3 and atoms.shape[2] != y.shape[1]:
        raise ValueError(f"atoms has {atoms.shape[2]} outputs and y has {y.shape[1]}; they must be the same")
    if is_tensor(atoms):
        return TorchAtoms(atoms, y, weight, output_weights=output_weights)
    if atoms.ndim == 2:
        return ArrayAtoms(atoms, y, weight, output_weights=output_weights)
    return StackedAtoms(atoms, y, weight)
