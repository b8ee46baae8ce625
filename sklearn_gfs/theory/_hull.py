"""
Geometry of the atoms' hull: spread, diameter, nearest point, gap; :mod:`sklearn_gfs.theory` exports it.

Functions of arrays of atoms; what follows from these numbers for a selection is in ``_bounds``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import qr
from scipy.optimize import nnls

from ._atoms import HullAtoms, simplex_weights
from ._checks import LARGEST_SQUARE, squarable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def hull_spread(
    atoms: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    output_weights: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""
    Return the spread of atoms around a point of their hull.

    With the point :math:`s = \sum_i w_i \phi_i`, the spread is :math:`V = \sum_i w_i \|\phi_i - s\|^2`, averaged over
    samples. For a dense network the weights are equal and the atoms are its neurons.

    Parameters
    ----------
    atoms : array-like of shape (n_samples, n_atoms) or (n_samples, n_atoms, n_outputs)
        Atoms, or the neurons' activations where ``output_weights`` is given.
    weights : array-like of shape (n_atoms,), default=None
        Weights of the point, non-negative and of sum 1. None means equal weights.
    output_weights : array-like of shape (n_atoms, n_outputs), default=None
        Output weights: atom i is the outer product of column i of ``atoms`` and row i of these.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples in the average. None means equal weights.

    Returns
    -------
    float
        Spread, in the squared unit of the atoms.

    Raises
    ------
    ValueError
        If the weights are negative or do not sum to 1, the shapes do not agree, or a value is not finite or too large
        for its square.
    TypeError
        When an argument holds something else than real numbers.

    See Also
    --------
    hull_diameter : Its half square bounds the spread around every point.
    root_bound : What the spread is for.

    Notes
    -----
    No assumption. If neurons are scaled by one over the square root of their number, and not by one over it, the spread
    grows with their number. Every bound here is then vacuous for small k.

    References
    ----------
    .. [1] M. Ye, C. Gong, L. Nie, D. Zhou, A. Klivans and Q. Liu, "Good subnetworks provably exist: pruning via greedy
       forward selection", ICML 2020, arXiv:2003.01794.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs.theory import hull_spread
    >>> hull_spread(np.array([[-1.0, 1.0], [-1.0, 1.0]]))
    1.0
    """
    given = HullAtoms(atoms, output_weights, sample_weight)
    w = simplex_weights(weights, given.n_atoms)
    if given.output_weights is not None:
        mean_square, square_of_mean = _neuron_squares(given, given.output_weights, w)
        # A small difference has lost digits; then every distance is computed by itself.
        if mean_square - square_of_mean > 1e-6 * mean_square:
            return mean_square - square_of_mean
    total = 0.0
    for block in given.blocks(atom=int(np.argmax(w))):
        total += float((((block - (block @ w)[:, np.newaxis]) ** 2) @ w).sum())
    return total


def _neuron_squares(given: HullAtoms, B: NDArray[np.float64], w: NDArray[np.float64]) -> tuple[float, float]:
    """Return the weighted mean of the neurons' squared norms and the squared norm of their weighted mean."""
    activations = given.activations()
    squarable("output_weights", B)
    with np.errstate(over="ignore"):
        norms = np.einsum("mi,mi->i", activations, activations) * np.einsum("io,io->i", B, B)
    if not norms.sum() < LARGEST_SQUARE:
        raise ValueError("atoms times output_weights must not be too large for their squares")
    return float(w @ norms), float(np.sum((activations @ (w[:, np.newaxis] * B)) ** 2))


