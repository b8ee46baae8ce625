"""
Bounds that papers state, beside those derived in ``_bounds``; :mod:`sklearn_gfs.theory` exports them.

What is a theorem, what holds in the form written here and what is only a rate, each docstring says.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ._checks import bound, number, picks
from ._pretraining import round_up

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def lemma_1_bound(k: ArrayLike, first_loss: float, hull_loss: float, diameter: float) -> NDArray[np.float64]:
    r"""
    Bound the loss of the mean of k picks as the paper's Lemma 1 does.

    With the loss of the first pick, that of the dense network and the hull's diameter D,

    .. math:: l(u_k) \le \frac{l(u_1)}{k} + \frac{D^2}{2k} + \frac{k-1}{k} l(s).

    Parameters
    ----------
    k : array-like of int
        Number of picks, from 1.
    first_loss : float
        Loss after the first pick.
    hull_loss : float
        Loss of the comparison point. The paper takes the dense network; any point of the hull is possible.
    diameter : float
        Greatest distance of two atoms, as :func:`hull_diameter` gives it.

    Returns
    -------
    ndarray of float64
        Bound on the loss of the mean of k picks, in the unit of the losses given.

    Raises
    ------
    ValueError
        When `k` is not a whole number of at least 1, or another argument is negative or not finite.
    TypeError
        When an argument holds something else than real numbers.

    See Also
    --------
    harmonic_bound : What the steps of the proof give for every k.
    diameter_bound : The same without the first loss.

    Notes
    -----
    Assumes squared error and picks with replacement, each the best on all samples. For k up to 10 it is a theorem: the
    steps of :func:`one_step_bound`, from the first pick on, sum to
    :math:`l(u_1)/k + (k-1) l(s)/k + D^2 (H_k - 1) / (4k)`, and :math:`H_k \le 3` up to there. For larger k the printed
    proof takes a sum of :math:`D^2 / j` over the picks j as :math:`D^2`, where it is :math:`D^2 (H_k - 1)`. No
    selection that breaks the bound was found among 6000 random hulls with k up to 300.

    References
    ----------
    .. [1] C. R. Wolfe, F. Liao, Q. Wang, J. L. Kim and A. Kyrillidis, "How much pre-training is enough to discover a
       good subnetwork?", version 2 of arXiv:2108.00259, Lemma 1.

    Examples
    --------
    >>> from sklearn_gfs.theory import lemma_1_bound
    >>> lemma_1_bound([1, 2, 4], first_loss=0.5, hull_loss=0.1, diameter=1.0).tolist()
    [1.0, 0.55, 0.325]
    """
    k = picks(k)
    first_loss, hull_loss = number("first_loss", first_loss), number("hull_loss", hull_loss)
    diameter = number("diameter", diameter)
    return bound(first_loss / k + (1 - 1 / k) * hull_loss, diameter / k / 2, diameter)


def interior_bound(k: ArrayLike, diameter: float, radius: float) -> NDArray[np.float64]:
    r"""
    Bound the loss of the mean of k picks where the targets lie inside the hull.

    If a ball of radius r around y lies in the hull,

    .. math:: l(u_k) \le \frac{D^4}{8 r^2 k^2}.

    Parameters
    ----------
    k : array-like of int
        Number of picks, from 1.
    diameter : float
        Greatest distance of two atoms, as :func:`hull_diameter` gives it.
    radius : float
        Radius of the ball, as a root mean square over samples; at most half the diameter. The ball need not have the
        dimensions in which the hull has none.

    Returns
    -------
    ndarray of float64
        Upper bound on the loss of the mean of k picks.

    Raises
    ------
    ValueError
        When `k` is not a whole number of at least 1, `radius` is not greater than 0 or above half the diameter, or an
        argument is not finite.
    TypeError
        When an argument holds something else than real numbers.

    See Also
    --------
    root_bound : What holds for targets anywhere.
    hull_membership : Whether the hull holds the targets at all.

    Notes
    -----
    Assumes squared error and picks with replacement, each the best. The paper's Lemma 7 has the same rate,
    :math:`O(1 / (k \min(1, r))^2)`, and leaves the constant open. The constant here follows in three lines. Let
    :math:`w_k = k (u_k - y)`. The ball holds a point of the hull that is r further against :math:`w_{k-1}`, so one atom
    is at least that far, and the best atom gives :math:`\|w_k\|^2 \le \|w_{k-1}\|^2 - 2 r \|w_{k-1}\| + D^2`. A norm
    above :math:`D^2 / (2r)` falls, one below it stays below it.

    References
    ----------
    .. [1] C. R. Wolfe, F. Liao, Q. Wang, J. L. Kim and A. Kyrillidis, "How much pre-training is enough to discover a
       good subnetwork?", version 2 of arXiv:2108.00259, Lemma 7.

    Examples
    --------
    >>> from sklearn_gfs.theory import interior_bound
    >>> interior_bound([1, 2, 4], diameter=2.0, radius=0.5).tolist()
    [8.0, 2.0, 0.5]
    """
    k, diameter = picks(k), number("diameter", diameter)
    radius = number("radius", radius, above=True)
    # A ball's own diameter is within the hull's; rounding may say otherwise.
    if radius > diameter / 2 * (1 + 1e-9):
        raise ValueError(f"radius must be at most diameter / 2 = {diameter / 2!r}, got {radius!r}")
    with np.errstate(over="ignore"):
        distance = diameter * (diameter / (2 * radius)) / k
    return bound(0.0, distance / 2, distance)


def corrective_bound(k: ArrayLike, comparison_loss: float, variation: float) -> NDArray[np.float64]:
    r"""
    Bound the loss of corrective selection, whose weights are solved again after every pick.

    For every combination :math:`h = \sum_i c_i \phi_i` of the atoms, of any sign and sum, with
    :math:`M = \sum_i |c_i| \|\phi_i\|`,

    .. math:: l(f_k) \le l(h) + 2 M^2 / k.

    Parameters
    ----------
    k : array-like of int
        Number of picks, from 1.
    comparison_loss : float
        Loss of the combination.
    variation : float
        M, the sum over atoms of a coefficient's size times the atom's length as a root mean square over samples. Where
        each atom has a coefficient for each output, the size is the coefficients' Euclidean norm.

    Returns
    -------
    ndarray of float64
        Upper bound on the loss after k picks, in the unit of the loss given.

    Raises
    ------
    ValueError
        When `k` is not a whole number of at least 1, or another argument is negative or not finite.
    TypeError
        When an argument holds something else than real numbers.

    See Also
    --------
    root_bound : For picks whose weights are all 1 / k.
    sklearn_gfs.greedy_forward_selection : The selection.

    Notes
    -----
    Assumes squared error, no penalty, and after every pick the weights of the least loss. Barron et al. prove the bound
    for selections that pick the atom most correlated with the residual. Picking the atom after which the loss is least
    does as well in every step. With an intercept, atoms and targets are centred. A penalty :math:`\lambda \sum_i c_i^2`
    acts like more samples, on which the targets are zero. The bound then holds for the loss with the penalty, with
    :math:`\|\phi_i\|^2 + 2 \lambda` in place of :math:`\|\phi_i\|^2`.

    Two statements are no theorems. First, the k picks need not be the best k atoms, as for any selection that picks one
    by one. Second, corrective selection can be worse than the same number of picks of the paper's selection with
    weights solved for again. It is best after one pick, and may be worse after two. For the same picks, weights that
    are solved for again are never worse.

    References
    ----------
    .. [1] A. R. Barron, A. Cohen, W. Dahmen and R. A. DeVore, "Approximation and learning by greedy algorithms", Annals
       of Statistics 36, 2008, Theorem 2.3.

    Examples
    --------
    >>> from sklearn_gfs.theory import corrective_bound
    >>> corrective_bound([1, 2, 4], comparison_loss=0.125, variation=0.5).tolist()
    [0.625, 0.375, 0.25]
    """
    k = picks(k)
    comparison_loss, variation = number("comparison_loss", comparison_loss), number("variation", variation)
    return bound(comparison_loss, 2 * variation / k, variation)


def paper_threshold(k: int, n_samples: int, n_features: int, c: float = 1.0, solver: str = "sgd") -> int:
    r"""
    Return the iterations of pre-training of the paper's theorems, all their constants being one.

    The loss of the dense network is taken to contract by the share :math:`\rho` in each iteration, and that of a
    subnetwork of k picks is O(1/k) after

    .. math:: t \ge \frac{\ln k}{-\ln(1 - \rho)}, \quad \rho = c d / m^2 \text{ (SGD)}, \; c d / m \text{ (gradient
       descent)},

    for m samples and d features.

    Parameters
    ----------
    k : int
        Number of picks, at least 1.
    n_samples : int
        Number of samples m.
    n_features : int
        Number of features d.
    c : float, default=1.0
        The constant of the rate, which the paper leaves open. It holds the step size and the kernel's smallest
        eigenvalue.
    solver : {"sgd", "gradient_descent"}, default="sgd"
        Stochastic gradient descent with batches of one, or gradient descent on all samples.

    Returns
    -------
    int
        Number of iterations, at least 0.

    Raises
    ------
    ValueError
        If an argument is out of its range, or the rate is not below 1.
    TypeError
        When a number is not real.

    See Also
    --------
    pretrain_threshold : The threshold in the form derived here, from a rate that can be measured.

    Notes
    -----
    Assumes a twice differentiable activation with bounded derivatives, one output, squared error, and for SGD
    :math:`N d > m^2` and :math:`m > d`. The theorem states orders of magnitude: the number alone means nothing, its
    growth does. At constant c the growth is logarithmic in k and polynomial in the number of samples.
    :math:`-1/\ln(1 - \rho)` is about :math:`1/\rho`. The threshold is thus about :math:`m^2 \ln k / (c d)` for SGD and
    about :math:`m \ln k / (c d)` for gradient descent. It is logarithmic in the number of samples only if the rate is
    fixed and k is in proportion to a power of that number.

    References
    ----------
    .. [1] C. R. Wolfe, F. Liao, Q. Wang, J. L. Kim and A. Kyrillidis, "How much pre-training is enough to discover a
       good subnetwork?", version 2 of arXiv:2108.00259, Theorems 3 (SGD) and 10 (gradient descent).

    Examples
    --------
    >>> from sklearn_gfs.theory import paper_threshold
    >>> [paper_threshold(50, n, 784, solver="gradient_descent") for n in (1000, 2000, 4000)]
    [3, 8, 18]
    >>> [paper_threshold(k, 2000, 784) for k in (10, 100)]
    [11747, 23494]
    """
    n_picks = number("k", k, least=1, whole=True)
    m, d = number("n_samples", n_samples, least=1, whole=True), number("n_features", n_features, least=1, whole=True)
    c = number("c", c, above=True)
    powers = {"sgd": 2, "gradient_descent": 1}
    if solver not in powers:
        raise ValueError(f"solver must be one of {sorted(powers)}, got {solver!r}")
    rate = c * (d / m) / m ** (powers[solver] - 1)
    if not rate < 1:
        power = "**2" if powers[solver] == 2 else ""
        raise ValueError(f"c * n_features / n_samples{power} must be below 1, got {rate:g}")
    if n_picks == 1:
        return 0
    with np.errstate(divide="ignore", over="ignore"):
        return round_up(float(np.divide(math.log(n_picks), -math.log1p(-rate))), "iterations")
