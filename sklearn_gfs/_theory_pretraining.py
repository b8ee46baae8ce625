"""
How many picks and how many iterations suffice, and the kernel's eigenvalues that this takes.

Here belongs what is said about training, in numbers and linear algebra; :mod:`sklearn_gfs.theory` exports it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator, eigsh
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Up to this many rows a symmetric matrix is formed and decomposed; Lanczos iterations would not be faster.
_DENSE_KERNEL_ROWS = 1500

_Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]
# Each activation with its derivative.
_ACTIVATIONS: dict[str, tuple[_Function, _Function]] = {
    "relu": (lambda z: np.maximum(z, 0.0), lambda z: (z > 0.0).astype(z.dtype)),
    "tanh": (np.tanh, lambda z: 1.0 - np.tanh(z) ** 2),
    "logistic": (expit, lambda z: expit(z) * expit(-z)),
    "identity": (lambda z: z, np.ones_like),
}


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
        If ``target_loss`` is not greater than ``hull_loss``: the bound promises no loss below that of the point.

    See Also
    --------
    root_bound : The bound that is solved here.
    iterations_to_loss : The iterations after which the dense network has the loss that this needs.

    Notes
    -----
    Assumes squared error and picks with replacement, each the best. Sufficient, not necessary: fewer picks often do.

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
    if not target_loss > hull_loss >= 0:
        raise ValueError(f"target_loss must be greater than hull_loss={hull_loss!r}, got {target_loss!r}")
    exact = spread / (2 * (math.sqrt(target_loss) - math.sqrt(hull_loss)) ** 2)
    return max(1, _ceil(exact))


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
        If ``step_size`` is not in (0, 1 / largest], or the eigenvalues are not 0 <= smallest <= largest.

    See Also
    --------
    extreme_eigenvalues : The eigenvalues.
    pretrain_threshold : What the rate is for.

    Notes
    -----
    Assumes full-batch gradient descent without momentum and a kernel that does not change, as training the output
    weights alone has it exactly and very wide networks nearly. Vacuous where the smallest eigenvalue is 0: with fewer
    parameters than samples times outputs, or two samples of the same features. The smallest eigenvalue of the kernel
    over n_samples is at most its trace over n_samples squared, so that the rate hides a dependence on the number of
    samples.

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
    if not 0 <= smallest <= largest:
        raise ValueError(f"smallest and largest must satisfy 0 <= smallest <= largest, got {smallest!r}, {largest!r}")
    # One rounding error in 1 / largest must not turn the largest allowed step size down.
    if not 0 < step_size * largest <= 1 + 1e-12:
        raise ValueError(f"step_size must be in (0, 1 / largest] with largest={largest!r}, got {step_size!r}")
    return 1.0 - (1.0 - min(step_size * smallest, 1.0)) ** 2


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
        If ``target_loss`` is not greater than 0, ``initial_loss`` is negative, or ``rate`` is not in (0, 1].

    See Also
    --------
    pretrain_threshold : The same for the loss that pruning to k picks needs.

    Notes
    -----
    Assumes that every iteration takes off at least that share. An absolute target brings the number of samples in: for
    every sample to be classified right, with 0/1 targets cut at 1/2, the mean loss must be below
    ``1 / (8 * n_samples)``, so that the iterations grow as the logarithm of the number of samples, at a fixed rate.

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
    if not target_loss > 0:
        raise ValueError(f"target_loss must be greater than 0, got {target_loss!r}")
    if not initial_loss >= 0:
        raise ValueError(f"initial_loss must be at least 0, got {initial_loss!r}")
    if not 0 < rate <= 1:
        raise ValueError(f"rate must be in (0, 1], got {rate!r}; a rate of 0 guarantees nothing")
    if initial_loss <= target_loss:
        return 0
    if rate == 1:
        return 1
    return _ceil(math.log(initial_loss / target_loss) / -math.log1p(-rate))


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
        If ``k`` is less than 1, or another argument is out of its range.

    See Also
    --------
    contraction_rate : The rate in the linearised regime.
    iterations_to_loss : The same for a loss of one's own.

    Notes
    -----
    Assumes squared error, picks with replacement, and a loss that falls at the rate given. Sufficient, not necessary:
    where the neurons' hull nearly contains the targets at the start, pruning works without any pre-training. The
    number of samples cancels in ``initial_loss / spread``; it enters through the rate. Each doubling of k costs
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
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k!r}")
    if not spread > 0:
        raise ValueError(f"spread must be greater than 0, got {spread!r}")
    return iterations_to_loss(spread / (2 * k), initial_loss, rate)


def network_kernel(
    X: ArrayLike,
    hidden_weights: ArrayLike,
    hidden_intercepts: ArrayLike,
    output_weights: ArrayLike,
    *,
    activation: str = "relu",
    trained: str = "all",
) -> LinearOperator:
    r"""
    Return the tangent kernel of a two-layer network, divided by the number of samples, without forming it.

    The network is :math:`f(x) = c + \frac{1}{N} \sum_i b_i\, \sigma(a_i \cdot x + c_i)` and the kernel
    :math:`J J^T / n`, with J the derivative of all outputs on all samples with respect to the parameters. One product
    with a vector costs two passes through the network.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Samples.
    hidden_weights : array-like of shape (n_features, n_hidden)
        Weights into the neurons.
    hidden_intercepts : array-like of shape (n_hidden,)
        Intercepts of the neurons.
    output_weights : array-like of shape (n_hidden, n_outputs)
        Weights out of the neurons, before the division by their number.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        Function of the neurons.
    trained : {"all", "output"}, default="all"
        Parameters that are trained: all, or the output weights alone, where the linearised regime is exact.

    Returns
    -------
    LinearOperator of shape (n_samples * n_outputs, n_samples * n_outputs), dtype float64
        The kernel; rows run over the outputs of the first sample, then of the second.

    Raises
    ------
    ValueError
        If ``activation`` or ``trained`` is none of the above, or the shapes do not agree.

    See Also
    --------
    extreme_eigenvalues : Its smallest and largest eigenvalue.

    Notes
    -----
    Gradient descent with step size eta on the mean loss, the parameters being those of the formula above, moves the
    outputs by ``-eta`` times this kernel times the residual, to first order. A kernel at the start of training says
    nothing about training that moves it far. For a fitted estimator of this package pass ``coefs_[0]``,
    ``intercepts_[0]`` and ``coefs_[1]`` times the number of neurons of its dense network.

    References
    ----------
    .. [1] A. Jacot, F. Gabriel and C. Hongler, "Neural tangent kernel: convergence and generalization in neural
       networks", NeurIPS 2018, arXiv:1806.07572.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs.theory import network_kernel
    >>> kernel = network_kernel([[1.0], [2.0]], [[1.0, -1.0]], [0.0, 0.0], [[1.0], [1.0]], trained="output")
    >>> (kernel @ np.eye(2)).tolist()
    [[0.125, 0.25], [0.25, 0.5]]
    """
    X = np.asarray(X, dtype=np.float64)
    A = np.asarray(hidden_weights, dtype=np.float64)
    B = np.asarray(output_weights, dtype=np.float64)
    if activation not in _ACTIVATIONS:
        raise ValueError(f"activation must be one of {sorted(_ACTIVATIONS)}, got {activation!r}")
    if trained not in {"all", "output"}:
        raise ValueError(f"trained must be 'all' or 'output', got {trained!r}")
    if X.ndim != 2 or A.ndim != 2 or B.ndim != 2 or X.shape[1] != A.shape[0] or A.shape[1] != B.shape[0]:
        shapes = f"{X.shape}, {A.shape} and {B.shape}"
        raise ValueError(f"X, hidden_weights and output_weights must be matrices whose shapes agree, got {shapes}")
    function, derivative = _ACTIVATIONS[activation]
    preactivation = X @ A + np.asarray(hidden_intercepts, dtype=np.float64)
    H, slope = function(preactivation), derivative(preactivation)
    n_samples, n_outputs = X.shape[0], B.shape[1]
    scale = 1.0 / B.shape[0]

    def product(v: NDArray[np.float64]) -> NDArray[np.float64]:
        R = v.reshape(n_samples, n_outputs)
        out = scale**2 * (H @ (H.T @ R))
        if trained == "all":
            back = slope * (R @ B.T)
            out += scale**2 * ((slope * (X @ (X.T @ back) + back.sum(axis=0))) @ B) + R.sum(axis=0)
        return out.ravel() / n_samples

    size = n_samples * n_outputs
    return LinearOperator((size, size), matvec=product, rmatvec=product, dtype=np.float64)


def extreme_eigenvalues(kernel: LinearOperator | ArrayLike, *, tol: float = 1e-6) -> tuple[float, float]:
    """
    Return the smallest and the largest eigenvalue of a symmetric positive semi-definite matrix.

    A small matrix is decomposed. A large one, which may be given as an operator and then is never formed, is left to
    Lanczos iterations.

    Parameters
    ----------
    kernel : LinearOperator or array-like of shape (n, n)
        Symmetric positive semi-definite matrix.
    tol : float, default=1e-6
        Relative accuracy asked of the Lanczos iterations, for matrices of more than 1500 rows.

    Returns
    -------
    smallest : float
        Smallest eigenvalue, at least 0.
    largest : float
        Largest eigenvalue.

    Raises
    ------
    scipy.sparse.linalg.ArpackNoConvergence
        If the Lanczos iterations do not converge, as happens where the smallest eigenvalues crowd near 0; the rate is
        then 0 for all practical purposes.

    See Also
    --------
    network_kernel : The kernel of a network as an operator.
    contraction_rate : What the eigenvalues are for.

    References
    ----------
    .. [1] R. B. Lehoucq, D. C. Sorensen and C. Yang, "ARPACK users' guide", SIAM 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gfs.theory import extreme_eigenvalues
    >>> smallest, largest = extreme_eigenvalues(np.diag([1.0, 2.0, 4.0]))
    >>> round(smallest, 6), round(largest, 6)
    (1.0, 4.0)
    """
    n = np.shape(kernel)[0]
    if n <= _DENSE_KERNEL_ROWS:
        matrix = kernel @ np.eye(n) if isinstance(kernel, LinearOperator) else np.asarray(kernel, dtype=np.float64)
        # Rounding breaks the symmetry of a matrix that was multiplied out; eigh reads one half only.
        values = eigh((matrix + matrix.T) / 2, eigvals_only=True)
        return max(float(values[0]), 0.0), float(values[-1])
    # A fixed start makes the result repeatable. A constant one would be orthogonal to whatever sums to zero.
    start = np.random.default_rng(0).standard_normal(n)
    options: dict[str, Any] = {"k": 1, "v0": start, "return_eigenvectors": False}
    largest = float(eigsh(kernel, which="LA", tol=tol, **options)[0])
    smallest = float(eigsh(kernel, which="SA", tol=tol, ncv=min(n, 60), maxiter=20 * n, **options)[0])
    return max(smallest, 0.0), largest


def _ceil(value: float) -> int:
    """Round up, except that a rounding error above a whole number does not count."""
    nearest = round(value)
    return nearest if math.isclose(value, nearest, rel_tol=1e-12) else math.ceil(value)