def hull_diameter(
    atoms: ArrayLike, *, output_weights: ArrayLike | None = None, sample_weight: ArrayLike | None = None
) -> float:
    """
    Return the diameter of the hull of the atoms.

    It is the greatest distance of two atoms, as a root mean square over samples.

    Parameters
    ----------
    atoms : array-like of shape (n_samples, n_atoms) or (n_samples, n_atoms, n_outputs)
        Atoms, or the neurons' activations where ``output_weights`` is given.
    output_weights : array-like of shape (n_atoms, n_outputs), default=None
        Output weights: atom i is the outer product of column i of ``atoms`` and row i of these.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples in the average. None means equal weights.

    Returns
    -------
    float
        Diameter, in the unit of the atoms.

    Raises
    ------
    ValueError
        If the shapes do not agree, or a value is not finite or too large for its square.
    TypeError
        When an argument holds something else than real numbers.

    See Also
    --------
    hull_spread : At most half its square.
    diameter_bound : What the diameter is for.

    Notes
    -----
    No assumption. The matrix of all inner products of two atoms is formed.

    References
    ----------
    .. [1] M. Ye, C. Gong, L. Nie, D. Zhou, A. Klivans and Q. Liu, "Good subnetworks provably exist: pruning via greedy
       forward selection", ICML 2020, arXiv:2003.01794.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs.theory import hull_diameter
    >>> hull_diameter(np.array([[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]]))
    2.0
    """
    blocks, unit = _in_own_unit(list(HullAtoms(atoms, output_weights, sample_weight).blocks()))
    gram = np.zeros((blocks[0].shape[1],) * 2)
    for block in blocks:
        gram += block.T @ block
    norms = np.diag(gram)
    i, j = np.unravel_index(np.argmax(norms[:, np.newaxis] + norms - 2 * gram), gram.shape)
    # The inner products found the pair; its distance is taken from the atoms, where less is rounded.
    return unit * math.sqrt(sum(float(((block[:, i] - block[:, j]) ** 2).sum()) for block in blocks))


def _in_own_unit(arrays: list[NDArray[np.float64]]) -> tuple[list[NDArray[np.float64]], float]:
    """
    Return the arrays in a unit in which the largest number is of order one, and the unit.

    Squares of small numbers would vanish. The unit is a power of two, so that no digit changes.
    """
    largest = max(float(np.abs(values).max()) for values in arrays)
    unit = math.ldexp(1.0, math.frexp(largest)[1] - 1) if largest else 1.0
    return [values / unit for values in arrays], unit


class HullOptimum(NamedTuple):
    """
    The point of a hull that is nearest to the targets.

    The gap says how near to the exact optimum rounding let the computation come.

    Parameters
    ----------
    weights : ndarray of shape (n_atoms,), dtype float64
        Weights of the point, non-negative and of sum 1.
    loss : float
        Its loss, the least over the hull.
    gap : float
        Upper bound on the loss minus the exact least loss.

    See Also
    --------
    hull_optimum : The function that returns it.

    Examples
    --------
    >>> from sklearn_gfs.theory import hull_optimum
    >>> hull_optimum([[0.0, 2.0]], [1.0]).weights.round(6).tolist()
    [0.5, 0.5]
    """

    weights: NDArray[np.float64]
    loss: float
    gap: float


HullOptimum.__module__ = "sklearn_gfs.theory"  # its public home, which pickles name


