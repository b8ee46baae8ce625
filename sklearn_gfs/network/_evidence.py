"""
The penalty that makes the data most probable: MacKay's evidence, with a penalty of its own for each input feature.

The weights of a group share a Gaussian prior around zero. The precisions of the priors and of the noise are
re-estimated from the number of weights in each group that the data determine. A penalty is per sample, so that it falls
as samples are added.

References
----------
D. J. C. MacKay, "Bayesian interpolation", Neural Computation, 4(3), 1992, 415-447.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from sklearn_gfs._typing import Float64Array, IntArray

    from ._curvature import Curvature
    from ._objective import Shape

# Least sum of squared weights of a group, and least loss, in the estimates: neither must divide by zero.
_TINY = 1e-12
# Least number of degrees of freedom from which the noise is estimated, as a share of the number of target values.
_LEAST_FREE = 0.1
# Largest penalty, in units of the mean curvature: a weight with this penalty is practically zero.
_MOST = 1e3
# Value that is added to the diagonal, in the same unit: it keeps the matrix positive definite without a penalty.
_LEAST = 1e-9


class Prior(NamedTuple):
    """
    The precision of each parameter's prior, relative to the noise and per sample, and the precision of the noise.

    Parameters
    ----------
    penalty : ndarray of shape (n_parameters,)
        Half the penalty times the squared parameter is added to the mean loss.
    noise_precision : float
        One over the variance of the targets around the outputs; one for a loss that is a negative log-likelihood.
    """

    penalty: Float64Array
    noise_precision: float


def groups_of(shape: Shape) -> IntArray:
    """
    Return the index of each parameter's group.

    Groups are the coefficients of each feature, the hidden intercepts, and the output coefficients. Parameters with the
    index -1 have no penalty.
    """
    groups = np.empty(shape.n_parameters, dtype=np.intp)
    coef, intercept, out_coef, out_intercept = shape.parts(groups)
    coef[:] = np.arange(shape.n_features)
    intercept[:], out_coef[:], out_intercept[:] = shape.n_features, shape.n_features + 1, -1
    return groups


def penalty_of(shape: Shape, weights: Float64Array, alpha: float) -> Float64Array:
    """Return each parameter's penalty, for alpha / 2 times the weighted mean over neurons of squared coefficients."""
    penalty = np.zeros(shape.n_parameters)
    coef, _, out_coef, _ = shape.parts(penalty)
    coef[:] = alpha * weights[:, None]
    out_coef[:] = alpha / weights[:, None]  # the neurons' weights are folded into the output coefficients
    return penalty


def re_estimated(
    prior: Prior,
    groups: IntArray,
    vector: Float64Array,
    curvature: Curvature,
    loss: float,
    n_numbers: tuple[float, int],
    *,
    is_quadratic: bool,
) -> Prior:
    """
    Return the prior after one of MacKay's updates, or the same prior if the curvature can't be factorised.

    Parameters
    ----------
    prior : Prior
    groups : ndarray of shape (n_parameters,)
    vector : ndarray of shape (n_parameters,)
    curvature : Curvature
        Curvature of the mean loss.
    loss : float
        The mean loss.
    n_numbers : tuple of float and int
        Number of samples, and number of outputs.
    is_quadratic : bool
        Whether the loss is half the squared error, whose noise is estimated.
    """
    n_samples, n_outputs = n_numbers
    diagonal = prior.penalty + max(_LEAST * curvature.mean, np.finfo(np.float64).tiny)
    # For each group, the number of parameters that the data do not determine: the penalty's shares of the precision.
    free = curvature.left_open(prior.penalty, diagonal, groups)
    if free is None:
        return prior
    in_group = groups >= 0
    members, some = groups[in_group], vector[in_group]
    sizes = np.bincount(members)
    determined = np.clip(sizes - free, 1e-3, sizes)
    squares = np.bincount(members, weights=some**2)
    noise_precision = 1.0
    if is_quadratic:
        n_free = max(n_samples * n_outputs - determined.sum(), _LEAST_FREE * n_samples * n_outputs)
        noise_precision = n_free / (2 * n_samples * max(loss, _TINY))
    per_group = determined / np.maximum(squares, _TINY) / (noise_precision * n_samples)
    penalty = np.zeros(len(vector))
    penalty[in_group] = np.minimum(per_group, _MOST * curvature.mean)[members]
    return Prior(penalty, noise_precision)
