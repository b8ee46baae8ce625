"""
How many picks and how many iterations of pre-training suffice, as functions of numbers.

Here belongs what is said about training once its rate is known; :mod:`sklearn_gfs.theory` exports it.
"""

from __future__ import annotations

import math

from ._checks import number


def required_k(target_loss: float, spread: float, hull_loss: float = 0.0) -> int:
    r"""
    Return a number of picks that suffices for a loss.

    The least k for which :func:`root_bound` is at most the target,
    :math:`k \ge V / (2 (\sqrt{\epsilon} - \sqrt{l(s)})^2)`. For a dense network whose loss is a quarter of the target
    this is ``2 * spread / target_loss``.

    Parameters
    ----------
    target_loss : float
        Loss to reach, greater than ``hull_loss``.
    spread : float
        Spread of the atoms around the comparison point, as :func:`hull_spread` gives it.
    hull_loss : float, default=0.0
        Loss of the comparison point, for instance of the dense network.

    Returns
    -------
    int
        Number of picks, at least 1.

    Raises
    ------
    ValueError
        If ``target_loss`` is not greater than ``hull_loss``: the bound promises no loss below that of the point. Also
        when an argument is negative or not finite.
    TypeError
        When an argument is not a real number.

    See Also
    --------
    root_bound : The bound that is solved here.
    iterations_to_loss : The iterations after which the dense network has the loss that this needs.

    Notes
    -----
    Assumes squared error and picks with replacement, each the best. The number is sufficient, not necessary: far fewer
    picks are often enough. It is vacuous in practice if it exceeds the number of neurons: the pruned network is then
    hardly smaller.

    References
    ----------
    .. [1] M. Ye, C. Gong, L. Nie, D. Zhou, A. Klivans and Q. Liu, "Good subnetworks provably exist: pruning via greedy
       forward selection", ICML 2020, arXiv:2003.01794.

    Examples
    --------
    >>> from sklearn_gfs.theory import required_k
    >>> required_k(target_loss=0.125, spread=1.0)
    4
    >>> required_k(target_loss=0.04, spread=1.0, hull_loss=0.01)
    50
    """
    target_loss, hull_loss = number("target_loss", target_loss), number("hull_loss", hull_loss)
    spread = number("spread", spread)
    if not target_loss > hull_loss:
        raise ValueError(f"target_loss must be greater than hull_loss={hull_loss!r}, got {target_loss!r}")
    # The difference of the roots, in a form that loses no digits if they are close.
    inverse = (math.sqrt(target_loss) + math.sqrt(hull_loss)) / (target_loss - hull_loss)
    return max(1, round_up(spread * inverse / 2 * inverse, "picks"))


def contraction_rate(step_size: float, smallest: float, largest: float) -> float:
    r"""
    Return the share of the loss that one step of gradient descent takes off in the linearised regime.

    While the network's kernel K stays what it was, gradient descent multiplies the residual by
    :math:`I - \eta K`; with :math:`0 < \eta \le 1 / \lambda_{max}` the loss falls at least by the factor
    :math:`1 - \rho`, :math:`\rho = 1 - (1 - \eta \lambda_{min})^2`.

    Parameters
    ----------
    step_size : float
        Step size of full-batch gradient descent on the mean loss.
    smallest : float
        Smallest eigenvalue of the kernel divided by the number of samples.
    largest : float
        Largest eigenvalue of the kernel divided by the number of samples.

    Returns
    -------
    float
        Rate between 0 (nothing is guaranteed) and 1.

    Raises
    ------
    ValueError
        If ``step_size`` is not in (0, 1 / largest], or the eigenvalues are not finite or not 0 <= smallest <= largest.
    TypeError
        When an argument is not a real number.

    See Also
    --------
    extreme_eigenvalues : The eigenvalues.
    pretrain_threshold : What the rate is for.

    Notes
    -----
    Assumes full-batch gradient descent without momentum and a kernel that does not change. This holds exactly if only
    the output weights are trained, and nearly for very wide networks. The rate is vacuous where the smallest eigenvalue
    is 0: with fewer parameters than samples times outputs, or two samples of the same features. The smallest eigenvalue
    of the kernel over n_samples is at most its trace over n_samples squared. So the rate hides a dependence on the
    number of samples.

    References
    ----------
    .. [1] C. R. Wolfe, F. Liao, Q. Wang, J. L. Kim and A. Kyrillidis, "How much pre-training is enough to discover a
       good subnetwork?", TMLR 2024, arXiv:2108.00259.

    Examples
    --------
    >>> from sklearn_gfs.theory import contraction_rate
    >>> contraction_rate(0.5, smallest=1.0, largest=2.0)
    0.75
    """
    step_size = number("step_size", step_size, above=True)
    smallest, largest = number("smallest", smallest), number("largest", largest, above=True)
    if not smallest <= largest:
        raise ValueError(f"smallest and largest must satisfy 0 <= smallest <= largest, got {smallest!r}, {largest!r}")
    # One rounding error in 1 / largest must not turn the largest allowed step size down.
    if not step_size * largest <= 1 + 1e-12:
        raise ValueError(f"step_size must be in (0, 1 / largest] with largest={largest!r}, got {step_size!r}")
    share = min(step_size * smallest, 1.0)
    return share * (2.0 - share)  # 1 - (1 - share)^2, which would lose a small share's digits


