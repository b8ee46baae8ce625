"""
Whether a hull holds the targets, by linear programming; :mod:`sklearn_gfs.theory` exports it.

The solver's answer is never believed: the weights or the direction that it returns are checked in floating point, with
the rounding of the check counted against them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from ._atoms import HullAtoms
from ._checks import flag

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Largest mean difference between a point of the hull and y at which y is inside, as a share of the largest value. A
# direction that separates y by less than this is still a proof that y is outside, and goes first.
_SAME = 1e-9


class HullMembership(NamedTuple):
    """
    Whether a hull holds the targets, and what proves it.

    Weights prove that it does, and a direction proves that it does not. A product with the atoms checks either.

    Parameters
    ----------
    inside : bool or None
        True is proved by the weights, False by the direction. None means that neither could be proved.
    weights : ndarray of shape (n_atoms,) or None
        Weights of the point of the hull, where `inside` is True: non-negative and of sum 1.
    direction : ndarray of the shape of y, or None
        Direction along which all atoms lie beyond y, if `inside` is False. For signs: a number for each sample and
        output, with the sign of y or zero. Their absolute values have the sum 1. No atom has a positive product with
        them.
    least, most : float
        Lower and upper bound of the optimum of the program. The optimum is the least mean absolute difference between y
        and a point of the hull. For signs it is the largest margin that all samples can have.

    See Also
    --------
    hull_membership : The function that returns it.

    Examples
    --------
    >>> from sklearn_gfs.theory import hull_membership
    >>> found = hull_membership([[0.0, 2.0]], [3.0])
    >>> found.inside, round(found.least, 6), round(found.most, 6)
    (False, 1.0, 1.0)
    """

    inside: bool | None
    weights: NDArray[np.float64] | None
    direction: NDArray[np.float64] | None
    least: float
    most: float


HullMembership.__module__ = "sklearn_gfs.theory"  # its public home, which pickles name


def hull_membership(
    atoms: ArrayLike, y: ArrayLike, relaxed: bool = False, *, output_weights: ArrayLike | None = None
) -> HullMembership:
    r"""
    Decide whether the hull of the atoms holds the targets.

    That is the condition under which the mean of k picks comes arbitrarily near to them. A linear program looks for
    weights :math:`w \ge 0` of sum 1 with :math:`\sum_i w_i \phi_i = y`; with `relaxed` every sample need only be on its
    right side, :math:`y_j \sum_i w_i \phi_{ij} > 0`.

    Parameters
    ----------
    atoms : array-like of shape (n_samples, n_atoms) or (n_samples, n_atoms, n_outputs)
        Atoms, or the neurons' activations where ``output_weights`` is given.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets; for `relaxed` their signs count, and none may be zero.
    relaxed : bool, default=False
        Whether signs are enough.
    output_weights : array-like of shape (n_atoms, n_outputs), default=None
        Output weights: atom i is the outer product of column i of ``atoms`` and row i of these.

    Returns
    -------
    HullMembership
        The answer, which is None where floating point can't tell, and its proof.

    Raises
    ------
    ValueError
        If the shapes do not agree, a value is not finite or too large for its square, or with `relaxed` a target is 0.
    TypeError
        When an argument holds something else than real numbers, or `relaxed` is no truth value.

    See Also
    --------
    hull_optimum : The nearest point by squared error.
    interior_bound : How fast the selection is where y is well inside.

    Notes
    -----
    No assumption. HiGHS solves the program, and both of its answers are checked. y is outside if the direction
    separates it from all atoms by more than rounding, however near it is to the hull. Otherwise y is inside if it
    differs from the weights' point, on average, by no more than 1e-9 of the largest number. For signs the margin must
    exceed rounding, to either side; an optimum of exactly 0 stays open. The program is dense: a thousand samples and a
    thousand atoms take seconds, a few thousand of each minutes.

    References
    ----------
    .. [1] C. R. Wolfe, F. Liao, Q. Wang, J. L. Kim and A. Kyrillidis, "How much pre-training is enough to discover a
       good subnetwork?", version 2 of arXiv:2108.00259, appendix B and its table 3, where the condition
       is tested during training.
    .. [2] Q. Huangfu and J. A. J. Hall, "Parallelizing the dual revised simplex method", Mathematical Programming
       Computation 10, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs.theory import hull_membership
    >>> atoms = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])
    >>> hull_membership(atoms, [0.25, 0.0]).weights.round(6).tolist()
    [0.5, 0.25, 0.25]
    >>> hull_membership(atoms, [1.0, 1.0]).inside
    False
    >>> hull_membership(atoms, [1.0, 1.0], relaxed=True).inside
    True
    """
    relaxed = flag("relaxed", relaxed)
    given = HullAtoms(atoms, output_weights, None)
    columns = given.columns("y", y)
    targets, shape = np.concatenate(columns), np.shape(y)
    # The mean over samples, of which the blocks are a part each, is taken by the programs.
    root = np.sqrt(len(columns[0]))
    if relaxed:
        if not targets.all():
            raise ValueError("y must not be zero anywhere where relaxed=True: zero has no sign")
        values = np.vstack(list(given.blocks([np.zeros(len(columns[0]))] * len(columns)))) * root
        unit = float(np.abs(values).max()) or 1.0
        found = _signs(values / unit * np.sign(targets)[:, np.newaxis])
    else:
        # Weights of sum 1 make y of the atoms if they make zero of the atoms less y, where common digits are gone.
        values = np.vstack(list(given.blocks(columns))) * root
        largest = max(float(np.abs(values + targets[:, np.newaxis]).max()), float(np.abs(targets).max())) or 1.0
        unit = max(float(np.abs(values).max()), np.finfo(np.float64).eps * largest)
        found = _point(values / unit, largest / unit, "highs-ipm")
        if found.inside is None:  # the simplex ends on a vertex, which is exact to rounding
            found = _point(values / unit, largest / unit, "highs-ds")
    direction = found.direction
    if direction is not None:
        direction = direction.reshape(len(columns), -1).T.reshape(shape)
        direction = direction * np.sign(np.reshape(y, shape)) if relaxed else direction
    return found._replace(direction=direction, least=float(found.least * unit), most=float(found.most * unit))


def _signs(margins: NDArray[np.float64]) -> HullMembership:
    """Return the weights that maximise the least margin, with the direction from the dual program."""
    n_rows, n_atoms = margins.shape
    solution = linprog(
        np.append(np.zeros(n_atoms), -1.0),
        A_ub=np.hstack([-margins, np.ones((n_rows, 1))]),
        b_ub=np.zeros(n_rows),
        A_eq=np.append(np.ones(n_atoms), 0.0)[np.newaxis],
        b_eq=[1.0],
        bounds=[(0, None)] * n_atoms + [(None, None)],
        method="highs-ipm",
    )
    weights, direction = _shares(solution.x, n_atoms), _shares(_marginals(solution, "ineqlin"), n_rows)
    rounding = (n_rows + n_atoms) * np.finfo(np.float64).eps
    least = -np.inf if weights is None else float((margins @ weights).min()) - rounding
    most = np.inf if direction is None else float((direction @ margins).max()) + rounding
    if least > 0:
        return HullMembership(True, weights, None, least, most)
    return HullMembership(False, None, direction, least, most) if most < 0 else _open(least, most)


def _point(values: NDArray[np.float64], largest: float, method: str) -> HullMembership:
    """Return the weights whose point has the least mean absolute value; `largest` sets the rounding of the values."""
    n_rows, n_atoms = values.shape
    identity = sparse.eye_array(n_rows, format="csc")
    sums = sparse.csc_array(np.append(np.ones(n_atoms), np.zeros(2 * n_rows))[np.newaxis])
    rows = sparse.hstack([sparse.csc_array(values), identity, -identity])
    solution = linprog(
        np.append(np.zeros(n_atoms), np.ones(2 * n_rows)),
        A_eq=sparse.vstack([rows, sums], format="csc"),
        b_eq=np.append(np.zeros(n_rows), 1.0),
        method=method,
    )
    weights, normal = _shares(solution.x, n_atoms), _marginals(solution, "eqlin")
    rounding = (n_rows + n_atoms) * np.finfo(np.float64).eps * largest
    most = np.inf if weights is None else float(np.abs(values @ weights).mean()) + rounding
    least, direction = 0.0, None
    if normal is not None:
        direction = np.clip(normal[:n_rows], -1, 1)
        least = max(-float((direction @ values).max()) / n_rows - rounding, 0.0)
    if least > 0:
        return HullMembership(False, None, direction, least, most)
    return HullMembership(True, weights, None, least, most) if most <= _SAME * largest else _open(least, most)


def _open(least: float, most: float) -> HullMembership:
    return HullMembership(None, None, None, least, most)


def _marginals(solution: Any, name: str) -> NDArray[np.float64] | None:
    """Return the dual values of a program's rows, or None if it was not solved."""
    marginals = solution[name]["marginals"]
    return None if marginals is None else np.asarray(marginals, dtype=np.float64)


def _shares(values: NDArray[np.float64] | None, n_shares: int) -> NDArray[np.float64] | None:
    """Return the first values as shares of sum one, whatever their sign was as a whole; None where they are none."""
    if values is None:
        return None
    some = values[:n_shares]
    some = np.maximum(some if some.sum() > 0 else -some, 0.0)
    total = some.sum()
    return some / total if total > 0 else None
