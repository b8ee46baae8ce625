"""
The tangent kernel of a two-layer network and its extreme eigenvalues, without forming it where it is large.

Here belongs linear algebra; what follows from eigenvalues for training stands in ``_pretraining``, and
:mod:`sklearn_gfs.theory` exports both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from sklearn_gfs._activations import ACTIVATIONS

from ._checks import array, number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Largest number of rows of an operator whose matrix is formed, by one product per row. Lanczos iterations that do not
# converge may take more products.
_FORMED_ROWS = 3000
# Largest number of rows of a matrix that is decomposed if no other method works: 800 MB, and a minute or two.
_DECOMPOSED_ROWS = 10_000
# Number of Lanczos vectors that are kept.
_LANCZOS_VECTORS = 60
# Number of restarts after which the smallest eigenvalue is given up. If many eigenvalues are close to the smallest,
# the iterations do not converge: the first 3000 products give no information.
_LANCZOS_RESTARTS = 50
# Number of products that are made together when a matrix is formed.
_BLOCK = 256


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
        If ``activation`` or ``trained`` is none of the above, the shapes do not agree, or a value is not finite.
    TypeError
        When an argument holds something else than real numbers.

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
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, got {activation!r}")
    if trained not in {"all", "output"}:
        raise ValueError(f"trained must be 'all' or 'output', got {trained!r}")
    X, A, B = array("X", X), array("hidden_weights", hidden_weights), array("output_weights", output_weights)
    c, neuron_rate = array("hidden_intercepts", hidden_intercepts), number("neuron_rate", neuron_rate, above=True)
    if X.ndim != 2 or A.ndim != 2 or B.ndim != 2 or X.shape[1] != A.shape[0] or A.shape[1] != B.shape[0]:
        shapes = f"{X.shape}, {A.shape} and {B.shape}"
        raise ValueError(f"X, hidden_weights and output_weights must be matrices whose shapes agree, got {shapes}")
    if 0 in X.shape or 0 in B.shape:
        raise ValueError(f"X and output_weights must not be empty, got shapes {X.shape} and {B.shape}")
    if c.shape != A.shape[1:]:
        raise ValueError(f"hidden_intercepts must be of shape {A.shape[1:]}, as hidden_weights say, got {c.shape}")
    hidden = X @ A + c
    slope = ACTIVATIONS[activation].slope(hidden) if trained == "all" else None
    ACTIVATIONS[activation].apply(hidden)
    return NetworkKernel(X, hidden, slope, B, neuron_rate / B.shape[0] ** 2)


class NetworkKernel(LinearOperator):
    """
    The operator that `network_kernel` returns: products with vectors, or the whole matrix.

    `slope` is the activations' derivative, or None where the output weights alone are trained. The whole matrix takes
    products of matrices only, far fewer operations than products with one vector per column.
    """

    def __init__(
        self,
        X: NDArray[np.float64],
        hidden: NDArray[np.float64],
        slope: NDArray[np.float64] | None,
        output_weights: NDArray[np.float64],
        scale: float,
    ) -> None:
        size = len(X) * output_weights.shape[1]
        super().__init__(np.float64, (size, size))
        self._X, self._hidden, self._slope = X, hidden, slope
        self._output_weights, self._scale = output_weights, scale
        # The order of the products with X and X' that needs fewer operations.
        self._inner = X @ X.T + 1.0 if slope is not None and len(X) < X.shape[1] else None

    def _matvec(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        X, H, slope, B = self._X, self._hidden, self._slope, self._output_weights
        R = v.reshape(len(X), -1)
        out = self._scale * (H @ (H.T @ R))
        if slope is not None:
            back = slope * (R @ B.T)
            mixed = X @ (X.T @ back) + back.sum(axis=0) if self._inner is None else self._inner @ back
            out += self._scale * ((slope * mixed) @ B) + R.sum(axis=0)
        return out.ravel() / len(X)

    def _adjoint(self) -> NetworkKernel:
        return self

    def toarray(self) -> NDArray[np.float64]:
        """Return the matrix."""
        n_samples, n_outputs = len(self._X), self._output_weights.shape[1]
        kernel = np.zeros((n_samples, n_outputs, n_samples, n_outputs))
        of_outputs = self._hidden @ self._hidden.T * self._scale
        if self._slope is not None:
            inner = self._X @ self._X.T + 1.0
            of_outputs += 1.0
            for p in range(n_outputs):
                for q in range(p + 1):
                    weights = self._output_weights[:, p] * self._output_weights[:, q]
                    block = self._scale * inner * ((self._slope * weights) @ self._slope.T)
                    kernel[:, p, :, q] = block
                    kernel[:, q, :, p] = block
        for p in range(n_outputs):
            kernel[:, p, :, p] += of_outputs
        kernel /= n_samples
        return kernel.reshape(self.shape)


def extreme_eigenvalues(kernel: LinearOperator | ArrayLike, *, tol: float = 1e-6) -> tuple[float, float]:
    """
    Return the smallest and the largest eigenvalue of a symmetric positive semi-definite matrix.

    A matrix is decomposed, and so is an operator of at most 3000 rows or that of :func:`network_kernel`, up to 10 000
    rows. Other operators are left to Lanczos iterations, and up to 10 000 rows decomposed where these do not converge.

    Parameters
    ----------
    kernel : LinearOperator or array-like of shape (n, n)
        Symmetric positive semi-definite matrix.
    tol : float, default=1e-6
        Relative accuracy asked of Lanczos iterations.

    Returns
    -------
    smallest : float
        Smallest eigenvalue, at least 0.
    largest : float
        Largest eigenvalue.

    Raises
    ------
    ValueError
        If the matrix is not square, symmetric and finite, or has a negative eigenvalue; if ``tol`` is negative.
    TypeError
        If the matrix holds something else than real numbers.
    scipy.sparse.linalg.ArpackNoConvergence
        If the Lanczos iterations do not converge for an operator of more than 10 000 rows. This happens when the
        smallest eigenvalues crowd near 0; the rate is then 0 for all practical purposes.

    See Also
    --------
    network_kernel : The kernel of a network as an operator.
    contraction_rate : What the eigenvalues are for.

    Notes
    -----
    Assumes that an operator is symmetric. A smallest eigenvalue below about ``1e-16 * n`` times the largest is rounding
    and says nothing.

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
    tol = number("tol", tol)
    if not isinstance(kernel, LinearOperator):
        matrix = array("kernel", kernel)
        _refuse_rectangle(matrix.shape)
        return _decomposed(matrix)
    _refuse_rectangle(kernel.shape)
    if np.issubdtype(kernel.dtype, np.complexfloating):
        raise TypeError(f"kernel must be of finite real numbers, got an operator of dtype {kernel.dtype}")
    n_rows = kernel.shape[0]
    if isinstance(kernel, NetworkKernel) and n_rows <= _DECOMPOSED_ROWS:
        return _decomposed(kernel.toarray())
    if n_rows <= _FORMED_ROWS:
        return _decomposed(_formed(kernel))
    try:
        return _by_lanczos(kernel, tol)
    except ArpackNoConvergence as error:
        if n_rows > _DECOMPOSED_ROWS:
            raise ArpackNoConvergence(
                f"The extreme eigenvalues of an operator of {n_rows} rows did not converge within {_LANCZOS_RESTARTS} "
                "restarts of Lanczos iterations. This happens when many eigenvalues are near 0. Take fewer samples: up "
                f"to {_DECOMPOSED_ROWS} rows the matrix is decomposed, which always works",
                error.eigenvalues,
                error.eigenvectors,
            ) from error
    return _decomposed(_formed(kernel))


