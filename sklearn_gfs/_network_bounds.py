"""
network_bounds: what theory says of an estimator's dense network, in the units that the network is trained in.

The mathematics is in ``theory``, the units are in ``mlp``; here the two meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sklearn_gfs import theory
from sklearn_gfs.mlp import dense_problem

from ._activations import ACTIVATIONS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sklearn_gfs.mlp import DenseProblem


class NetworkBounds(NamedTuple):
    """
    What theory says of a dense network and its subnetworks.

    Losses are half the squared error of standardised targets, summed over outputs and averaged over samples, as
    `dense_loss_` and `selection_losses_` of the estimators are.

    Parameters
    ----------
    dense_loss : float
        Loss of the dense network.
    spread : float
        Spread of its neurons around their mean.
    k : ndarray of shape (n_k,) or None, default=None
        Numbers of picks for which thresholds are predicted.
    thresholds : ndarray of shape (n_k,) or None, default=None
        Iterations after which a subnetwork of `k` picks is promised a loss of twice the spread over `k`; infinite
        where the rate is 0.
    rate : float or None, default=None
        Share of the loss that an iteration takes off at least.
    step_size : float or None, default=None
        The step size that the rate is for.
    eigenvalues : tuple of two floats or None, default=None
        The smallest and the largest eigenvalue of the network's kernel.

    See Also
    --------
    network_bounds : The function that returns it.

    Examples
    --------
    >>> from sklearn_gfs import NetworkBounds
    >>> NetworkBounds(dense_loss=0.1, spread=1.0).dense_loss
    0.1
    """

    dense_loss: float
    spread: float
    k: NDArray[np.int64] | None = None
    thresholds: NDArray[np.float64] | None = None
    rate: float | None = None
    step_size: float | None = None
    eigenvalues: tuple[float, float] | None = None

    def upper_bounds(self, k: ArrayLike) -> dict[str, NDArray[np.float64]]:
        """
        Return bounds on the loss of subnetworks, by name.

        They are what :class:`SelectionPathDisplay` draws.

        Parameters
        ----------
        k : array-like of int
            Numbers of picks, from 1.

        Returns
        -------
        dict of str to ndarray of float64
            The bounds of :func:`theory.harmonic_bound <sklearn_gfs.theory.harmonic_bound>` and of
            :func:`theory.root_bound <sklearn_gfs.theory.root_bound>`, each of the shape of `k`.

        Raises
        ------
        ValueError
            When `k` is not a whole number of at least 1.

        See Also
        --------
        network_bounds : The function that measures the loss and the spread.

        Examples
        --------
        >>> from sklearn_gfs import NetworkBounds
        >>> bounds = NetworkBounds(dense_loss=0.0, spread=1.0).upper_bounds([1, 2, 4])
        >>> bounds["Bound without logarithm"].round(3).tolist()
        [0.5, 0.25, 0.125]
        """
        return {
            "Bound along the path": theory.harmonic_bound(k, self.dense_loss, self.spread),
            "Bound without logarithm": theory.root_bound(k, self.dense_loss, self.spread),
        }


NetworkBounds.__module__ = "sklearn_gfs"  # its public home, which pickles name


def network_bounds(
    estimator: Any, X: Any, y: Any, *, k: int | Sequence[int] | None = None, step_size: float | None = None
) -> NetworkBounds:
    r"""
    Return what theory says of an estimator's dense network on the data that it is trained on.

    Features and targets are standardised as the estimator does it inside, and the output weights are those of the
    neurons whose mean the network is. With `k` the threshold of pre-training is predicted from the network's kernel.

    Parameters
    ----------
    estimator : GreedyPrunedMLP, GreedyPrunedMLPClassifier or GreedyPrunedMLPRegressor
        A dense network, as the first point of each number of iterations of ``fit_path`` has it. Of an estimator that is
        not fitted, the network before training is taken: draw that with an integer `random_state`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Training inputs.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    k : int or sequence of int, default=None
        Numbers of picks to predict thresholds for. None for none: the kernel is left out then.
    step_size : float, default=None
        Step size of gradient descent. None means the largest that the theory allows, one over the kernel's largest
        eigenvalue.

    Returns
    -------
    NetworkBounds
        The loss and the spread of the network; with `k` also the rate and the thresholds.

    Raises
    ------
    TypeError
        If the estimator has no ``fit_path``.
    ValueError
        If the estimator holds a subnetwork, its loss is not "squared_error", it weighs classes, a parameter is out of
        its range, or the data are not as `fit` takes them.
    scipy.sparse.linalg.ArpackNoConvergence
        If the kernel has more than 10 000 rows, samples times outputs, and its eigenvalues crowd near 0.

    See Also
    --------
    SelectionPathDisplay : Draws the bounds over a selection.
    PretrainThresholdDisplay : Draws the thresholds over a search.
    sklearn_gfs.theory.pretrain_threshold : The threshold as a function of numbers.

    Notes
    -----
    The bounds are of squared error and of picks with weights of 1/k each, the best of all neurons on all samples. The
    thresholds assume gradient descent on all samples at once, without momentum and penalty, whatever the estimator's
    solver. They also assume a kernel that stays as it is, and a spread that does not grow. A kernel is decomposed. That
    takes memory for the square and time for the cube of samples times outputs.

    References
    ----------
    .. [1] C. R. Wolfe, F. Liao, Q. Wang, J. L. Kim and A. Kyrillidis, "How much pre-training is enough to discover a
       good subnetwork?", TMLR 2024, arXiv:2108.00259.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_gfs import GreedyPrunedMLPClassifier, network_bounds
    >>> X, y = load_iris(return_X_y=True)
    >>> network = GreedyPrunedMLPClassifier(n_hidden=50, loss="squared_error", random_state=0)
    >>> bounds = network_bounds(network, X[::10], y[::10], k=[10, 20])
    >>> bool(bounds.thresholds[0] < bounds.thresholds[1])
    True
    """
    if hasattr(estimator, "selection_path_"):
        raise ValueError(
            "estimator must hold a dense network, as the first point of fit_path does, or not be fitted; got one that "
            f"holds a subnetwork of {estimator.n_units_} neurons."
        )
    if not hasattr(estimator, "fit_path"):
        raise TypeError(
            "estimator must be a GreedyPrunedMLP, GreedyPrunedMLPClassifier or GreedyPrunedMLPRegressor, got "
            f"{type(estimator).__name__}. Pass the last step of a pipeline, and X as the other steps transform it."
        )
    fitted = hasattr(estimator, "coefs_")
    network = estimator if fitted else next(iter(estimator.fit_path(X, y, n_pretrain=[0], k=[1]))).estimator
    if network.out_activation_ != "identity":
        raise ValueError(
            f"The bounds are of the squared error, and the estimator's loss is {estimator.loss!r}; use "
            "loss='squared_error'."
        )
    problem = dense_problem(network, X, y)
    activation = ACTIVATIONS[network.activation_]
    hidden = problem.X @ problem.hidden_coef + problem.hidden_intercept
    activation.apply(hidden)
    outputs = hidden @ problem.output_coef / hidden.shape[1] + problem.output_intercept
    dense_loss = float(((outputs - problem.targets) ** 2).sum() / (2 * len(outputs)))
    spread = theory.hull_spread(hidden, output_weights=problem.output_coef)
    if k is None:
        return NetworkBounds(dense_loss, spread)
    return _with_thresholds(NetworkBounds(dense_loss, spread, np.atleast_1d(k)), problem, activation.name, step_size)


def _with_thresholds(
    bounds: NetworkBounds, problem: DenseProblem, activation: str, step_size: float | None
) -> NetworkBounds:
    """Return the bounds with thresholds, rate, step size and eigenvalues from the kernel."""
    n_hidden = len(problem.output_coef)
    weights = problem.hidden_coef, problem.hidden_intercept, problem.output_coef
    # The step of a neuron in the estimators' training does not shrink with the number of neurons.
    kernel = theory.network_kernel(problem.X, *weights, activation=activation, neuron_rate=n_hidden)
    smallest, largest = theory.extreme_eigenvalues(kernel)
    step_size = 1 / largest if step_size is None else step_size
    rate = theory.contraction_rate(step_size, smallest, largest)
    assert bounds.k is not None
    thresholds = [
        theory.pretrain_threshold(n_picks, bounds.dense_loss, bounds.spread, rate) if rate else np.inf
        for n_picks in bounds.k
    ]
    return bounds._replace(
        thresholds=np.array(thresholds, dtype=float), rate=rate, step_size=step_size, eigenvalues=(smallest, largest)
    )
