"""
Bounds on the loss of greedy forward selection, as functions of numbers; :mod:`sklearn_gfs.theory` exports them.

The spread and the diameter that enter them are measured in ``_hull``; how long to train is in
``_pretraining``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import digamma

from ._checks import array, bound, number, picks

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def one_step_bound(k: ArrayLike, previous_loss: ArrayLike, hull_loss: float, spread: float) -> NDArray[np.float64]:
    r"""
    Bound the loss after pick k by the loss before it (bound A).

    The least loss over all atoms is at most their average loss, weighted as the comparison point ``s`` weights them.
    The average of the candidates is ``(1 - 1/k) u + s/k`` and their variance is ``spread / k**2``, which gives

    .. math:: k\, l(u_k) \le (k-1)\, l(u_{k-1}) + l(s) + V / (2k).

    Parameters
    ----------
    k : array-like of int
        Number of the pick, from 1.
    previous_loss : array-like of float
        Loss of the mean of the first k - 1 picks; without effect where k is 1.
    hull_loss : float
        Loss of the comparison point, any point of the hull of the atoms.
    spread : float
        Spread of the atoms around that point, as :func:`hull_spread` gives it.

    Returns
    -------
    ndarray of float64
        Upper bound on the loss of the mean of k picks, in the unit of the losses given.

    Raises
    ------
    ValueError
        When `k` is not a whole number of at least 1, or another argument is negative or not finite.
    TypeError
        When an argument holds something else than real numbers.

    See Also
    --------
    harmonic_bound : The sum of these steps.
    root_bound : The same without a logarithm.

    Notes
    -----
    Assumes squared error and picks with replacement, each the best. It is never vacuous: with both losses equal it
    exceeds them by ``spread / (2 * k**2)``.

    References
    ----------
    .. [1] M. Ye, C. Gong, L. Nie, D. Zhou, A. Klivans and Q. Liu, "Good subnetworks provably exist: pruning via greedy
       forward selection", ICML 2020, arXiv:2003.01794. Bounds of this kind; the form here is derived above.

    Examples
    --------
    >>> from sklearn_gfs.theory import one_step_bound
    >>> float(one_step_bound(2, previous_loss=1.0, hull_loss=0.0, spread=1.0))
    0.625
    """
    k, previous_loss = picks(k), array("previous_loss", previous_loss, least=0)
    hull_loss, spread = number("hull_loss", hull_loss), number("spread", spread)
    try:
        np.broadcast_shapes(k.shape, previous_loss.shape)
    except ValueError as error:
        raise ValueError(
            f"k and previous_loss must go together, got shapes {k.shape} and {previous_loss.shape}"
        ) from error
    return bound((1 - 1 / k) * previous_loss + hull_loss / k, spread / k / k / 2)


def harmonic_bound(k: ArrayLike, hull_loss: float, spread: float) -> NDArray[np.float64]:
    r"""
    Bound the loss of the mean of k picks by summing the single steps (bound B).

    With the k-th harmonic number :math:`H_k`,

    .. math:: l(u_k) \le l(s) + V H_k / (2k).

    Parameters
    ----------
    k : array-like of int
        Number of picks, from 1.
    hull_loss : float
        Loss of the comparison point, any point of the hull of the atoms.
    spread : float
        Spread of the atoms around that point, as :func:`hull_spread` gives it.

    Returns
    -------
    ndarray of float64
        Upper bound on the loss of the mean of k picks, in the unit of the losses given.

    Raises
    ------
    ValueError
        When `k` is not a whole number of at least 1, or another argument is negative or not finite.
    TypeError
        When an argument holds something else than real numbers.

    See Also
    --------
    root_bound : The better one where ``hull_loss`` is small.
    diameter_bound : The same for every point of the hull at once.

    Notes
    -----
    Assumes squared error and picks with replacement, each the best. The bound is vacuous where it exceeds the loss of
    the best single atom, which happens until k is of the order of ``spread / loss``.

    References
    ----------
    .. [1] M. Ye, C. Gong, L. Nie, D. Zhou, A. Klivans and Q. Liu, "Good subnetworks provably exist: pruning via greedy
       forward selection", ICML 2020, arXiv:2003.01794. Bounds of this kind; the form here is derived from
       :func:`one_step_bound`.

    Examples
    --------
    >>> from sklearn_gfs.theory import harmonic_bound
    >>> harmonic_bound([1, 2, 4], hull_loss=0.1, spread=1.0).round(4).tolist()
    [0.6, 0.475, 0.3604]
    """
    k = picks(k)
    hull_loss, spread = number("hull_loss", hull_loss), number("spread", spread)
    harmonic = digamma(k + 1) + np.euler_gamma
    return bound(hull_loss, spread * (harmonic / k / 2))


def diameter_bound(k: ArrayLike, hull_loss: float, diameter: float) -> NDArray[np.float64]:
    r"""
    Bound the loss of the mean of k picks by the hull's diameter.

    The spread around any point of the hull is at most half the squared diameter, so that :func:`harmonic_bound`
    becomes

    .. math:: l(u_k) \le l(s) + D^2 (1 + \ln k) / (4k),

    whatever the point s; take the best one of :func:`hull_optimum`.

    Parameters
    ----------
    k : array-like of int
        Number of picks, from 1.
    hull_loss : float
        Loss of the comparison point, any point of the hull of the atoms.
    diameter : float
        Greatest distance of two atoms, as :func:`hull_diameter` gives it.

    Returns
    -------
    ndarray of float64
        Upper bound on the loss of the mean of k picks, in the unit of the loss given.

    Raises
    ------
    ValueError
        When `k` is not a whole number of at least 1, or another argument is negative or not finite.
    TypeError
        When an argument holds something else than real numbers.

    See Also
    --------
    harmonic_bound : Tighter where the spread around the point is known.

    Notes
    -----
    Assumes squared error and picks with replacement, each the best. With neurons scaled by one over the square root
    of their number the squared diameter grows with that number, and the bound is vacuous until k does too.

    References
    ----------
    .. [1] M. Ye, C. Gong, L. Nie, D. Zhou, A. Klivans and Q. Liu, "Good subnetworks provably exist: pruning via greedy
       forward selection", ICML 2020, arXiv:2003.01794. Bounds of this kind; the form here is derived above.

    Examples
    --------
    >>> from sklearn_gfs.theory import diameter_bound
    >>> diameter_bound([1, 10, 100], hull_loss=0.0, diameter=2.0).round(4).tolist()
    [1.0, 0.3303, 0.0561]
    """
    k = picks(k)
    hull_loss, diameter = number("hull_loss", hull_loss), number("diameter", diameter)
    return bound(hull_loss, diameter * ((1 + np.log(k)) / k / 4), diameter)


def root_bound(k: ArrayLike, hull_loss: float, spread: float) -> NDArray[np.float64]:
    r"""
    Bound the loss of the mean of k picks without a logarithm (bound C).

    For :math:`b_k = k \|u_k - y\|` one step gives :math:`b_k^2 \le (b_{k-1} + \|s - y\|)^2 + V`, hence by induction
    :math:`b_k \le k \|s - y\| + \sqrt{kV}`, that is

    .. math:: l(u_k) \le \left( \sqrt{l(s)} + \sqrt{V / (2k)} \right)^2.

    Parameters
    ----------
    k : array-like of int
        Number of picks, from 1.
    hull_loss : float
        Loss of the comparison point, any point of the hull of the atoms.
    spread : float
        Spread of the atoms around that point, as :func:`hull_spread` gives it.

    Returns
    -------
    ndarray of float64
        Upper bound on the loss of the mean of k picks, in the unit of the losses given.

    Raises
    ------
    ValueError
        When `k` is not a whole number of at least 1, or another argument is negative or not finite.
    TypeError
        When an argument holds something else than real numbers.

    See Also
    --------
    harmonic_bound : The better one where ``hull_loss`` is large beside ``spread / k``.
    required_k : The same solved for k.

    Notes
    -----
    Assumes squared error and picks with replacement, each the best. The bound is vacuous where it exceeds the loss of
    the best single atom, which happens until k is of the order of ``spread / loss``. Beyond that it is loose: on real
    networks the selection does several times better.

    References
    ----------
    .. [1] M. Ye, C. Gong, L. Nie, D. Zhou, A. Klivans and Q. Liu, "Good subnetworks provably exist: pruning via greedy
       forward selection", ICML 2020, arXiv:2003.01794. Bounds of this kind; the form here is derived above.

    Examples
    --------
    >>> from sklearn_gfs.theory import root_bound
    >>> root_bound([1, 2, 4], hull_loss=0.0, spread=1.0).tolist()
    [0.5, 0.25, 0.125]
    """
    k = picks(k)
    hull_loss, spread = number("hull_loss", hull_loss), number("spread", spread)
    root = np.sqrt(hull_loss) + np.sqrt(spread / k / 2)
    return bound(0.0, root, root)