def iterations_to_loss(target_loss: float, initial_loss: float, rate: float) -> int:
    r"""
    Return the iterations after which a loss that contracts at a rate has fallen to a target.

    The least t with :math:`(1 - \rho)^t L_0 \le \epsilon`. For a subnetwork of loss e, let the target be ``e / 4``
    and use ``2 * spread / e`` picks or more, as :func:`required_k` with ``hull_loss = e / 4`` says.

    Parameters
    ----------
    target_loss : float
        Loss to reach, greater than 0.
    initial_loss : float
        Loss of the network before training, in the same unit.
    rate : float
        Share of the loss taken off by one iteration, in (0, 1], as :func:`contraction_rate` gives it.

    Returns
    -------
    int
        Number of iterations, at least 0.

    Raises
    ------
    ValueError
        If ``target_loss`` is not greater than 0, ``initial_loss`` is negative, ``rate`` is not in (0, 1], or one of
        them is not finite.
    TypeError
        When an argument is not a real number.

    See Also
    --------
    pretrain_threshold : The same for the loss that pruning to k picks needs.

    Notes
    -----
    Assumes that every iteration takes off at least that share. The bound is vacuous at a rate of 0, which is refused.
    An absolute target brings the number of samples in. For every sample to be classified right, with 0/1 targets cut at
    1/2, the mean loss must be below ``1 / (8 * n_samples)``. The iterations then grow as the logarithm of the number of
    samples, at a fixed rate.

    References
    ----------
    .. [1] C. R. Wolfe, F. Liao, Q. Wang, J. L. Kim and A. Kyrillidis, "How much pre-training is enough to discover a
       good subnetwork?", TMLR 2024, arXiv:2108.00259.

    Examples
    --------
    >>> from sklearn_gfs.theory import iterations_to_loss
    >>> [iterations_to_loss(1 / (8 * n), initial_loss=0.5, rate=0.5) for n in (1000, 2000, 4000)]
    [12, 13, 14]
    """
    target_loss = number("target_loss", target_loss, above=True)
    initial_loss, rate = number("initial_loss", initial_loss), _rate(rate)
    if initial_loss <= target_loss:
        return 0
    ratio = initial_loss / target_loss
    # The logarithm exists even if the quotient would overflow.
    excess = math.log(ratio) if math.isfinite(ratio) else math.log(initial_loss) - math.log(target_loss)
    return _iterations(excess, rate)


def pretrain_threshold(k: int, initial_loss: float, spread: float, rate: float) -> int:
    r"""
    Return a number of pre-training iterations that suffices before pruning to k picks.

    After :math:`t \ge \ln(2 k L_0 / V) / (-\ln(1 - \rho))` iterations the dense network's loss is at most
    :math:`V / (2k)`, and by :func:`root_bound` the subnetwork's is at most :math:`2 V / k`.

    Parameters
    ----------
    k : int
        Number of picks, at least 1.
    initial_loss : float
        Loss of the dense network before training.
    spread : float
        Least upper bound, over the iterations, on the spread of the dense network's neurons around their mean, in the
        unit of the loss; greater than 0.
    rate : float
        Share of the loss taken off by one iteration, in (0, 1], as :func:`contraction_rate` gives it.

    Returns
    -------
    int
        Number of iterations, at least 0.

    Raises
    ------
    ValueError
        If ``k`` is not a whole number of at least 1, or another argument is out of its range or not finite.
    TypeError
        When an argument is not a real number.

    See Also
    --------
    contraction_rate : The rate in the linearised regime.
    iterations_to_loss : The same for a loss of one's own.

    Notes
    -----
    Assumes squared error, picks with replacement, a loss that falls at the given rate, and a spread that stays below
    the given one. Training that moves the neurons far lets the spread grow, and the promise ``2 * spread / k`` weakens.
    The number is sufficient, not necessary: where the neurons' hull nearly contains the targets at the start, pruning
    works without any pre-training. It is vacuous where ``2 * spread / k`` exceeds the loss before training. The number
    of samples cancels in ``initial_loss / spread``; it enters through the rate. Each doubling of k costs
    ``log(2) / -log(1 - rate)`` iterations.

    References
    ----------
    .. [1] C. R. Wolfe, F. Liao, Q. Wang, J. L. Kim and A. Kyrillidis, "How much pre-training is enough to discover a
       good subnetwork?", TMLR 2024, arXiv:2108.00259. The idea of the threshold; the constants are derived here.

    Examples
    --------
    >>> from sklearn_gfs.theory import pretrain_threshold
    >>> [pretrain_threshold(k, initial_loss=1.0, spread=2.0, rate=0.5) for k in (8, 16, 32)]
    [3, 4, 5]
    """
    n_picks, spread = number("k", k, least=1, whole=True), number("spread", spread, above=True)
    initial_loss, rate = number("initial_loss", initial_loss), _rate(rate)
    target_loss = spread / n_picks / 2
    if target_loss > 0:
        return iterations_to_loss(target_loss, initial_loss, rate)
    if initial_loss == 0:
        return 0
    return _iterations(math.log(initial_loss) - math.log(spread) + math.log(n_picks) + math.log(2), rate)


def _rate(rate: float) -> float:
    rate = number("rate", rate)
    if not 0 < rate <= 1:
        raise ValueError(f"rate must be in (0, 1], got {rate!r}; a rate of 0 guarantees nothing")
    return rate


def _iterations(excess: float, rate: float) -> int:
    """Return how many steps of the rate take off the excess, the logarithm of a ratio of losses."""
    if excess <= 0:
        return 0
    return 1 if rate == 1 else round_up(excess / -math.log1p(-rate), "iterations")


def round_up(value: float, unit: str) -> int:
    """Round up, except that a rounding error above a whole number does not count."""
    if not math.isfinite(value):
        raise ValueError(f"the bound asks for more {unit} than the largest float, {math.nextafter(math.inf, 0):.2g}")
    nearest = round(value)
    return nearest if math.isclose(value, nearest, rel_tol=1e-12) else math.ceil(value)
