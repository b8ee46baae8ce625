"""
The tangent kernel of a two-layer network and its extreme eigenvalues, without forming it where it is large.

Here belongs linear algebra; what follows from eigenvalues for training stands in ``_theory_pretraining``, and
:mod:`sklearn_gfs.theory` exports both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator, eigsh
from scipy.special import expit

from ._plain import check_plain

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


def network_kernel(
    X: ArrayLike,
    hidden_weights: ArrayLike,
    hidden_intercepts: ArrayLike,
    output_weights: ArrayLike,
    *,
    activation: str = "relu",
    trained: str = "all",
    neuron_rate: float = 1.0,
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
    neuron_rate : float, default=1.0
        Factor on the step size of the neurons' parameters, the output intercepts' being 1. The estimators of this
        package train with the number of hidden neurons here, so that a step means the same whatever that number is.

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
    outputs by ``-eta`` times this kernel times the residual. It assumes that the step is small enough for a first-order
    expansion: a kernel at the start of training says nothing about training that moves it far. The estimators of this
    package train on standardised features; with those, pass ``coefs_[0]``, ``intercepts_[0]`` and ``coefs_[1]`` times
    the number of neurons of the dense network, and that number as ``neuron_rate``.

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
    check_plain(X=X, hidden_weights=hidden_weights, hidden_intercepts=hidden_intercepts, output_weights=output_weights)
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
    scale = neuron_rate / B.shape[0] ** 2
    # Of the two orders of this product the one with fewer operations.
    inner = X @ X.T + 1.0 if n_samples < X.shape[1] else None

    def product(v: NDArray[np.float64]) -> NDArray[np.float64]:
        R = v.reshape(n_samples, n_outputs)
        out = scale * (H @ (H.T @ R))
        if trained == "all":
            back = slope * (R @ B.T)
            mixed = X @ (X.T @ back) + back.sum(axis=0) if inner is None else inner @ back
            out += scale * ((slope * mixed) @ B) + R.sum(axis=0)
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

    Notes
    -----
    Assumes that the matrix is symmetric and has no negative eigenvalue. A smallest eigenvalue below about
    ``1e-16 * n`` times the largest is rounding and says nothing.

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
    check_plain(kernel=kernel)
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