def hull_optimum(
    atoms: ArrayLike,
    y: ArrayLike,
    *,
    output_weights: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> HullOptimum:
    r"""
    Return the exact least squared-error loss over the hull of the atoms.

    It is what the selection tends to as k grows, computed by another way, for checking. The point of the hull of
    :math:`p_i = \phi_i - y` nearest to the origin is found by one non-negative least-squares problem: the minimiser of
    :math:`\|P v\|^2 + (1^T v - 1)^2` over :math:`v \ge 0`, divided by its sum.

    Parameters
    ----------
    atoms : array-like of shape (n_samples, n_atoms) or (n_samples, n_atoms, n_outputs)
        Atoms, or the neurons' activations where ``output_weights`` is given.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    output_weights : array-like of shape (n_atoms, n_outputs), default=None
        Output weights: atom i is the outer product of column i of ``atoms`` and row i of these.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples in the average. None means equal weights.

    Returns
    -------
    HullOptimum
        Weights, loss, and the duality gap there.

    Raises
    ------
    ValueError
        If the shapes do not agree, or a value is not finite or too large for its square.
    TypeError
        When an argument holds something else than real numbers.

    See Also
    --------
    sklearn_gfs.greedy_forward_selection : Comes near it with few atoms.
    duality_gap : The certificate for any point.

    Notes
    -----
    No assumption beyond squared error. The time grows as the cube of the number of atoms: meant for hundreds.

    References
    ----------
    .. [1] K. H. Haskell and R. J. Hanson, "An algorithm for linear least squares problems with equality and
       nonnegativity constraints", Mathematical Programming 21, 1981.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs.theory import hull_optimum
    >>> best = hull_optimum(np.eye(2), np.array([1.0, 1.0]))
    >>> best.weights.round(6).tolist(), round(best.loss, 6)
    ([0.5, 0.5], 0.125)
    """
    given = HullAtoms(atoms, output_weights, sample_weight)
    blocks, unit = _in_own_unit(list(given.blocks(given.columns("y", y))))
    residuals = np.vstack(blocks)
    if residuals.shape[0] > residuals.shape[1]:
        residuals = qr(residuals, mode="r", check_finite=False)[0][: residuals.shape[1]]
    # With P of unit size the two terms of the problem weigh the same, which keeps it well conditioned.
    size = np.linalg.norm(residuals, axis=0).min() or 1.0
    system = np.vstack([residuals / size, np.ones(residuals.shape[1])])
    v = nnls(system, np.append(np.zeros(len(residuals)), 1.0), maxiter=30 * residuals.shape[1])[0]
    weights = v / v.sum()
    loss = 0.0
    slopes = np.zeros(len(weights))
    for block in blocks:
        error = block @ weights  # of the point; the weights sum to one
        loss += float(error @ error) / 2
        slopes += block.T @ error
    gap = float(slopes @ weights - slopes.min())
    return HullOptimum(weights, loss * unit**2, max(gap, 0.0) * unit**2)


def duality_gap(
    atoms: ArrayLike,
    y: ArrayLike,
    prediction: ArrayLike,
    *,
    output_weights: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    r"""
    Bound how far the loss of a prediction is above the least loss over the hull of the atoms.

    The loss is convex, so that :math:`l(u) - \min l \le \max_i \langle \nabla l(u), u - \phi_i \rangle`, the
    Frank-Wolfe gap.

    Parameters
    ----------
    atoms : array-like of shape (n_samples, n_atoms) or (n_samples, n_atoms, n_outputs)
        Atoms, or the neurons' activations where ``output_weights`` is given.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    prediction : array-like of the shape of y
        The point u, for instance the mean of the picks. Any point will do, in the hull or not.
    output_weights : array-like of shape (n_atoms, n_outputs), default=None
        Output weights: atom i is the outer product of column i of ``atoms`` and row i of these.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples in the average. None means equal weights.

    Returns
    -------
    float
        The gap, in the unit of the loss; at least 0 for a point of the hull.

    Raises
    ------
    ValueError
        If the shapes do not agree, or a value is not finite or too large for its square.
    TypeError
        When an argument holds something else than real numbers.

    See Also
    --------
    hull_optimum : The least loss itself.

    Notes
    -----
    Assumes squared error. Never vacuous, but at a mean of k picks it falls only as 1/k or so even where the loss is
    already optimal.

    References
    ----------
    .. [1] M. Jaggi, "Revisiting Frank-Wolfe: projection-free sparse convex optimization", ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs.theory import duality_gap
    >>> duality_gap(np.eye(2), np.array([1.0, 1.0]), prediction=np.array([1.0, 0.0]))
    0.5
    """
    given = HullAtoms(atoms, output_weights, sample_weight)
    targets, point = given.columns("y", y), given.columns("prediction", prediction)
    falls = np.zeros(given.n_atoms)
    for block, t, u in zip(given.blocks(point), targets, point, strict=True):
        falls -= block.T @ given.scaled(u - t)
    return float(falls.max())
