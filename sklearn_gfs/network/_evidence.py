"""
The penalty of a network that its data speak for: MacKay's evidence, with a penalty of its own for each input feature.

The weights of a group share a Gaussian prior around zero. Its precision, and that of the noise, are re-estimated from
how many of the group's weights the data determine. A penalty is per sample, so that it falls as samples are added.

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

# Squared weights and losses below this count as this much: a group that has vanished must not divide by zero.
_TINY = 1e-12
# The noise is estimated from at least this part of the samples, however many parameters the data determine.
_LEAST_FREE = 0.1
# No penalty is more than so many times the mean curvature: a weight under such a penalty is as good as zero. Where
# there is none, so much of the mean curvature keeps the matrix positive.
_MOST, _LEAST = 1e3, 1e-9


class Prior(NamedTuple):
    """
    Precisions: of each parameter's prior, in units of the noise's and per sample, and of the noise.

    Parameters
    ----------
    penalty : ndarray of shape (n_parameters,)
        Half of it times the squared parameter is added to the mean loss.
    noise_precision : float
        One over the variance of the targets around the outputs; one for a loss that is a log-likelihood itself.
    """

    penalty: Float64Array
    noise_precision: float


def groups_of(shape: Shape) -> IntArray:
    """Number the groups: coefficients of each feature, hidden intercepts, output coefficients; -1 has no penalty."""
    groups = np.empty(shape.n_parameters, dtype=np.intp)
    coef, intercept, out_coef, out_intercept = shape.parts(groups)
    coef[:] = np.arange(shape.n_features)
    intercept[:], out_coef[:], out_intercept[:] = shape.n_features, shape.n_features + 1, -1
    return groups


def penalty_of(shape: Shape, weights: Float64Array, alpha: float) -> Float64Array:
    """Return the penalty by which `alpha` is meant: alpha / 2 times the weighted mean over neurons of their squares."""
    penalty = np.zeros(shape.n_parameters)
    coef, _, out_coef, _ = shape.parts(penalty)
    coef[:] = alpha * weights[:, None]
    out_coef[:] = alpha / weights[:, None]  # the weights are folded into these
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
    Return the prior after one of MacKay's updates; the same where the curvature says nothing.

    Parameters
    ----------
    prior : Prior
    groups : ndarray of shape (n_parameters,)
    vector : ndarray of shape (n_parameters,)
    curvature : Curvature
        Of the mean loss.
    loss : float
        The mean loss.
    n_numbers : tuple of float and int
        Numbers of samples and of outputs.
    is_quadratic : bool
        Whether the loss is half the squared error, whose noise is estimated.
    """
    n_samples, n_outputs = n_numbers
    diagonal = prior.penalty + max(_LEAST * curvature.mean, np.finfo(np.float64).tiny)
    # The penalty's share of the precision in a direction is what the data do not determine there.
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