def _refuse_rectangle(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0:
        raise ValueError(f"kernel must be a square matrix, got shape {shape}")


def _formed(kernel: LinearOperator) -> NDArray[np.float64]:
    """Return the matrix of an operator, from products with blocks of unit vectors."""
    n_rows = kernel.shape[0]
    matrix = np.empty((n_rows, n_rows))
    for start in range(0, n_rows, _BLOCK):
        stop = min(start + _BLOCK, n_rows)
        matrix[:, start:stop] = kernel @ np.eye(n_rows, stop - start, -start)
    return array("kernel", matrix)


def _decomposed(matrix: NDArray[np.float64]) -> tuple[float, float]:
    """Return the extreme eigenvalues of a matrix, from all of them, which takes less time than two by themselves."""
    size = float(np.abs(matrix).max())
    # Rounding breaks the symmetry of a matrix that was multiplied out.
    if np.abs(matrix - matrix.T).max() > 1e-8 * size:
        raise ValueError("kernel must be symmetric, and differs from its transpose by more than rounding")
    values = eigh(matrix, eigvals_only=True)
    return _extremes(float(values[0]), float(values[-1]))


def _by_lanczos(kernel: LinearOperator, tol: float) -> tuple[float, float]:
    # A fixed start makes the result repeatable. A constant one would be orthogonal to whatever sums to zero.
    start = np.random.default_rng(0).standard_normal(kernel.shape[0])
    product = array("kernel", kernel @ start)
    size = float(np.abs(product).max() / np.abs(start).max())
    if size == 0.0:
        return 0.0, 0.0
    # ARPACK treats small values as zero, so the matrix is scaled to unit size.
    scaled = LinearOperator(kernel.shape, matvec=lambda v: kernel.matvec(v) / size, dtype=np.float64)
    options: dict[str, Any] = {
        "k": 1,
        "v0": start,
        "tol": tol,
        "ncv": _LANCZOS_VECTORS,
        "maxiter": _LANCZOS_RESTARTS,
        "return_eigenvectors": False,
    }
    smallest, largest = (float(eigsh(scaled, which=end, **options)[0]) for end in ("SA", "LA"))
    return _extremes(size * smallest, size * largest)


def _extremes(smallest: float, largest: float) -> tuple[float, float]:
    if smallest < -1e-6 * abs(largest):
        raise ValueError(f"kernel must be positive semi-definite, but an eigenvalue is {smallest:g}")
    return max(smallest, 0.0), max(largest, 0.0)
